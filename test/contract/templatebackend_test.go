package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// frontendTemplateLabels replace what stands before the backend of a service.
func frontendTemplateLabels() []behaviour {
	return append(behavioursOf([]override{
		{
			template: "FRONTEND_HEAD",
			app: app{id: "/front/head", ports: []int{10140}, labels: map[string]string{
				"HAPROXY_0_MODE": "http", "HAPROXY_0_SSL_CERT": folder + "/site.pem", "HAPROXY_0_BIND_OPTIONS": "ssl-max-ver TLSv1.2",
			}},
			text: []string{
				"frontend {backend}", "  bind {bindAddr}:{servicePort}{sslCert}{bindOptions}", "  mode {mode}",
				"  http-request set-header X-Forwarded-Host '" + everything + "'",
			},
			values: map[string]string{
				"backend": "front_head_10140", "bindAddr": "@HOST@", "servicePort": "10140", "mode": "http",
				"sslCert": " ssl crt " + folder + "/site.pem", "bindOptions": " ssl-max-ver TLSv1.2",
			},
			request: func(s scene) balancer.Request {
				r := s.Port(10140, "/")
				r.URL = strings.Replace(r.URL, "http:", "https:", 1)
				return r
			},
			seen: forwarded,
		},
		{
			template: "FRONTEND_BACKEND_GLUE",
			app:      app{id: "/front/glue", ports: []int{10141}, labels: map[string]string{"HAPROXY_0_MODE": "http"}},
			text:     []string{"  http-request set-header X-Forwarded-Host '" + everything + "'", "  default_backend {backend}"},
			values:   map[string]string{"backend": "front_glue_10141"},
			request:  port(10141), seen: forwarded,
		},
	}), behaviour{
		name: "a label replaces USERLIST_HEAD for its service",
		covers: []string{
			"template USERLIST_HEAD", "label HAPROXY_{n}_USERLIST_HEAD", "placeholder USERLIST_HEAD backend", "placeholder USERLIST_HEAD user",
			"placeholder USERLIST_HEAD passwd",
		},
		apps: []app{{id: "/front/users", ports: []int{10142}, labels: host(
			"users.example", "AUTH", office, "USERLIST_HEAD", "userlist user_{backend}\n  user {user} password {passwd}\n  user deputy-of-{user} password {passwd}",
		)}},
		show: func(t *testing.T, s scene) {
			r := s.Web("users.example", "/")
			expect(t, r.WithLogin("bob", password), by("/front/users"))
			expect(t, r.WithLogin("deputy-of-bob", password), by("/front/users"))
			expect(t, r.WithLogin("deputy-of-bob", "wrong"), code(http.StatusUnauthorized))
			expect(t, s.Secure("users.example", "/").WithLogin("deputy-of-bob", password), by("/front/users"))
		},
	})
}

