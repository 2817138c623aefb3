package apply_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// Without a note a new worker believes in every server until its first check, and
// those are spread over an interval: requests would go to dead ones.
func TestAReloadRemembersWhichServersAreDead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	note := filepath.Join(r.dir, "global.state")
	r.run(t, func(c *apply.Config) { c.ServerStateFile = note })
	head := "global\n  server-state-file " + note + "\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n" +
		"  load-server-state-from-file global\n"
	var servers strings.Builder
	for i := range 12 {
		fmt.Fprintf(&servers, "  server s%d %s check inter 5s fall 1\n", i, haproxytest.FreeAddr(t))
	}
	dead := "listen dead\n  bind " + haproxytest.FreeAddr(t) + "\n" + servers.String()
	extra := "backend more\n"
	if _, err := r.Apply(t.Context(), haproxy.Parse(head+dead)); err != nil {
		t.Fatal(err)
	}
	alive := func() int {
		states, err := r.process.Socket().Servers(t.Context(), "dead")
		n := 0
		for _, s := range states {
			if s.Operational != runtime.Stopped {
				n++
			}
		}
		if err != nil {
			return len(states) + 1
		}
		return n
	}
	haproxytest.Eventually(t, "all servers are found dead", func() bool { return alive() == 0 })
	result, err := r.Apply(t.Context(), haproxy.Parse(head+dead+extra))
	if err != nil || result.Method != apply.MethodReload {
		t.Fatalf("result %+v, %v; want a reload", result, err)
	}
	if n := alive(); n > 0 {
		t.Errorf("%d of 12 dead servers are believed in after the reload", n)
	}
	b, err := os.ReadFile(note)
	if err != nil || strings.Contains(string(b), "dead") {
		t.Errorf("after the reload the note says %q (%v); a later start would believe it", b, err)
	}
}
