package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
)

// Config says how to apply. Durations of zero mean what their comments say.
type Config struct {
	// File is HAProxy's configuration file, in an existing folder.
	File string
	// StateDir is an existing folder for what has to outlive mlb.
	StateDir string
	// ServerStateFile is where HAProxy finds the states of servers after a reload
	// (its manual, server-state-file), in an existing folder. Empty: nowhere.
	ServerStateFile string
	// Binary is the haproxy program, for checks.
	Binary string
	// MinReloadInterval is the time between two reloads. Zero: none.
	MinReloadInterval time.Duration
	// DrainTimeout is how long a leaving server may finish its sessions before
	// they are cut. Zero: no limit (K18).
	DrainTimeout time.Duration
	// DriftInterval is the time between two looks at whether HAProxy has what it
	// should have. Zero: a minute.
	DriftInterval time.Duration
	// StopTimeout bounds the soft stop of HAProxy.
	StopTimeout time.Duration
	// CheckPatience is how long Apply waits for a check of the text. Zero: 200 ms.
	CheckPatience time.Duration
	// SkipValidation leaves out "haproxy -c".
	SkipValidation bool
	// VerdictLife is how long what HAProxy said against a text stands without
	// another check. Zero: ten minutes.
	VerdictLife time.Duration
	// ArchiveVersions is how many earlier versions are kept of each written file, in
	// the folder archive of StateDir; 0 and 1 both mean one (contract 1.2).
	ArchiveVersions int
	// Command reloads HAProxy in the place of its master, see NewForeign; nil: the
	// master does. Its Run returns soon after its context has ended, and is called
	// by one goroutine at a time.
	Command commander
	// Again is called when an attempt that came later than its Apply found
	// something refused or taken, so that the text should be made again, or did
	// well what Apply had answered with an error. It must not block. Nil means
	// that nobody wants to know.
	Again func()
	// StopHAProxy stops HAProxy when Run ends; otherwise it goes on serving.
	StopHAProxy bool
}

// Methods of a Result.
const (
	MethodNone     = "none"     // nothing had to be done
	MethodRuntime  = "runtime"  // runtime steps did it
	MethodReload   = "reload"   // HAProxy was reloaded
	MethodStart    = "start"    // HAProxy was started
	MethodDeferred = "deferred" // a reload is due later
	MethodFailed   = "failed"   // see Error, Refused and Taken
)

// Result says what became of a configuration.
type Result struct {
	// Method is one of the Method constants.
	Method string
	// Plan is the difference between what ran and the text; empty for a start.
	Plan haproxy.Plan
	// Reasons say why a reload was or is needed.
	Reasons []haproxy.Reason
	// Adds and Removes count servers put into and taken out of rotation.
	Adds, Removes int
	// Refused is what HAProxy has against the text.
	Refused []Refusal
	// Taken are the binds, as they stand in the text, that others hold.
	Taken []string
	// Runtime is how long the runtime steps took, reading back included; Reload
	// the same for the reload with all its tests. Zero if there was none.
	Runtime, Reload time.Duration

	check *check // on which a deferred result depends
}

// Codes of reasons for a reload that no comparison of texts gives.
const (
	// reasonUnconfirmed is a runtime step whose effect HAProxy does not show.
	reasonUnconfirmed = "runtime_unconfirmed"
	// reasonAsked is a call of Reload.
	reasonAsked = "asked"
)

// Timers of the loop.
const (
	flushInterval = time.Second      // between two writes of the files
	flushShare    = 50               // or as many times as long as they took
	minRetry      = time.Second      // after a failed reload or start
	maxRetry      = 30 * time.Second // at most
	minRestart    = 100 * time.Millisecond
	maxRestart    = 5 * time.Second
	reloadLimit   = 2 * time.Minute // for one reload
	verdictLife   = 10 * time.Minute
	answerLimit   = 10 * time.Second      // for a socket to answer after a command
	answerPoll    = 50 * time.Millisecond // between two questions to it
	endPatience   = 3 * time.Second       // for what is being done when Run is told to end
)

// ErrEnded is returned for a request to a loop that has ended.
var ErrEnded = errors.New("apply loop has ended")

// supervisor is the HAProxy that the loop changes; *process.Process is one.
type supervisor interface {
	Adopt(ctx context.Context) (bool, error)
	Start(ctx context.Context) error
	Reload(ctx context.Context) (runtime.ReloadResult, error)
	Stop(ctx context.Context, grace time.Duration) error
	Exited() <-chan struct{}
	Running() bool
	PIDs() []int
}

