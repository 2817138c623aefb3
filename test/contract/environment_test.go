package contract_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
)

// environmentStages show the variables of contract 1.4.
func environmentStages() []stage {
	return []stage{variableStage(), surroundingsStage(), proxyStage()}
}

// oneLine writes PEM as a variable often has it: \n stands for a line break.
func oneLine(pem string) string { return strings.ReplaceAll(pem, "\n", `\n`) }

// variableStage shows the variables that a running container has.
func variableStage() stage {
	received := &lines{}
	var fifth string
	return stage{
		name: "environment",
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			fifth = newCertificate(t, "fifth.example")
			writeFile(t, s.Path("flag.pem"), newCertificate(t, "flag.example"))
			writeFile(t, s.Path("sandbox/templates/HAPROXY_BACKEND_HTTP_OPTIONS"), "  http-response set-header X-Sandbox seen\n")
			writeFile(t, s.Path("tmp/kept"), "")
			receive(t, s.Path("syslog"), received)
			s.Args = []string{"--ssl-certs=" + s.Path("flag.pem"), "--syslogd-socket", s.Path("devlog")}
			s.Env = []string{
				"HAPROXY_SSL_CERT=" + oneLine(newCertificate(t, "first.example")),
				"HAPROXY_SSL_CERT0=" + newCertificate(t, "zeroth.example"),
				"HAPROXY_SSL_CERT1=",
				"HAPROXY_SSL_CERT5=" + oneLine(fifth),
				"HAPROXY_SSL_CERT100=" + oneLine(newCertificate(t, "last.example")),
				"MESOS_SANDBOX=" + s.Path("sandbox"),
				"FRAMEWORK_NAME=itself/lb",
				"HAPROXY_GLOBAL_DEFAULT_OPTIONS= httpclose ,, redispatch,httpclose ",
				"TMPDIR=" + s.Path("tmp"), "TINI_SUBREAPER=true",
				"SYSLOG_SOCKET=" + s.Path("syslog"), "HAPROXY_SYSLOGD=yes",
				"HAPROXY_HTTP_FRONTEND_APPID_HEAD=frontend marathon_http_appid_in\n  bind " + s.Host + ":9091\n  mode http\n  log " +
					s.Path("devlog") + " local0\n  option httplog\n",
			}
		},
		behaviours: []behaviour{
			{
				name: "the certificates of the variables follow those of --ssl-certs, and their files are for nobody else",
				covers: []string{
					"env HAPROXY_SSL_CERT", "env HAPROXY_SSL_CERT0 … HAPROXY_SSL_CERT100", "flag --ssl-certs", "D4", "D5",
				},
				show: func(t *testing.T, s scene) {
					for _, name := range []string{"flag.example", "first.example", "zeroth.example", "fifth.example", "last.example"} {
						expect(t, s.Secure(name, "/"), certificate(name))
					}
					expect(t, s.Secure("unknown.example", "/"), certificate("flag.example"))
					for _, name := range []string{"cert.pem", "cert0.pem", "cert5.pem", "cert100.pem"} {
						wantMode(t, s.Path("ssl/"+name), 0o600)
					}
					if got := content(t, s.Balancer, "ssl/cert5.pem"); got != fifth {
						t.Errorf("cert5.pem is not its variable's text: %q", got)
					}
					if _, err := os.Stat(s.Path("ssl/cert1.pem")); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("an empty variable makes a file: %v", err)
					}
				},
			},
			{
				name:   "templates of the Mesos sandbox replace the defaults",
				covers: []string{"env MESOS_SANDBOX"},
				apps:   []app{{id: "/sandboxed", ports: []int{10100}, labels: map[string]string{"HAPROXY_0_MODE": "http"}}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10100, "/"), by("/sandboxed"), header("X-Sandbox", "seen"))
				},
			},
			{
				name:   "the app of FRAMEWORK_NAME, the balancer itself, is not served",
				covers: []string{"env FRAMEWORK_NAME"},
				apps:   []app{{id: "/itself/lb", ports: []int{10101}}, {id: "/itself/lb-other", ports: []int{10102}}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10102, "/"), by("/itself/lb-other"))
					expectClosed(t, s.Port(10101, "/"))
				},
			},
			{
				name:   "HAPROXY_GLOBAL_DEFAULT_OPTIONS are trimmed, and each counts once",
				covers: []string{"env HAPROXY_GLOBAL_DEFAULT_OPTIONS", "D6"},
				apps:   []app{{id: "/optional", ports: []int{10103}, labels: map[string]string{"HAPROXY_0_MODE": "http"}}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Port(10103, "/"), by("/optional"))
					if !closesConnections(t, s.Host+":10103") {
						t.Error("the option httpclose is not in effect")
					}
				},
			},
			{
				name:   "nothing is put into TMPDIR, and nothing that ends is left unreaped, whatever TINI_SUBREAPER says",
				covers: []string{"env TMPDIR", "env TINI_SUBREAPER", "D10", "D45"},
				show: func(t *testing.T, s scene) {
					before, askErr := s.Ask(t.Context(), "/_haproxy_getpids")
					if askErr != nil {
						t.Fatal(askErr)
					}
					s.Signal(t, syscall.SIGUSR1)
					balancer.Eventually(t, "another worker, and no ended process", func() error {
						now, err := s.Ask(t.Context(), "/_haproxy_getpids")
						if err != nil {
							return err
						}
						left, err := unreaped(s.Processes())
						if err != nil || len(left) > 0 || now == before {
							return fmt.Errorf("%q before and %q now, unreaped %v, %w", before, now, left, err)
						}
						return nil
					})
					names, err := filepath.Glob(s.Path("tmp/*"))
					if err != nil || !slices.Equal(names, []string{s.Path("tmp/kept")}) {
						t.Errorf("in TMPDIR: %v, %v", names, err)
					}
				},
			},
			{
				name:   "SYSLOG_SOCKET gets mlb's log, and with HAPROXY_SYSLOGD HAProxy's log comes out with mlb's",
				covers: []string{"env SYSLOG_SOCKET", "env HAPROXY_SYSLOGD", "flag --syslog-socket", "D10"},
				show: func(t *testing.T, s scene) {
					balancer.Eventually(t, "mlb's log at the socket", func() error {
						if text := received.String(); !strings.Contains(text, "<14>") || !strings.Contains(text, " mlb") {
							return errors.New(text)
						}
						return nil
					})
					balancer.Eventually(t, "HAProxy's log in the output", func() error {
						_, err := s.ByID("/nobody", "/asked-for-the-log").Send(t.Context())
						if err != nil {
							return err
						}
						if !strings.Contains(s.Log(), "GET /asked-for-the-log HTTP/1.1") {
							return errors.New("it is not there")
						}
						return nil
					})
				},
			},
		},
	}
}

// closesConnections tells whether a listener wants a connection to end with its first
// answer.
func closesConnections(t *testing.T, address string) bool {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was read
	if _, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: any.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only its header counts
	return answer.Close
}

// unreaped returns the processes that have ended and wait for one of these parents.
func unreaped(parents []int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var left []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		var state string
		fields := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if _, err := fmt.Sscan(string(text), &pid); err != nil {
			return nil, err
		}
		if _, err := fmt.Sscan(fields, &state, &parent); err != nil {
			return nil, err
		}
		if state == "Z" && slices.Contains(parents, parent) {
			left = append(left, pid)
		}
	}
	return left, nil
}
