package control

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
)

// rounds bounds how often one pass renders again because HAProxy or the kernel
// refused a part of the text. Each round names at least one app or address.
const rounds = 6

// takenRetry is how long an address that another process held is left alone.
const takenRetry = 30 * time.Second

// applier is what brings a text into effect; *apply.Loop is one.
type applier interface {
	Apply(ctx context.Context, d haproxy.Config) (apply.Result, error)
	Check(ctx context.Context, d haproxy.Config) ([]apply.Refusal, error)
	StartLast(ctx context.Context) (bool, error)
}

// renderer is what makes the text; *render.Renderer is one.
type renderer interface {
	Render(proxies []haproxy.Proxy) render.Text
	Update(t render.Text, changed []haproxy.Proxy) (render.Text, bool)
}

// Config says what a controller needs to know besides services.
type Config struct {
	// Claims are the addresses that no service may bind.
	Claims haproxy.Claims
	// EmptyServiceTimeout is how long a service keeps its section after its last
	// task is gone (D62). Zero removes it at once.
	EmptyServiceTimeout time.Duration
	// SkipCleanup drops a text that HAProxy refuses as a whole, instead of leaving out
	// the apps at fault (contract 1.2, --skip-config-cleanup).
	SkipCleanup bool
	// Clusters are the names of the clusters whose apps are served; nil stands for one
	// without a name. The first text waits for all of them (Proceed).
	Clusters []string
	// Retry is called when the input should be looked at again although nothing
	// in it changed. It must not block. Nil means that nobody retries.
	Retry func()
}

// Controller runs passes, one at a time; Pass, Ended, Failed and Proceed wait for their
// turn. Make it with New. It is safe for concurrent use.
type Controller struct {
	cfg      Config
	renderer renderer
	applier  applier
	log      *zap.Logger
	metrics  *Metrics

	// turn is held by the pass in hand, and guards what follows: several watchers call.
	// A pass is done when its call returns, which is what a watcher waits for, so
	// there is nothing that a channel would carry.
	turn       sync.Mutex
	given      clusters
	last       rendering
	keeper     keeper
	quarantine quarantine
	taken      map[string]time.Time
	retry      *time.Timer
	applied    bool

	// mu guards what the views read while a pass runs.
	mu       sync.Mutex
	records  []Record
	problems []discovery.Problem
	since    time.Time // begin of the pass in hand; zero between passes
}

// New returns a controller that makes text with r and brings it into effect with a.
func New(cfg Config, r renderer, a applier, log *zap.Logger, m *Metrics) *Controller {
	return &Controller{
		cfg: cfg, renderer: r, applier: a, log: log, metrics: m,
		given:      newClusters(cfg.Clusters),
		keeper:     keeper{timeout: cfg.EmptyServiceTimeout},
		quarantine: quarantine{}, taken: map[string]time.Time{},
	}
}

// Close stops a retry that is due. Call it after the last Pass.
func (c *Controller) Close() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.stopRetry()
}

func (c *Controller) stopRetry() {
	if c.retry != nil {
		c.retry.Stop()
	}
}

// rendering is what was made of all services last.
type rendering struct {
	proxies   []haproxy.Proxy
	endpoints int
	text      render.Text
	problems  []discovery.Problem
}

// Pass brings a snapshot into effect. It returns when that is verified, or has
// failed and was recorded; the last good state then stays. What was said about other
// clusters stays, too. As long as the first text waits for clusters, what a snapshot
// says is only kept for it. A snapshot of some apps in
// which nothing but endpoints changed costs as much as these apps, whatever their
// number is.
func (c *Controller) Pass(ctx context.Context, s discovery.Snapshot) {
	defer c.begin()()
	if s.Apps != nil {
		if !c.given.waiting() && c.update(ctx, s) {
			return
		}
		s = c.completed(s)
	}
	s.Services = slices.Clone(s.Services) // update changes it
	was := c.given.services()
	c.given.take(s)
	if !c.given.waiting() {
		c.pass(ctx, was, Record{Trace: s.Trace, Source: s.Source})
	}
}

