package launcher

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// server is a task inside this process.
type server struct {
	http      *http.Server
	sniffers  []*sniffer
	stopDelay time.Duration
	broken    atomic.Bool

	stop  chan time.Duration // the grace period of Stop
	crash chan struct{}
	done  chan struct{}
	exit  Exit // written before done is closed
	once  sync.Once
	quit  sync.Once

	// mu guards conns: http.Server reports the states of connections from many
	// goroutines.
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// serve answers HTTP with handler and lines with answer (which may be nil) on all
// listeners. cleanup runs before the process counts as ended.
func serve(ls []net.Listener, handler http.Handler, answer func(string) string, stopDelay time.Duration, cleanup func()) *server {
	s := &server{
		stopDelay: stopDelay,
		stop:      make(chan time.Duration, 1), crash: make(chan struct{}), done: make(chan struct{}),
		conns: map[net.Conn]struct{}{},
	}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(handler, w, r) }),
		ReadHeaderTimeout: 30 * time.Second,
		ConnState:         s.state,
	}
	var wg sync.WaitGroup
	for _, l := range ls {
		sn := sniff(l, answer)
		s.sniffers = append(s.sniffers, sn)
		wg.Go(func() {
			_ = s.http.Serve(sn) // ends with ErrServerClosed, in every case because we closed it
		})
	}
	go func() {
		defer close(s.done)
		s.wait()
		wg.Wait()
		for _, sn := range s.sniffers {
			sn.wg.Wait()
		}
		if cleanup != nil {
			cleanup()
		}
	}()
	return s
}

func (s *server) answer(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	if s.broken.Load() {
		http.Error(w, "broken on purpose", http.StatusServiceUnavailable)
		return
	}
	handler.ServeHTTP(w, r)
}

func (s *server) state(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.conns, c)
		return
	}
	s.conns[c] = struct{}{}
}

// wait returns when the server has been told to end and has ended.
func (s *server) wait() {
	var grace time.Duration
	select {
	case grace = <-s.stop:
	case <-s.crash:
		s.abort()
		return
	}
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	if s.stopDelay > 0 {
		delay := time.NewTimer(s.stopDelay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-deadline.C:
		case <-s.crash:
			s.abort()
			return
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.http.Shutdown(ctx) // an error means that the deadline came first
		for _, sn := range s.sniffers {
			sn.wg.Wait()
		}
	}()
	for _, sn := range s.sniffers {
		_ = sn.Close()
	}
	select {
	case <-ended:
		s.exit = Exit{Code: 143, Message: "Container exited with status 143"}
	case <-deadline.C:
		s.abort()
	case <-s.crash:
		s.abort()
	}
	cancel()
	<-ended
}

// abort cuts every connection, as the kernel does for a killed process.
func (s *server) abort() {
	s.exit = Exit{Code: 137, Message: "Container exited with status 137"}
	for _, sn := range s.sniffers {
		_ = sn.Close()
		sn.abort()
	}
	s.mu.Lock()
	for c := range s.conns {
		reset(c)
	}
	s.mu.Unlock()
	_ = s.http.Close()
}

// Done implements [Process].
func (s *server) Done() <-chan struct{} { return s.done }

// Exit implements [Process].
func (s *server) Exit() Exit { return s.exit }

// Stop implements [Process].
func (s *server) Stop(grace time.Duration) {
	s.quit.Do(func() { s.stop <- grace })
}

// Crash implements [Process].
func (s *server) Crash() {
	s.once.Do(func() { close(s.crash) })
}

// SetBroken implements [Breaker].
func (s *server) SetBroken(broken bool) { s.broken.Store(broken) }
