package apply_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// HAProxy itself would stop all listeners for two seconds to find that out.
func TestPortThatCannotBeBoundCostsNoConnectionElsewhere(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(*testing.T) string{
		"another process listens there": func(t *testing.T) string {
			t.Helper()
			return haproxytest.Listen(t).Addr().String()
		},
		"another process listens on one port of a range": func(t *testing.T) string {
			t.Helper()
			host, port, err := net.SplitHostPort(haproxytest.Listen(t).Addr().String())
			n, numberErr := strconv.Atoi(port)
			if err != nil || numberErr != nil {
				t.Fatal(err, numberErr)
			}
			return host + ":" + strconv.Itoa(n-1) + "-" + port
		},
		"another process listens there on all addresses": func(t *testing.T) string {
			t.Helper()
			var lc net.ListenConfig
			l, err := lc.Listen(t.Context(), "tcp4", "0.0.0.0:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return "127.0.0.1:" + strings.TrimPrefix(l.Addr().String(), "0.0.0.0:")
		},
		"another process shares it": func(t *testing.T) string {
			t.Helper()
			addr := haproxytest.FreeAddr(t)
			shareListen(t, addr)
			return addr
		},
		"the machine does not have the address": func(t *testing.T) string {
			t.Helper()
			return "192.0.2.1:20000"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := target(t, "a")
			r := newRig(t)
			r.run(t, nil)
			other, more, addr := haproxytest.FreeAddr(t), haproxytest.FreeAddr(t), bad(t)
			s := proxy("s", r.bind, a) + proxy("other", other, a)
			r.apply(t, apply.MethodStart, s)
			traffic := newClients(t, r.bind, other)
			for range 3 {
				result := r.fail(t, s, proxy("more", more, a), proxy("bad", addr, a))
				if diff := cmp.Diff([]string{addr}, result.Taken); diff != "" {
					t.Errorf("taken (-want +got):\n%s", diff)
				}
			}
			r.apply(t, apply.MethodReload, s, proxy("more", more, a))
			r.awaitAnswers(t, more, "a")
			traffic.lossless(t)
		})
	}
}