// begin waits for the turn of a pass, and returns what ends it.
func (c *Controller) begin() (end func()) {
	c.turn.Lock()
	c.busy(time.Now())
	return func() {
		c.busy(time.Time{})
		c.turn.Unlock()
	}
}

// pass brings what all clusters have said into effect. was are the services of the pass
// before.
func (c *Controller) pass(ctx context.Context, was []discovery.Service, r Record) {
	kept := c.keeper.keep(was, c.given.services(), time.Now())
	problems := c.given.problems()
	c.quarantine.release(kept, time.Now())
	c.forgetTaken()
	var err error
	for range rounds {
		var again bool
		if again, err = c.round(ctx, kept, problems, &r); err != nil || !again {
			break
		}
	}
	r.Applied = time.Now()
	if err != nil {
		r.Error = err.Error()
	} else {
		c.applied = true
	}
	c.finish(r)
}

// round claims, renders and applies once. It asks for another round when a part
// of the text was refused and the parts to leave out are known now.
func (c *Controller) round(ctx context.Context, services []discovery.Service, given []discovery.Problem, r *Record) (bool, error) {
	accepted, refused := c.quarantine.filter(services)
	claims := c.cfg.Claims
	for bind := range c.taken {
		claims.Taken = append(claims.Taken, bind)
	}
	slices.Sort(claims.Taken)
	proxies, losers := haproxy.Claim(accepted, claims)
	text := c.renderer.Render(proxies)
	r.Rendered = time.Now()
	r.Problems = slices.Concat(given, refused, losers, haproxy.HostConflicts(proxies), text.Problems)
	discovery.SortProblems(r.Problems)
	c.last = rendering{proxies: proxies, text: text, problems: r.Problems}
	for _, p := range proxies {
		c.last.endpoints += len(p.Endpoints)
	}
	r.Services, r.Endpoints = len(proxies), c.last.endpoints
	result, err := c.applier.Apply(ctx, text.Config)
	r.did(result)
	again := c.noteTaken(result.Taken, proxies)
	if len(result.Refused) > 0 {
		found, searchErr := c.setAside(ctx, result.Refused, text, proxies, claims)
		again = again || found
		if err == nil && searchErr == nil {
			err = errors.New("haproxy refused the configuration: " + result.Refused[0].Message)
		}
		err = errors.Join(err, searchErr)
	}
	if again {
		return true, nil
	}
	return false, err
}

// setAside puts the apps that a refusal is about into quarantine, and reports whether
// there are any.
func (c *Controller) setAside(ctx context.Context, refused []apply.Refusal, text render.Text, proxies []haproxy.Proxy, claims haproxy.Claims) (bool, error) {
	if c.cfg.SkipCleanup {
		return false, nil
	}
	services := make([]discovery.Service, len(proxies))
	for i, p := range proxies {
		services[i] = p.Service
	}
	guilty := culprits(refused, text, proxies)
	if len(guilty) == 0 {
		app, err := c.search(ctx, services, claims)
		if err != nil || app == "" {
			return false, err
		}
		guilty = map[string]string{app: refused[0].Message}
	}
	c.quarantine.add(guilty, services, time.Now())
	return true, nil
}

// noteTaken remembers addresses of services that another process holds, and
// reports whether there are new ones.
func (c *Controller) noteTaken(binds []string, proxies []haproxy.Proxy) bool {
	fresh := false
	for _, b := range binds {
		mine := slices.ContainsFunc(proxies, func(p haproxy.Proxy) bool { return p.Bind == b })
		if _, known := c.taken[b]; mine && !known {
			c.taken[b] = time.Now()
			fresh = true
		}
	}
	return fresh
}

