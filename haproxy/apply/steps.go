package apply

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/runtime"
)

// steps does runtime steps and reads back what came of them. What is not confirmed
// becomes a reason to reload.
func (l *Loop) steps(ctx context.Context, steps []haproxy.Step, r *Result) []haproxy.Reason {
	var reasons []haproxy.Reason
	var doable []haproxy.Step
	var commands, backends []string
	for _, planned := range steps {
		st, why := l.leaving.adjust(planned)
		if why != "" {
			reasons = append(reasons, haproxy.Reason{Code: haproxy.ReasonServerName, Section: "backend " + st.Backend, Detail: why})
			continue
		}
		doable = append(doable, st)
		commands = append(commands, l.leaving.commands(st)...)
		if !slices.Contains(backends, st.Backend) {
			backends = append(backends, st.Backend)
		}
	}
	if len(doable) == 0 {
		return reasons
	}
	for _, st := range doable {
		if st.Kind == haproxy.RemoveServer { // one without connections can go at once
			commands = append(commands, haproxy.DeleteCommand(st.Backend, st.Server.Name))
		}
	}
	l.noteAdded(doable)
	states, err := l.change(ctx, commands, backends)
	if err != nil {
		return append(reasons, haproxy.Reason{Code: reasonUnconfirmed, Detail: err.Error()})
	}
	has := index(states)
	var confirmed []haproxy.Step
	for _, st := range doable {
		state, there := has[st.Backend+"/"+st.Server.Name]
		if !confirms(st, state, there) {
			reasons = append(reasons, haproxy.Reason{
				Code: reasonUnconfirmed, Section: "backend " + st.Backend,
				Detail: string(st.Kind) + " of server " + st.Server.Name + " is not to be seen",
			})
			continue
		}
		confirmed = append(confirmed, st)
		l.took(st, there, r)
	}
	l.running = l.running.Toward(l.desired, confirmed, l.version)
	return reasons
}

// fewServers are so few that HAProxy can tell of them in the answer to other commands.
const fewServers = 200

// change runs commands in HAProxy and reads the servers of backends back.
func (l *Loop) change(ctx context.Context, commands, backends []string) ([]runtime.ServerState, error) {
	l.before("execute")
	n := 0
	for _, b := range backends {
		if sec, ok := l.running.Backend(b); ok {
			n += len(sec.Servers)
		}
	}
	var answers []runtime.Answer
	var states []runtime.ServerState
	var err, readErr error
	if n <= fewServers {
		answers, states, err, readErr = l.socket.Change(ctx, commands, backends...)
	} else {
		answers, err = l.socket.Execute(ctx, commands)
		states, readErr = l.socket.Servers(ctx, backends...)
	}
	if err != nil {
		l.log.Warn("runtime commands not completed", zap.Error(err))
	} else if refused := runtime.Refused(answers); refused != nil {
		l.log.Debug("runtime commands refused", zap.Error(refused))
	}
	l.before("read servers back")
	return states, readErr
}

// execute runs commands in HAProxy.
func (l *Loop) execute(ctx context.Context, commands []string) ([]runtime.Answer, error) {
	l.before("execute")
	return l.socket.Execute(ctx, commands)
}

// took counts a confirmed step and keeps the table of leaving servers.
func (l *Loop) took(st haproxy.Step, there bool, r *Result) {
	switch st.Kind {
	case haproxy.AddServer, haproxy.EnableServer:
		l.leaving.cancel(st.Backend, st.Server.Name)
		if st.Server.Ready() {
			r.Adds++
			l.arriving.cancel(st.Backend, st.Server.Name)
		}
	case haproxy.RemoveServer:
		l.arriving.cancel(st.Backend, st.Server.Name)
		r.Removes++
		if there {
			l.leaving.add(st.Backend, st.Server)
		}
	case haproxy.DrainServer:
		l.arriving.cancel(st.Backend, st.Server.Name)
		r.Removes++
	case haproxy.SetAddress, haproxy.SetWeight:
	}
}

