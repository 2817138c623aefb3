package contract_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
)

// strictStage shows which services are served, and what the log is like, at a Marathon
// of the older kind.
func strictStage() stage {
	received := &lines{}
	return stage{
		name: "strict", groups: []string{"one", "two,half", ""},
		args: []string{
			"--strict-mode", "--dont-bind-http-https", "--min-serv-port-ip-per-task", "10500", "--max-serv-port-ip-per-task", "10500",
			"--log-level", "info", "--log-format", "%(levelname)-5.3s|%(name)s|%(process)d|%(message)s", "--syslog-socket", "syslog",
		},
		marathon: marathonsim.Options{Generation: marathonsim.V1_4},
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			receive(t, s.Path("syslog"), received)
		},
		behaviours: []behaviour{
			{
				name:   "with --strict-mode a service has to be enabled, port by port",
				covers: []string{"flag --strict-mode", "label HAPROXY_{n}_ENABLED"},
				apps: []app{
					{id: "/enabled", ports: []int{10100, 10101}, labels: grouped("one", "HAPROXY_1_ENABLED", "YES")},
					{id: "/undecided", ports: []int{10102}, labels: grouped("one")},
					{id: "/disabled", ports: []int{10103}, labels: grouped("one", "HAPROXY_0_ENABLED", "1")},
				},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10101, "/"), by("/enabled"))
					for _, port := range []int{10100, 10102, 10103} {
						expectClosed(t, s.Port(port, "/"))
					}
				},
			},
			{
				name:   "--group may be repeated; a comma, blanks and an empty name mean nothing more",
				covers: []string{"flag --group"},
				apps: []app{
					{id: "/of-two", ports: []int{10104}, labels: grouped("two", "HAPROXY_0_ENABLED", "true")},
					{id: "/of-blank", ports: []int{10105}, labels: grouped(" one", "HAPROXY_0_ENABLED", "true")},
					{id: "/of-both", ports: []int{10106}, labels: grouped("other,one", "HAPROXY_0_ENABLED", "true")},
					{id: "/of-none", ports: []int{10107}, labels: grouped("", "HAPROXY_0_ENABLED", "true")},
					{id: "/of-all", ports: []int{10108}, labels: grouped("*", "HAPROXY_0_ENABLED", "true")},
				},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10106, "/"), by("/of-both"))
					expect(t, s.Port(10107, "/"), by("/of-none"))
					for _, port := range []int{10104, 10105, 10108} {
						expectClosed(t, s.Port(port, "/"))
					}
				},
			},
			{
				name:   "with --dont-bind-http-https nobody listens on 80 and 443; service ports and app ids go on",
				covers: []string{"flag --dont-bind-http-https"},
				apps: []app{{id: "/inside", ports: []int{10109}, labels: grouped("one",
					"HAPROXY_0_ENABLED", "true", "HAPROXY_0_VHOST", "inside.example", "HAPROXY_0_MODE", "http")}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10109, "/"), by("/inside"))
					expect(t, s.ByID("/inside", "/"), by("/inside"))
					expectClosed(t, s.Web("inside.example", "/"))
					expectClosed(t, s.Secure("inside.example", "/"))
				},
			},
			{
				name:   "a task with an address of its own gets a service port between the bounds; what finds none is not served",
				covers: []string{"flag --min-serv-port-ip-per-task", "flag --max-serv-port-ip-per-task"},
				apps: []app{{
					id: "/own-address", labels: grouped("one", "HAPROXY_0_ENABLED", "true", "HAPROXY_1_ENABLED", "true"),
					more: map[string]any{"portDefinitions": nil, "ipAddress": map[string]any{"discovery": map[string]any{"ports": []any{
						map[string]any{"number": 8080, "name": "web", "protocol": "tcp"}, map[string]any{"number": 8081, "name": "more", "protocol": "tcp"},
					}}}},
				}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10500, "/"), by("/own-address"), said("port", "8080"))
					expectClosed(t, s.Port(10501, "/"))
				},
			},
			{
				name:   "without --health-check a task is served whatever Marathon thinks of it",
				covers: []string{"flag --health-check"},
				apps:   []app{checked("/unasked", 10110, "one")},
				show: func(t *testing.T, s scene) {
					servedTasks(t, s, 10110, 2)
					failOne(t, s, "/unasked")
					servedTasks(t, s, 10110, 2)
				},
			},
			{
				name:   "the log has the form of --log-format, the lines from --log-level on, and goes to --syslog-socket too",
				covers: []string{"flag --log-level", "flag --log-format", "flag --syslog-socket"},
				show: func(t *testing.T, s scene) {
					balancer.Eventually(t, "a line of the log in both places", func() error {
						const line = `INF  |mlb`
						if text := s.Log(); !strings.Contains(text, line) || strings.Contains(text, "DEB  |") {
							return fmt.Errorf("log %s", text)
						}
						if text := received.String(); !strings.Contains(text, "<14>"+line) || strings.Contains(text, "DEB  |") {
							return fmt.Errorf("received %s", text)
						}
						return nil
					})
				},
			},
		},
	}
}