// backendTemplateLabels replace parts of a backend.
func backendTemplateLabels() []behaviour {
	const show = "  http-response set-header X-Values '" + everything + "'"
	return append(behavioursOf([]override{
		{
			template: "BACKEND_HEAD",
			app:      app{id: "/back/head", ports: []int{10150}, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_BALANCE": "leastconn"}},
			text:     []string{"backend {backend}", "  balance {balance}", "  mode {mode}", show},
			values:   map[string]string{"backend": "back_head_10150", "balance": "leastconn", "mode": "http"},
			request:  port(10150), seen: inHeader,
		},
		{
			template: "HTTP_BACKEND_PROXYPASS_GLUE",
			app:      app{id: "/back/pass", ports: []int{10151}, labels: host("pass.example", "HTTP_BACKEND_PROXYPASS_PATH", "/in")},
			text:     []string{`  http-request replace-path {proxypath}(.*) /out\1`, show},
			values:   map[string]string{"hostname": "pass.example", "proxypath": "/in"},
			request:  web("pass.example", "/in/x"), seen: inHeader, wishes: []wish{said("path", "/out/x")},
		},
		{
			template: "HTTP_BACKEND_REVPROXY_GLUE",
			app:      app{id: "/back/reverse", ports: []int{10152}, labels: host("reverse.example", "HTTP_BACKEND_REVPROXY_PATH", "/in")},
			text:     []string{"  http-response replace-header Location .*/([^/]*)$ https://{hostname}{rootpath}/\\1", show},
			values:   map[string]string{"hostname": "reverse.example", "rootpath": "/in"},
			request:  web("reverse.example", "/?status=302&header=Location:/a/b"), seen: inHeader,
			wishes: []wish{header("Location", "https://reverse.example/in/b")},
		},
		{
			template: "HTTP_BACKEND_NETWORK_ALLOWED_ACL",
			app:      app{id: "/back/net", ports: []int{10153}, labels: host("net.example", "BACKEND_NETWORK_ALLOWED_ACL", "127.31.0.0/16")},
			text:     []string{"  acl network_allowed src {network_allowed} 127.32.0.0/16", show},
			values:   map[string]string{"network_allowed": "127.31.0.0/16"},
			request:  func(s scene) balancer.Request { return s.Web("net.example", "/").WithFrom("127.32.1.1") }, seen: inHeader,
		},
	}), rawTemplateLabels()...)
}

// rawTemplateLabels replace texts without placeholders, and one for tcp.
func rawTemplateLabels() []behaviour {
	return []behaviour{
		{
			name: "a label replaces TCP_BACKEND_NETWORK_ALLOWED_ACL for its service",
			covers: []string{
				"template TCP_BACKEND_NETWORK_ALLOWED_ACL", "label HAPROXY_{n}_TCP_BACKEND_NETWORK_ALLOWED_ACL",
				"placeholder TCP_BACKEND_NETWORK_ALLOWED_ACL network_allowed",
			},
			apps: []app{{id: "/back/net-tcp", ports: []int{10154}, labels: map[string]string{
				"HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL":     "127.31.0.0/16 127.33.0.0/16",
				"HAPROXY_0_TCP_BACKEND_NETWORK_ALLOWED_ACL": "  acl network_allowed src {network_allowed} 127.32.0.0/16",
			}}},
			show: func(t *testing.T, s scene) {
				for _, from := range []string{"127.31.1.1", "127.32.1.1", "127.33.1.1"} {
					expect(t, s.Port(10154, "/").WithFrom(from), by("/back/net-tcp"))
				}
				expectClosed(t, s.Port(10154, "/").WithFrom("127.34.1.1"))
			},
		},
		{
			name:   "a label replaces BACKEND_HTTP_OPTIONS for its service, and its braces are HAProxy's",
			covers: []string{"template BACKEND_HTTP_OPTIONS", "label HAPROXY_{n}_BACKEND_HTTP_OPTIONS"},
			apps: []app{{id: "/back/options", ports: []int{10155}, labels: host(
				"options.example", "BACKEND_HTTP_OPTIONS", "  http-request set-header X-Forwarded-Host %[path] if { path_beg /in }",
			)}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("options.example", "/in/x"), by("/back/options"), said("x-forwarded-host", "/in/x"), said("x-forwarded-port", ""))
				expect(t, s.Web("options.example", "/out"), by("/back/options"), said("x-forwarded-host", ""))
			},
		},
		{
			name:   "a label replaces BACKEND_HSTS_OPTIONS for its service",
			covers: []string{"template BACKEND_HSTS_OPTIONS", "label HAPROXY_{n}_BACKEND_HSTS_OPTIONS"},
			apps: []app{{id: "/back/hsts", ports: []int{10156}, labels: host(
				"back-hsts.example", "USE_HSTS", "true", "BACKEND_HSTS_OPTIONS", "  http-response set-header Strict-Transport-Security max-age=60",
			)}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("back-hsts.example", "/"), by("/back/hsts"), header("Strict-Transport-Security", "max-age=60"))
			},
		},
		{
			name:   "a label replaces BACKEND_STICKY_OPTIONS for its service",
			covers: []string{"template BACKEND_STICKY_OPTIONS", "label HAPROXY_{n}_BACKEND_STICKY_OPTIONS"},
			apps: []app{{id: "/back/sticky", ports: []int{10157}, labels: host(
				"back-sticky.example", "STICKY", "true", "BACKEND_STICKY_OPTIONS", "  cookie team_server insert indirect nocache maxlife 1h",
			)}},
			show: func(t *testing.T, s scene) {
				value := filled(s, "/back/sticky", "@COOKIE@")
				expect(t, s.Web("back-sticky.example", "/"), by("/back/sticky"), func(a balancer.Answer) error {
					if got := a.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "team_server="+value) {
						return fmt.Errorf("the cookie is %q, want team_server=%s", got, value)
					}
					return nil
				})
			},
		},
	}
}

