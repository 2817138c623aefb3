package marathonsim

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// stream is one consumer of /v2/events at the leader.
type stream struct {
	conn   net.Conn
	remote string
	types  []string // empty: all
	light  bool     // plan-format=light
	strict bool     // close instead of dropping when the queue is full

	queue  chan event
	closed chan struct{} // closed by the cluster, with c.mu held
	ended  bool          // closed was closed
}

// offer queues the event or deals with a full queue. c.mu is held.
func (s *stream) offer(e event) {
	if len(s.types) > 0 && !slices.Contains(s.types, e.kind) {
		return
	}
	select {
	case s.queue <- e:
	default:
		if s.strict {
			s.end()
		}
	}
}

// end makes the stream's handler close the connection. c.mu is held.
func (s *stream) end() {
	if !s.ended {
		s.ended = true
		close(s.closed)
		_ = s.conn.SetWriteDeadline(time.Now()) // frees a writer whom the client does not read
	}
}

// serveEvents answers /v2/events on the leader: the head by hand, then frames
// until one side closes.
func (m *master) serveEvents(w http.ResponseWriter, r *http.Request) {
	c := m.cluster
	if !slices.Contains(r.Header["Accept"], "text/event-stream") {
		status := http.StatusMethodNotAllowed
		if r.ProtoMinor == 0 {
			status = http.StatusBadRequest
		}
		m.writePage(w, r, status, "HTTP method GET is not supported by this URL")
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		m.writePage(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	defer m.release(conn)
	if !m.adopt(conn) {
		return
	}
	query := r.URL.Query()
	s := &stream{
		conn: conn, remote: remoteHost(r), light: query.Get("plan-format") == "light" && c.features.lightPlans,
		strict: c.features.closeSlow,
		queue:  make(chan event, c.options.MaxOutstanding), closed: make(chan struct{}),
	}
	if c.features.eventFilter {
		s.types = query["event_type"]
	}
	if err := m.writeHead(conn, w.Header()); err != nil {
		return
	}
	if fault, _ := m.streamFault(); fault == FaultCloseStream || !c.attach(m, s) {
		return // elected, but the event bus is not there yet
	}
	defer c.detach(s)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		awaitClose(rw.Reader)
	}()
	m.pump(conn, s, gone)
	_ = conn.Close()
	<-gone
}

// writeHead writes the head of the stream, before it is subscribed.
func (m *master) writeHead(conn net.Conn, header http.Header) error {
	header.Set("Content-Type", "text/event-stream;charset=utf-8")
	header.Set("Connection", "close")
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w := bufio.NewWriter(conn)
	_, _ = fmt.Fprint(w, "HTTP/1.1 200 OK\r\n") // Flush reports the error
	_ = header.Write(w)
	_, _ = fmt.Fprint(w, "\r\n")
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the head of the stream: %w", err)
	}
	return nil
}

// awaitClose returns when the client has closed the connection.
func awaitClose(r *bufio.Reader) {
	for {
		if _, err := r.ReadByte(); err != nil {
			return
		}
	}
}

// attach subscribes the stream and announces it, also to itself. It reports
// false when the master does not lead or does not publish yet.
func (c *Cluster) attach(m *master, s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader != m.index || !c.publishing {
		return false
	}
	c.streams[s] = struct{}{}
	c.publish("event_stream_attached", member{"remoteAddress", s.remote})
	c.changed()
	return true
}

func (c *Cluster) detach(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.streams[s]; !ok {
		return
	}
	delete(c.streams, s)
	c.publish("event_stream_detached", member{"remoteAddress", s.remote})
	c.changed()
}

// closeStreams ends all streams. c.mu is held.
func (c *Cluster) closeStreams() {
	for s := range c.streams {
		s.end()
	}
	clear(c.streams)
}

// heavyStreams reports whether a stream wants deployment events with root groups.
// c.mu is held.
func (c *Cluster) heavyStreams() bool {
	for s := range c.streams {
		if !s.light {
			return true
		}
	}
	return false
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
