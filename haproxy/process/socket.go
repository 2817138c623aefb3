package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// ErrSocketPlace says that a master lives whose socket is gone and cannot be made anew:
// something else stands in its place, or its folder is gone or cannot be written. HAProxy
// serves on, but nothing can be changed until somebody has put that right.
var ErrSocketPlace = errors.New("haproxy lives but has lost its master socket, and there is no place for another")

// lostSocket reports whether a living master that has answered once has lost its socket.
// It returns [ErrSocketPlace] if it could not make another either, and then must not be
// asked to: HAProxy ends when it loads its configuration and cannot bind that socket.
func (p *Process) lostSocket(id identity) (bool, error) {
	info, err := os.Lstat(p.cfg.MasterSocket)
	switch {
	case err == nil && info.Mode().Type() == fs.ModeSocket:
		return false, nil
	case !id.alive():
		return false, nil
	case err == nil:
		return true, fmt.Errorf("%w: remove %s, which is no socket", ErrSocketPlace, p.cfg.MasterSocket)
	case !errors.Is(err, fs.ErrNotExist):
		return true, fmt.Errorf("%w: %w", ErrSocketPlace, err)
	}
	probe, err := os.MkdirTemp(filepath.Dir(p.cfg.MasterSocket), "haproxy.probe")
	if err == nil {
		err = os.Remove(probe)
	}
	if err != nil {
		return true, fmt.Errorf("%w: %w", ErrSocketPlace, err)
	}
	return true, nil
}

// revive gives a master that has answered another socket if it has lost its own: it makes
// one when it loads its configuration, and a signal is the only way left to ask for that.
// A master that starts would end of it.
func (p *Process) revive(ctx context.Context, id identity) error {
	lost, err := p.lostSocket(id)
	if err != nil || !lost {
		return err
	}
	p.log.Warn("haproxy has lost its master socket, a signal lets it load its file and make another", zap.Int("pid", id.pid))
	if err := id.signal(syscall.SIGUSR2); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.StartTimeout)
	defer cancel()
	ticker := time.NewTicker(answerPoll)
	defer ticker.Stop()
	for patience := firstPatience; ; {
		procs, err := p.socket.Processes(ctx)
		if err == nil && len(procs.Workers)+len(procs.OldWorkers) > 0 {
			if err = p.askWorker(ctx, patience); err == nil {
				return nil
			}
			patience *= 2
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("make another master socket: %w (last: %w)", ctx.Err(), err)
		}
	}
}
