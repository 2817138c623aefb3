package contract_test

import (
	"net/http"
	"testing"
)

// rewritingLabels are those that change requests and answers on their way.
func rewritingLabels() []behaviour {
	return []behaviour{
		{
			name: "PROXYPASS cuts the literal prefix off and sets Host to the one host",
			covers: []string{
				"label HAPROXY_{n}_HTTP_BACKEND_PROXYPASS_PATH", "template HTTP_BACKEND_PROXYPASS_GLUE", "D28",
			},
			apps: []app{
				{id: "/pass", ports: []int{10181}, labels: host("pass.example", "HTTP_BACKEND_PROXYPASS_PATH", "/a.b")},
				{id: "/pass-many", ports: []int{10182}, labels: host("pass-a.example,pass-b.example", "HTTP_BACKEND_PROXYPASS_PATH", "/in")},
				{id: "/pass-any", ports: []int{10183}, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_HTTP_BACKEND_PROXYPASS_PATH": "/in"}},
			},
			show: func(t *testing.T, s scene) {
				for path, want := range map[string]string{
					"/a.b/x": "/x", "/a.b": "/", "/a.b/": "/", "/a.b?q=1": "/", "/a.bc": "/a.bc", "/axb/x": "/axb/x", "/x/a.b": "/x/a.b",
				} {
					expect(t, s.Web("pass.example", path), by("/pass"), said("path", want))
				}
				expect(t, s.Port(10181, "/a.b/x"), by("/pass"), said("host", "pass.example"))
				expect(t, s.Web("pass-b.example", "/in/x"), by("/pass-many"), said("path", "/x"), said("host", "pass-b.example"))
				expect(t, s.Port(10183, "/in/x"), by("/pass-any"), said("path", "/x"))
			},
		},
		{
			name: "REVPROXY replaces a Location on the own host as a whole and leaves others alone",
			covers: []string{
				"label HAPROXY_{n}_HTTP_BACKEND_REVPROXY_PATH", "template HTTP_BACKEND_REVPROXY_GLUE",
			},
			apps: []app{{id: "/rev", ports: []int{10184}, labels: host("rev.example", "HTTP_BACKEND_REVPROXY_PATH", "/outside")}},
			show: func(t *testing.T, s scene) {
				for location, want := range map[string]string{
					"http://rev.example/x": "/outside", "/x": "/outside", "http://other.example/x": "http://other.example/x",
				} {
					expect(t, s.Web("rev.example", "/?status=302&header=Location:"+location), code(http.StatusFound), header("Location", want))
				}
			},
		},
		{
			name: "REDIR sends a request for exactly the root to the path",
			covers: []string{
				"label HAPROXY_{n}_HTTP_BACKEND_REDIR", "template HTTP_BACKEND_REDIR",
			},
			apps: []app{{id: "/redir", ports: []int{10185}, labels: host("redir.example", "HTTP_BACKEND_REDIR", "/start")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("redir.example", "/"), code(http.StatusMovedPermanently), header("Location", "/start"))
				expect(t, s.Web("redir.example", "/other"), by("/redir"))
			},
		},
		{
			name:   "X-Forwarded headers are added, and the client's own are passed on",
			covers: []string{"K10", "template BACKEND_HTTP_OPTIONS"},
			apps:   []app{{id: "/forwarded", ports: []int{10186}, labels: host("forwarded.example")}},
			show: func(t *testing.T, s scene) {
				r := s.Web("forwarded.example", "/").WithFrom("127.9.8.7")
				expect(t, r, said("x-forwarded-for", "127.9.8.7"), said("x-forwarded-port", "8080"), said("x-forwarded-proto", ""))
				expect(t, s.Secure("forwarded.example", "/"), said("x-forwarded-proto", "https"), said("x-forwarded-port", "8443"))
				expect(t, r.WithHeader("X-Forwarded-For", "192.0.2.1").WithHeader("X-Forwarded-Proto", "https"),
					said("x-forwarded-for", "192.0.2.1, 127.9.8.7"), said("x-forwarded-proto", "https"))
			},
		},
	}
}
