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
	// again has what is looked at again at againDue.
	ahead, group, again          batch
	aheadDue, groupDue, againDue time.Time
	// reasons are those that hints told since they were last asked for.
	reasons reasons
	// deployed are the apps of deployments of the last groupPatience.
	deployed map[string]deployed
	// announced is when what is going to happen to an app was last announced; what is
	// over is forgotten.
	announced map[string]time.Time
}

const (
	// groupPatience is how long a hint about a group waits for a deployment that names
	// its apps, and how long one that has come counts.
	groupPatience = time.Second
	// aheadPatience is how long a hint of what is going to happen waits for it to happen.
	aheadPatience = 250 * time.Millisecond
)

// deployed is when a deployment last named an app, and whether a hint about a group has
// said since that it is stored.
type deployed struct {
	at     time.Time
	stored bool
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
	// news is what is said about those of the apps about which there is nothing else.
	news map[string][]told
	// ended are tasks that end, each with its app.
	ended map[string]string
	// urgent says that a hint is news about Marathon itself or an order from
	// outside, which end a wait after failures.
	urgent bool
}

func newPending() *pending {
	return &pending{wake: make(chan struct{}, 1), announced: map[string]time.Time{}, deployed: map[string]deployed{}}
}

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
	p.reasons.note(h)
	news := p.note(h, now)
	switch {
	case h.Deployment:
		stored := h.News.Over || p.group.trigger != ""
		for _, id := range h.Apps {
			p.deployed[id] = deployed{now, stored}
		}
		p.group = batch{}
	case h.Group && p.stored(&h, now):
	case h.Group:
		if p.group.trigger == "" {
			p.groupDue = now.Add(groupPatience)
		}
		p.group.add(h, news, now, false)
		return
	}
	if !h.Ahead {
		p.batch.add(h, news, now, urgent)
		return
	}
	if p.ahead.trigger == "" {
		p.aheadDue = now.Add(aheadPatience)
	}
	p.ahead.add(h, news, now, false)
}

// stored makes a hint about a group one about the apps that were deployed around it, and
// reports false if there are none. Each deployment is stored once, so those of which that
// was said already are meant only when there are no others. The caller holds mu.
func (p *pending) stored(h *Hint, now time.Time) bool {
	p.forget(now)
	var all []string
	for id, d := range p.deployed {
		all = append(all, id)
		if !d.stored {
			h.Apps = append(h.Apps, id)
			p.deployed[id] = deployed{d.at, true}
		}
	}
	if len(h.Apps) == 0 {
		h.Apps = all
	}
	h.All = len(h.Apps) == 0
	return !h.All
}

// forget drops the deployments that count no more. The caller holds mu.
func (p *pending) forget(now time.Time) {
	maps.DeleteFunc(p.deployed, func(_ string, d deployed) bool { return now.Sub(d.at) > groupPatience })
}

// note keeps when something was announced until it is over. It returns what is news about
// the apps of a hint; nil: they have to be read. The caller holds mu.
func (p *pending) note(h Hint, now time.Time) map[string][]told {
	if h.News == (News{}) {
		for _, app := range h.Apps {
			if h.Ahead {
				p.announced[app] = now
			}
		}
		return nil
	}
	news := make(map[string][]told, len(h.Apps))
	for _, app := range h.Apps {
		n := told{News: h.News}
		if n.Over {
			n.announced = p.announced[app]
			delete(p.announced, app)
		}
		news[app] = []told{n}
	}
	return news
}

func (b *batch) add(h Hint, news map[string][]told, now time.Time, urgent bool) {
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
	b.merge(h.All, slices.Values(h.Apps), news)
}

// drop leaves out the apps of which all that is news has been read.
func (b *batch) drop(read func(app string, news []told) bool) {
	if b.all || len(b.news) == 0 {
		return
	}
	for app, news := range b.news {
		if read(app, news) {
			delete(b.apps, app)
			delete(b.news, app)
			maps.DeleteFunc(b.ended, func(_, of string) bool { return of == app })
		}
	}
	if len(b.apps) == 0 {
		*b = batch{}
	}
}

// later has apps looked at again after a while, if nothing else has them looked at; none
// means that none is. It replaces what was asked for before.
func (p *pending) later(trigger string, apps []string, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.again.trigger == "" {
		p.againDue = now.Add(after)
	}
	p.again = batch{}
	if len(apps) > 0 {
		p.again.add(Hint{Type: trigger, Apps: apps}, nil, now, false)
	}
}

// takeReasons returns why tasks may be gone, as hints told since it was last called.
func (p *pending) takeReasons() reasons {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.reasons
	p.reasons = reasons{}
	return taken
}

// take returns what is to be done now, beside what is due by the clock (empty if nothing
// is), without the apps of which all that is news has been read. What it is about needs no
// other look for a hint that has time.
func (p *pending) take(read func(app string, news []told) bool, clock batch) batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	b := p.batch
	p.batch = batch{}
	b.join(due(&p.group, p.groupDue, now))
	b.join(due(&p.ahead, p.aheadDue, now))
	b.join(due(&p.again, p.againDue, now))
	b.drop(read)
	b.join(clock)
	p.forget(now)
	if b.all {
		p.group, p.ahead = batch{}, batch{}
		clear(p.announced) // they may be gone
	}
	for id := range b.apps {
		delete(p.ahead.apps, id)
		delete(p.ahead.news, id)
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
	b.merge(o.all, maps.Keys(o.apps), o.news)
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
	b.merge(old.all, maps.Keys(old.apps), old.news)
}

// state reports whether there is anything to do, and whether it is urgent. If there is
// not, next is when there will be; zero means never.
func (p *pending) state() (waiting, urgent bool, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range []struct {
		b  batch
		at time.Time
	}{{p.group, p.groupDue}, {p.ahead, p.aheadDue}, {p.again, p.againDue}} {
		if w.b.trigger != "" && (next.IsZero() || w.at.Before(next)) {
			next = w.at
		}
	}
	return p.batch.trigger != "", p.batch.urgent, next
}

// merge adds apps with what is news about them. Once all are meant, single ones mean
// nothing; once an app has to be read, what is news about it does not either.
func (b *batch) merge(all bool, apps func(yield func(string) bool), news map[string][]told) {
	if b.all = b.all || all; b.all {
		b.apps, b.news = nil, nil
		return
	}
	for app := range apps {
		if b.apps == nil {
			b.apps, b.news = make(map[string]struct{}), make(map[string][]told)
		}
		_, had := b.apps[app]
		was, more := b.news[app], news[app]
		b.apps[app] = struct{}{}
		switch {
		case more == nil, len(was)+len(more) > mostNews:
			delete(b.news, app)
		case !had || was != nil:
			b.news[app] = slices.Concat(was, more)
		}
	}
}
