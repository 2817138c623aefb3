package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
)

// maxCommandRetry is the longest wait before a command runs again after which no new
// HAProxy was to be seen. It may well have reloaded one that mlb cannot see.
const maxCommandRetry = 10 * time.Minute

// reasonNoSocket is a change of servers for which there is no socket.
const reasonNoSocket = "no_runtime_socket"

// commander reloads HAProxy in a way of its own; *process.Command is one.
type commander interface {
	Run(ctx context.Context) error
}

// loading is a configuration that is on disk for a command to load.
type loading struct {
	desired haproxy.Config
	result  Result
	asked   string // who asked for it, see Loop.asked
	begin   time.Time
	// overtaken says that HAProxy was started anew while the command ran: what it has
	// loaded is not what the command was run for.
	overtaken bool
}

// commanding is what a loop knows about its command. The command runs beside the
// loop, so that passes go on while it waits for HAProxy.
type commanding struct {
	start   func()   // runs the command beside the loop
	now     *loading // what it is loading; nil: it does not run
	next    *loading // what is on disk by now
	ahead   bool     // the files hold what HAProxy has not loaded yet
	ended   chan error
	waiters []chan struct{} // closed when it does not run
}

// NewForeign returns a loop for an HAProxy that somebody else runs; cfg.Command must be
// set. With a socket, runtime steps are done as on one's own; nil means that every
// change goes through the file and the command (contract 7).
func NewForeign(cfg Config, f *process.Foreign, sock *runtime.Socket, v haproxy.Version, log *zap.Logger, m *Metrics) *Loop {
	l := newLoop(cfg, f, f.Close, sock, v, log, m)
	l.foreign = true
	return l
}

// Settle blocks until no text is checked and no reload command runs, or ctx is done.
func (l *Loop) Settle(ctx context.Context) error {
	done := make(chan struct{})
	_, err := l.ask(ctx, func(context.Context) (Result, error) {
		l.command.waiters = append(l.command.waiters, done)
		return Result{}, nil
	})
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-l.ended:
		return ErrEnded
	case <-ctx.Done():
		return fmt.Errorf("settle: %w", ctx.Err())
	}
}

// settled answers the callers of Settle.
func (l *Loop) settled() {
	if l.command.now != nil || l.checking.now != nil {
		return
	}
	for _, w := range l.command.waiters {
		close(w)
	}
	l.command.waiters = nil
}

// underWay reports whether the command is loading just this already, or will next.
func (l *Loop) underWay(d haproxy.Config) bool {
	newest := l.command.next
	if newest == nil {
		newest = l.command.now
	}
	return newest != nil && newest.desired.Equal(d)
}

// begin lets the command load what was written.
func (l *Loop) begin(d haproxy.Config, result Result) Result {
	result.Method = MethodDeferred
	asked := l.asked
	if l.command.next != nil {
		asked = cmp.Or(asked, l.command.next.asked)
	}
	l.command.next = &loading{desired: d, result: result, asked: asked, begin: time.Now()}
	l.asked, l.command.ahead = "", true
	l.runCommand()
	return result
}

// runCommand starts the command if it has something to load and does not run.
func (l *Loop) runCommand() {
	if l.command.now != nil || l.command.next == nil {
		return
	}
	l.command.now, l.command.next = l.command.next, nil
	l.command.start()
}

// runAndAwait runs the command and waits until the socket answers again: while a master
// executes itself anew, it refuses connections. That it does not is no failure of the
// command. It runs beside the loop.
func (l *Loop) runAndAwait(ctx context.Context) error {
	if err := l.cfg.Command.Run(ctx); err != nil || l.socket == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	again := time.NewTicker(answerPoll)
	defer again.Stop()
	for {
		if _, err := l.socket.Servers(ctx); err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// onlyUnconfirmed reports whether nothing but steps without a visible effect asks for
// a reload. While the command runs that says little: they are done again afterwards.
func onlyUnconfirmed(reasons []haproxy.Reason) bool {
	return !slices.ContainsFunc(reasons, func(r haproxy.Reason) bool { return r.Code != reasonUnconfirmed })
}

// commanded takes in how the command ended. When it did well, what was on disk when
// it began is loaded; a newer text is loaded by another run.
func (l *Loop) commanded(ctx context.Context, err error) {
	done := l.command.now
	l.command.now = nil
	l.attempted, l.attemptErr = time.Now(), err
	result := done.result
	result.Reload = time.Since(done.begin)
	if err != nil {
		l.asked = cmp.Or(l.asked, done.asked)
		if l.command.next != nil {
			l.asked = cmp.Or(l.asked, l.command.next.asked)
			l.command.next = nil
		}
		before := l.retry
		l.failedReload()
		if errors.Is(err, process.ErrNotSeen) {
			l.retry = min(max(l.retry, 2*before, 2*result.Reload), maxCommandRetry)
			l.reload.Reset(l.retry)
		}
		result.Method = MethodFailed
		l.report(result, err, result.Reload)
		return
	}
	if done.overtaken {
		l.asked = cmp.Or(l.asked, done.asked)
		if l.command.next == nil && !l.desired.Empty() {
			l.reapply(ctx)
		}
		l.runCommand()
		return
	}
	l.last = time.Now()
	l.metrics.reloads.WithLabelValues("ok").Inc()
	result.Method = MethodReload
	adds, removes := count(l.running, done.desired)
	result.Adds, result.Removes = result.Adds+adds, result.Removes+removes
	asked, next := l.asked, l.command.next
	l.loadedNow(ctx, done.desired)
	l.report(result, nil, result.Reload)
	if l.asked = asked; next != nil {
		l.command.next, l.command.ahead = next, true
		l.pending = next.result.Reasons
		l.runCommand()
		return
	}
	l.scheduleAsked()
	if l.filing.dirty { // the files could not follow meanwhile
		l.armFlush()
	}
	if !l.desired.Empty() && !l.desired.Equal(l.loaded) {
		l.reapply(ctx)
	}
}

// endCommand waits for the command, which is given up like all other work.
func (l *Loop) endCommand() {
	if l.command.now == nil {
		return
	}
	if err := <-l.command.ended; err != nil {
		l.log.Warn("reload command not completed", zap.Error(err))
	}
	l.command.now = nil
}