// forgetTaken gives addresses another try after a while.
func (c *Controller) forgetTaken() {
	for b, since := range c.taken {
		if time.Since(since) >= takenRetry {
			delete(c.taken, b)
		}
	}
}

// Failed takes in that a cluster gave no answer. Nothing that serves is touched; the
// first text waits for the cluster no longer. If there is none and nothing serves yet,
// HAProxy is started with the last good configuration, else with what an earlier process
// knew (Remember), or with none of the apps when there is no such thing either.
func (c *Controller) Failed(ctx context.Context, cluster string, _ error) {
	defer c.begin()()
	if c.proceed(ctx, cluster) || c.applied {
		return
	}
	started, err := c.applier.StartLast(ctx)
	if err == nil && !started && len(c.given.said) > 0 {
		c.pass(ctx, nil, Record{Trace: discovery.Trace{Trigger: triggerLastGood}})
		return
	}
	if err == nil && !started {
		_, err = c.applier.Apply(ctx, c.renderer.Render(nil).Config)
	}
	if err != nil {
		c.log.Error("haproxy not started", zap.Error(err))
		return
	}
	c.applied = true
}

// finish publishes the record and says what changed.
func (c *Controller) finish(r Record) {
	c.mu.Lock()
	before := c.problems
	c.problems = r.Problems
	c.records = append(c.records, r)
	if len(c.records) > recordsKept {
		c.records = slices.Delete(c.records, 0, len(c.records)-recordsKept)
	}
	c.mu.Unlock()
	c.metrics.passed(r)
	c.metrics.services.Set(float64(r.Services))
	c.metrics.endpoints.Set(float64(r.Endpoints))
	if !slices.Equal(before, r.Problems) {
		c.sayProblems(before, r.Problems)
		c.metrics.problems.Reset()
		for _, p := range r.Problems {
			c.metrics.problems.WithLabelValues(p.Reason).Inc()
		}
	}
	if r.Error == "" && !r.Trace.Hinted.IsZero() {
		c.metrics.lag.Observe(r.Applied.Sub(r.Trace.Hinted).Seconds())
	}
	c.retryLater()
}

// retryLater sees to it that what may mend itself is tried again.
func (c *Controller) retryLater() {
	wait := c.quarantine.until(time.Now())
	if len(c.taken) > 0 {
		wait = min(wait, takenRetry)
	}
	if wait > verdictLife || c.cfg.Retry == nil {
		return
	}
	c.stopRetry()
	c.retry = time.AfterFunc(wait, c.cfg.Retry)
}

// sayProblems logs each problem when it appears and when it goes.
func (c *Controller) sayProblems(before, after []discovery.Problem) {
	say := func(message string, p discovery.Problem) {
		c.log.Warn(message, zap.String("app", p.App), zap.Int("port_index", p.PortIndex), zap.String("label", p.Label),
			zap.String("value", p.Value), zap.String("reason", p.Reason), zap.String("detail", p.Detail))
	}
	is, was := set(after), set(before)
	for _, p := range after {
		if !was[p] {
			say("problem", p)
		}
	}
	for _, p := range before {
		if !is[p] {
			say("problem solved", p)
		}
	}
}

func set(problems []discovery.Problem) map[discovery.Problem]bool {
	out := make(map[discovery.Problem]bool, len(problems))
	for _, p := range problems {
		out[p] = true
	}
	return out
}

// busy notes when the pass in hand began.
func (c *Controller) busy(since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = since
}

// Busy returns for how long the pass in hand has been running; zero between passes.
func (c *Controller) Busy() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return 0
	}
	return time.Since(c.since)
}

// Records returns the records of the last passes, oldest first.
func (c *Controller) Records() []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.records)
}

// Problems returns the problems of the last pass. The result must not be changed.
func (c *Controller) Problems() []discovery.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problems
}

// Last returns the record of the last pass; ok is false before the first one.
func (c *Controller) Last() (r Record, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.records) == 0 {
		return Record{}, false
	}
	return c.records[len(c.records)-1], true
}
