package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// termTimeout is how long HAProxy may take to end after SIGTERM, which makes it
	// close its connections; killTimeout the same after SIGKILL.
	termTimeout = 2 * time.Second
	killTimeout = 5 * time.Second
)

// ErrStillRunning says that processes did not end even when killed.
var ErrStillRunning = errors.New("processes do not end")

// Stop ends HAProxy and returns when all its processes have ended, old workers
// included, and its sockets are removed. First it asks for a soft stop (SIGUSR1): no
// new connections, and the end when the present ones have ended. When grace has
// passed or ctx ends, connections are closed (SIGTERM), and two seconds later
// processes are killed. Without an HAProxy it only clears what an earlier one left.
// The lock stays held until Close.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	recorded, err := readRecord(p.recordPath())
	if err != nil {
		p.log.Warn("record of haproxy's processes is unreadable", zap.Error(err))
	}
	ids := p.stillThere(recorded)
	m := p.current()
	if m != nil {
		// The master may not have been recorded yet, or have new children.
		ids = append(family(m.id.pid), ids...)
	}
	begin := time.Now()
	stopErr := p.end(ctx, m, ids, grace)
	if m != nil && stopErr == nil {
		<-m.exited // reaped, and its last messages are passed on
		p.log.Info("haproxy stopped", zap.Duration("took", time.Since(begin)))
	}
	p.unwatch()
	if stopErr != nil {
		return stopErr
	}
	return errors.Join(p.removeSockets(), removeFile(p.recordPath()))
}

// end ends processes. Workers that the master forks meanwhile, because a reload was
// in hand, are found before each step.
func (p *Process) end(ctx context.Context, m *master, ids []identity, grace time.Duration) error {
	for _, step := range []struct {
		signal  syscall.Signal
		timeout time.Duration
	}{{syscall.SIGUSR1, grace}, {syscall.SIGTERM, termTimeout}, {syscall.SIGKILL, killTimeout}} {
		if step.timeout <= 0 {
			continue
		}
		lives := m != nil && m.id.alive()
		if lives {
			ids = append(ids, family(m.id.pid)...)
		}
		// Each process gets one signal: HAProxy does not bear a second SIGUSR1 while
		// it deals with the first, its worker crashes or dies of it.
		ids = distinct(ids)
		var errs []error
		for _, id := range ids {
			if step.signal == syscall.SIGUSR1 && lives && id.pid != m.id.pid {
				continue // the master passes a soft stop on
			}
			errs = append(errs, id.signal(step.signal))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("stop haproxy: %w", err)
		}
		parent := ctx
		if step.signal != syscall.SIGUSR1 {
			parent = context.WithoutCancel(ctx) // never leave it half stopped
		}
		if waitFor(parent, step.timeout, ids) {
			return nil
		}
	}
	return fmt.Errorf("stop haproxy: %w: %v", ErrStillRunning, living(ids))
}

// endLeftovers ends what the record still knows of an earlier HAProxy.
func (p *Process) endLeftovers() error {
	recorded, err := readRecord(p.recordPath())
	if err != nil {
		return err
	}
	ids := p.stillThere(recorded)
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		ids = append(ids, family(id.pid)...)
	}
	p.log.Warn("ending what an earlier haproxy left", zap.Ints("pids", living(ids)))
	return p.end(context.Background(), nil, ids, 0)
}

func waitFor(ctx context.Context, timeout time.Duration, ids []identity) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return waitAll(ctx, ids)
}

// distinct returns each process once.
func distinct(ids []identity) []identity {
	var out []identity
	for _, id := range ids {
		same := func(o identity) bool { return o.pid == id.pid && o.start == id.start }
		if !slices.ContainsFunc(out, same) {
			out = append(out, id)
		}
	}
	return out
}

// living returns the process ids of those that have not ended, each once.
func living(ids []identity) []int {
	var pids []int
	for _, id := range distinct(ids) {
		if id.alive() {
			pids = append(pids, id.pid)
		}
	}
	return pids
}

// removeSockets removes the sockets of an HAProxy that has ended. A file of another
// kind is left alone, and is an error.
func (p *Process) removeSockets() error {
	var errs []error
	for _, path := range append([]string{p.cfg.MasterSocket}, p.cfg.Sockets...) {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, fmt.Errorf("socket: %w", err))
		case info.Mode().Type() != fs.ModeSocket:
			errs = append(errs, fmt.Errorf("%s is not a socket", path))
		default:
			errs = append(errs, removeFile(path))
		}
	}
	return errors.Join(errs...)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
