package marathonsim

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// master is one Marathon process: a listener and what it serves. A stopped master
// keeps its address.
type master struct {
	cluster *Cluster
	index   int
	listen  string // host:port; the port is fixed by the first start

	alive bool // guarded by Cluster.mu

	// lifeMu guards the fields of one life and lets starts and stops follow each
	// other.
	lifeMu sync.Mutex
	server *http.Server
	served chan struct{} // closed when Serve has returned
	down   chan struct{} // closed when the master stops

	// connMu guards hijacked, the connections that http.Server no longer knows.
	connMu   sync.Mutex
	hijacked map[net.Conn]struct{}
	stopping bool
	handlers sync.WaitGroup

	// faultMu guards the fault: tests change it while requests are served.
	faultMu     sync.Mutex
	fault       Fault
	faultChange chan struct{}

	proxy *http.Client
}

func newMaster(c *Cluster, index int, listen string) *master {
	m := &master{
		cluster: c, index: index, listen: listen, faultChange: make(chan struct{}),
		hijacked: map[net.Conn]struct{}{}, down: make(chan struct{}),
	}
	m.proxy = newProxyClient(c.options.ProxyTimeout)
	return m
}

func (m *master) url() string {
	return "http://" + m.listen
}

// start opens the listener and serves. A port that is still held by connections
// of the life before is tried again for a while.
func (m *master) start(ctx context.Context) error {
	m.lifeMu.Lock()
	defer m.lifeMu.Unlock()
	if m.server != nil {
		return nil
	}
	if err := m.cluster.ctx.Err(); err != nil { // nobody would close it any more
		return fmt.Errorf("start master %d: %w", m.index, err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", m.listen)
	for try := 0; err != nil && try < 50 && m.cluster.sleep(20*time.Millisecond); try++ {
		l, err = lc.Listen(ctx, "tcp", m.listen)
	}
	if err != nil {
		return fmt.Errorf("start master %d: %w", m.index, err)
	}
	if address := l.Addr().String(); m.listen != address { // only the first time
		m.listen = address
	}
	m.connMu.Lock()
	m.stopping = false
	m.connMu.Unlock()
	m.down = make(chan struct{})
	m.server = &http.Server{
		Handler:           http.HandlerFunc(m.serve),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       30 * time.Second, // Jetty's: Marathon facts 1
	}
	m.served = make(chan struct{})
	server, served := m.server, m.served
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with ErrServerClosed
	}()
	m.cluster.mu.Lock()
	m.alive = true
	m.cluster.changed()
	m.cluster.mu.Unlock()
	return nil
}

// close ends the process: every connection is cut.
func (m *master) close() error {
	m.lifeMu.Lock()
	defer m.lifeMu.Unlock()
	if m.server == nil {
		return nil
	}
	m.cluster.mu.Lock()
	m.alive = false
	m.cluster.changed()
	m.cluster.mu.Unlock()
	close(m.down)
	m.connMu.Lock()
	m.stopping = true
	for c := range m.hijacked {
		_ = c.Close()
	}
	m.connMu.Unlock()
	err := m.server.Close()
	<-m.served
	m.handlers.Wait()
	m.proxy.CloseIdleConnections()
	m.server = nil
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stop master %d: %w", m.index, err)
	}
	return nil
}

// adopt notes a connection that was taken from http.Server. It reports false, and
// closes it, when the master is stopping.
func (m *master) adopt(c net.Conn) bool {
	m.connMu.Lock()
	defer m.connMu.Unlock()
	if m.stopping {
		_ = c.Close()
		return false
	}
	m.hijacked[c] = struct{}{}
	return true
}

func (m *master) release(c net.Conn) {
	_ = c.Close()
	m.connMu.Lock()
	defer m.connMu.Unlock()
	delete(m.hijacked, c)
}

// reset cuts the connection of a request with a TCP reset.
func (m *master) reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}

// begin counts a handler, so that close waits for it. It reports false when the
// master is stopping.
func (m *master) begin() bool {
	m.connMu.Lock()
	defer m.connMu.Unlock()
	if m.stopping {
		return false
	}
	m.handlers.Add(1)
	return true
}

// serve is the chain of filters that every request passes: faults, credentials,
// the leader's proxy, the resources.
func (m *master) serve(w http.ResponseWriter, r *http.Request) {
	if !m.begin() {
		m.reset(w)
		return
	}
	defer m.handlers.Done()
	fault, change := m.takeFault(r.URL.Path)
	if m.misbehave(w, r, fault, change) {
		return
	}
	identity, ok := m.authorize(w, r)
	if !ok {
		return
	}
	if fault.truncates() {
		t := &truncating{ResponseWriter: w, master: m, fault: fault}
		defer t.finish()
		w = t
	}
	leader := m.awaitLeader(r)
	switch {
	case leader == nil:
		m.writePage(w, r, m.cluster.features.noLeaderStatus, "Could not determine the current leader")
	case leader != m:
		m.forward(w, r, leader)
	case squeeze(r.URL.Path) == "/v2/events":
		m.commonHeader(w.Header())
		m.serveEvents(w, r)
	default:
		a := m.cluster.resource(m, r, identity)
		if fault.Kind == FaultStrange {
			a.body = strange(a.body)
		}
		m.write(w, r, a)
	}
}

// awaitLeader returns the leading master, or nil when there was none for a while.
func (m *master) awaitLeader(r *http.Request) *master {
	c := m.cluster
	deadline := time.NewTimer(c.options.LeaderWait)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		leader, change := c.leader, c.change
		c.mu.Unlock()
		if leader >= 0 {
			return c.masters[leader]
		}
		select {
		case <-change:
		case <-deadline.C:
			return nil
		case <-r.Context().Done():
			return nil
		case <-m.down:
			return nil
		}
	}
}

// commonHeader sets what every answer carries.
func (m *master) commonHeader(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "0")
	if m.cluster.features.secureHeaders {
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-XSS-Protection", "1; mode=block")
	}
	if m.cluster.Leader() == m.index {
		h.Set("X-Marathon-Leader", m.url())
	}
}

// answer is what a resource returns.
type answer struct {
	status      int
	contentType string // empty: application/json
	header      http.Header
	body        []byte
	html        string // the reason of an HTML page, instead of a body
}

// write sends an answer, compressed when the client takes that.
func (m *master) write(w http.ResponseWriter, r *http.Request, a answer) {
	m.commonHeader(w.Header())
	maps.Copy(w.Header(), a.header)
	if a.html != "" {
		m.writePage(w, r, a.status, a.html)
		return
	}
	if a.contentType == "" {
		a.contentType = "application/json"
	}
	w.Header().Set("Content-Type", a.contentType)
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") || len(a.body) == 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // the client may have gone; nobody needs to know
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Vary", "Accept-Encoding, User-Agent")
	w.WriteHeader(a.status)
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return // the level is a constant that exists
	}
	_, _ = z.Write(a.body)
	_ = z.Close()
}

// writePage sends an HTML page, as the filters in front of the resources do.
func (m *master) writePage(w http.ResponseWriter, r *http.Request, status int, reason string) {
	m.commonHeader(w.Header())
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<html>
<head><title>Error %[1]d </title></head>
<body>
<h2>HTTP ERROR: %[1]d</h2>
<p>The request for %[2]s could not be served:
<pre>    %[3]s</pre></p>
</body>
</html>
`, status, html.EscapeString(r.URL.Path), html.EscapeString(reason))
}

// squeeze removes duplicate and trailing slashes.
func squeeze(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	return "/" + strings.Join(parts, "/")
}
