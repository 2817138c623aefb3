package marathon

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"mlb/discovery"
)

// Mode says when a Watcher reads.
type Mode int

// The modes of a Watcher.
const (
	// Follow reads when an event says that something may have changed.
	Follow Mode = iota
	// Poll reads again an interval after each pass (contract 1.1, D20).
	Poll
	// Once reads once.
	Once
)

// WatcherConfig says when to read. Zero means the default.
type WatcherConfig struct {
	// Mode is Follow by default.
	Mode Mode
	// Cluster is the name by which the apps are kept apart from those of other clusters:
	// all that leaves the Watcher has IDs qualified with it (discovery.Qualify). Empty
	// means that they stay as Marathon has them.
	Cluster string
	// PollInterval is the pause after a pass, good or failed, in Poll mode.
	// Default 60 s.
	PollInterval time.Duration
	// Resync is the longest time after which all apps are read again in Follow mode,
	// whatever single ones were read since: old versions of Marathon drop events without a
	// word (D15). Each time it is up to a fifth shorter, so that instances that read at
	// the same moment once, after Marathon's leader changed, do not do so for ever.
	// Default 300 s.
	Resync time.Duration
	// MinRest and MaxRest bound the rest after a reading of all apps. It is as long as
	// the reading took, so that Marathon spends at most half of its time on
	// us, and does not delay a hint that comes after it. Defaults 20 ms and 2 s. After
	// a reading of single apps the rest is as long, without a minimum.
	MinRest, MaxRest time.Duration
	// Ended takes in, on the terms of Pass, tasks that an event says end, each with its
	// app. It is the one thing that an event is believed, until the reading that
	// follows: a task that ends should not wait for it. Nil means that nobody wants to
	// know.
	Ended func(ctx context.Context, apps map[string]string)
	// MaxRemoval is the share, in percent, of the served endpoints and of the served apps
	// that an answer may remove without a reason; one that would remove more, and at least
	// three, is held (brake). 100 and more hold nothing. Default 50.
	MaxRemoval int
	// Confirmations is how many more answers have to say what the first held one did,
	// ConfirmInterval the time between them. Defaults 3 and 10 s. Zero confirmations
	// cannot be asked for.
	Confirmations   int
	ConfirmInterval time.Duration
	// LastGood is what an earlier process knew: until the first answer it is what is
	// served. Its services must have been derived on the terms of the deriver. The zero
	// value is nothing.
	LastGood discovery.LastGood
	// MinRetry and MaxRetry bound the wait after a failed reading in Follow
	// mode. It doubles with each failure and varies by a quarter. Defaults 1 s
	// and 30 s.
	MinRetry, MaxRetry time.Duration
	// IgnoreHealth says that Marathon's verdicts decide nothing, so that events about them
	// are no hints.
	IgnoreHealth bool
}

func (c WatcherConfig) withDefaults() WatcherConfig {
	c.PollInterval = cmp.Or(c.PollInterval, time.Minute)
	c.Resync = cmp.Or(c.Resync, 300*time.Second)
	c.MinRest = cmp.Or(c.MinRest, 20*time.Millisecond)
	c.MaxRest = cmp.Or(c.MaxRest, 2*time.Second)
	c.MaxRemoval = cmp.Or(c.MaxRemoval, 50)
	c.Confirmations = cmp.Or(c.Confirmations, 3)
	c.ConfirmInterval = cmp.Or(c.ConfirmInterval, 10*time.Second)
	c.MinRetry = cmp.Or(c.MinRetry, time.Second)
	c.MaxRetry = cmp.Or(c.MaxRetry, 30*time.Second)
	return c
}

// resync draws the time until the next reading of all apps.
func (c WatcherConfig) resync() time.Duration {
	return c.Resync - rand.N(c.Resync/5+1) //nolint:gosec // spreading readings needs no secret numbers
}

// Pass takes in what one reading found, with Source and Trace filled in. It is
// called by one goroutine, one call at a time; the next reading waits for it. The
// context is done when the Watcher ends.
type Pass func(ctx context.Context, s discovery.Snapshot)