// checkTemplateLabels replace the options of health checks, of backends and of
// servers. The latter are seen in the value of a cookie.
func checkTemplateLabels() []behaviour {
	const show = "  http-response set-header X-Values '" + everything + "'"
	const cookie = "check inter 3s fall {healthCheckFalls}{healthCheckPortOptions} cookie '" + everything + "'"
	return append(behavioursOf([]override{
		{
			template: "BACKEND_HTTP_HEALTHCHECK_OPTIONS",
			app:      checkedApp("/check/http", 10160, "HTTP"),
			text:     []string{"  option httpchk HEAD {healthCheckPath}", "  timeout check {healthCheckTimeoutSeconds}s", show},
			values:   checkValues("HTTP", "/up"),
			request:  port(10160), seen: inHeader,
		},
		{
			template: "BACKEND_TCP_HEALTHCHECK_OPTIONS",
			app:      checkedApp("/check/tcp", 10162, "TCP"),
			text:     []string{"  timeout check {healthCheckTimeoutSeconds}s", show},
			values:   checkValues("TCP", "/"),
			request:  port(10162), seen: inHeader,
		},
		{
			template: "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS",
			app:      checkedApp("/check/server-http", 10164, "HTTP"),
			text:     []string{cookie},
			values:   checkValues("HTTP", "/up"),
			request:  port(10164), seen: inCookie,
		},
		{
			template: "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS",
			app:      checkedApp("/check/server-tcp", 10166, "TCP"),
			text:     []string{cookie},
			values:   checkValues("TCP", "/"),
			request:  port(10166), seen: inCookie,
		},
	}), behaviour{
		name: "a check without a port of its own is on the port of each task, and its placeholder reads None",
		covers: []string{
			"placeholder BACKEND_HTTP_HEALTHCHECK_OPTIONS healthCheckPort", "placeholder BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS healthCheckPort",
			"placeholder BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS healthCheckPortOptions",
		},
		apps: []app{{
			id: "/check/none", ports: []int{10168}, more: checks(httpCheck(0)),
			labels: map[string]string{
				"HAPROXY_0_STICKY":                                  "true",
				"HAPROXY_0_BACKEND_HTTP_HEALTHCHECK_OPTIONS":        "  http-response set-header X-Values '{healthCheckPort}{healthCheckPortOptions}'",
				"HAPROXY_0_BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS": "check cookie '{healthCheckPort}{healthCheckPortOptions}'\n",
			},
		}},
		show: func(t *testing.T, s scene) {
			p := filled(s, "/check/none", "@PORT0@")
			expect(t, s.Port(10168, "/"), by("/check/none"), header("X-Values", p+" port "+p), func(a balancer.Answer) error {
				if got := inCookie(a); got != "None" {
					return fmt.Errorf("the server says %q, want None", got)
				}
				return nil
			})
		},
	})
}

// checkedApp is an app in mode http with cookies, whose first port is checked by way
// of the second.
func checkedApp(id string, servicePort int, protocol string) app {
	c := check(protocol, "portIndex", 0, "gracePeriodSeconds", 5)
	if protocol == "HTTP" {
		c["path"] = "/up"
	}
	return app{
		id: id, ports: []int{servicePort, servicePort + 1}, more: checks(c),
		labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_STICKY": "true", "HAPROXY_0_BACKEND_HEALTHCHECK_PORT_INDEX": "1"},
	}
}

// checkValues are the placeholders of the check of a checkedApp. The whole check is
// what Marathon tells about it.
func checkValues(protocol, path string) map[string]string {
	own := ""
	if protocol == "HTTP" {
		own = `,"path":"/up"`
	}
	ending := ""
	if protocol == "HTTP" {
		ending = `,"ignoreHttp1xx":false`
	}
	return map[string]string{
		"healthCheck": `{"gracePeriodSeconds":5,"intervalSeconds":1,"timeoutSeconds":2,"maxConsecutiveFailures":3,"protocol":"` + protocol + `"` +
			own + `,"portIndex":0` + ending + `,"ipProtocol":"IPv4","delaySeconds":15}`,
		"healthCheckPortIndex": "0", "healthCheckPort": "@PORT1@", "healthCheckProtocol": protocol, "healthCheckPath": path,
		"healthCheckTimeoutSeconds": "2", "healthCheckIntervalSeconds": "1", "healthCheckGracePeriodSeconds": "5",
		"healthCheckMaxConsecutiveFailures": "3", "healthCheckFalls": "4", "healthCheckPortOptions": " port @PORT1@",
	}
}

// serverTemplateLabels replace the server line.
func serverTemplateLabels() []behaviour {
	const cookie = "  server {serverName} {host_ipv4}:{port} id {serverId}{cookieOptions}{healthCheckOptions}{otherOptions} cookie '" + everything + "'"
	line := override{
		template: "BACKEND_SERVER_OPTIONS",
		app: app{
			id: "/server/line", ports: []int{10170}, more: checks(httpCheck(0)),
			labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_STICKY": "true"},
		},
		text: []string{cookie},
		values: map[string]string{
			"serverName": "@SERVER@", "host_ipv4": "@ADDRESS@", "host": "@AGENT@", "port": "@PORT0@", "serverId": "@ID@",
			"cookieOptions": " check cookie @COOKIE@", "healthCheckOptions": " check inter 1s fall 4", "otherOptions": "",
		},
		request: port(10170), seen: inCookie,
	}
	return append(behavioursOf([]override{line}), behaviour{
		name:   "a server that is drained says so by {otherOptions}",
		covers: []string{"placeholder BACKEND_SERVER_OPTIONS otherOptions"},
		apps: []app{
			{id: "/server/blue", ports: []int{10171}, labels: lineOf(member("server", "2026-11-25T01:00:00.000000", "1"))},
			{id: "/server/green", ports: []int{10172}, labels: lineOf(member("server", "2026-11-25T02:00:00.000000", "1"))},
		},
		show: func(t *testing.T, s scene) {
			expect(t, s.Stats("/haproxy?stats;csv"), states("server_10188", "MAINT", "no check"))
			expect(t, s.Port(10188, "/"), by("/server/green"))
		},
	})
}

// lineOf adds a server line to labels.
func lineOf(labels map[string]string) map[string]string {
	labels["HAPROXY_0_BACKEND_SERVER_OPTIONS"] = "  server {serverName} {host_ipv4}:{port}{otherOptions} weight 7"
	return labels
}
