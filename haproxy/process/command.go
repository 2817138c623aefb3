package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// RunTimeout bounds one run of a reload command.
	RunTimeout = 2 * time.Minute

	// lookInterval is the pause between two looks at the processes (contract 7).
	lookInterval = 100 * time.Millisecond
	// shortestLook is the least time in which a new HAProxy is looked for.
	shortestLook = 3 * lookInterval
	// endDelay is how long an interrupted command may take to end.
	endDelay = time.Second
	// maxOutput is how much of a command's output is kept, in bytes.
	maxOutput = 4096
	// outputDelay is how long the rest of the output of a command that has ended is
	// waited for; a HAProxy that it has left in the background never closes it.
	outputDelay = 200 * time.Millisecond
)

// ErrNotSeen says that the reload command has run as often as it may and that no new
// HAProxy appeared.
var ErrNotSeen = errors.New("no new haproxy process was seen")

// CommandError is a run of the reload command that did not end well.
type CommandError struct {
	// Output is the beginning of what the command wrote, at most 4 KiB.
	Output string
	// Reason says how it ended.
	Reason error
}

// Error says how the command ended and what it wrote first.
func (e *CommandError) Error() string {
	line, _, _ := strings.Cut(strings.TrimSpace(e.Output), "\n")
	if line == "" {
		return fmt.Sprintf("reload command: %v", e.Reason)
	}
	return fmt.Sprintf("reload command: %v: %.200q", e.Reason, line)
}

// Unwrap returns the reason.
func (e *CommandError) Unwrap() error { return e.Reason }

// CommandConfig describes how an HAProxy is reloaded by a command (contract 7, D47).
type CommandConfig struct {
	// Words are the program and its arguments. None: there is no way to reload,
	// and nothing to be done counts as success.
	Words []string
	// Runs is how often the command is run in all until a new HAProxy is seen; 0
	// means once, a negative number without limit.
	Runs int
	// Interval is the time between two runs.
	Interval time.Duration
	// Names are the names of HAProxy's program: its processes are looked for.
	Names []string
	// Environ are variables, NAME=VALUE, that the command gets beside those of this
	// process.
	Environ []string
	// Timeout replaces RunTimeout when it is not 0.
	Timeout time.Duration
}

// Command reloads an HAProxy by running a command. Make it with NewCommand. Run may
// be called by one goroutine at a time.
type Command struct {
	cfg CommandConfig
	log *zap.Logger
}

// NewCommand returns a Command. It runs nothing.
func NewCommand(cfg CommandConfig, log *zap.Logger) *Command {
	if cfg.Timeout == 0 {
		cfg.Timeout = RunTimeout
	}
	return &Command{cfg: cfg, log: log}
}

// Run runs the command until a process of HAProxy appears that was not there before,
// and returns nil then. It blocks for as long as the configured runs take. The error
// is a [*CommandError] when the command cannot be run, ends with a status other
// than 0 or does not end in time; [ErrNotSeen] after the last run; or that of ctx,
// at whose end the command's process group is ended within about a second.
func (c *Command) Run(ctx context.Context) error {
	if len(c.cfg.Words) == 0 {
		return nil
	}
	before := population(c.cfg.Names)
	for n := 1; ; n++ {
		if err := c.once(ctx); err != nil {
			return err
		}
		if c.appears(ctx, before) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reload command: %w", err)
		}
		if c.cfg.Runs >= 0 && n >= c.cfg.Runs {
			return fmt.Errorf("reload command: %w after %d runs", ErrNotSeen, n)
		}
		c.log.Warn("no new haproxy was seen, running the reload command again")
	}
}

// once runs the command once.
func (c *Command) once(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, c.cfg.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.cfg.Words[0], c.cfg.Words[1:]...)
	cmd.Env = append(childEnvironment(cmd.Environ()), c.cfg.Environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endDelay
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe of reload command: %w", err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	begin := time.Now()
	err = cmd.Start()
	if closeErr := write.Close(); err == nil && closeErr != nil {
		c.log.Warn("pipe of the reload command not closed", zap.Error(closeErr))
	}
	said := newOutput(read)
	if err != nil {
		return &CommandError{Reason: err}
	}
	err = cmd.Wait()
	if ctx.Err() != nil { // whatever else is in its group
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		err = errors.Join(ctx.Err(), err)
	}
	output := said.await(outputDelay)
	c.log.Debug("reload command ended", zap.Duration("took", time.Since(begin)), zap.String("output", output), zap.Error(err))
	if err != nil {
		return &CommandError{Output: output, Reason: err}
	}
	return nil
}

// output reads what a command writes and keeps its beginning. It goes on until the last
// writer has closed its end: a HAProxy that the command has left in the background must
// not be ended by what it writes (SIGPIPE).
type output struct {
	end chan struct{} // closed after the last byte

	mu   sync.Mutex // guards kept, which the reader fills while the command is waited for
	kept []byte
}

func newOutput(from io.ReadCloser) *output {
	o := &output{end: make(chan struct{})}
	go func() {
		defer close(o.end)
		_, _ = io.Copy(o, from)
		_ = from.Close() // nothing was written
	}()
	return o
}

// Write keeps the bytes if there is room.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, b[:min(len(b), maxOutput-len(o.kept))]...)
	return len(b), nil
}

// await returns the beginning of the output, all of it if that ends within the delay.
func (o *output) await(delay time.Duration) string {
	wait := time.NewTimer(delay)
	defer wait.Stop()
	select {
	case <-o.end:
	case <-wait.C:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.ToValidUTF8(string(o.kept), "?")
}

// appears waits until an HAProxy is there that was not before. One that does not last
// until the next look has failed to start.
func (c *Command) appears(ctx context.Context, before []identity) bool {
	wait := time.NewTimer(max(c.cfg.Interval, shortestLook))
	defer wait.Stop()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	var seen []identity
	for {
		select {
		case <-ctx.Done():
			return false
		case <-wait.C:
			return false
		case <-look.C:
		}
		now := slices.DeleteFunc(population(c.cfg.Names), func(id identity) bool { return slices.Contains(before, id) })
		if slices.ContainsFunc(now, func(id identity) bool { return slices.Contains(seen, id) }) {
			return true
		}
		seen = now
	}
}
