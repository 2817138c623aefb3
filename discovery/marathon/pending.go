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
	// deployed are the apps of deployments, the last of which came at deployedAt.
	deployed   map[string]struct{}
	deployedAt time.Time
	// group is the oldest hint about a group that waits for its deployment until
	// groupDue; its type is empty if there is none.
	group    batch
	groupDue time.Time
}

// groupPatience is how long a hint about a group waits for a deployment that names its
// apps, and how long one that has come counts.
const groupPatience = time.Second

// batch is what one pass has to do.
type batch struct {
	// trigger is the type of the oldest hint; empty means that there is none.
	trigger string
	// since is when the oldest hint came.
	since time.Time
	// all says that any app may have changed, else those in apps.
	all  bool
	apps map[string]struct{}
	// urgent says that a hint is news about Marathon itself or an order from
	// outside, which end a wait after failures.
	urgent bool
}

func newPending() *pending { return &pending{wake: make(chan struct{}, 1)} }

// add takes in a hint.
func (p *pending) add(h Hint, urgent bool) {
	p.mu.Lock()
	switch {
	case h.Deployment:
		p.deploy(h.Apps)
	case h.Group && time.Since(p.deployedAt) <= groupPatience: // it is stored now
		h.All, h.Apps = false, slices.Collect(maps.Keys(p.deployed))
	case h.Group:
		if p.group.trigger == "" {
			p.group = batch{trigger: h.Type, since: time.Now(), all: true}
			p.groupDue = time.Now().Add(groupPatience)
		}
		p.mu.Unlock()
		p.signal()
		return
	}
	b := &p.batch
	if b.trigger == "" {
		b.since = time.Now()
	}
	if b.trigger == "" || urgent && b.trigger == triggerRetry {
		b.trigger = h.Type
	}
	b.urgent = b.urgent || urgent
	b.merge(h.All, slices.Values(h.Apps))
	p.mu.Unlock()
	p.signal()
}

func (p *pending) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// deploy notes the apps of a deployment, which is the one that a hint about a group
// waits for. The caller holds mu.
func (p *pending) deploy(apps []string) {
	now := time.Now()
	if p.deployed == nil || now.Sub(p.deployedAt) > groupPatience {
		p.deployed = map[string]struct{}{}
	}
	p.deployedAt = now
	for _, id := range apps {
		p.deployed[id] = struct{}{}
	}
	p.group = batch{}
}

// take empties the collection.
func (p *pending) take() batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.group; g.trigger != "" && !time.Now().Before(p.groupDue) {
		if p.batch.trigger == "" {
			p.batch = g
		}
		p.batch.merge(true, nil)
		p.group = batch{}
	}
	b := p.batch
	p.batch = batch{}
	return b
}

// due returns when a hint about a group ends its waiting; zero: none waits.
func (p *pending) due() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group.trigger == "" {
		return time.Time{}
	}
	return p.groupDue
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

// state reports whether there is anything to do, and whether it is urgent.
func (p *pending) state() (waiting, urgent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.batch.trigger != "", p.batch.urgent
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
