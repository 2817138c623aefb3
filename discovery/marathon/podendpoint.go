package marathon

import (
	"fmt"
	"slices"

	"mlb/discovery"
)

// isPod reports whether the app stands for a pod.
func (a *App) isPod() bool { return a.Endpoints != nil }

// needsHost reports whether the address of a task's agent is needed.
func (m member) needsHost() bool {
	if !m.app.isPod() {
		return byHost(networkMode(m.app))
	}
	return slices.ContainsFunc(m.task.Endpoints, func(p PodEndpoint) bool { return p.Port != 0 && p.Address == "" })
}

// serves reports whether an endpoint of an instance of a pod gets requests: the instance
// is stable, or it is degraded and this endpoint is healthy. With --health-check the
// verdict on an endpoint with a check decides, and of an endpoint about which a degraded
// instance says nothing the last one (contract 2.4).
func (e env) serves(t *Task, k int, checked bool) bool {
	p := &t.Endpoints[k]
	switch {
	case p.Container == "" || idle(p.State):
		return false
	case e.alive != nil && checked && (p.Results.Known() || t.Degraded):
		return e.alive(p.Container)
	}
	return !t.Degraded || p.Results.Alive > 0
}

// taskProblem reports what is wrong with a task.
type taskProblem func(a *App, reason, value, detail string)

// podTasks finds where the instances of pods in a selection are reached.
type podTasks struct {
	*selection
	env    env
	probed map[int]int
	report taskProblem
	// asked is what is asked for of the endpoints of each pod.
	asked map[*App]podAsked
}

// podAsked are the places of the endpoints of a pod that have a label of their own, and
// of those that a health check names.
type podAsked struct{ labelled, checked map[int]bool }

// of returns what is asked for of a pod, which is found out once for all its instances.
func (p *podTasks) of(a *App) podAsked {
	if known, ok := p.asked[a]; ok {
		return known
	}
	asked := podAsked{map[int]bool{}, map[int]bool{}}
	for _, l := range portLabels(a.Labels) {
		asked.labelled[l.index] = true
	}
	for _, h := range a.HealthChecks {
		if h.PortIndex != nil {
			asked.checked[*h.PortIndex] = true
		}
	}
	p.asked[a] = asked
	return asked
}

// add adds where an instance of a pod is reached, by the port index of the service:
// endpoint k of the instance's own pod serves the service of place k, which is another
// pod's or an app's in a deployment group.
func (p *podTasks) add(m member, endpoints map[int][]discovery.Endpoint) {
	t, e, report, asked := m.task, p.env, p.report, p.of(m.app)
	for k := range t.Endpoints[:min(len(t.Endpoints), len(p.ports))] {
		owner := p.owner[k]
		if owner < 0 || !e.serves(t, k, asked.checked[k]) {
			continue
		}
		at, reason := m.reach(k, e)
		switch {
		case reason == reasonUnresolved:
			report(m.app, reason, t.Host, "what the instances on this agent have there is skipped")
			continue
		case reason == reasonNoAddress && !asked.labelled[k]:
			continue // nobody asked for it
		case reason == reasonNoAddress:
			report(m.app, reason, m.app.Endpoints[k], "an instance has neither a host port nor an address in a container network for the endpoint; it is skipped")
			continue
		case reason == reasonTask:
			report(m.app, reason, t.ID, fmt.Sprintf("the container of endpoint %s has no usable ID; it is skipped", m.app.Endpoints[k]))
			continue
		case reason != "":
			report(m.app, reason, at.Task, fmt.Sprintf("port %d of endpoint %s is no port; it is skipped", at.Port, m.app.Endpoints[k]))
			continue
		}
		if m.draining {
			at.State = discovery.Draining
		}
		if i, ok := p.probed[owner]; ok && i >= 0 && i < len(t.Endpoints) {
			if other, reason := m.reach(i, e); reason == "" && other.Address == at.Address {
				at.CheckPort = other.Port
			}
		}
		endpoints[owner] = append(endpoints[owner], at)
	}
}

// reach returns where an endpoint of an instance is reached. The reason is empty if it
// is.
func (m member) reach(k int, e env) (discovery.Endpoint, string) {
	p := &m.task.Endpoints[k]
	out := discovery.Endpoint{Task: p.Container, Agent: m.task.Host, Port: p.Port, State: discovery.Ready}
	switch {
	case plain(p.Container) != nil:
		return out, reasonTask
	case p.Port == 0:
		return out, reasonNoAddress
	case !isPort(p.Port):
		return out, reasonTaskPort
	}
	at := p.Address
	if at == "" {
		at = m.task.Host
	}
	addr, ok := literal(at)
	if !ok {
		addr, ok = e.addresses[at]
	}
	if !ok {
		return out, reasonUnresolved
	}
	out.Address = addr
	return out, ""
}