// Loop applies one text after the other. Make it with New; it does nothing before
// Run. Apply, StartLast, Reload and Status are safe for concurrent use.
type Loop struct {
	cfg     Config
	process supervisor
	close   func() error
	socket  *runtime.Socket // nil: there is none
	foreign bool            // HAProxy is somebody else's
	version haproxy.Version
	log     *zap.Logger
	metrics *Metrics
	// before is called with what is about to be done, right before each step after
	// which files or HAProxy are no more what they were. Tests end the process there.
	before func(step string)

	requests chan request
	reloads  chan string
	ended    chan struct{}
	status   status

	// What follows is owned by Run.

	running  haproxy.Config   // what HAProxy runs
	loaded   haproxy.Config   // what it was started with
	desired  haproxy.Config   // the newest one asked for; empty: none yet
	pending  []haproxy.Reason // why a reload is due
	leaving  leaving
	arriving arriving
	// strangers serve, and nothing was known about them at adoption.
	strangers []runtime.ServerState

	refusedOf haproxy.Config // what refused is about
	refused   []Refusal
	refusedAt time.Time

	filing   filing
	swept    map[string]bool // files beside the configuration that have no leftovers
	checking checking

	reload   *time.Timer   // the next attempt to reload or start
	last     time.Time     // end of the last reload
	retry    time.Duration // wait after the last failed one
	asked    string        // who wants the file on disk loaded, or empty
	down     bool          // HAProxy's end was noticed
	up       time.Time     // when it began to run what it runs
	restarts time.Duration // wait after the last failed restart
	owed     bool          // the last Apply was answered with an error

	command commanding

	drift *time.Timer // the next look at what HAProxy has

	attempted  time.Time // end of the last attempt to reload, good or not
	attemptErr error     // how it ended
}

type request struct {
	ctx  context.Context //nolint:containedctx // that of the call, which waits for the answer
	do   func(ctx context.Context) (Result, error)
	done chan answer
}

func (r request) run() (Result, error) {
	ctx, cancel := patient(r.ctx)
	defer cancel()
	return r.do(ctx)
}

type answer struct {
	result Result
	err    error
}

// New returns a loop for the HAProxy that p supervises and sock talks to.
func New(cfg Config, p *process.Process, sock *runtime.Socket, v haproxy.Version, log *zap.Logger, m *Metrics) *Loop {
	return newLoop(cfg, p, p.Close, sock, v, log, m)
}

func newLoop(cfg Config, s supervisor, closeIt func() error, sock *runtime.Socket, v haproxy.Version, log *zap.Logger, m *Metrics) *Loop {
	cfg.CheckPatience = cmp.Or(cfg.CheckPatience, checkPatience)
	cfg.DriftInterval = cmp.Or(cfg.DriftInterval, driftInterval)
	return &Loop{
		cfg: cfg, process: s, close: closeIt, socket: sock, version: v, log: log, metrics: m,
		before: func(string) {}, swept: map[string]bool{},
		requests: make(chan request), reloads: make(chan string, 1), ended: make(chan struct{}),
		reload: stopped(), filing: newFiling(), drift: stopped(), leaving: newLeaving(), arriving: newArriving(),
		command: commanding{ended: make(chan error, 1)}, checking: checking{ended: make(chan judgement, 1)},
	}
}

// stopped returns a timer that has not been started.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// Run adopts a live HAProxy or waits for the first text, and applies what it is
// asked for until ctx is done. Then it finishes what it is doing, or gives it up after
// three seconds, writes the file, stops HAProxy if configured so, and returns. An
// error is about that end, or about the state folder being in use
// (process.ErrLocked).
func (l *Loop) Run(ctx context.Context) error {
	defer close(l.ended)
	defer l.filing.timer.Stop()
	defer l.reload.Stop()
	defer l.drift.Stop()
	defer l.leaving.timer.Stop()
	defer l.arriving.timer.Stop()
	work, cancel := patient(ctx)
	defer cancel()
	l.command.start = func() { go func() { l.command.ended <- l.runAndAwait(work) }() }
	l.checking.start = func(c *check) {
		go func() {
			refused, err := l.judge(work, c.desired)
			l.checking.ended <- judgement{refused, err}
		}()
	}
	l.forgetHealth()
	if err := l.adopt(ctx); err != nil {
		return errors.Join(err, l.close())
	}
	l.sweep()
	l.drift.Reset(l.cfg.DriftInterval)
	l.publish()
	for {
		select {
		case <-ctx.Done():
			return l.end(context.WithoutCancel(ctx))
		case r := <-l.requests:
			result, err := r.run()
			l.publish() // whoever has the answer sees the status that goes with it
			r.done <- answer{result, err}
		case l.asked = <-l.reloads:
			l.loadFile(work)
		case <-l.reload.C:
			l.due(work)
		case <-l.filing.timer.C:
			l.flush()
		case f := <-l.filing.done:
			l.flushed(f)
		case <-l.drift.C:
			l.repair(work)
		case <-l.leaving.timer.C:
			l.removeLeaving(work)
		case <-l.arriving.timer.C:
			l.tryArriving(work)
		case <-l.exited():
			l.died(work)
		case err := <-l.command.ended:
			l.commanded(work, err)
		case j := <-l.checking.ended:
			l.judged(work, j)
		}
		l.settled()
		l.publish()
	}
}

