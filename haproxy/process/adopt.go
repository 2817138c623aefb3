package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
)

const (
	// adoptTimeout is how long a master that is known to live may take to answer.
	// While it loads its configuration it refuses connections.
	adoptTimeout = 10 * time.Second
	// answerPoll is the pause between two questions to a master that does not
	// answer yet.
	answerPoll = 10 * time.Millisecond
)

// Adopt takes over the HAProxy that answers at the master socket, if there is one,
// and reports whether there is. A master that is known to live, from a record that
// an earlier Process left, is given ten seconds to answer; then the error wraps
// [ErrHung], and Start would end that HAProxy. One that has lost its socket makes
// another; if it cannot, the error wraps [ErrSocketPlace]. [ErrLocked] is worth a retry.
func (p *Process) Adopt(ctx context.Context) (bool, error) {
	if p.Running() {
		return true, nil
	}
	if err := p.acquire(); err != nil {
		return false, err
	}
	id, err := p.findMaster(ctx)
	if err != nil || id.pid == 0 {
		return false, err
	}
	p.messages.skip()
	p.watch(id, nil)
	p.log.Info("haproxy adopted", zap.Int("pid", id.pid))
	return true, p.note(id.pid)
}

// findMaster returns the master that answers at the socket; none has pid 0.
func (p *Process) findMaster(ctx context.Context) (identity, error) {
	recorded, err := readRecord(p.recordPath())
	if err != nil {
		return identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	ticker := time.NewTicker(answerPoll)
	defer ticker.Stop()
	for {
		id, err := p.askMaster(ctx)
		if err == nil {
			return id, nil
		}
		// A master that loads its configuration refuses connections.
		known := len(recorded) > 0 && len(p.stillThere(recorded[:1])) > 0
		if known && answered(recorded) {
			if reviveErr := p.revive(ctx, recorded[0]); reviveErr != nil {
				return identity{}, reviveErr
			}
		}
		if !listens(err) && !known && ctx.Err() == nil {
			return identity{}, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return identity{}, fmt.Errorf("%w %s: %w", ErrHung, p.cfg.MasterSocket, err)
		}
	}
}

// listens reports whether an error means that somebody listens at the socket without
// giving a proper answer.
func listens(err error) bool {
	return errors.Is(err, runtime.ErrTimeout) || errors.Is(err, runtime.ErrUnexpectedAnswer)
}

// askMaster asks the master at the socket who it is. It asks again once it knows the
// process, because a process id alone could belong to another one by then.
func (p *Process) askMaster(ctx context.Context) (identity, error) {
	first, err := p.socket.Processes(ctx)
	if err != nil {
		return identity{}, err
	}
	id, ok := identify(first.Master)
	second, err := p.socket.Processes(ctx)
	switch {
	case err != nil:
		return identity{}, err
	case !ok || second.Master != id.pid:
		return identity{}, fmt.Errorf("master %d: %w", first.Master, runtime.ErrUnexpectedAnswer)
	}
	return id, nil
}
