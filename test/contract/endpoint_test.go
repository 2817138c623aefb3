package contract_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// endpointStage shows the endpoints of contract 8 as they are without flags.
func endpointStage() stage {
	return stage{name: "endpoints", behaviours: append(statistics(), ownEndpoints()...)}
}

func statistics() []behaviour {
	return []behaviour{
		{
			name:   "the statistics are a page and a table, and read-only",
			covers: []string{"endpoint 9090 /haproxy?stats", "endpoint 9090 /haproxy?stats;csv"},
			apps:   []app{{id: "/stats/app.x-y", ports: []int{10100}}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/haproxy?stats"), code(http.StatusOK), header("Content-Type", "text/html"), header("Cache-Control", "no-cache"), has("<html"))
				server := "stats_app.x-y_10100," + serverName(s.cluster.Ready("/stats/app.x-y")[0].Address, s.cluster.Ready("/stats/app.x-y")[0].Ports[0]) + ","
				expect(t, s.Stats("/haproxy?stats;csv"), code(http.StatusOK), has("# pxname,svname,qcur,"), has("\n"+server), func(a balancer.Answer) error {
					if strings.Contains(a.Body, "\nstats,mlb,") {
						return errors.New("the statistics listener has a server")
					}
					return nil
				})
				expect(t, s.Stats("/haproxy?stats").WithMethod(http.MethodPost), func(a balancer.Answer) error {
					if a.Code == http.StatusOK && strings.Contains(a.Body, "DONE") {
						return errors.New("the page takes orders")
					}
					return nil
				})
			},
		},
		{
			name:   "everything else on 9090 is 503",
			covers: []string{"endpoint 9090 /*"},
			show: func(t *testing.T, s scene) {
				for _, path := range []string{"/", "/haproxy", "/haproxy_stats", "/x?stats", "/_haproxy", "/_haproxy_getpids/", "/_HAPROXY_GETPIDS", "/admin"} {
					expect(t, s.Stats(path), code(http.StatusServiceUnavailable), header("Content-Type", "text/html"), header("Cache-Control", "no-cache"))
				}
			},
		},
		{
			name:   "the health check is HAProxy's own answer",
			covers: []string{"endpoint 9090 /_haproxy_health_check"},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/_haproxy_health_check"), code(http.StatusOK), header("Content-Type", "text/html"),
					header("Cache-Control", "no-cache"), has("<h1>200 OK</h1>"), has("Service ready."))
			},
		},
		{
			name:   "/metrics is HAProxy's exporter",
			covers: []string{"endpoint 9090 /metrics"},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/metrics"), code(http.StatusOK), header("Content-Type", "text/plain; version=0.0.4"), has("\nhaproxy_process_"))
			},
		},
	}
}