// checked is an app with two tasks that Marathon alone checks.
func checked(id string, port int, group string) app {
	return app{
		id: id, ports: []int{port}, instances: 2, labels: grouped(group, "HAPROXY_0_ENABLED", "true", "HAPROXY_0_MODE", "http"),
		more: map[string]any{"healthChecks": []any{map[string]any{
			"protocol": "COMMAND", "command": map[string]any{"value": "true"}, "intervalSeconds": 1, "maxConsecutiveFailures": 0,
		}}},
	}
}

// failOne lets Marathon's check of one of two tasks fail, and waits until it has.
func failOne(t *testing.T, s scene, id string) (task string) {
	t.Helper()
	task = s.cluster.Tasks(id)[0].ID
	if err := s.cluster.FailTask(task); err != nil {
		t.Fatal(err)
	}
	balancer.Eventually(t, "a failed task of "+id, func() error {
		if n := len(s.cluster.Ready(id)); n != 1 {
			return fmt.Errorf("%d are well", n)
		}
		return nil
	})
	return task
}

// servedTasks waits until so many tasks answer on a service port.
func servedTasks(t *testing.T, s scene, port, want int) {
	t.Helper()
	balancer.Eventually(t, fmt.Sprintf("%d tasks on port %d", want, port), func() error {
		if n := tasksOf(t, s.Balancer, port); n != want {
			return fmt.Errorf("%d answer", n)
		}
		return nil
	})
}

// hostByHostStage shows health checks of Marathon, and HTTPS host by host.
func hostByHostStage() stage {
	return stage{
		name: "host by host",
		args: []string{"-H", "--group-https-by-vhost", "--ssl-certs", "/nonexistent.pem", "--ssl-certs=site.pem , ,more,"},
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			writeFile(t, s.Path("site.pem"), newCertificate(t, "site.example"))
			writeFile(t, s.Path("own.pem"), newCertificate(t, "own.example"))
			writeFile(t, s.Path("more/second.pem"), newCertificate(t, "second.example"))
		},
		behaviours: []behaviour{
			{
				name:   "with --health-check a task is served while Marathon finds it well",
				covers: []string{"flag --health-check"},
				apps:   []app{checked("/asked", 10100, "external"), {id: "/uncheckable", ports: []int{10101}}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10101, "/"), by("/uncheckable"))
					servedTasks(t, s, 10100, 2)
					task := failOne(t, s, "/asked")
					servedTasks(t, s, 10100, 1)
					if err := s.cluster.RecoverTask(task); err != nil {
						t.Fatal(err)
					}
					servedTasks(t, s, 10100, 2)
				},
			},
			{
				name:   "with --group-https-by-vhost each host has its certificates, and a connection for no host is closed",
				covers: []string{"flag --group-https-by-vhost", "flag --ssl-certs", "D44"},
				apps: []app{
					{id: "/own", ports: []int{10102}, labels: host("own.example", "SSL_CERT", folder+"/own.pem")},
					{id: "/common", ports: []int{10103}, labels: host("common.example")},
					{id: "/second", ports: []int{10104}, labels: host("second.example")},
				},
				show: func(t *testing.T, s scene) {
					expect(t, s.Secure("own.example", "/"), by("/own"), certificate("own.example"))
					expect(t, s.Secure("common.example", "/"), by("/common"), certificate("site.example"))
					// A folder in the list of --ssl-certs counts with all its files.
					expect(t, s.Secure("second.example", "/"), by("/second"), certificate("second.example"))
					expectClosed(t, s.Secure("unknown.example", "/"))
					nameless := s.Secure("own.example", "/")
					nameless.ServerName = ""
					expectClosed(t, nameless)
				},
			},
		},
	}
}