// Failure takes in why one reading failed, on the terms of Pass. The last snapshot
// stays in force: an error never means that there are no apps (D11).
type Failure func(ctx context.Context, err error)

// source is where the apps are read; *Client is one.
type source interface {
	Apps(ctx context.Context) (Answer, error)
	AppsElsewhere(ctx context.Context, master string) (Answer, error)
	App(ctx context.Context, id string, known uint64) (Answer, error)
}

// follower tells what may have changed; *Stream is one. Its Run blocks until ctx is
// done. It may call hint from several goroutines.
type follower interface {
	Run(ctx context.Context, hint func(Hint)) error
	Status() StreamStatus
}

// deriver turns apps into services; *Deriver is one. The Watcher calls it from one
// goroutine.
type deriver interface {
	Derive(ctx context.Context, apps []App) ([]discovery.Service, []discovery.Problem)
	Covers(apps []string) bool
	Update(ctx context.Context, apps []App) ([]discovery.Service, []discovery.Problem, bool)
	Waiting() []string
	Remember(served []discovery.Service)
}

// Status is what there is to say about a Watcher at one moment.
type Status struct {
	// Stream is the state of the event stream; zero in modes that have none.
	Stream StreamStatus
	// LastGood is when the last good answer was complete, LastList when the last one
	// about all apps was; zero means never. Before the first answer LastGood is that of an
	// earlier process, and Restored is true.
	LastGood, LastList time.Time
	Restored           bool
	// Source is the address of the master that gave it, without credentials.
	Source string
	// Held is what is served although the last answer about all apps lacks it.
	Held Held
	// Failing says that the last reading failed, and Error why.
	Failing bool
	Error   string
}

// Watcher reads the apps whenever that may bring something new, and hands on what
// it finds.
type Watcher struct {
	cfg     WatcherConfig
	source  source
	stream  follower
	deriver deriver
	pass    Pass
	failure Failure
	log     *zap.Logger
	metrics *Metrics
	pending *pending
	last    listing
	// digests are those of the answers about single apps since the last list.
	digests map[string]uint64
	// looks are what readings of single apps have shown since.
	looks map[string]look
	// troubled are apps that could not be read by themselves, and since when.
	troubled map[string]time.Time

	// reasons are what events told since the answer before the last one that was believed,
	// fresh those since the last one.
	reasons, fresh reasons

	// mu guards what is asked while a pass runs: the status, the services that are
	// served, of which revision counts the changes, and what is held.
	mu       sync.Mutex
	status   Status
	catalog  discovery.Catalog
	revision uint64
	brake    brake
}

// NewWatcher returns a Watcher that reads from the source (usually a *Client),
// follows the stream (usually a *Stream; nil unless the mode is Follow) and derives
// services with the deriver (usually a *Deriver).
func NewWatcher(cfg WatcherConfig, src source, stream follower, d deriver, pass Pass, failure Failure, log *zap.Logger, m *Metrics) *Watcher {
	cfg = cfg.withDefaults()
	w := &Watcher{
		cfg: cfg, source: src, stream: stream, deriver: d,
		pass: pass, failure: failure, log: log, metrics: m, pending: newPending(), troubled: map[string]time.Time{},
		brake: brake{percent: cfg.MaxRemoval, confirmations: cfg.Confirmations, every: cfg.ConfirmInterval},
	}
	w.catalog.Take(discovery.Snapshot{Services: cfg.LastGood.Services})
	w.status.LastGood, w.status.Source, w.status.Restored = cfg.LastGood.Read, cfg.LastGood.Source, !cfg.LastGood.Read.IsZero()
	return w
}

