package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// many returns server lines of one target, each a long one.
func many(line string, n int) (lines, has []string) {
	_, address, _ := strings.Cut(line, " ")
	for i := range n {
		name := fmt.Sprintf("%s_%04d", strings.Repeat("long", 30), i)
		lines = append(lines, name+" "+address+" weight 10 maxconn 1000 check inter 60s fall 3 rise 2 maxqueue 100 slowstart 1ms fastinter 30s downinter 50s pool-max-conn 20 pool-purge-delay 7s")
		has = append(has, "m/"+name+" ready")
	}
	return lines, has
}

// HAProxy takes no line of commands above its buffer, and each version fails in
// another way.
func TestHundredsOfLongStepsInOnePass(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	addr := haproxytest.FreeAddr(t)
	lines, has := many(a, 500)
	r.run(t, nil)
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a), proxy("m", addr, b))
	traffic := newClients(t, r.bind, addr)
	result := r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a), proxy("m", addr, append(lines, b)...))
	if result.Adds != len(lines) {
		t.Errorf("%d adds, want %d", result.Adds, len(lines))
	}
	t.Log("took", result.Runtime)
	r.awaitServers(t, append(append([]string{"m/b ready"}, has...), "s/a ready")...)
	result = r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a), proxy("m", addr, b))
	if result.Removes != len(lines) {
		t.Errorf("%d removes, want %d", result.Removes, len(lines))
	}
	r.awaitServers(t, "m/b ready", "s/a ready")
	traffic.lossless(t)
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}
}

func TestHAProxyThatIsKilledAmongManyStepsGetsThemAll(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	lines, has := many(a, 500)
	for name, victim := range map[string]int{"master": 0, "worker": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			addr := haproxytest.FreeAddr(t)
			cutter := newCutter(t, r)
			r.run(t, nil)
			r.apply(t, apply.MethodStart, proxy("s", r.bind, a), proxy("m", addr, b))
			pids := r.process.PIDs()
			want := text(proxy("s", r.bind, a), proxy("m", addr, append(slices.Clone(lines), b)...))
			cutter.meanwhile = func() { _ = syscall.Kill(pids[victim], syscall.SIGKILL) }
			cutter.cut(5, 1<<40)
			if result, err := r.Apply(t.Context(), want); err == nil && result.Method == apply.MethodRuntime {
				t.Errorf("Apply: %s though HAProxy has ended", result.Method)
			}
			haproxytest.Eventually(t, "the newest text runs", func() bool { s := r.Status(); return s.InSync && s.Running })
			r.awaitServers(t, append(append([]string{"m/b ready"}, has...), "s/a ready")...)
			r.awaitAnswers(t, r.bind, "a")
			haproxytest.Eventually(t, "the file follows", func() bool { return settled(r.Loop, r.dir, want) })
			if found := masters(t, r.dir); len(found) != 1 || found[0] == pids[0] {
				t.Errorf("masters %v, was %d", found, pids[0])
			}
		})
	}
}

// Changes of entries go by commands, those of a large map in many lines.
func TestEntriesOfALargeMapChangeOneByOneAndByTheThousand(t *testing.T) {
	t.Parallel()
	const size = 10000
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, nil)
	hosts := make([]string, size) // where each host leads
	text := func() string {
		var s strings.Builder
		s.WriteString("key a\n")
		for i, to := range hosts {
			if to != "" {
				fmt.Fprintf(&s, "host-number-%05d.some-department.example.com/ %s\n", i, to)
			}
		}
		return s.String()
	}
	config := func() haproxy.Config { return withFile(r.mapped("a", a, b), "hosts.map", text()) }
	for i := range size - 1000 {
		hosts[i] = "a"
	}
	r.applyAs(t, apply.MethodStart, config())
	traffic := newClients(t, r.bind)
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"one leads elsewhere", func() { hosts[5000] = "b" }},
		{"one goes", func() { hosts[1] = "" }},
		{"one comes", func() { hosts[1] = "b" }},
		{"a thousand lead elsewhere", func() {
			for i := range 1000 {
				hosts[i*5] = "b"
			}
		}},
		{"a thousand come", func() {
			for i := range 1000 {
				hosts[size-1-i] = "a"
			}
		}},
		{"a thousand go", func() {
			for i := range 1000 {
				hosts[i*7] = ""
			}
		}},
	} {
		c.change()
		result := r.applyAs(t, apply.MethodRuntime, config())
		t.Log(c.what, result.Runtime)
		lines := strings.SplitAfter(text(), "\n")
		slices.Sort(lines)
		if r.entries(t, "hosts.map") != strings.Join(lines, "") {
			t.Errorf("%s: the map is another one", c.what)
		}
	}
	traffic.lossless(t)
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}
}
