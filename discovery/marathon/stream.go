package marathon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"go.uber.org/zap"
)

// StreamConfig says how to follow Marathon's events. Zero means the default.
type StreamConfig struct {
	// ConnectTimeout is how long a master may take to begin the stream. Default 10 s.
	ConnectTimeout time.Duration
	// IdleTimeout is the longest silence on an attached stream. Marathon sends a
	// heartbeat every 10 s. Default 30 s (D14).
	IdleTimeout time.Duration
	// AttachTimeout is how long a stream may take until its first event, its own
	// attachment. One that only has heartbeats will never deliver. Default 30 s.
	AttachTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait between two rounds of attempts: it
	// is drawn from zero to a limit that begins with the first and grows by half
	// to the second (contract 2.2). Defaults 3 s and 300 s.
	MinBackoff, MaxBackoff time.Duration
	// MaxEvent is the largest event in bytes. Larger ones are skipped and counted
	// as unreadable. Default 64 MiB.
	MaxEvent int
}

func (c StreamConfig) withDefaults() StreamConfig {
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 10*time.Second)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 30*time.Second)
	c.AttachTimeout = cmp.Or(c.AttachTimeout, 30*time.Second)
	c.MinBackoff = cmp.Or(c.MinBackoff, 3*time.Second)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 300*time.Second)
	c.MaxEvent = cmp.Or(c.MaxEvent, 64<<20)
	return c
}

// StreamStatus is what there is to say about the stream at one moment.
type StreamStatus struct {
	// Connected is true from the first event or heartbeat of a connection to its end.
	Connected bool
	// Master is the address that serves the stream, or that did last, without
	// credentials. After a redirect it is the target's. Empty means none so far.
	Master string
	// Since is when Connected changed last; zero means never.
	Since time.Time
	// LastByte and LastEvent are when a byte and an event arrived last, on any
	// connection; zero means never.
	LastByte, LastEvent time.Time
	// Error is why the last connection or attempt ended; empty while connected.
	Error string
}

// Why a connection ended.
var (
	errStreamEnded  = errors.New("ended by Marathon")
	errStreamSilent = errors.New("silent for too long")
	errNoEvent      = errors.New("no event in time, not even its own attachment")
)

// Stream keeps one connection to Marathon's events, at the leader if it is known.
type Stream struct {
	cfg     StreamConfig
	client  *Client
	log     *zap.Logger
	metrics *Metrics

	// mu guards what follows: Status is asked while a connection reads.
	mu      sync.Mutex
	status  StreamStatus
	failing bool // it was said that there is no connection
	times   int  // number of connections so far
}

// NewStream returns a stream that uses the client's masters, connections and
// credentials.
func NewStream(cfg StreamConfig, client *Client, log *zap.Logger, m *Metrics) *Stream {
	return &Stream{cfg: cfg.withDefaults(), client: client, log: log, metrics: m}
}

// Status returns the present state. It does not block and is safe for concurrent use.
func (s *Stream) Status() StreamStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Run connects again and again until ctx is done and then returns nil; nothing it
// started is left. It calls hint for the first sign of life of every connection and
// for every event that may matter, from several goroutines; hint must not block.
// Run must not be called twice at the same time.
func (s *Stream) Run(ctx context.Context, hint func(Hint)) error {
	limit := s.firstLimit()
	for {
		if s.round(ctx, hint) {
			limit = s.firstLimit()
		}
		wait := time.NewTimer(rand.N(limit)) //nolint:gosec // spreading reconnects needs no secret numbers
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
		limit = min(limit+limit/2, s.cfg.MaxBackoff)
	}
}

// firstLimit is the limit of the wait after a connection that was alive. A mere 200
// proves nothing: Marathon answers so and hangs up while it elects a leader.
func (s *Stream) firstLimit() time.Duration { return min(s.cfg.MinBackoff, s.cfg.MaxBackoff) }

// round tries every master once, until one connection came to life and ended. It
// reports whether one did.
func (s *Stream) round(ctx context.Context, hint func(Hint)) bool {
	s.client.findLeader(ctx)
	for _, m := range s.client.masters.order() {
		c := &connection{stream: s, hint: hint, limit: s.cfg.MaxEvent}
		err := c.run(ctx, m)
		if ctx.Err() != nil {
			s.ended(nil)
			return false
		}
		s.client.masters.failed(m, err)
		s.ended(fmt.Errorf("follow events of %s: %w", m, err))
		if c.alive {
			return true
		}
		hint(Hint{Type: triggerNoStream, All: true})
	}
	return false
}

// began notes that a connection came to life.
func (s *Stream) began(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Connected, s.status.Master, s.status.Error = true, address, ""
	s.status.Since = time.Now()
	s.failing = false
	s.times++
	s.metrics.connected.Set(1)
	if s.times > 1 {
		s.metrics.reconnects.Inc()
	}
	s.log.Info("stream connected", zap.String("url", address))
}

// ended notes that a connection ended, or did not come about. Only the first of
// several failures is logged.
func (s *Stream) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.status.Connected
	if lost {
		s.status.Connected, s.status.Since = false, time.Now()
		s.metrics.connected.Set(0)
	}
	if err == nil {
		return
	}
	s.status.Error = err.Error()
	switch {
	case lost:
		s.log.Warn("stream lost", zap.Error(err))
	case !s.failing:
		s.log.Warn("stream not connected", zap.Error(err))
	default:
		s.log.Debug("stream not connected", zap.Error(err))
	}
	s.failing = true
}

// sawByte and sawEvent note signs of life.
func (s *Stream) sawByte() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastByte = time.Now()
	s.metrics.lastByte.Set(unix(s.status.LastByte))
}

func (s *Stream) sawEvent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastEvent = time.Now()
	s.metrics.lastEvent.Set(unix(s.status.LastEvent))
}

// streamQuery asks for light plans and for the events that matter. Versions that
// do not know a parameter ignore it.
func streamQuery(pods bool) url.Values {
	return url.Values{"plan-format": {"light"}, "event_type": subscribedTypes(pods)}
}