func index(states []runtime.ServerState) map[string]runtime.ServerState {
	out := make(map[string]runtime.ServerState, len(states))
	for _, s := range states {
		out[s.Backend+"/"+s.Name] = s
	}
	return out
}

// confirms reports whether HAProxy shows what a step was to bring about.
func confirms(st haproxy.Step, state runtime.ServerState, there bool) bool {
	switch st.Kind {
	case haproxy.RemoveServer:
		return !there || held(state)
	case haproxy.AddServer, haproxy.SetAddress, haproxy.EnableServer, haproxy.DrainServer:
		return there && sameAddress(st.Server.Address, state) && held(state) != st.Server.Ready()
	case haproxy.SetWeight:
		w, ok := st.Server.Keyword("weight")
		if !ok {
			w = "1"
		}
		return there && strconv.Itoa(state.Weight) == w
	}
	return false
}

// held reports whether a command or the file keeps a server out of rotation. That
// its name is not resolved, or what it tracks is in maintenance, is another matter:
// no step of ours changes that.
func held(s runtime.ServerState) bool {
	return s.Admin&(runtime.ForcedMaintenance|runtime.ConfiguredMaintenance) != 0
}

// sameAddress reports whether a server has the address that its line says. What
// HAProxy makes of an address that is not literal (a name, a Unix socket, a port
// that is left out) cannot be told from the line, so nothing is held against it.
func sameAddress(address string, s runtime.ServerState) bool {
	want, err := netip.ParseAddrPort(address)
	if err != nil {
		return true
	}
	have, err := netip.ParseAddr(s.Address)
	return err == nil && have == want.Addr() && s.Port == int(want.Port())
}

// changesItsWeight reports whether a server tells HAProxy its weight by itself.
func changesItsWeight(s haproxy.Server) bool {
	_, ok := s.Keyword("agent-check")
	return ok
}

// actualServers returns the configuration with the servers that HAProxy has: those
// it lacks are dropped, those held out of rotation are disabled, addresses and weights
// are those in use. unknown are the
// servers that no text knows. Where a server-template line makes servers, and in
// sections that are not in the text, none is unknown.
func actualServers(c haproxy.Config, states []runtime.ServerState) (actual haproxy.Config, unknown []runtime.ServerState) {
	has := index(states)
	ours := map[string]bool{}
	var steps []haproxy.Step
	for _, sec := range c.Sections.All() {
		if sec.Kind != "backend" && sec.Kind != "listen" {
			continue
		}
		ours[sec.Name] = !slices.ContainsFunc(sec.Skeleton, func(l string) bool { return strings.HasPrefix(l, "server-template ") })
		for _, s := range sec.Servers {
			key := sec.Name + "/" + s.Name
			state, there := has[key]
			if there && !sameAddress(s.Address, state) {
				s.Address = net.JoinHostPort(state.Address, strconv.Itoa(state.Port))
				steps = append(steps, haproxy.Step{Kind: haproxy.SetAddress, Backend: sec.Name, Server: s})
			}
			switch {
			case !there:
				steps = append(steps, haproxy.Step{Kind: haproxy.RemoveServer, Backend: sec.Name, Server: s})
				continue
			case (held(state) || state.Admin&runtime.ForcedDrain != 0) && s.Ready():
				steps = append(steps, haproxy.Step{Kind: haproxy.DrainServer, Backend: sec.Name, Server: s})
			case !held(state) && !s.Ready():
				steps = append(steps, haproxy.Step{Kind: haproxy.EnableServer, Backend: sec.Name, Server: s})
			}
			delete(has, key)
			if weighed := s.WithWeight(state.Weight); !s.Same(weighed) && !changesItsWeight(s) {
				steps = append(steps, haproxy.Step{Kind: haproxy.SetWeight, Backend: sec.Name, Server: weighed})
			}
		}
	}
	for _, s := range states { // in HAProxy's order
		if _, left := has[s.Backend+"/"+s.Name]; left && ours[s.Backend] {
			unknown = append(unknown, s)
		}
	}
	return c.After(steps), unknown
}
