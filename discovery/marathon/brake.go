package marathon

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mlb/discovery"
)

// minRemoval is how many endpoints or apps an answer has to lack at least before it is
// held: the end of two tasks is everyday life, whatever their share is.
const minRemoval = 3

// reasonHeld is the reason of the problem that says what is held.
const reasonHeld = "answer held back"

// Held says what is served although the source no longer names it.
type Held struct {
	// Since is when the first answer was held; zero means that nothing is held.
	Since time.Time
	// Endpoints of OfEndpoints that are served, and Apps of OfApps, are the ones that
	// stay because of it.
	Endpoints, OfEndpoints, Apps, OfApps int
	// Earlier is how many endpoints answers shortly before removed that were believed: they
	// count with what the held one would remove.
	Earlier int
	// Confirmations is how many answers more have to say the same.
	Confirmations int
}

// brake keeps answers from removing what they cannot mean: a wiped store, apps that an
// identity may not see or a leader that has not loaded its tasks answer with status 200
// and a short list. An answer that would remove more than percent of the
// served endpoints or apps, and at least minRemoval of them, is held: what it adds and
// changes counts, what it lacks stays, until so many further answers lack it too.
//
// What believed answers have removed of an app counts with it until so many further
// answers came: a list that is cut in half again and again would never be held otherwise.
//
// What an event announced, or an app's own document explains, is no such removal: see
// loss.
type brake struct {
	percent, confirmations int
	// every is the least time between two answers that count.
	every time.Duration

	held Held
	// missing are the tasks that all answers of this hold lack.
	missing map[string]struct{}
	// counted is when an answer was last counted.
	counted time.Time
	// past is what believed answers have removed, by app, aged when it was last made older.
	past map[string]past
	aged time.Time
	// released says that an operator lets the removal of missing pass.
	released bool
}

// judge returns what is to be believed of an answer about all apps. was are the services
// served so far, why what events said since.
func (b *brake) judge(was []discovery.Service, s discovery.Snapshot, apps []App, why reasons, now time.Time) discovery.Snapshot {
	lost := lostBy(was, s.Services, apps, why, b.held)
	earlier, earlierApps := b.earlier(s.Services, lost)
	if !lost.implausible(b.percent, earlier, earlierApps) {
		b.let()
		b.passed(lost, now)
		return s
	}
	again := b.missing != nil && theSame(lost.tasks, b.missing)
	switch {
	case b.released && again:
		b.let()
		b.past = nil
		return s
	case !again: // the first one, or the source says something else every time
		since := b.held.Since
		if since.IsZero() {
			since = now
		}
		b.held, b.counted, b.released = Held{Since: since, Confirmations: b.confirmations}, now, false
	case now.Sub(b.counted) >= b.every:
		b.held.Confirmations--
		b.counted = now
	}
	if b.held.Confirmations <= 0 {
		b.let()
		b.past = nil
		return s
	}
	b.missing = lost.tasks
	b.held.Endpoints, b.held.OfEndpoints, b.held.Apps, b.held.OfApps = lost.endpoints, lost.ofEndpoints, lost.apps, lost.ofApps
	b.held.Earlier = earlier
	out := discovery.NewSnapshot(withLost(s.Services, was, lost.tasks), append(s.Problems, b.problem()))
	out.Source, out.Trace = s.Source, s.Trace
	return out
}

// let ends a hold.
func (b *brake) let() { b.held, b.missing, b.released = Held{}, nil, false }

// release lets the removal pass with the next answer that says the same. It reports
// whether anything is held.
func (b *brake) release() bool {
	b.released = !b.held.Since.IsZero()
	return b.released
}

func (b *brake) problem() discovery.Problem {
	besides := ""
	if b.held.Earlier > 0 {
		besides = fmt.Sprintf(", after %d that answers shortly before no longer named", b.held.Earlier)
	}
	return discovery.Problem{
		PortIndex: -1, Reason: reasonHeld,
		Detail: fmt.Sprintf("the answer no longer names %d of %d served endpoints (%d of %d apps)%s, and neither an event nor the "+
			"apps themselves say why (--max-removal); they stay until further answers have said so, or POST /_mlb/release",
			b.held.Endpoints, b.held.OfEndpoints, b.held.Apps, b.held.OfApps, besides),
	}
}

