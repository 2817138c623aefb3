package contract_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim/simtest"
)

// portLabels are the labels about the service port and its backend.
func portLabels() []behaviour {
	return []behaviour{
		{
			name:   "PORT moves the service port and the names with it",
			covers: []string{"label HAPROXY_{n}_PORT", "template FRONTEND_BACKEND_GLUE"},
			apps:   []app{{id: "/moved", ports: []int{10150}, labels: map[string]string{"HAPROXY_0_PORT": " 10151 "}}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10151, "/"), by("/moved"))
				expectClosed(t, s.Port(10150, "/"))
				expect(t, s.Stats("/haproxy?stats;csv"), has("\nmoved_10151,"))
			},
		},
		{
			name:   "own listeners and impossible ports cannot be taken, and the host stays",
			covers: []string{"D31"},
			apps: []app{
				{id: "/port-zero", ports: []int{10152}, labels: host("port-zero.example", "PORT", "0")},
				{id: "/port-stats", ports: []int{10153}, labels: host("port-stats.example", "PORT", "9090")},
				{id: "/port-large", ports: []int{10154}, labels: host("port-large.example", "PORT", "65536")},
			},
			show: func(t *testing.T, s scene) {
				for _, id := range []string{"/port-zero", "/port-stats", "/port-large"} {
					expect(t, s.Web(id[1:]+".example", "/"), by(id))
					expect(t, s.ByID(id, "/"), by(id))
					expectProblem(t, s, id)
				}
				expect(t, s.Stats("/haproxy?stats;csv"), code(http.StatusOK))
			},
		},
		{
			name:   "of two services on one address and port the smaller app id binds",
			covers: []string{"D30"},
			apps: []app{
				{id: "/same-a", ports: []int{10155}, labels: host("same-a.example")},
				{id: "/same-b", ports: []int{10156}, labels: host("same-b.example", "PORT", "10155")},
			},
			show: func(t *testing.T, s scene) {
				for range 5 {
					expect(t, s.Port(10155, "/"), by("/same-a"))
				}
				expect(t, s.Web("same-b.example", "/"), by("/same-b"))
				expectProblem(t, s, "/same-b", "/same-a")
			},
		},
		{
			name:   "BIND_ADDR is the address of the service port and of nothing else",
			covers: []string{"label HAPROXY_{n}_BIND_ADDR"},
			apps:   []app{{id: "/bound", ports: []int{10157}, labels: host("bound.example", "BIND_ADDR", "127.15.8.9")}},
			show: func(t *testing.T, s scene) {
				expect(t, balancer.Request{URL: "http://127.15.8.9:10157/"}, by("/bound"))
				expectClosed(t, s.Port(10157, "/"))
				expect(t, s.Web("bound.example", "/"), by("/bound"))
			},
		},
		{
			name:   "SSL_CERT and BIND_OPTIONS shape the service port's listener",
			covers: []string{"label HAPROXY_{n}_SSL_CERT", "label HAPROXY_{n}_BIND_OPTIONS", "template FRONTEND_HEAD"},
			apps: []app{
				{id: "/tls", ports: []int{10158}, labels: map[string]string{
					"HAPROXY_0_SSL_CERT": folder + "/site.pem", "HAPROXY_0_BIND_OPTIONS": "ssl-max-ver TLSv1.2", "HAPROXY_0_MODE": "http",
				}},
			},
			show: func(t *testing.T, s scene) {
				r := s.Port(10158, "/")
				r.URL = strings.Replace(r.URL, "http:", "https:", 1)
				expect(t, r, by("/tls"), said("x-forwarded-proto", "https"), func(a balancer.Answer) error {
					if a.Certificate != "site.example" || a.TLS != "TLS 1.2" {
						return fmt.Errorf("certificate of %q by %s", a.Certificate, a.TLS)
					}
					return nil
				})
			},
		},
		{
			name:   "the mode is the label's, else http for a host and tcp without",
			covers: []string{"label HAPROXY_{n}_MODE", "K8"},
			apps: []app{
				{id: "/mode-http", ports: []int{10160}, labels: map[string]string{"HAPROXY_0_MODE": "HTTP"}},
				{id: "/mode-tcp", ports: []int{10161}},
				{id: "/mode-host", ports: []int{10162}, labels: host("mode.example")},
				{id: "/mode-check", ports: []int{10163}, more: checks(httpCheck(0))},
				{id: "/mode-mesos", ports: []int{10164}, more: checks(check("MESOS_HTTP", "portIndex", 0, "path", "/"))},
				{id: "/mode-beaten", ports: []int{10165}, labels: map[string]string{"HAPROXY_0_MODE": "tcp"}, more: checks(httpCheck(0))},
			},
			show: func(t *testing.T, s scene) {
				// In mode http HAProxy adds X-Forwarded-For.
				for port, http := range map[int]bool{10160: true, 10161: false, 10162: true, 10163: true, 10164: false, 10165: false} {
					from := ""
					if http {
						from = "127.9.9.9"
					}
					expect(t, s.Port(port, "/").WithFrom("127.9.9.9"), code(200), said("x-forwarded-for", from))
				}
			},
		},
		{
			name:   "a borrowed HTTP check makes the mode http even against the label",
			covers: []string{"label HAPROXY_{n}_BACKEND_HEALTHCHECK_PORT_INDEX"},
			apps: []app{{
				id: "/borrowed", ports: []int{10166, 10167},
				labels: map[string]string{"HAPROXY_0_BACKEND_HEALTHCHECK_PORT_INDEX": "1", "HAPROXY_0_MODE": "tcp"},
				more:   checks(httpCheck(1)),
			}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10166, "/").WithFrom("127.9.9.9"), by("/borrowed"), said("x-forwarded-for", "127.9.9.9"))
			},
		},
		{
			name:   "BALANCE chooses the algorithm",
			covers: []string{"label HAPROXY_{n}_BALANCE", "template BACKEND_HEAD"},
			apps: []app{
				{id: "/by-source", ports: []int{10168}, instances: 3, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_BALANCE": "url_param user"}},
				{id: "/by-turns", ports: []int{10169}, instances: 3, labels: map[string]string{"HAPROXY_0_MODE": "http"}},
			},
			show: func(t *testing.T, s scene) {
				simtest.Running(t, s.cluster, "/by-source", 3)
				if got := tasks(t, s.Port(10168, "/?user=bob"), "/by-source", 9); len(got) != 1 {
					t.Errorf("%v answer one user, want one task", got)
				}
				balancer.Eventually(t, "all tasks take their turns", func() error {
					if got := tasks(t, s.Port(10169, "/"), "/by-turns", 9); len(got) != 3 {
						return fmt.Errorf("%v answer", got)
					}
					return nil
				})
			},
		},
		{
			name:   "STICKY keeps a client at its task by a cookie that is a hash of the server's name",
			covers: []string{"label HAPROXY_{n}_STICKY", "template BACKEND_STICKY_OPTIONS", "template BACKEND_SERVER_OPTIONS"},
			apps:   []app{{id: "/sticky", ports: []int{10170}, instances: 3, labels: host("sticky.example", "STICKY", "y")}},
			show: func(t *testing.T, s scene) {
				cookies := map[string]string{}
				for _, task := range s.cluster.Ready("/sticky") {
					cookies[cookieOf(serverName(task.Address, task.Ports[0]))] = task.ID
				}
				for value, task := range cookies {
					r := s.Web("sticky.example", "/").WithHeader("Cookie", "mesosphere_server_id="+value)
					for range 4 {
						expect(t, r, by("/sticky"), header("X-Task", task))
					}
				}
				expect(t, s.Web("sticky.example", "/"), by("/sticky"), func(a balancer.Answer) error {
					name, value, _ := strings.Cut(strings.SplitN(a.Header.Get("Set-Cookie"), ";", 2)[0], "=")
					if name != "mesosphere_server_id" || cookies[value] != a.Task {
						return fmt.Errorf("cookie %s=%s for task %s", name, value, a.Task)
					}
					return nil
				})
			},
		},
		{
			name:   "ENABLED switches one port off",
			covers: []string{"label HAPROXY_{n}_ENABLED"},
			apps: []app{{
				id: "/enabled", ports: []int{10171, 10172},
				labels: map[string]string{"HAPROXY_0_ENABLED": "no", "HAPROXY_1_ENABLED": "TRUE"},
			}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10172, "/"), by("/enabled"))
				expectClosed(t, s.Port(10171, "/"))
			},
		},
		{
			name:   "the group of a port beats that of its app, and names are compared as they are",
			covers: []string{"label HAPROXY_{n}_GROUP"},
			apps: []app{
				{id: "/group-mixed", ports: []int{10173, 10174}, labels: map[string]string{"HAPROXY_GROUP": "internal", "HAPROXY_1_GROUP": "other,external"}},
				{id: "/group-empty", ports: []int{10175}, labels: map[string]string{"HAPROXY_0_GROUP": ""}},
				{id: "/group-blank", ports: []int{10176}, labels: map[string]string{"HAPROXY_GROUP": "other, external"}},
				{id: "/group-case", ports: []int{10177}, labels: map[string]string{"HAPROXY_GROUP": "External"}},
				{id: "/group-star", ports: []int{10178}, labels: map[string]string{"HAPROXY_GROUP": "*"}},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10174, "/"), by("/group-mixed"))
				for _, port := range []int{10173, 10175, 10176, 10177, 10178} {
					expectClosed(t, s.Port(port, "/"))
				}
			},
		},
		{
			name:   "HAPROXY_APP_ID has no effect",
			covers: []string{"label HAPROXY_APP_ID"},
			apps:   []app{{id: "/app-id", ports: []int{10179}, labels: host("app-id.example", "MODE", "http")}, {id: "/app-id-2", ports: []int{10180}, labels: map[string]string{"HAPROXY_APP_ID": "/app-id", "HAPROXY_0_MODE": "http"}}},
			show: func(t *testing.T, s scene) {
				expect(t, s.ByID("/app-id", "/"), by("/app-id"))
				expect(t, s.ByID("/app-id-2", "/"), by("/app-id-2"))
			},
		},
	}
}

// tasks returns the tasks that answer n requests, each once, sorted.
func tasks(t *testing.T, r balancer.Request, app string, n int) []string {
	t.Helper()
	var found []string
	for range n {
		var task string
		expect(t, r, by(app), func(a balancer.Answer) error { task = a.Task; return nil })
		found = append(found, task)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// checks are the health checks of a definition.
func checks(all ...map[string]any) map[string]any { return map[string]any{"healthChecks": all} }

// check is a health check that is quick to pass, with further members as pairs.
func check(protocol string, pairs ...any) map[string]any {
	c := map[string]any{
		"protocol": protocol, "gracePeriodSeconds": 5, "intervalSeconds": 1, "timeoutSeconds": 2, "maxConsecutiveFailures": 3,
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		c[name] = pairs[i+1]
	}
	return c
}

// httpCheck is an HTTP check of a port index.
func httpCheck(portIndex int) map[string]any {
	return check("HTTP", "portIndex", portIndex, "path", "/")
}
