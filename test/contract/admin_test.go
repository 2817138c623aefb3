package contract_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"mlb/test/balancer"
)

// adminStage shows the endpoints with maps, and with clients told apart.
func adminStage() stage {
	return stage{
		name: "administration", args: []string{"--haproxy-map", "--admin-sources", "127.7.0.0/16"},
		behaviours: []behaviour{
			{
				name:   "signals and the configuration are for clients from --admin-sources",
				covers: []string{"D49"},
				show: func(t *testing.T, s scene) {
					for _, path := range []string{
						"/_mlb_signal/hup", "/_mlb_signal/usr1", "/_haproxy_getconfig", "/_haproxy_getvhostmap", "/_haproxy_getappmap", "/_mlb/problems",
					} {
						expect(t, s.Stats(path).WithFrom("127.7.1.1"), code(http.StatusOK))
						forged := s.Stats(path).WithFrom("127.8.1.1").WithHeader("X-Mlb-Client", "127.7.1.1").WithHeader("x-mlb-client", "127.7.1.1")
						expect(t, forged, code(http.StatusForbidden))
					}
					for _, path := range []string{"/_haproxy_getpids", "/_haproxy_health_check", "/metrics", "/haproxy?stats;csv", "/_mlb/ready"} {
						expect(t, s.Stats(path).WithFrom("127.8.1.1"), code(http.StatusOK))
					}
				},
			},
			{
				name: "with --haproxy-map both maps are the files beside the configuration",
				covers: []string{
					"flag --haproxy-map", "endpoint 9090 /_haproxy_getvhostmap", "endpoint 9090 /_haproxy_getappmap",
				},
				apps: []app{{id: "/mapped", ports: []int{10100}, labels: host("Mapped.Example,also.example")}},
				show: func(t *testing.T, s scene) {
					r := s.Stats("/_haproxy_getvhostmap?x").WithFrom("127.7.1.1")
					expect(t, r, code(http.StatusOK), header("Content-Type", "text/plain"), has("mapped.example mapped_10100\n"), has("also.example mapped_10100\n"))
					r = s.Stats("/_haproxy_getappmap").WithFrom("127.7.1.1")
					expect(t, r, code(http.StatusOK), header("Content-Type", "text/plain"), has("/mapped mapped_10100\n"))
					expect(t, s.Web("mapped.example:80", "/"), by("/mapped"))
					expect(t, s.ByID("/mapped", "/"), by("/mapped"))
				},
			},
		},
	}
}

// orderStage shows what signals by HTTP lead to; nothing else happens on it.
func orderStage() stage {
	return stage{
		name: "orders",
		behaviours: []behaviour{{
			name:   "HUP by HTTP reads everything again, USR1 reloads HAProxy under the same master",
			covers: []string{"endpoint 9090 /_mlb_signal/hup", "endpoint 9090 /_mlb_signal/usr1", "D50"},
			apps:   []app{{id: "/ordered", ports: []int{10100}}},
			show: func(t *testing.T, s scene) {
				ask := func(path string) string {
					a, err := s.Ask(t.Context(), path)
					if err != nil {
						t.Fatal(err)
					}
					return a
				}
				expect(t, s.Port(10100, "/"), by("/ordered"))
				readings := func() float64 {
					n, err := s.Metric(t.Context(), "mlb_fetch_duration_seconds_count", "")
					if err != nil {
						t.Fatal(err)
					}
					return n
				}
				before, reloaded, master := readings(), s.Reloads(t), ask("/_haproxy_getpids")
				ask("/_mlb_signal/hup")
				balancer.Eventually(t, "everything is read again", func() error {
					if readings() <= before {
						return errors.New("it was not")
					}
					return nil
				})
				if n := s.Reloads(t); n != reloaded {
					t.Errorf("HUP led to %v reloads", n-reloaded)
				}
				ask("/_mlb_signal/usr1")
				balancer.Eventually(t, "haproxy is reloaded", func() error {
					if n := s.Reloads(t); n != reloaded+1 {
						return fmt.Errorf("%v reloads", n-reloaded)
					}
					return nil
				})
				balancer.Eventually(t, "two processes are left, with the same master", func() error {
					var m, n, m2, n2 int
					_, errBefore := fmt.Sscan(master, &m, &n)
					_, errAfter := fmt.Sscan(ask("/_haproxy_getpids"), &m2, &n2)
					if errBefore != nil || errAfter != nil || m != m2 || n == n2 {
						return fmt.Errorf("%q before, %d and %d after", master, m2, n2)
					}
					return nil
				})
			},
		}},
	}
}
