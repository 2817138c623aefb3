package apply_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mlb/haproxy/apply"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// What others change in the running HAProxy is found and mended without a reload.
func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	for name, commands := range map[string][]string{
		"a server in maintenance":   {"set server a/a state maint"},
		"a server that drains":      {"set server a/a state drain"},
		"a server that was deleted": {"set server b/b state maint", "del server b/b"},
		"another weight":            {"set server a/a weight 0"},
		"another address":           {"set server a/a addr 127.0.0.1 port 1"},
		"an entry that is gone":     {"del map HOSTS key"},
		"an entry that is wrong":    {"set map HOSTS key b"},
		"an entry that is new":      {"add map HOSTS more b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := target(t, "a"), target(t, "b")
			r := newRig(t)
			r.run(t, func(c *apply.Config) { c.DriftInterval = 20 * time.Millisecond })
			r.applyAs(t, apply.MethodStart, r.mapped("a", a, b))
			hosts := filepath.Join(r.dir, "hosts.map")
			socket := r.process.Socket()
			before := seen(t, socket, hosts)
			for i, c := range commands {
				commands[i] = strings.ReplaceAll(c, "HOSTS", hosts)
			}
			answers, err := socket.Execute(t.Context(), commands)
			if err != nil || runtime.Refused(answers) != nil {
				t.Fatalf("%v, %v", err, answers)
			}
			haproxytest.Eventually(t, "the same servers and maps as before", func() bool {
				return slices.Equal(before, seen(t, socket, hosts))
			})
			r.awaitAnswers(t, r.bind, "a")
			if n := r.reloads(t); n != 0 {
				t.Errorf("%d reloads, want none", n)
			}
		})
	}
}

// seen is what HAProxy has: servers with their states, and entries of a map.
func seen(t *testing.T, socket *runtime.Socket, path string) []string {
	t.Helper()
	states, err := socket.Servers(t.Context())
	if err != nil {
		return []string{err.Error()} // the next look may get an answer
	}
	var out []string
	for _, s := range states {
		out = append(out, strings.Join([]string{s.Backend, s.Name, s.Address, strconv.Itoa(s.Port), strconv.Itoa(int(s.Admin)), strconv.Itoa(s.Weight)}, " "))
	}
	entries, err := socket.Map(t.Context(), path)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		out = append(out, e.Key+" "+e.Value)
	}
	slices.Sort(out)
	return out
}
