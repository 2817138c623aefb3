package stage

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// Counts says what was asked of Marathon about apps, by [Scene.Counts].
type Counts struct {
	// Lists and Apps are how many questions there were about all apps and about one,
	// ListBytes and AppBytes the sizes of the bodies of their answers, as they went
	// over the wire.
	Lists, Apps         int
	ListBytes, AppBytes int64
}

// Minus returns what was asked since o.
func (c Counts) Minus(o Counts) Counts {
	return Counts{c.Lists - o.Lists, c.Apps - o.Apps, c.ListBytes - o.ListBytes, c.AppBytes - o.AppBytes}
}

// gate passes everything on to a master and counts what was asked about apps.
type gate struct {
	address string
	server  *http.Server
	pass    *httputil.ReverseProxy

	// mu guards counts, which requests change side by side.
	mu     sync.Mutex
	counts Counts
}

// countsPath is the path at which a gate tells what it has counted.
const countsPath = "/counts"

// newGate returns a gate before a master that serves until it is closed.
func newGate(ctx context.Context, master string) (*gate, error) {
	target, err := url.Parse(master)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{address: "http://" + listener.Addr().String()}
	g.pass = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1, // events go on at once
	}
	g.server = &http.Server{Handler: g}
	go func() { _ = g.server.Serve(listener) }()
	return g, nil
}

func (g *gate) close() { _ = g.server.Close() } // the process ends with it

// ServeHTTP passes one request on.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == countsPath {
		g.mu.Lock()
		defer g.mu.Unlock()
		_ = json.NewEncoder(w).Encode(g.counts) // the asker will notice
		return
	}
	if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v2/apps") {
		g.pass.ServeHTTP(w, r)
		return
	}
	m := &meter{ResponseWriter: w}
	g.pass.ServeHTTP(m, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.URL.Path == "/v2/apps" {
		g.counts.Lists++
		g.counts.ListBytes += m.bytes
		return
	}
	g.counts.Apps++
	g.counts.AppBytes += m.bytes
}

// meter counts the bytes of a body.
type meter struct {
	http.ResponseWriter
	bytes int64
}

// Write writes and counts.
func (m *meter) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	m.bytes += int64(n)
	return n, err
}

// Unwrap returns the writer that flushes.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }
