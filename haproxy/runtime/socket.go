package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	native "github.com/haproxytech/client-native/v5/runtime"
	"github.com/haproxytech/client-native/v5/runtime/options"
	"go.uber.org/zap"
)

// CallTimeout bounds each exchange with HAProxy except a reload.
const CallTimeout = 5 * time.Second

// libraryTimeout is the deadline that client-native sets on every connection; it
// cannot be changed.
const libraryTimeout = 30 * time.Second

const (
	// secondAfter is how long a question goes unanswered before it is asked again.
	secondAfter = time.Second
	// noSecond is for what must not be done twice, or would not help: a master takes
	// ten connections only, and one that hangs keeps its own for libraryTimeout.
	noSecond = 2 * CallTimeout
)

// ErrTimeout says that HAProxy accepted a call but did not answer in time. The
// commands may still be carried out later.
var ErrTimeout = errors.New("haproxy does not answer")

// ErrNoMaster says that a master's command was asked of a stats socket.
var ErrNoMaster = errors.New("not a master socket")

// Socket is a Unix socket of HAProxy on which commands are sent. Nothing is
// opened before a method is called, and nothing stays open after it. All methods
// are safe for concurrent use; they block for at most [CallTimeout] for each
// batch, or until the context ends.
type Socket struct {
	path   string
	master bool
	log    *zap.Logger
	// reload holds a token while a reload is in hand. A mutex would not let a
	// waiting caller go when its context ends.
	reload chan struct{}
}

// NewMasterSocket returns the master socket at path ("haproxy -S path"), which
// reaches the current worker whatever its own configuration allows. Commands are
// logged at debug level.
func NewMasterSocket(path string, log *zap.Logger) *Socket {
	return &Socket{path: path, master: true, log: log, reload: make(chan struct{}, 1)}
}

// NewStatsSocket returns the stats socket at path ("stats socket path level
// admin" in the configuration), for an HAProxy that mlb does not supervise.
func NewStatsSocket(path string, log *zap.Logger) *Socket {
	return &Socket{path: path, log: log, reload: make(chan struct{}, 1)}
}

// Path returns the path of the socket.
func (s *Socket) Path() string { return s.path }

// workerPrefix addresses one command to the current worker. The master needs it
// before each command of a line.
func (s *Socket) workerPrefix() string {
	if s.master {
		return "@1 "
	}
	return ""
}

// toWorker sends a line of commands and returns everything answered. The library
// puts "set severity-output number" in front, which the master of 2.6 answers
// with its help text: whatever precedes the first known answer is of no interest.
func (s *Socket) toWorker(ctx context.Context, line string, second time.Duration) (string, error) {
	if s.master {
		line += ";quit" // the master keeps the connection open otherwise
	}
	return s.call(ctx, CallTimeout, second, func(c *native.SingleRuntime) (string, error) { return c.ExecuteRaw(line) })
}

// toMaster sends one command of the master itself.
func (s *Socket) toMaster(ctx context.Context, command string, limit time.Duration) (string, error) {
	if !s.master {
		return "", fmt.Errorf("command %q on %s: %w", command, s.path, ErrNoMaster)
	}
	return s.call(ctx, limit, noSecond+limit, func(c *native.SingleRuntime) (string, error) { return c.ExecuteMaster(command) })
}

// call runs one exchange and gives it up when limit has passed or ctx ends. The
// library knows neither contexts nor our limit, so an exchange that was given up
// goes on until the library's own deadline and then ends by itself. An exchange that has
// not ended after second is begun once more, and the first to end counts.
func (s *Socket) call(ctx context.Context, limit, second time.Duration, do func(*native.SingleRuntime) (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("call %s: %w", s.path, err)
	}
	done := make(chan result, 2)
	exchange := func() {
		// A client for each call: the library locks one client for the whole
		// exchange, and a hung exchange must not block the next.
		var c native.SingleRuntime
		if err := c.Init(s.path, 0, 0, options.RuntimeOptions{DoNotCheckRuntimeOnInit: true}); err != nil {
			done <- result{err: err}
			return
		}
		text, err := do(&c)
		done <- result{text, err}
	}
	go exchange()
	timer, again := time.NewTimer(limit), time.NewTimer(second)
	defer timer.Stop()
	defer again.Stop()
	for {
		select {
		case r := <-done:
			if r.err != nil {
				return "", fmt.Errorf("call %s: %w", s.path, r.err)
			}
			return r.text, nil
		case <-again.C:
			go exchange()
		case <-timer.C:
			return "", fmt.Errorf("call %s: %w within %s", s.path, ErrTimeout, limit)
		case <-ctx.Done():
			return "", fmt.Errorf("call %s: %w", s.path, ctx.Err())
		}
	}
}