// Run does what the mode says. In the modes Follow and Poll it blocks until ctx is
// done and then returns nil, after a pass in hand; each failed reading goes to the
// Failure function. In mode Once it returns after one reading, with its error, and
// Failure is not called. All that it started has ended when it returns. It must not
// be called twice.
func (w *Watcher) Run(ctx context.Context) error {
	if w.cfg.Mode == Once {
		return w.refreshAll(ctx, batch{trigger: triggerStart, since: time.Now(), all: true})
	}
	w.pending.add(Hint{Type: triggerStart, All: true}, false)
	g, ctx := errgroup.WithContext(ctx)
	if w.cfg.Mode == Follow {
		g.Go(func() error {
			return w.stream.Run(ctx, func(h Hint) {
				if !h.Health || !w.cfg.IgnoreHealth {
					w.pending.add(h, h.Type == triggerReconnect)
				}
			})
		})
	}
	g.Go(func() error {
		w.loop(ctx)
		return nil
	})
	return g.Wait()
}

// Refresh asks for a reading of everything as soon as possible, also while waiting
// after failures. The trigger, such as "signal", is noted in the Trace. It does not
// block and is safe for concurrent use; calls during a reading make one more.
func (w *Watcher) Refresh(trigger string) {
	w.pending.add(Hint{Type: trigger, All: true}, true)
}

// Release lets what is held go with the next answer that says the same, which is asked
// for at once. It reports whether anything is held. It does not block and is safe for
// concurrent use.
func (w *Watcher) Release() bool {
	w.mu.Lock()
	held := w.brake.release()
	w.mu.Unlock()
	if held {
		w.Refresh(triggerRelease)
	}
	return held
}

// LastGood returns what is served, for another process to begin with, and a number that
// grows with each change of it; zero means that nothing was read yet. It does not block
// and is safe for concurrent use.
func (w *Watcher) LastGood() (discovery.LastGood, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return discovery.LastGood{Read: w.status.LastGood, Source: w.status.Source, Services: w.catalog.Services()}, w.revision
}

// Status returns the present state. It does not block and is safe for concurrent use.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	s := w.status
	w.mu.Unlock()
	if w.cfg.Mode == Follow {
		s.Stream = w.stream.Status()
	}
	return s
}

// schedule is when the next reading is due.
type schedule struct {
	earliest time.Time     // for hints: the end of the rest, or of the wait after a failure
	latest   time.Time     // without hints
	retry    time.Duration // the wait after the next failure
	failing  bool
}

// loop runs one pass after the other. It waits for one of three things: a hint, the
// time of the next pass, the end.
func (w *Watcher) loop(ctx context.Context) {
	plan := schedule{retry: w.cfg.MinRetry, latest: time.Now().Add(w.cfg.resync())}
	for ctx.Err() == nil {
		wait := time.Until(w.due(plan))
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-w.pending.wake:
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		var clock batch
		if !time.Now().Before(plan.latest) { // whatever waits
			clock = batch{trigger: triggerResync, since: time.Now(), all: true}
			if w.holds() {
				clock.trigger = triggerConfirm
			}
		}
		b := w.pending.take(w.seen, clock)
		if b.trigger == "" { // what was due has become part of something that is not
			continue
		}
		plan = w.step(ctx, plan, b)
	}
}

