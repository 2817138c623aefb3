package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
)

// StartError is a start that HAProxy gave up or did not finish.
type StartError struct {
	// Output is what HAProxy wrote, for people and for [ParseMessages].
	Output string
	// Reason says how the start ended.
	Reason error
}

// Error returns HAProxy's first alert and how the start ended.
func (e *StartError) Error() string {
	return fmt.Sprintf("start haproxy: %s (%v)", firstAlert(e.Output), e.Reason)
}

// Unwrap returns the reason.
func (e *StartError) Unwrap() error { return e.Reason }

// Start starts HAProxy and waits until its worker answers. It returns a
// [*StartError] when HAProxy refuses to start or does not answer within
// Config.StartTimeout (then nothing of it is left), an error that wraps
// [ErrRunning] when a live one answers at the socket (adopt that), and [ErrHung] when
// an unknown one listens there without answering (try again). What an earlier
// HAProxy of the record has left, be it a worker without its master or a master that
// does not answer, is ended first. HAProxy gets the hard limit of open files.
func (p *Process) Start(ctx context.Context) error {
	if p.Running() {
		return fmt.Errorf("start: %w", ErrRunning)
	}
	if err := p.acquire(); err != nil {
		return err
	}
	if err := p.clear(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := raiseFileLimit(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	p.messages.skip()
	mark := p.messages.mark()
	m, err := p.launch()
	if err != nil {
		return &StartError{Output: p.messages.since(mark), Reason: err}
	}
	// Should we end before it answers, our successor has to know it: nothing listens at
	// its socket yet.
	if err := writeRecord(p.recordPath(), []identity{m.id}); err != nil {
		p.log.Warn("haproxy's process not noted", zap.Error(err))
	}
	if err := p.awaitAnswer(ctx, m); err != nil {
		output := p.messages.since(mark)
		return &StartError{Output: output, Reason: errors.Join(err, p.Stop(context.WithoutCancel(ctx), 0))}
	}
	p.messages.pass()
	p.log.Info("haproxy started", zap.Int("pid", m.id.pid))
	return p.note(m.id.pid)
}

// clear makes sure that no HAProxy is at the master socket and removes what an
// earlier one has left.
func (p *Process) clear(ctx context.Context) error {
	procs, askErr := p.socket.Processes(ctx)
	if askErr == nil {
		return fmt.Errorf("%w: process %d", ErrRunning, procs.Master)
	}
	if recorded, err := readRecord(p.recordPath()); err == nil && answered(recorded) {
		switch lost, err := p.lostSocket(recorded[0]); {
		case err != nil:
			return err
		case lost:
			return fmt.Errorf("%w: process %d, which has lost its socket", ErrRunning, recorded[0].pid)
		}
	}
	if err := p.endLeftovers(); err != nil {
		return err
	}
	if listens(askErr) {
		// Was it among those that were ended?
		if _, err := p.socket.Processes(ctx); err == nil || listens(err) {
			return fmt.Errorf("%w %s", ErrHung, p.cfg.MasterSocket)
		}
	}
	return p.removeSockets()
}

// launch starts the master.
func (p *Process) launch() (*master, error) {
	stderr, err := p.messages.open()
	if err != nil {
		return nil, err
	}
	defer stderr.Close() //nolint:errcheck // HAProxy has its own copy
	// Not CommandContext: HAProxy outlives every context of ours.
	cmd := exec.Command(p.cfg.Binary, "-W", "-S", p.masterArgument(), "-f", p.cfg.ConfigFile) //nolint:noctx // see above
	cmd.Env = append(childEnvironment(cmd.Environ()), p.cfg.Environ...)
	cmd.Stdout, cmd.Stderr = p.cfg.Stdout, stderr
	if p.cfg.Stdout == nil {
		cmd.Stdout = os.Stdout
	}
	cmd.SysProcAttr = ownSession()
	if err = cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", p.cfg.Binary, err)
	}
	// A child that we have not reaped keeps its process id, even when it has ended.
	s, err := readStat(cmd.Process.Pid)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return p.watch(s.identity, cmd), nil
}

// firstPatience is how long the first question to a starting worker may take. From
// HAProxy 3.1 on the master lists a worker that it cannot reach yet, and a question
// to that one is never answered. Each further question may take twice as long: a
// large configuration is slow, and the master takes only ten connections.
const firstPatience = 250 * time.Millisecond

// awaitAnswer waits until master and worker answer. A master that has not finished
// starting drops connections.
func (p *Process) awaitAnswer(ctx context.Context, m *master) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.StartTimeout)
	defer cancel()
	ticker := time.NewTicker(answerPoll)
	defer ticker.Stop()
	last, patience := ErrHung, firstPatience
	for {
		select {
		case <-m.exited:
			return m.err
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), last)
		case <-ticker.C:
		}
		procs, err := p.socket.Processes(ctx)
		if err == nil && len(procs.Workers) > 0 {
			if err = p.askWorker(ctx, patience); err == nil {
				return nil
			}
			patience = min(2*patience, runtime.CallTimeout)
		}
		if err != nil {
			last = err
		}
	}
}

// askWorker returns nil when the worker answers in time.
func (p *Process) askWorker(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := p.socket.Info(ctx)
	return err
}

// masterArgument is what follows -S.
func (p *Process) masterArgument() string { return p.cfg.MasterSocket + ",level,admin,mode,600" }

// ownSession keeps HAProxy away from the signals of our terminal.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// childEnvironment leaves out the variables by which a master tells itself, across
// its re-execution, what it has been doing. Those of an HAProxy that started us must
// not reach ours.
func childEnvironment(environ []string) []string {
	var out []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "HAPROXY_MWORKER_") && !strings.HasPrefix(e, "HAPROXY_PROCESSES=") {
			out = append(out, e)
		}
	}
	return out
}
