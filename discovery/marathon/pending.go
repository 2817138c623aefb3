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
}

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
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take empties the collection.
func (p *pending) take() batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.batch
	p.batch = batch{}
	return b
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
