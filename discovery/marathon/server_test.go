package marathon_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mlb/discovery/marathon"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// wire answers one request on a connection, byte by byte if it likes.
type wire func(conn *net.TCPConn, req *http.Request)

// rawMaster is a master that says exactly what a test wants it to say.
type rawMaster struct {
	url string

	mu       sync.Mutex
	requests []*http.Request
	conns    []net.Conn
	closed   bool
}

// newMaster starts a master of which each connection answers one request. It stops
// with the test.
func newMaster(t *testing.T, answer wire) *rawMaster {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &rawMaster{url: "http://" + l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { m.serve(conn.(*net.TCPConn), answer) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		m.mu.Lock()
		m.closed = true
		for _, conn := range m.conns {
			_ = conn.Close()
		}
		m.mu.Unlock()
		running.Wait()
	})
	return m
}

func (m *rawMaster) serve(conn *net.TCPConn, answer wire) {
	defer func() { _ = conn.Close() }()
	m.mu.Lock()
	m.conns = append(m.conns, conn)
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	m.mu.Lock()
	m.requests = append(m.requests, req)
	m.mu.Unlock()
	answer(conn, req)
}

// seen returns the requests so far, and count how many there are for a path.
func (m *rawMaster) seen() []*http.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*http.Request(nil), m.requests...)
}

func (m *rawMaster) count(path string) int {
	n := 0
	for _, req := range m.seen() {
		if req.URL.Path == path {
			n++
		}
	}
	return n
}

// says answers with the given text.
func says(text string) wire {
	return func(conn *net.TCPConn, _ *http.Request) { _, _ = io.WriteString(conn, text) }
}

// answers gives a whole answer.
func answers(status int, header, body string) wire {
	return says(fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s",
		status, http.StatusText(status), len(body), header, body))
}

// hangs reads and never answers.
func hangs(conn *net.TCPConn, _ *http.Request) { _, _ = io.Copy(io.Discard, conn) }

// resets drops the connection so that the other side sees a reset.
func resets(conn *net.TCPConn, _ *http.Request) { _ = conn.SetLinger(0) }

// then does one thing after the other.
func then(steps ...wire) wire {
	return func(conn *net.TCPConn, req *http.Request) {
		for _, step := range steps {
			step(conn, req)
		}
	}
}

// paths answers by path; everything else is a 404 in HTML.
func paths(table map[string]wire) wire {
	return func(conn *net.TCPConn, req *http.Request) {
		if answer, ok := table[req.URL.Path]; ok {
			answer(conn, req)
			return
		}
		answers(http.StatusNotFound, "Content-Type: text/html\r\n", "<html/>")(conn, req)
	}
}

// turns answers the first request with the first wire and so on; the last repeats.
func turns(steps ...wire) wire {
	var mu sync.Mutex
	next := 0
	return func(conn *net.TCPConn, req *http.Request) {
		mu.Lock()
		step := steps[next]
		next = min(next+1, len(steps)-1)
		mu.Unlock()
		step(conn, req)
	}
}

const jsonType = "Content-Type: application/json\r\n"

// list answers with one app of the given ID.
func list(id string) wire {
	return answers(http.StatusOK, jsonType, `{"apps":[{"id":"`+id+`"}]}`)
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// refusing returns an address at which nobody listens any more.
func refusing(t *testing.T) string {
	t.Helper()
	conn, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := conn.Addr().String()
	_ = conn.Close()
	return "http://" + address
}

// direct is a Proxy function that uses none, whatever the environment says.
func direct(*http.Request) (*url.URL, error) { return nil, nil }

// quick are deadlines for tests in which a master fails to answer.
func quick() marathon.ClientConfig {
	return marathon.ClientConfig{
		ConnectTimeout: time.Second, HeaderTimeout: 500 * time.Millisecond, IdleTimeout: 500 * time.Millisecond,
		ReadTimeout: 2 * time.Second, Proxy: direct,
	}
}

func newClient(t *testing.T, cfg marathon.ClientConfig, addresses ...string) *marathon.Client {
	t.Helper()
	c, err := marathon.NewClient(cfg, newMasters(t, addresses...), marathon.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newMasters(t *testing.T, addresses ...string) *marathon.Masters {
	t.Helper()
	m, err := marathon.NewMasters(addresses)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// withUser puts user and password into a URL.
func withUser(address, user string) string {
	return strings.Replace(address, "://", "://"+user+"@", 1)
}