// loss is what an answer lacks of what is served.
type loss struct {
	// tasks are those that have gone without a reason.
	tasks map[string]struct{}
	// endpoints of ofEndpoints are theirs, and apps of ofApps lose all that they had.
	endpoints, ofEndpoints, apps, ofApps int
	// byApp are the apps that lose any.
	byApp map[string]past
}

// past is how many endpoints an app had, and how many of them have gone without a reason.
type past struct {
	had, lost int
	// answers is how many more have to come until it counts no more.
	answers int
}

// implausible reports whether the loss is too much to be believed, with the endpoints and
// apps that have gone before.
func (l loss) implausible(percent, endpoints, apps int) bool {
	return l.endpoints >= minRemoval &&
		(tooMany(l.endpoints+endpoints, l.ofEndpoints+endpoints, percent) || tooMany(l.apps+apps, l.ofApps+apps, percent))
}

// earlier returns how many endpoints and apps believed answers have removed that have not
// come back, beside what is lost now.
func (b *brake) earlier(is []discovery.Service, now loss) (endpoints, apps int) {
	for app, p := range b.past {
		has, goes := 0, now.byApp[app].lost
		for _, s := range discovery.ServicesOf(is, app) {
			has += len(s.Endpoints)
		}
		endpoints += max(0, min(p.lost, p.had-has-goes))
		if has+goes == 0 && p.lost >= p.had {
			apps++
		}
	}
	return endpoints, apps
}

// passed notes what an answer that is believed removes.
func (b *brake) passed(l loss, now time.Time) {
	if now.Sub(b.aged) >= b.every {
		b.aged = now
		for app, p := range b.past {
			if p.answers--; p.answers > 0 {
				b.past[app] = p
			} else {
				delete(b.past, app)
			}
		}
	}
	if l.endpoints < minRemoval {
		return
	}
	if b.past == nil {
		b.past = map[string]past{}
	}
	for app, n := range l.byApp {
		p := b.past[app]
		b.past[app] = past{max(p.had, n.had), p.lost + n.lost, b.confirmations}
	}
}

func tooMany(n, of, percent int) bool { return n >= minRemoval && n*100 > of*percent }

// lostBy returns what an answer lacks without a reason. A task that is not served any
// more has gone for a reason if
//   - the answer lists it: its state, Marathon's verdict or a label is why, and these
//     are for the app's owner to decide;
//   - its app is listed with as many running tasks as it wants, as after a scaling that no
//     event told of; tasks that are about to run are what a leader starts that has lost
//     the others;
//   - an event said that it ends; or
//   - an event said that its app is being deleted.
//
// Reasons are only looked for if it makes a difference: a smaller loss is always believed.
// While something is held, what has come since makes no loss smaller.
func lostBy(was, is []discovery.Service, apps []App, why reasons, held Held) loss {
	l := count(was, is, func(string, string) bool { return false }).since(held)
	if l.endpoints < minRemoval {
		return l
	}
	return count(was, is, causes(apps, why)).since(held)
}

// since measures a loss by what was served when the hold began, if there is one.
func (l loss) since(held Held) loss {
	if !held.Since.IsZero() {
		l.ofEndpoints, l.ofApps = min(l.ofEndpoints, held.OfEndpoints), min(l.ofApps, held.OfApps)
	}
	return l
}

