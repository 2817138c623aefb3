package apply

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/runtime"
)

// How often the deletion of a leaving server is tried.
const (
	firstDelete = 20 * time.Millisecond
	slowDelete  = time.Second
	// slower is how many times as long as the last wait the next one is.
	slower = 4
)

// leaving is the table of servers in maintenance that are to be deleted once their
// sessions have ended. No pass waits for them.
type leaving struct {
	servers map[string]departure
	timer   *time.Timer
}

// departure is one server on its way out.
type departure struct {
	backend string
	// server is the line it had; only its name is known of one that no text knew.
	server haproxy.Server
	since  time.Time
	wait   time.Duration
	due    time.Time
	cut    bool // its sessions were shut down
}

func newLeaving() leaving {
	return leaving{servers: map[string]departure{}, timer: stopped()}
}

func (t *leaving) add(backend string, s haproxy.Server) {
	now := time.Now()
	t.servers[backend+"/"+s.Name] = departure{
		backend: backend, server: s, since: now, wait: firstDelete, due: now.Add(firstDelete),
	}
	t.arm()
}

func (t *leaving) cancel(backend, server string) {
	delete(t.servers, backend+"/"+server)
}

func (t *leaving) clear() {
	clear(t.servers)
	t.timer.Stop()
}

// arm sets the timer for the next attempt.
func (t *leaving) arm() {
	var dues []time.Time
	for _, d := range t.servers {
		dues = append(dues, d.due)
	}
	setTimer(t.timer, dues)
}

// setTimer sets a timer for the first of some times, or stops it if there are none.
func setTimer(timer *time.Timer, times []time.Time) {
	if len(times) == 0 {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(slices.MinFunc(times, time.Time.Compare)))
}

// adjust fits a step to the servers that are still there: an id that one of them
// holds is left out. why is not empty if the step cannot be done at all, because
// its server's name still belongs to another target.
func (t *leaving) adjust(st haproxy.Step) (adjusted haproxy.Step, why string) {
	if st.Kind != haproxy.AddServer {
		return st, ""
	}
	if d, ok := t.servers[st.Backend+"/"+st.Server.Name]; ok && !d.server.SameTarget(st.Server) {
		return st, "server " + st.Server.Name + " is still on its way out with another target or other options"
	}
	id, ok := st.Server.Keyword("id")
	if !ok {
		return st, ""
	}
	for _, d := range t.servers {
		if held, _ := d.server.Keyword("id"); held == id && d.backend == st.Backend && d.server.Name != st.Server.Name {
			st.Server = st.Server.WithoutID()
			break
		}
	}
	return st, ""
}

// commands are the commands of a step. A server that comes back while it leaves is
// put back into rotation instead of being added.
func (t *leaving) commands(st haproxy.Step) []string {
	if st.Kind == haproxy.AddServer {
		if _, ok := t.servers[st.Backend+"/"+st.Server.Name]; ok {
			back := haproxy.Step{Kind: haproxy.DrainServer, Backend: st.Backend, Server: st.Server}
			if st.Server.Ready() {
				back.Kind = haproxy.EnableServer
			}
			return back.Commands()
		}
	}
	return st.Commands()
}

// leave takes a server that no text knows out of rotation and lets it leave. Its line
// may be known from the note of added servers; else server has but a name.
func (l *Loop) leave(ctx context.Context, s runtime.ServerState, server haproxy.Server) {
	st := haproxy.Step{Kind: haproxy.RemoveServer, Backend: s.Backend, Server: server}
	if _, err := l.execute(ctx, st.Commands()); err != nil {
		l.log.Warn("server not taken out of rotation", zap.String("backend", s.Backend), zap.String("server", s.Name), zap.Error(err))
	}
	l.leaving.add(s.Backend, server)
}

// removeLeaving tries to delete the servers that are due. HAProxy refuses while
// sessions are attached.
func (l *Loop) removeLeaving(ctx context.Context) {
	now := time.Now()
	var keys, commands []string
	for key, d := range l.leaving.servers {
		if d.due.After(now) {
			continue
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		d := l.leaving.servers[key]
		if l.cfg.DrainTimeout > 0 && !d.cut && now.Sub(d.since) >= l.cfg.DrainTimeout {
			d.cut = true
			l.leaving.servers[key] = d
			commands = append(commands, "shutdown sessions server "+key)
		}
		commands = append(commands, haproxy.DeleteCommand(d.backend, d.server.Name))
	}
	answers, err := l.execute(ctx, commands)
	if err != nil {
		l.log.Warn("leaving servers not deleted", zap.Error(err))
	}
	for _, a := range answers {
		key := strings.TrimPrefix(a.Command, "del server ")
		if key != a.Command && (a.Err() == nil || strings.Contains(a.Text, "No such server")) {
			delete(l.leaving.servers, key)
		}
	}
	for _, key := range keys {
		if d, ok := l.leaving.servers[key]; ok {
			d.wait = min(slower*d.wait, slowDelete)
			d.due = time.Now().Add(d.wait)
			l.leaving.servers[key] = d
		}
	}
	l.leaving.arm()
}
