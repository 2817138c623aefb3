package contract_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// defaultTemplates are mlb's own texts where no label shows what they do.
func defaultTemplates() []behaviour {
	return []behaviour{
		{
			name:   "the global part and the defaults are those of HEAD: old TLS is refused, tickets are not given, idle connections are closed",
			covers: []string{"template HEAD"},
			apps:   []app{{id: "/default/head", ports: []int{10200}, labels: host("default-head.example")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Secure("default-head.example", "/"), by("/default/head"))
				expect(t, s.Stats("/haproxy?stats;csv"), cell("marathon_http_in", "FRONTEND", "slim", "10000"))
				cache := tls.NewLRUClientSessionCache(4)
				for range 2 {
					state, err := handshake(t, s, &tls.Config{MaxVersion: tls.VersionTLS12, ClientSessionCache: cache})
					if err != nil || state.DidResume {
						t.Errorf("a session is resumed: %t, error %v", state.DidResume, err)
					}
				}
				if _, err := handshake(t, s, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
					t.Error("TLS 1.1 is accepted")
				}
				if idle := idleTime(t, s.Host+":8080", "default-head.example"); idle > 15*time.Second {
					t.Errorf("an idle connection is kept for %s, want about 1 s", idle)
				}
			},
		},
		{
			name: "HAProxy repeats the checks of Marathon: an HTTP check asks for the path, a TCP check connects, and as many failures take a server out",
			covers: []string{
				"template BACKEND_HTTP_HEALTHCHECK_OPTIONS", "template BACKEND_TCP_HEALTHCHECK_OPTIONS",
				"template BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "template BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS",
			},
			apps: []app{
				// Without failures allowed Marathon kills nothing, and HAProxy counts one.
				{id: "/default/http", ports: []int{10201}, more: checks(check("HTTP", "portIndex", 0, "path", "/up?status=299", "maxConsecutiveFailures", 0))},
				{id: "/default/tcp", ports: []int{10202}, more: checks(check("TCP", "portIndex", 0))},
			},
			show: func(t *testing.T, s scene) {
				table := s.Stats("/haproxy?stats;csv")
				tcp := filled(s, "/default/tcp", "@SERVER@")
				expect(t, table, cell("default_tcp_10202", tcp, "check_status", "L4OK"), cell("default_tcp_10202", tcp, "check_fall", "4"))
				section, server := "default_http_10201", filled(s, "/default/http", "@SERVER@")
				expect(t, table, cell(section, server, "check_status", "L7OK"), cell(section, server, "check_code", "299"), cell(section, server, "check_fall", "1"))
				task := s.cluster.Ready("/default/http")[0].ID
				if err := s.cluster.FailTask(task); err != nil {
					t.Fatal(err)
				}
				expect(t, table, cell(section, server, "status", "DOWN"), cell(section, server, "check_code", "503"))
				if err := s.cluster.RecoverTask(task); err != nil {
					t.Fatal(err)
				}
				expect(t, table, cell(section, server, "status", "UP"))
				expect(t, s.Port(10201, "/"), by("/default/http"))
			},
		},
	}
}

// handshake makes a connection to the HTTPS listener, and sends a request, after
// which all tickets would have come.
func handshake(t *testing.T, s scene, c *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	c.InsecureSkipVerify, c.ServerName = true, "default-head.example"
	conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", s.Host+":8443")
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close() //nolint:errcheck // it was only looked at
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+c.ServerName+"\r\nConnection: close\r\n\r\n"); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := io.ReadAll(conn); err != nil {
		return tls.ConnectionState{}, err
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatalf("a connection of type %T", conn)
	}
	return secure.ConnectionState(), nil
}

// idleTime sends a request and returns for how long the connection stays open after
// the answer.
func idleTime(t *testing.T, address, vhost string) time.Duration {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only looked at
	if err = conn.SetDeadline(time.Now().Add(25 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+vhost+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil || !strings.Contains(string(body), "task: ") {
		t.Fatalf("%v: %s", err, body)
	}
	start := time.Now()
	_, _ = io.ReadAll(reader) // until the connection is closed, or the deadline
	return time.Since(start)
}