// count counts the endpoints whose task is in no service of its app any more, except for
// those that have gone for a reason.
func count(was, is []discovery.Service, caused func(app, task string) bool) loss {
	l := loss{tasks: map[string]struct{}{}, byApp: map[string]past{}}
	for len(was) > 0 {
		app := was[0].App
		before := discovery.ServicesOf(was, app)
		was = was[len(before):]
		after := tasksOf(discovery.ServicesOf(is, app))
		all, gone := 0, 0
		for _, s := range before {
			for _, e := range s.Endpoints {
				all++
				if _, stays := after[e.Task]; !stays && !caused(app, e.Task) {
					gone++
					l.tasks[e.Task] = struct{}{}
				}
			}
		}
		l.endpoints, l.ofEndpoints = l.endpoints+gone, l.ofEndpoints+all
		if all > 0 {
			l.ofApps++
		}
		if gone > 0 {
			l.byApp[app] = past{had: all, lost: gone}
		}
		if gone > 0 && len(after) == 0 {
			l.apps++
		}
	}
	return l
}

func tasksOf(services []discovery.Service) map[string]struct{} {
	tasks := map[string]struct{}{}
	for _, s := range services {
		for _, e := range s.Endpoints {
			tasks[e.Task] = struct{}{}
		}
	}
	return tasks
}

// causes returns what tells whether a task of an app, or of a deployment group, has
// gone for a reason.
func causes(apps []App, why reasons) func(app, task string) bool {
	listed := map[string]struct{}{}  // tasks
	content := map[string]struct{}{} // apps and groups whose tasks all run
	short := map[string]struct{}{}   // apps and groups that do not
	instances := map[string]struct{}{}
	for i := range apps {
		a := &apps[i]
		id := serviceID(a)
		begun := 0
		for _, t := range a.Tasks {
			listed[t.ID] = struct{}{}
			if !idle(t.State) {
				begun++
			}
			if a.isPod() { // what is served are its containers, of which one that has ended is not listed
				instances[t.ID] = struct{}{}
			}
		}
		if a.Fault != "" || begun < a.Instances {
			short[id] = struct{}{}
		} else {
			content[id] = struct{}{}
		}
	}
	excused := why.excuse()
	return func(app, task string) bool {
		if _, ok := listed[task]; ok {
			return true
		}
		_, complete := content[app]
		_, incomplete := short[app]
		return complete && !incomplete || begins(task, instances) || excused(app, task)
	}
}

// withLost returns services with the endpoints of the given tasks that they had. An
// address that another task has now, of whatever app, is not given twice.
func withLost(is, was []discovery.Service, lost map[string]struct{}) []discovery.Service {
	out := make([]discovery.Service, 0, max(len(is), len(was)))
	out = append(out, is...)
	type place struct {
		app   string
		index int
	}
	at := make(map[place]int, len(is))
	taken := map[netip.AddrPort]struct{}{}
	for i, s := range is {
		at[place{s.App, s.PortIndex}] = i
		for _, e := range s.Endpoints {
			taken[addrPort(e)] = struct{}{}
		}
	}
	for _, s := range was {
		var kept []discovery.Endpoint
		for _, e := range s.Endpoints {
			_, gone := lost[e.Task]
			if _, other := taken[addrPort(e)]; gone && !other {
				kept = append(kept, e)
			}
		}
		if len(kept) == 0 {
			continue
		}
		i, ok := at[place{s.App, s.PortIndex}]
		if !ok {
			s.Endpoints = kept
			out = append(out, s)
			continue
		}
		out[i].Endpoints = slices.Concat(out[i].Endpoints, kept)
	}
	return out
}

func addrPort(e discovery.Endpoint) netip.AddrPort {
	return netip.AddrPortFrom(e.Address, uint16(e.Port)) //nolint:gosec // ports were checked
}

// theSame reports whether an answer that lacks the tasks of a says what one did that lacked
// those of b. A few more make no difference: in a cluster in which an app crashes all the
// time no hold would end otherwise, where no events tell of it.
func theSame(a, b map[string]struct{}) bool {
	more := 0
	for task := range a {
		if _, ok := b[task]; !ok {
			more++
		}
	}
	return mostMore*more <= len(b)
}

// mostMore is the part of what is held that may be missing besides.
const mostMore = 3
