package apply

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
)

// How arriving servers are tried.
const (
	firstKnock = 25 * time.Millisecond // after the first refusal; it doubles
	slowKnock  = 500 * time.Millisecond
	// knockWait is how long an address may take to refuse, knocksWait how long all may. One
	// that has not by then is taken for one that answers: what cannot be told is for
	// HAProxy to find out.
	knockWait  = 20 * time.Millisecond
	knocksWait = 200 * time.Millisecond
	// knocksAtOnce bounds the connections that are open side by side.
	knocksAtOnce = 64
)

// arriving is the table of servers that should be in rotation and whose address refuses
// connections: a task runs before it listens. They are tried until they do not. No pass
// waits for them.
type arriving struct {
	servers map[string]arrival
	timer   *time.Timer
}

// arrival is one server on its way in.
type arrival struct {
	backend string
	server  haproxy.Server // as it is wanted
	wait    time.Duration
	due     time.Time
}

func newArriving() arriving { return arriving{servers: map[string]arrival{}, timer: stopped()} }

func (t *arriving) add(backend string, s haproxy.Server) {
	key := backend + "/" + s.Name
	a, known := t.servers[key]
	if !known {
		a.wait = firstKnock / 2
	}
	a.backend, a.server, a.wait = backend, s, min(2*a.wait, slowKnock)
	a.due = time.Now().Add(a.wait)
	t.servers[key] = a
	t.arm()
}

// waits reports whether a step is about a server that refused lately and is not to be
// tried yet.
func (t *arriving) waits(st haproxy.Step, now time.Time) bool {
	a, known := t.servers[st.Backend+"/"+st.Server.Name]
	return known && st.Kind == haproxy.EnableServer && a.server.SameTarget(st.Server) && a.due.After(now)
}

func (t *arriving) cancel(backend, server string) { delete(t.servers, backend+"/"+server) }

func (t *arriving) clear() {
	clear(t.servers)
	t.timer.Stop()
}

// arm sets the timer for the next try.
func (t *arriving) arm() {
	var dues []time.Time
	for _, a := range t.servers {
		dues = append(dues, a.due)
	}
	setTimer(t.timer, dues)
}

// admit returns steps without those that would put a server into rotation that refuses
// connections, as long as its backend has others. Such a server is added out of
// rotation and tried again later. What another process's HAProxy can reach is not for
// mlb to know.
func (l *Loop) admit(ctx context.Context, steps []haproxy.Step) []haproxy.Step {
	if l.foreign || !slices.ContainsFunc(steps, intoRotation) {
		return steps
	}
	others, now := l.withOthers(steps), time.Now()
	var asked []string
	for _, st := range steps {
		if intoRotation(st) && others[st.Backend] && !l.arriving.waits(st, now) {
			asked = append(asked, st.Server.Address)
		}
	}
	refusing := knock(ctx, asked)
	out := make([]haproxy.Step, 0, len(steps))
	for _, st := range steps {
		switch {
		case !intoRotation(st) || !others[st.Backend]:
			out = append(out, st)
			continue
		case l.arriving.waits(st, now):
			continue
		case !refusing[st.Server.Address]:
			out = append(out, st)
			continue
		case st.Kind == haproxy.AddServer:
			out = append(out, haproxy.Step{Kind: st.Kind, Backend: st.Backend, Server: st.Server.Disabled()})
		}
		l.arriving.add(st.Backend, st.Server)
	}
	return out
}

// intoRotation reports whether a step puts a server into rotation.
func intoRotation(st haproxy.Step) bool {
	return st.Kind == haproxy.EnableServer || st.Kind == haproxy.AddServer && st.Server.Ready()
}

// withOthers returns the backends that have a ready server after steps which these have
// not put there.
func (l *Loop) withOthers(steps []haproxy.Step) map[string]bool {
	put := map[string]map[string]bool{}
	for _, st := range steps {
		if intoRotation(st) {
			if put[st.Backend] == nil {
				put[st.Backend] = map[string]bool{}
			}
			put[st.Backend][st.Server.Name] = true
		}
	}
	after := l.running.After(steps)
	others := make(map[string]bool, len(put))
	for backend, names := range put {
		sec, ok := after.Backend(backend)
		others[backend] = ok && slices.ContainsFunc(sec.Servers, func(s haproxy.Server) bool { return s.Ready() && !names[s.Name] })
	}
	return others
}

// knock tries addresses side by side and reports which of them refuse connections.
func knock(ctx context.Context, addresses []string) map[string]bool {
	refused := make([]bool, len(addresses))
	ctx, cancel := context.WithTimeout(ctx, knocksWait)
	defer cancel()
	var wg sync.WaitGroup
	tokens := make(chan struct{}, knocksAtOnce)
	for i, address := range addresses {
		tokens <- struct{}{}
		wg.Go(func() {
			defer func() { <-tokens }()
			d := net.Dialer{Timeout: knockWait}
			c, err := d.DialContext(ctx, "tcp", address)
			if err == nil {
				_ = c.Close() // nothing was sent
			}
			refused[i] = errors.Is(err, syscall.ECONNREFUSED)
		})
	}
	wg.Wait()
	out := make(map[string]bool, len(addresses))
	for i, address := range addresses {
		out[address] = refused[i]
	}
	return out
}

// wants reports whether an arriving server is to be in rotation still. That it is not
// is no step, as it is out of rotation already.
func (l *Loop) wants(a arrival) bool {
	sec, ok := l.desired.Backend(a.backend)
	return ok && slices.ContainsFunc(sec.Servers, func(s haproxy.Server) bool { return s.Name == a.server.Name && s.Ready() })
}

// tryArriving puts the servers that are due and listen now into rotation.
func (l *Loop) tryArriving(ctx context.Context) {
	now := time.Now()
	var steps []haproxy.Step
	for key, a := range l.arriving.servers {
		switch {
		case !l.wants(a):
			delete(l.arriving.servers, key)
			continue
		case a.due.After(now):
			continue
		}
		steps = append(steps, haproxy.Step{Kind: haproxy.EnableServer, Backend: a.backend, Server: a.server})
	}
	if len(steps) > 0 && l.socket != nil && l.process.Running() {
		result := Result{}
		reasons := l.steps(ctx, l.admit(ctx, steps), &result)
		if len(reasons) > 0 {
			l.log.Warn("server not put into rotation", zap.Strings("reason", describe(reasons)))
		}
		if result.Adds > 0 {
			l.log.Info("listening servers put into rotation", zap.Int("adds", result.Adds))
			l.flushLater()
		}
	}
	for key, a := range l.arriving.servers {
		if !a.due.After(now) { // neither refused nor put into rotation
			a.due = now.Add(slowKnock)
			l.arriving.servers[key] = a
		}
	}
	l.arriving.arm()
}
