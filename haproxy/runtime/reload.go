package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// ReloadTimeout bounds a reload whose context has no earlier deadline.
	ReloadTimeout = 2 * time.Minute
	// reloadPoll is the pause between two looks at the master's processes.
	reloadPoll = 10 * time.Millisecond
	// confirmTimeout bounds the search for the new worker once the master has
	// reported success.
	confirmTimeout = 2 * time.Second
)

// ErrReloadFailed says that HAProxy could not start with the new configuration.
// The old worker goes on serving. A retry helps only when the cause has gone.
var ErrReloadFailed = errors.New("haproxy keeps its old configuration")

// ReloadResult describes a reload.
type ReloadResult struct {
	// Log is what HAProxy said while it loaded the configuration; on 2.6 it is
	// empty, as that master says nothing on its socket.
	Log string
	// Worker is the process id of the new worker; 0 after a failure.
	Worker int
	// Took is the time from the request to the verdict.
	Took time.Duration
}

// Reload makes the master load its configuration anew and waits for the verdict:
// nil when a new worker serves, an error that wraps [ErrReloadFailed] when the old
// one goes on (the result then has the log), any other error when the outcome is
// unknown. It needs a master socket. Reloads of one Socket run one after another;
// waiting for one's turn ends with the context.
//
// From 2.7 on the master answers when it is done. On 2.6 it closes the connection
// and refuses new ones while it executes itself anew; then its counters tell: the
// number of reloads has grown, and either the number of failures is not 0 or there
// is a new worker, which answers. When a port cannot be bound the verdict takes about two seconds.
func (s *Socket) Reload(ctx context.Context) (ReloadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, ReloadTimeout)
	defer cancel()
	select {
	case s.reload <- struct{}{}:
		defer func() { <-s.reload }()
	case <-ctx.Done():
		return ReloadResult{}, fmt.Errorf("reload through %s: %w", s.path, ctx.Err())
	}
	begin := time.Now()
	before, err := s.Processes(ctx)
	if err != nil {
		return ReloadResult{}, fmt.Errorf("reload: processes before: %w", err)
	}
	text, err := s.toMaster(ctx, "reload", libraryTimeout)
	if err != nil {
		return ReloadResult{}, fmt.Errorf("reload: %w", err)
	}
	result, known, err := parseReload(text)
	switch {
	case err != nil:
	case known:
		result.Worker = s.newWorker(ctx, before)
	default:
		result.Worker, err = s.awaitReload(ctx, before)
	}
	result.Took = time.Since(begin)
	if err != nil {
		return result, fmt.Errorf("reload through %s: %w", s.path, err)
	}
	return result, nil
}

// parseReload reads the master's answer: "Success=1" or "Success=0", a line "--",
// the start-up log. known is false when there was no answer.
func parseReload(text string) (result ReloadResult, known bool, err error) {
	head, log, _ := strings.Cut(text, "\n--\n")
	switch head = strings.TrimSpace(strings.TrimSuffix(head, "\n--")); {
	case head == "":
		return ReloadResult{}, false, nil
	case strings.HasPrefix(head, "Success=1"):
		return ReloadResult{Log: strings.TrimSpace(log)}, true, nil
	case strings.HasPrefix(head, "Success=0"):
		return ReloadResult{Log: strings.TrimSpace(log)}, true, ErrReloadFailed
	}
	return ReloadResult{}, true, fmt.Errorf("%w: %.200q", ErrUnexpectedAnswer, text)
}

// awaitReload watches the master's counters until they give a verdict.
func (s *Socket) awaitReload(ctx context.Context, before Processes) (int, error) {
	ticker := time.NewTicker(reloadPoll)
	defer ticker.Stop()
	last := errors.New("no new worker")
	for {
		now, err := s.Processes(ctx)
		if err != nil {
			last = err // refused while the master executes itself anew
		} else {
			worker, done, failed := verdict(before, now)
			if failed != nil {
				return 0, failed
			}
			if done && s.answers(ctx, worker) {
				return worker, nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("no verdict: %w (last: %w)", ctx.Err(), last)
		}
	}
}

// verdict compares the master's processes before and after a reload.
func verdict(before, now Processes) (worker int, done bool, err error) {
	if now.Reloads <= before.Reloads {
		return 0, false, nil
	}
	if now.FailedReloads > 0 {
		return 0, true, ErrReloadFailed
	}
	known := before.PIDs()
	for _, w := range now.Workers {
		if !slices.Contains(known, w.PID) {
			return w.PID, true, nil
		}
	}
	return 0, false, nil
}

// answers reports whether commands reach the given worker: it is listed before it
// has finished starting.
func (s *Socket) answers(ctx context.Context, worker int) bool {
	info, err := s.Info(ctx)
	return err == nil && info.PID == worker && !info.Stopping
}

// newWorker looks for the worker that a reload reported as good has brought. The
// master's word stands even if the worker cannot be found, then it returns 0.
func (s *Socket) newWorker(ctx context.Context, before Processes) int {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	worker, err := s.awaitReload(ctx, before)
	if err != nil {
		return 0
	}
	return worker
}