// due returns when the next pass may begin.
func (w *Watcher) due(plan schedule) time.Time {
	waiting, urgent, next := w.pending.state()
	switch {
	case urgent && plan.failing:
		return time.Time{}
	case waiting:
		return plan.earliest
	case !next.IsZero() && next.Before(plan.latest):
		return later(next, plan.earliest)
	default:
		return plan.latest
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// step makes one pass and plans the next one.
func (w *Watcher) step(ctx context.Context, plan schedule, b batch) schedule {
	began := time.Now()
	single, err := w.refresh(ctx, b)
	if ctx.Err() != nil {
		return plan
	}
	if err != nil {
		w.failure(ctx, err)
	}
	now := time.Now()
	plan.failing = err != nil
	if w.cfg.Mode == Poll {
		plan.earliest, plan.latest = now, now.Add(w.cfg.PollInterval)
		return w.confirming(plan, now)
	}
	if err != nil {
		b.all = b.all || !w.few(b.apps) // a list is due whatever they are
		w.pending.restore(b)
		plan.earliest = now.Add(jittered(plan.retry))
		plan.retry = min(2*plan.retry, w.cfg.MaxRetry)
		return plan
	}
	w.pending.later(triggerReadiness, w.deriver.Waiting(), readinessInterval)
	plan.retry = w.cfg.MinRetry
	answered := w.Status().LastGood
	rest := answered.Sub(began)
	if !single {
		rest = max(rest, w.cfg.MinRest)
		plan.latest = began.Add(w.cfg.resync())
	}
	plan.earliest = answered.Add(min(rest, w.cfg.MaxRest))
	return w.confirming(plan, now)
}

// confirming plans another look at all apps while something is held.
func (w *Watcher) confirming(plan schedule, now time.Time) schedule {
	if again := now.Add(w.cfg.ConfirmInterval); w.holds() && again.Before(plan.latest) {
		plan.latest = again
	}
	return plan
}

// jittered returns a duration up to a quarter shorter or longer.
func jittered(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1) //nolint:gosec // spreading retries needs no secret numbers
}

// refresh reads what the batch is about and hands on what it finds. single says that not
// all apps were read.
func (w *Watcher) refresh(ctx context.Context, b batch) (single bool, err error) {
	if len(b.ended) > 0 && w.cfg.Ended != nil {
		for _, app := range b.ended {
			delete(w.digests, app) // the same answer as before would contradict the event
		}
		w.cfg.Ended(ctx, qualified(w.cfg.Cluster, b.ended))
	}
	if !b.all && w.few(b.apps) {
		if done, err := w.refreshSingle(ctx, b); done || err != nil {
			return true, err
		}
	}
	return false, w.refreshAll(ctx, b)
}

// refreshAll reads everything.
func (w *Watcher) refreshAll(ctx context.Context, b batch) error {
	w.fresh = w.fresh.and(w.pending.takeReasons())
	answer, err := w.readAll(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		clear(w.troubled) // the trouble is not theirs
		w.fresh = w.fresh.about(w.catalog.View())
		w.failed(err)
		return err
	}
	w.answered(answer)
	w.metrics.lastList.Set(unix(answer.Received))
	w.last = newListing(answer)
	w.digests, w.looks = map[string]uint64{}, map[string]look{}
	w.calm()
	services, problems := w.deriver.Derive(ctx, answer.Apps)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.hand(ctx, w.believed(discovery.NewSnapshot(services, problems), answer), answer, b)
	return nil
}

// hand hands on what an answer to the batch says.
func (w *Watcher) hand(ctx context.Context, s discovery.Snapshot, answer Answer, b batch) {
	w.mu.Lock()
	s = w.catalog.Shared(s)
	w.catalog.Take(s)
	w.revision++
	w.mu.Unlock()
	s = s.Of(w.cfg.Cluster)
	s.Source = answer.Master
	s.Trace = discovery.Trace{Trigger: b.trigger, Hinted: b.since, Fetched: answer.Received, Derived: time.Now()}
	w.log.Debug("apps read", zap.String("event", b.trigger), zap.String("url", answer.Master),
		zap.Strings("app", s.Apps), zap.Duration("took", answer.Received.Sub(answer.Began)))
	w.pass(ctx, s)
}

// failed notes a failed reading. Only the first of several is logged.
func (w *Watcher) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.status.Failing:
		w.log.Debug("apps not read", zap.Error(err))
	case errors.Is(err, ErrUnauthorized):
		w.log.Error("apps not read, credentials refused", zap.Error(err))
	default:
		w.log.Warn("apps not read", zap.Error(err))
	}
	w.status.Failing, w.status.Error = true, err.Error()
}

// answered notes a good reading, and logs it if one failed before or another master
// answered.
func (w *Watcher) answered(a Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	url := zap.String("url", a.Master)
	switch {
	case w.status.Failing:
		w.log.Info("apps read again", url)
	case w.status.Source == "", w.status.Restored:
		w.log.Info("apps read", url)
	case w.status.Source != a.Master:
		w.log.Info("apps read from another master", url)
	}
	w.status.Failing, w.status.Error = false, ""
	w.status.LastGood, w.status.Source, w.status.Restored = a.Received, a.Master, false
	w.metrics.lastRefresh.Set(unix(a.Received))
}
