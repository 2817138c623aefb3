package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Limits of one connection. Answers are small and made from memory.
const (
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	// stopTimeout is how long answers may take after Run was told to stop.
	stopTimeout = 2 * time.Second
)

// Config says where the interface is served.
type Config struct {
	// Socket is the path of a Unix socket in an existing folder. Empty: none.
	Socket string
	// Group is the name of the group that HAProxy's worker belongs to. When mlb
	// runs as root, members may use the socket; otherwise, or if there is no such
	// group, only the user that mlb runs as may. Empty: no group.
	Group string
	// Listen is a further TCP address such as "127.0.0.1:9095". Empty: none.
	Listen string
	// Sources are the clients that may send signals and see the configuration, the
	// maps and the problems. The zero value is everybody.
	Sources Sources
}

// Server serves the interface. Make one with [New].
type Server struct {
	config  Config
	handler handler
	log     *zap.Logger
	opened  []net.Listener // what Open has opened
}

// New returns a server for what v shows and the metrics that are gathered. It
// starts nothing.
func New(c Config, v View, metrics prometheus.Gatherer, log *zap.Logger) *Server {
	log = log.Named("admin")
	return &Server{config: c, handler: newHandler(v, c.Sources, metrics, log), log: log}
}

// Handler returns what answers the requests, for a listener of the caller's own.
func (s *Server) Handler() http.Handler { return s.handler }

// Open listens, which tells whether another process has the socket or the address,
// before anything else is done. Requests wait for Run, which must follow. It returns an
// error if it cannot listen; then nothing is open. A socket left behind by a process
// that has ended is replaced; one that answers is ErrInUse.
func (s *Server) Open(ctx context.Context) error {
	opened, err := s.listen(ctx)
	if err == nil {
		s.opened = opened
	}
	return err
}

// Run serves until ctx is done, then lets answers in progress finish for at most
// two seconds, removes its socket and returns nil after all its goroutines. Without an
// Open before, it begins with that. It returns an error if it cannot listen, or can no
// longer. Run it once.
func (s *Server) Run(ctx context.Context) error {
	if s.opened == nil {
		if err := s.Open(ctx); err != nil {
			return err
		}
	}
	listeners := s.opened
	server := &http.Server{
		Handler:                      s.handler,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     zap.NewStdLog(s.log),
	}
	var err error
	failed := make(chan error, len(listeners))
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() {
			if serveErr := server.Serve(l); !errors.Is(serveErr, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve on %s: %w", l.Addr(), serveErr)
			}
		})
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		// Somebody is too slow; their connections are closed. What else Close
		// could report is about listeners, which Shutdown has closed.
		_ = server.Close()
	}
	serving.Wait()
	return err
}

// listen opens all listeners or none.
func (s *Server) listen(ctx context.Context) (opened []net.Listener, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, l := range opened {
			_ = l.Close() // it has served nobody
		}
	}()
	if s.config.Socket != "" {
		l, err := listenSocket(ctx, s.config.Socket, s.config.Group, s.log)
		if err != nil {
			return opened, fmt.Errorf("listen on socket %s: %w", s.config.Socket, err)
		}
		opened = append(opened, l)
	}
	if s.config.Listen != "" {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", s.config.Listen)
		if err != nil {
			return opened, fmt.Errorf("listen: %w", err)
		}
		opened = append(opened, l)
	}
	return opened, nil
}
