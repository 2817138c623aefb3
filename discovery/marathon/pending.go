package marathon

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// pending collects what is to be refreshed until the next pass takes it. Any number
// of hints need no more room than the apps that they name. Safe for concurrent use;
// nothing blocks.
type pending struct {
	// wake holds one token when something came since it was last emptied.
	wake chan struct{}

	// mu guards what follows: hints come from the goroutine that reads the
	// socket, which must not wait for a pass.
	mu    sync.Mutex
	batch batch
	// ahead has what has time until aheadDue, group what waits until groupDue for a
	// deployment that names the apps. Their triggers are empty if there is no such thing.
	ahead, group       batch
	aheadDue, groupDue time.Time
	// reasons are the apps of which hints told a reason to lose tasks since they were last
	// asked for, true for those that are being deleted.
	reasons map[string]bool
	// deployed are the apps of deployments, the last of which came at deployedAt.
	deployed   map[string]struct{}
	deployedAt time.Time
}

const (
	// groupPatience is how long a hint about a group waits for a deployment that names
	// its apps, and how long one that has come counts.
	groupPatience = time.Second
	// aheadPatience is how long a hint of what is going to happen waits for it to happen.
	aheadPatience = 250 * time.Millisecond
)

// batch is what one pass has to do.
type batch struct {
	// trigger is the type of the oldest hint; empty means that there is none.
	trigger string
	// since is when the oldest hint came.
	since time.Time
	// all says that any app may have changed, else those in apps.
	all  bool
	apps map[string]struct{}
	// ended are tasks that end, each with its app.
	ended map[string]string
	// urgent says that a hint is news about Marathon itself or an order from
	// outside, which end a wait after failures.
	urgent bool
}

func newPending() *pending { return &pending{wake: make(chan struct{}, 1)} }

// add takes in a hint.
func (p *pending) add(h Hint, urgent bool) {
	p.mu.Lock()
	p.sort(h, urgent)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// sort puts a hint where it belongs. The caller holds mu.
func (p *pending) sort(h Hint, urgent bool) {
	now := time.Now()
	for _, app := range h.Apps {
		gone := slices.Contains(h.Gone, app)
		if !gone && !h.Ends {
			continue
		}
		if p.reasons == nil {
			p.reasons = map[string]bool{}
		}
		p.reasons[app] = p.reasons[app] || gone
	}
	switch {
	case h.Deployment:
		if now.Sub(p.deployedAt) > groupPatience {
			p.deployed = map[string]struct{}{}
		}
		p.deployedAt = now
		for _, id := range h.Apps {
			p.deployed[id] = struct{}{}
		}
		p.group = batch{}
	case h.Group && now.Sub(p.deployedAt) <= groupPatience: // it is stored now
		h.All, h.Apps = false, slices.Collect(maps.Keys(p.deployed))
	case h.Group:
		if p.group.trigger == "" {
			p.groupDue = now.Add(groupPatience)
		}
		p.group.add(h, now, false)
		return
	}
	if !h.Ahead {
		p.batch.add(h, now, urgent)
		return
	}
	if p.ahead.trigger == "" {
		p.aheadDue = now.Add(aheadPatience)
	}
	p.ahead.add(h, now, false)
}

func (b *batch) add(h Hint, now time.Time, urgent bool) {
	if b.trigger == "" {
		b.since = now
	}
	if b.trigger == "" || urgent && b.trigger == triggerRetry {
		b.trigger = h.Type
	}
	b.urgent = b.urgent || urgent
	if h.Ended != "" && len(h.Apps) == 1 {
		if b.ended == nil {
			b.ended = map[string]string{}
		}
		b.ended[h.Ended] = h.Apps[0]
	}
	b.merge(h.All, slices.Values(h.Apps))
}

// takeReasons returns the apps of which hints told a reason to lose tasks since it was
// last called, true for those that are being deleted.
func (p *pending) takeReasons() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	reasons := p.reasons
	p.reasons = nil
	return reasons
}

// take returns what is to be done now. What it is about needs no other look for a hint
// that has time.
func (p *pending) take() batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	b := p.batch
	p.batch = batch{}
	b.join(due(&p.group, p.groupDue, now))
	b.join(due(&p.ahead, p.aheadDue, now))
	if b.all {
		p.group, p.ahead = batch{}, batch{}
	}
	for id := range b.apps {
		delete(p.ahead.apps, id)
	}
	if !p.ahead.all && len(p.ahead.apps) == 0 {
		p.ahead = batch{}
	}
	return b
}

// due takes a batch that waits if its time has come.
func due(waiting *batch, at, now time.Time) batch {
	if waiting.trigger == "" || now.Before(at) {
		return batch{}
	}
	b := *waiting
	*waiting = batch{}
	return b
}

// join adds another batch, whose hints may be older.
func (b *batch) join(o batch) {
	switch {
	case o.trigger == "":
		return
	case b.trigger == "":
		*b = o
		return
	case o.since.Before(b.since):
		b.since = o.since
	}
	b.merge(o.all, maps.Keys(o.apps))
}

// restore puts back what a failed pass had taken, with its age.
func (p *pending) restore(old batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.batch
	if b.trigger == "" || !b.urgent {
		b.trigger = triggerRetry
	}
	b.since = old.since
	b.merge(old.all, maps.Keys(old.apps))
}

// state reports whether there is anything to do, and whether it is urgent. If there is
// not, next is when there will be; zero means never.
func (p *pending) state() (waiting, urgent bool, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range []struct {
		b  batch
		at time.Time
	}{{p.group, p.groupDue}, {p.ahead, p.aheadDue}} {
		if w.b.trigger != "" && (next.IsZero() || w.at.Before(next)) {
			next = w.at
		}
	}
	return p.batch.trigger != "", p.batch.urgent, next
}

// merge adds apps. Once all are meant, single ones mean nothing.
func (b *batch) merge(all bool, apps func(yield func(string) bool)) {
	if b.all = b.all || all; b.all {
		b.apps = nil
		return
	}
	for app := range apps {
		if b.apps == nil {
			b.apps = make(map[string]struct{})
		}
		b.apps[app] = struct{}{}
	}
}