func ownEndpoints() []behaviour {
	return []behaviour{
		{
			name:   "9091 leads to the first http service of the app in the header, whatever its case",
			covers: []string{"endpoint 9091 /*", "template HTTP_FRONTEND_APPID_HEAD", "template HTTP_FRONTEND_APPID_ACL"},
			apps: []app{
				{id: "/by/id", ports: []int{10103, 10101, 10102}, labels: map[string]string{"HAPROXY_1_MODE": "tcp", "HAPROXY_0_MODE": "http", "HAPROXY_2_MODE": "http"}},
			},
			show: func(t *testing.T, s scene) {
				second := strconv.Itoa(s.cluster.Ready("/by/id")[0].Ports[2])
				expect(t, s.ByID("/by/id", "/x"), by("/by/id"), said("port", second))
				expect(t, s.ByID("/BY/Id", "/x"), by("/by/id"))
				expect(t, s.ByID("/by", "/x"), code(http.StatusServiceUnavailable))
				expect(t, s.Port(9091, "/x"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name:   "ids that are equal after cleaning are told apart on 9091",
			covers: []string{"D33"},
			apps: []app{
				{id: "/clean.id", ports: []int{10104}, labels: map[string]string{"HAPROXY_0_MODE": "http"}},
				{id: "/clean/id", ports: []int{10105}, labels: map[string]string{"HAPROXY_0_MODE": "http"}},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.ByID("/clean.id", "/"), by("/clean.id"))
				expect(t, s.ByID("/clean/id", "/"), by("/clean/id"))
			},
		},
		{
			name:   "getpids are the own master and worker, two when settled",
			covers: []string{"endpoint 9090 /_haproxy_getpids", "D50"},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/_haproxy_getpids?x=1"), code(http.StatusOK), header("Content-Type", "text/plain"), func(a balancer.Answer) error {
					words := strings.Split(a.Body, " ")
					if len(words) != 2 {
						return errors.New("want two process ids")
					}
					mine := s.Processes()
					for _, w := range words {
						pid, err := strconv.Atoi(w)
						if err != nil || !slices.Contains(mine, pid) {
							return fmt.Errorf("%q is no process of this balancer", w)
						}
					}
					return nil
				})
			},
		},
		{
			name:   "getconfig is what HAProxy was started with, without hashes",
			covers: []string{"endpoint 9090 /_haproxy_getconfig", "D51"},
			apps:   []app{{id: "/masked", ports: []int{10106}, labels: host("masked.example", "AUTH", "r:bob:"+hash)}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/_haproxy_getconfig?x"), code(http.StatusOK), header("Content-Type", "text/plain"),
					has("\nbackend masked_10106\n"), has("user bob password <secret>"), func(a balancer.Answer) error {
						if strings.Contains(a.Body, hash) || a.Header.Get("Content-Length") != strconv.Itoa(len(a.Body)) {
							return errors.New("a hash or a wrong length")
						}
						return nil
					})
				expect(t, s.Web("masked.example", "/").WithLogin("bob", password), by("/masked"))
			},
		},
		{
			name:   "without --haproxy-map both maps are empty",
			covers: []string{"endpoint 9090 /_haproxy_getvhostmap", "endpoint 9090 /_haproxy_getappmap"},
			apps:   []app{{id: "/unmapped", ports: []int{10107}, labels: host("unmapped.example")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("unmapped.example", "/"), by("/unmapped"))
				for _, path := range []string{"/_haproxy_getvhostmap", "/_haproxy_getappmap"} {
					expect(t, s.Stats(path), code(http.StatusOK), header("Content-Type", "text/plain"), header("Content-Length", "0"), body(""))
				}
			},
		},
		{
			name:   "signals can be sent by HTTP, with any method",
			covers: []string{"endpoint 9090 /_mlb_signal/hup", "endpoint 9090 /_mlb_signal/usr1"},
			show: func(t *testing.T, s scene) {
				for path, signal := range map[string]string{"hup": "SIGHUP", "usr1": "SIGUSR1"} {
					for _, method := range []string{http.MethodGet, http.MethodPost, "BREW"} {
						expect(t, s.Stats("/_mlb_signal/"+path).WithMethod(method), code(http.StatusOK), header("Content-Type", "text/plain"),
							body("Sent "+signal+" signal to marathon-lb"))
					}
				}
			},
		},
	}
}

// pollStage shows what is different when nothing is followed.
func pollStage() stage {
	return stage{
		name: "poll", args: []string{"--poll-interval", "0.3"},
		prepare: func(_ *testing.T, s scene) { s.Mode = "poll" },
		behaviours: []behaviour{
			{
				name:   "in poll mode nobody takes signals by HTTP",
				covers: []string{"D20"},
				apps:   []app{{id: "/polled", ports: []int{10100}}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10100, "/"), by("/polled"))
					for path, signal := range map[string]string{"hup": "SIGHUP", "usr1": "SIGUSR1"} {
						expect(t, s.Stats("/_mlb_signal/"+path), code(http.StatusInternalServerError), header("Content-Type", "text/plain"),
							has("Failed to send "+signal+" signal to marathon-lb (exit code 1)."), has("poll mode"))
					}
				},
			},
		},
	}
}
