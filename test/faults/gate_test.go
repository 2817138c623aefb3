package faults_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mlb/test/haproxytest"
)

// gate stands between mlb and one master. It passes on what they say to each other, and
// spoils it as its fault says.
type gate struct {
	url    string // for mlb
	master string // URL of the master
	asking *http.Transport
	// known replaces the addresses of masters by those of their gates.
	known *strings.Replacer

	running sync.WaitGroup

	// mu guards what follows: the test sets the fault while connections are served.
	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	accepts  bool
	conns    map[net.Conn]struct{}
	fault    fault
	met      int // how often the present fault was met
	closed   bool
}

// fault is what a gate does instead of passing things on. The zero value is none.
type fault struct {
	// refuse refuses connections.
	refuse bool
	// cut cuts the connections that are open when the fault begins.
	cut bool
	// accept deals with each new connection; nil means that requests are read from it.
	accept func(conn *net.TCPConn, ended <-chan struct{})
	// about says to requests for which paths the fault applies; nil means all.
	about func(path string) bool
	// answer deals with a request; nil passes it on.
	answer func(x *exchange)
	// frame deals with a frame of the event stream, also of one that is open already; nil
	// passes it on. A heartbeat is the frame of a bare line end.
	frame func(f *following, frame string)
	// times ends the fault after so many answers; 0 means that it stays.
	times int
}

// newGates starts a gate for each master. They know each other's masters.
func newGates(t *testing.T, masters []string) []*gate {
	t.Helper()
	gates := make([]*gate, 0, len(masters))
	var names []string
	for _, master := range masters {
		g := newGate(t, master)
		gates = append(gates, g)
		names = append(names, strings.TrimPrefix(master, "http://"), strings.TrimPrefix(g.url, "http://"))
	}
	for _, g := range gates {
		g.known = strings.NewReplacer(names...)
		g.open(t)
	}
	return gates
}

func newGate(t *testing.T, master string) *gate {
	t.Helper()
	g := &gate{
		master: master, conns: map[net.Conn]struct{}{},
		asking: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	}
	t.Cleanup(g.close)
	for g.listener == nil { // somebody may take what was free a moment ago
		g.url = "http://" + haproxytest.FreeAddr(t)
		if err := g.listen(t); err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	return g
}

// listen takes the gate's address, if it does not have it.
func (g *gate) listen(t *testing.T) error {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil || g.closed {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", strings.TrimPrefix(g.url, "http://"))
	if err == nil {
		g.listener = l
	}
	return err
}

// open makes the gate accept connections.
func (g *gate) open(t *testing.T) {
	t.Helper()
	eventually(t, "the gate has its address", func() error { return g.listen(t) })
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.listener
	if l == nil || g.accepts {
		return
	}
	g.accepts = true
	g.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if g.keep(conn) {
				g.running.Go(func() { g.serve(conn.(*net.TCPConn)) })
			}
		}
	})
}

// close ends everything at once.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	if g.listener != nil {
		_ = g.listener.Close()
	}
	g.mu.Unlock()
	g.cut()
	g.running.Wait()
}

// set begins a fault, or ends the present one with the zero value.
func (g *gate) set(t *testing.T, f fault) {
	t.Helper()
	g.mu.Lock()
	g.fault, g.met = f, 0
	if f.refuse && g.listener != nil {
		_ = g.listener.Close()
		g.listener, g.accepts = nil, false
	}
	g.mu.Unlock()
	if f.cut || f.refuse {
		g.cut()
	}
	if !f.refuse {
		g.open(t)
	}
}

// cut resets all connections.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// keep counts a connection.
func (g *gate) keep(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = conn.Close()
		return false
	}
	g.conns[conn] = struct{}{}
	return true
}

func (g *gate) release(conn net.Conn) {
	_ = conn.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
}

// connections returns how many connections mlb has open.
func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// hits returns how often the present fault was met.
func (g *gate) hits() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.met
}