// certificate wishes for a certificate of that name.
func certificate(name string) wish {
	return func(a balancer.Answer) error {
		if a.Certificate != name {
			return fmt.Errorf("the certificate is for %q, want %q", a.Certificate, name)
		}
		return nil
	}
}

// logBehaviours show flags of the updater about the log and about certificates.
func logBehaviours() []behaviour {
	return []behaviour{
		{
			name:   "a level that is none ends the start with status 1; the others set what is logged",
			covers: []string{"flag --log-level", "flag --log-format"},
			show: func(t *testing.T, s scene) {
				b := newUpdater(t, s.cluster.Masters(), "nobody")
				const format = "%(levelname)s<>%(message)s %(unknown)s %%"
				pass(t, b, "--log-level", "loud").wants(t, 1)
				for level, want := range map[string]bool{"NotSet": true, "warning": false} {
					e := pass(t, b, "--log-level", level, "--log-format", format)
					e.wants(t, 0)
					if got := strings.Contains(e.stderr, "INFO<>") || strings.Contains(e.stderr, "DEBUG<>"); got != want {
						t.Errorf("--log-level %s: %t\n%s", level, got, e.stderr)
					}
					if want && !strings.Contains(e.stderr, " %(unknown)s %\n") {
						t.Errorf("what is no field is not as it was: %s", e.stderr)
					}
				}
			},
		},
		{
			name:   "a socket for the log that is missing is a warning, /dev/null means none, and a file keeps its text",
			covers: []string{"flag --syslog-socket", "D7"},
			show: func(t *testing.T, s scene) {
				b := newUpdater(t, s.cluster.Masters(), "nobody")
				writeFile(t, b.Path("file"), "text")
				for socket, warns := range map[string]bool{b.Path("missing"): true, b.Path("file"): true, os.DevNull: false} {
					e := pass(t, b, "--dry", "--syslog-socket", socket)
					e.wants(t, 0)
					if got := strings.Contains(e.stderr, "syslog"); got != warns {
						t.Errorf("--syslog-socket %s: %s", socket, e.stderr)
					}
				}
				if got := content(t, b, "file"); got != "text" {
					t.Errorf("the file is %q", got)
				}
			},
		},
		{
			name:   "without --ssl-certs, and with an empty list, the updater takes cert.pem and makes none",
			covers: []string{"flag --ssl-certs", "D6"},
			apps:   []app{{id: "/sealed", ports: []int{10110}, labels: grouped("sealed", "HAPROXY_0_VHOST", "sealed.example")}},
			show: func(t *testing.T, s scene) {
				b := newUpdater(t, s.cluster.Masters(), "sealed")
				pass(t, b, "--ssl-certs", " , ", "-c/bin/sh "+b.Script(t, "reload.sh", balancer.ReloadScript)).wants(t, 0)
				expect(t, b.Secure("sealed.example", "/"), by("/sealed"), certificate("updater.example"))
				if err := os.Remove(b.Path("ssl/cert.pem")); err != nil {
					t.Fatal(err)
				}
				pass(t, b, "--http-bind", b.Host+":8081").wants(t, 0)
				if made, err := filepath.Glob(b.Path("ssl/*")); err != nil || len(made) > 0 {
					t.Errorf("made %v, %v", made, err)
				}
			},
		},
	}
}
