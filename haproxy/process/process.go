package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/zap"

	"mlb/haproxy/runtime"
)

// StartTimeout is how long a new HAProxy may take until it answers. Ten thousand
// backends take a few seconds.
const StartTimeout = 2 * time.Minute

// ErrLocked says that another process holds the state directory, most likely
// another mlb that supervises the same HAProxy.
var ErrLocked = errors.New("state directory is in use by another process")

// ErrHung says that a master lives but does not answer at its socket.
var ErrHung = errors.New("haproxy lives but does not answer at its master socket")

// ErrRunning says that there is a live HAProxy already.
var ErrRunning = errors.New("haproxy runs already")

// ErrNotRunning says that there is no HAProxy.
var ErrNotRunning = errors.New("haproxy does not run")

// Config describes the HAProxy to supervise. All fields but Stdout, Sockets and
// StartTimeout must be set; relative paths are relative to the working directory.
type Config struct {
	// Binary is the haproxy program, or a script that ends in executing it.
	Binary string
	// ConfigFile is the configuration, or a directory of "*.cfg" files.
	ConfigFile string
	// MasterSocket is where the master listens. The path of a Unix socket may have
	// about 100 bytes.
	MasterSocket string
	// StateDir is an existing directory for the lock, the record of processes and
	// HAProxy's messages.
	StateDir string
	// Environ are variables, NAME=VALUE, that HAProxy gets beside those of this
	// process; the last of a name counts. Nil: none.
	Environ []string
	// Stdout receives HAProxy's standard output ("log stdout"); nil means this
	// process's own. It is inherited, so it must live as long as HAProxy.
	Stdout *os.File
	// Sockets are further Unix sockets that the configuration binds. They are
	// removed when HAProxy has ended.
	Sockets []string
	// StartTimeout replaces the constant of this name when it is not 0.
	StartTimeout time.Duration
}

// Process is one supervised HAProxy in master-worker mode. Make it with New; it
// does nothing before Adopt or Start is called. Adopt, Start, Reload, Stop and Close
// must be called by one goroutine at a time; the other methods are safe for
// concurrent use.
type Process struct {
	cfg      Config
	log      *zap.Logger
	socket   *runtime.Socket
	lock     *flock.Flock
	messages *messages

	// mu guards master, which readers on other goroutines ask for at any time.
	mu     sync.Mutex
	master *master
}

// New returns a Process. It touches nothing.
func New(cfg Config, log *zap.Logger) *Process {
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = StartTimeout
	}
	return &Process{
		cfg: cfg, log: log,
		socket:   runtime.NewMasterSocket(cfg.MasterSocket, log),
		lock:     flock.New(filepath.Join(cfg.StateDir, "haproxy.lock"), flock.SetPermissions(0o600)),
		messages: &messages{path: filepath.Join(cfg.StateDir, "haproxy.messages"), log: log},
	}
}

// Socket returns the master socket.
func (p *Process) Socket() *runtime.Socket { return p.socket }

// Reload lets HAProxy load its configuration anew, see [runtime.Socket.Reload]. When
// the master's socket gives no start-up log (2.6), the result has what HAProxy wrote
// to its standard error meanwhile. A master that has lost its socket makes another. The
// error wraps [ErrNotRunning] when HAProxy ends over it, and [ErrSocketPlace].
func (p *Process) Reload(ctx context.Context) (runtime.ReloadResult, error) {
	m := p.current()
	if m == nil || m.hasExited() {
		return runtime.ReloadResult{}, fmt.Errorf("reload: %w", ErrNotRunning)
	}
	mark := p.messages.mark()
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-m.exited:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer cancel()
	if err := p.revive(ctx, m.id); err != nil {
		return runtime.ReloadResult{}, fmt.Errorf("reload: %w", err)
	}
	result, err := p.socket.Reload(ctx)
	if result.Log == "" {
		result.Log = p.messages.since(mark)
	}
	p.messages.pass()
	if err != nil && m.hasExited() {
		return result, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	return result, errors.Join(err, p.note(m.id.pid))
}

// Exited returns a channel that is closed when the present master has ended. Without
// a master, before the first Adopt or Start and after Stop or Close, it is nil.
func (p *Process) Exited() <-chan struct{} {
	if m := p.current(); m != nil {
		return m.exited
	}
	return nil
}

// Running reports whether there is a master that has not ended.
func (p *Process) Running() bool {
	m := p.current()
	return m != nil && !m.hasExited()
}

// Adopted reports whether the present HAProxy was taken over rather than started.
func (p *Process) Adopted() bool {
	m := p.current()
	return m != nil && m.child == nil
}

// PIDs returns the process ids of HAProxy, the master first, then its workers, old
// ones included. Without a master they are those that the record of an earlier one
// still knows: its workers may hold their ports until Start or Stop ends them.
func (p *Process) PIDs() []int {
	m := p.current()
	if m != nil && !m.hasExited() {
		return living(family(m.id.pid))
	}
	recorded, err := readRecord(p.recordPath())
	if err != nil {
		return nil
	}
	return living(p.stillThere(recorded))
}

// Close ends the supervision and gives up the lock. HAProxy goes on running; another
// Process may adopt it.
func (p *Process) Close() error {
	p.unwatch()
	if err := p.lock.Unlock(); err != nil {
		return fmt.Errorf("unlock %s: %w", p.lock.Path(), err)
	}
	return nil
}

// acquire takes the lock; it is held until Close or the end of this process.
func (p *Process) acquire() error { return acquire(p.lock) }

func acquire(lock *flock.Flock) error {
	ok, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	if !ok {
		return fmt.Errorf("lock %s: %w", lock.Path(), ErrLocked)
	}
	return nil
}

// note writes the record of HAProxy's processes.
func (p *Process) note(master int) error { return writeRecord(p.recordPath(), family(master)) }

func (p *Process) recordPath() string { return filepath.Join(p.cfg.StateDir, "haproxy.pids") }
