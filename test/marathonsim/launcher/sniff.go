package launcher

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// sniffer accepts connections and gives those that speak HTTP to its Accept
// method; the others are answered line by line.
type sniffer struct {
	net.Listener
	answer func(line string) string // nil: everything is HTTP

	web  chan net.Conn
	stop chan struct{} // closed by Close
	once sync.Once
	wg   sync.WaitGroup

	// mu guards conns, the connections that http.Server does not know: Close and
	// abort come from other goroutines than the one that accepts.
	mu    sync.Mutex
	conns map[net.Conn]bool // true once a line was read
}

func sniff(l net.Listener, answer func(line string) string) *sniffer {
	s := &sniffer{
		Listener: l, answer: answer,
		web: make(chan net.Conn), stop: make(chan struct{}), conns: map[net.Conn]bool{},
	}
	s.wg.Go(s.accept)
	return s
}

func (s *sniffer) accept() {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return
		}
		if !s.track(c) {
			continue
		}
		s.wg.Go(func() { s.dispatch(c) })
	}
}

func (s *sniffer) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stop:
		_ = c.Close()
		return false
	default:
	}
	s.conns[c] = false
	return true
}

func (s *sniffer) forget(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// dispatch reads the beginning of a connection and hands it to the HTTP server
// or talks to it.
func (s *sniffer) dispatch(c net.Conn) {
	r := bufio.NewReader(c)
	for n := 1; ; n = r.Buffered() + 1 {
		if _, err := r.Peek(n); err != nil {
			s.forget(c)
			_ = c.Close()
			return
		}
		head, _ := r.Peek(r.Buffered())
		if s.answer == nil || isHTTP(head) {
			break
		}
		if bytes.IndexByte(head, '\n') >= 0 || len(head) >= len("OPTIONS ") {
			s.talk(c, r)
			return
		}
	}
	select {
	case s.web <- &peeked{Conn: c, r: r}:
		s.forget(c)
	case <-s.stop:
		s.forget(c)
		_ = c.Close()
	}
}

func (s *sniffer) talk(c net.Conn, r *bufio.Reader) {
	defer s.forget(c)
	defer func() { _ = c.Close() }()
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := c.Write([]byte(s.answer(strings.TrimRight(line, "\r\n")) + "\n")); err != nil {
			return
		}
	}
}

// Accept returns the next connection that speaks HTTP.
func (s *sniffer) Accept() (net.Conn, error) {
	select {
	case c := <-s.web:
		return c, nil
	case <-s.stop:
		return nil, http.ErrServerClosed
	}
}

// Close stops accepting and closes connections that have said nothing yet;
// sessions of lines go on.
func (s *sniffer) Close() error {
	var err error
	s.once.Do(func() {
		s.mu.Lock()
		close(s.stop)
		for c, spoke := range s.conns {
			if !spoke {
				_ = c.Close()
			}
		}
		s.mu.Unlock()
		err = s.Listener.Close()
	})
	return err
}

// abort ends all sessions of lines.
func (s *sniffer) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		reset(c)
	}
}

func isHTTP(head []byte) bool {
	methods := []string{"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE ", "CONNECT "}
	return slices.ContainsFunc(methods, func(m string) bool { return bytes.HasPrefix(head, []byte(m)) })
}

// peeked is a connection of which the beginning has been read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) {
	return p.r.Read(b)
}

// reset closes a connection in the way of a process that was killed.
func reset(c net.Conn) {
	if p, ok := c.(*peeked); ok {
		c = p.Conn
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