// serve answers the requests of a connection. Another goroutine reads them, so that the
// end of the connection is noticed at any time.
func (g *gate) serve(conn *net.TCPConn) {
	defer g.release(conn)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g.mu.Lock()
	accept := g.fault.accept
	if accept != nil {
		g.met++
	}
	g.mu.Unlock()
	requests := make(chan *http.Request)
	g.running.Go(func() {
		defer cancel()
		defer close(requests)
		from := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(from)
			if err != nil {
				return
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	})
	if accept != nil {
		g.running.Go(func() {
			for range requests { // they are not answered
			}
		})
		accept(conn, ctx.Done())
		return
	}
	for r := range requests {
		x := &exchange{gate: g, ctx: ctx, conn: conn, request: r}
		if g.fate(r.URL.Path)(x); x.over {
			return
		}
	}
}

// fate returns what is done with a request, and counts it.
func (g *gate) fate(path string) func(x *exchange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.fault
	if f.answer == nil || f.about != nil && !f.about(path) || f.times > 0 && g.met >= f.times {
		return pass
	}
	g.met++
	return f.answer
}

// exchange is one request at a gate.
type exchange struct {
	*gate
	ctx     context.Context //nolint:containedctx // it ends with the connection that it belongs to
	conn    *net.TCPConn
	request *http.Request
	over    bool // the connection is not used any more
}

// answer is what a master says.
type answer struct {
	status int
	header http.Header
	body   string
}

// pass gives the request to the master and its answer to mlb.
func pass(x *exchange) {
	if events(x.request.URL.Path) {
		x.follow("", func(piece string) string { return piece })
		return
	}
	a, err := x.ask()
	if err != nil {
		reset(x)
		return
	}
	x.say(a)
}

func events(path string) bool { return path == "/v2/events" }
func apps(path string) bool   { return strings.HasPrefix(path, "/v2/apps") }
func list(path string) bool   { return path == "/v2/apps" }
func single(path string) bool { return strings.HasPrefix(path, "/v2/apps/") }

// ask asks the master.
func (x *exchange) ask() (answer, error) {
	resp, err := x.send()
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: x.renamed(resp.Header), body: string(body)}
	if x.request.URL.Path == "/v2/leader" {
		a.body = x.known.Replace(a.body)
	}
	return a, err
}

// send sends the request to the master, which answers without compression.
func (x *exchange) send() (*http.Response, error) {
	r, err := http.NewRequestWithContext(x.ctx, x.request.Method, x.master+x.request.URL.RequestURI(), http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header = x.request.Header.Clone()
	r.Header.Del("Accept-Encoding")
	return x.asking.RoundTrip(r)
}

// renamed returns a header in which gates stand for their masters.
func (x *exchange) renamed(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		switch name {
		case "Content-Length", "Transfer-Encoding", "Connection":
			continue
		}
		for _, v := range values {
			out.Add(name, x.known.Replace(v))
		}
	}
	return out
}

// say gives mlb an answer, compressed if it takes that.
func (x *exchange) say(a answer) {
	if a.status == http.StatusOK && strings.Contains(x.request.Header.Get("Accept-Encoding"), "gzip") {
		a.header.Set("Content-Encoding", "gzip")
		a.body = packed(a.body)
	}
	x.write(a.head(len(a.body)) + a.body)
}

// write gives mlb some bytes. An error means that it has hung up.
func (x *exchange) write(text string) {
	if _, err := io.WriteString(x.conn, text); err != nil {
		x.over = true
	}
}

// following is an event stream on its way through a gate.
type following struct {
	*exchange
	encode func(piece string) string
	held   []string // what a fault keeps back
	count  int      // how many events have met with it
}

// write gives mlb a piece of the stream.
func (f *following) write(piece string) { f.exchange.write(f.encode(piece)) }

// stop ends the stream: what the master sends from now on is not read.
func (f *following) stop() { f.over = true }

// follow passes on the master's event stream, with a line more in its head and each piece
// encoded.
func (x *exchange) follow(header string, encode func(piece string) string) {
	x.over = true
	resp, err := x.send()
	if err != nil {
		reset(x)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body) // what there is of it
		x.write(answer{status: resp.StatusCode, header: x.renamed(resp.Header), body: string(body)}.head(len(body)) + string(body))
		x.over = false
		return
	}
	x.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n" + header + "\r\n")
	x.over = false
	f := &following{exchange: x, encode: encode}
	from := bufio.NewReader(resp.Body)
	for !f.over {
		frame, err := readFrame(from)
		if err != nil {
			break
		}
		if spoil := x.spoiler(frame); spoil != nil {
			spoil(f, frame)
		} else {
			f.write(frame)
		}
	}
	x.over = true
}

// spoiler returns what the fault does with frames, and counts the events that meet it.
func (g *gate) spoiler(frame string) func(f *following, frame string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault.frame != nil && !heartbeat(frame) {
		g.met++
	}
	return g.fault.frame
}

// readFrame reads an event or a heartbeat.
func readFrame(from *bufio.Reader) (string, error) {
	var frame strings.Builder
	for {
		line, err := from.ReadString('\n')
		frame.WriteString(line)
		if err != nil || line == "\r\n" {
			return frame.String(), err
		}
	}
}

func heartbeat(frame string) bool { return frame == "\r\n" }

// reset cuts the connection so that mlb sees a reset.
func reset(x *exchange) {
	x.over = true
	_ = x.conn.SetLinger(0)
}

// hang waits until mlb hangs up.
func hang(x *exchange) {
	x.over = true
	<-x.ctx.Done()
}

// trickle writes a text byte by byte until mlb hangs up.
func (x *exchange) trickle(text string, pause time.Duration) {
	x.over = true
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := range len(text) {
		select {
		case <-x.ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := x.conn.Write([]byte{text[i]}); err != nil {
			return
		}
	}
	<-x.ctx.Done()
}
