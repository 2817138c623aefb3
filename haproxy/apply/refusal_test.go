package apply_test

import (
	"net"
	"strings"
	"testing"

	"mlb/haproxy/apply"
)

// HAProxy's check binds nothing, so this comes out only when it starts or reloads.
func TestAddressThatCannotBeBoundIsBlamedOnItsLine(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	var lc net.ListenConfig
	held, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
	_, port, err := net.SplitHostPort(held.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// A name is nothing that could be tried before.
	unbindable := proxy("held", "localhost:"+port, a)
	for name, prepare := range map[string]func(*testing.T) *rig{
		"on a start": func(t *testing.T) *rig {
			t.Helper()
			r := newRig(t)
			r.run(t, nil)
			return r
		},
		"on a reload": func(t *testing.T) *rig {
			t.Helper()
			return serving(t, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := prepare(t)
			result := r.fail(t, proxy("s", r.bind, a), unbindable)
			if len(result.Refused) != 1 {
				t.Fatalf("refused %+v, want one", result.Refused)
			}
			f := result.Refused[0]
			line := strings.Split(text(proxy("s", r.bind, a), unbindable).Text(), "\n")[f.Line-1]
			if f.Section != "frontend held" || line != "  bind localhost:"+port || !strings.Contains(f.Message, "Address already in use") {
				t.Errorf("refused %+v, line %q", f, line)
			}
			if name == "on a reload" {
				r.awaitAnswers(t, r.bind, "a")
				r.apply(t, apply.MethodNone, proxy("s", r.bind, a))
			}
		})
	}
}