// Apply brings a configuration into effect; the names of its files must be plain base
// names. It returns when the runtime steps are verified, and the reload too if one is
// due now and the check before it takes no longer than Config.CheckPatience; Result
// says if it comes later. The error is
// an operational one: the last good state stays and the loop retries by itself. When
// ctx is done, what was begun is given three more seconds.
func (l *Loop) Apply(ctx context.Context, d haproxy.Config) (Result, error) {
	r, err := l.ask(ctx, func(work context.Context) (Result, error) {
		start := time.Now()
		r, err := l.apply(work, d)
		if r.check == nil {
			l.report(r, err, time.Since(start))
		}
		l.owed = err != nil
		return r, err
	})
	if r.check != nil {
		return r.check.await(ctx, r, l.cfg.CheckPatience)
	}
	return r, err
}

// StartLast starts HAProxy with the last good configuration, and reports whether
// one runs then. It is for the time when nothing is known about what is wanted.
func (l *Loop) StartLast(ctx context.Context) (bool, error) {
	r, err := l.ask(ctx, func(work context.Context) (Result, error) {
		if l.process.Running() {
			return Result{Method: MethodStart}, nil
		}
		if !l.startLast(work) {
			return Result{Method: MethodNone}, nil
		}
		return Result{Method: MethodStart}, nil
	})
	return r.Method == MethodStart, err
}

// Reload asks for a reload with the configuration file as it is on disk, which is
// checked first. It does not block. Several requests at once become one, and as any
// reload it waits for Config.MinReloadInterval; none is lost. The reason, for the
// log, must not be empty.
func (l *Loop) Reload(reason string) {
	select {
	case l.reloads <- reason:
	default: // one is due already
	}
}

func (l *Loop) ask(ctx context.Context, do func(context.Context) (Result, error)) (Result, error) {
	r := request{ctx: ctx, do: do, done: make(chan answer, 1)}
	select {
	case l.requests <- r:
	case <-ctx.Done():
		return Result{}, fmt.Errorf("apply: %w", ctx.Err())
	case <-l.ended:
		return Result{}, ErrEnded
	}
	a := <-r.done
	return a.result, a.err
}

// patient returns a context for work that is finished although ctx is done, unless
// it takes longer than endPatience from then on.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(endPatience, cancel) })
	return work, func() { stop(); cancel() }
}

// exited is closed when HAProxy has ended and that was not noticed yet.
func (l *Loop) exited() <-chan struct{} {
	if l.down {
		return nil
	}
	return l.process.Exited()
}

// end ends the command, writes the file and stops HAProxy.
func (l *Loop) end(ctx context.Context) error {
	l.endCommand()
	l.endCheck()
	l.writeRunning()
	var err error
	if l.cfg.StopHAProxy {
		err = l.process.Stop(ctx, l.cfg.StopTimeout)
	}
	l.publish()
	return errors.Join(err, l.close())
}

// report logs and counts what an Apply did.
func (l *Loop) report(r Result, err error, took time.Duration) {
	outcome := "ok"
	if r.Method == MethodFailed {
		outcome = "failed"
	}
	l.metrics.applies.WithLabelValues(r.Method, outcome).Inc()
	l.metrics.duration.WithLabelValues(r.Method).Observe(took.Seconds())
	for _, reason := range r.Reasons {
		l.metrics.reasons.WithLabelValues(reason.Code).Inc()
	}
	switch {
	case err != nil:
		l.log.Error("not applied", zap.Error(err))
	case r.Method != MethodNone && r.Method != MethodFailed:
		l.log.Info("applied", zap.String("method", r.Method), zap.Int("adds", r.Adds), zap.Int("removes", r.Removes),
			zap.Strings("reason", describe(r.Reasons)), zap.Duration("took", took))
	}
}

// describe returns the first few reasons as text.
func describe(reasons []haproxy.Reason) []string {
	const most = 5
	var out []string
	for i, r := range reasons {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(reasons)-most))
		}
		out = append(out, r.Code+" "+r.Section+": "+r.Detail)
	}
	return out
}
