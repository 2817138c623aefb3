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
func (e env) serves(a *App, t *Task, k int) bool {
	p := &t.Endpoints[k]
	checked := slices.ContainsFunc(a.HealthChecks, func(h *HealthCheck) bool { return h.PortIndex != nil && *h.PortIndex == k })
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

// podEndpoints adds where an instance of a pod is reached, by the port index of the
// service: endpoint k of the instance's own pod serves the service of place k, which is
// another pod's or an app's in a deployment group.
func podEndpoints(s *selection, m member, e env, report taskProblem, endpoints map[int][]discovery.Endpoint) {
	t := m.task
	probed := probedIndexes(s)
	for k := range t.Endpoints[:min(len(t.Endpoints), len(s.ports))] {
		owner := s.owner[k]
		if owner < 0 || !e.serves(m.app, t, k) {
			continue
		}
		p, reason := m.reach(k, e)
		switch {
		case reason == reasonUnresolved:
			report(m.app, reason, t.Host, "what the instances on this agent have there is skipped")
			continue
		case reason == reasonNoAddress && len(of(portLabels(m.app.Labels), k)) == 0:
			continue // nobody asked for it
		case reason == reasonNoAddress:
			report(m.app, reason, m.app.Endpoints[k], "an instance has neither a host port nor an address in a container network for the endpoint; it is skipped")
			continue
		case reason == reasonTask:
			report(m.app, reason, t.ID, fmt.Sprintf("the container of endpoint %s has no usable ID; it is skipped", m.app.Endpoints[k]))
			continue
		case reason != "":
			report(m.app, reason, p.Task, fmt.Sprintf("port %d of endpoint %s is no port; it is skipped", p.Port, m.app.Endpoints[k]))
			continue
		}
		if m.draining {
			p.State = discovery.Draining
		}
		if i, ok := probed[owner]; ok && i >= 0 && i < len(t.Endpoints) {
			if other, reason := m.reach(i, e); reason == "" && other.Address == p.Address {
				p.CheckPort = other.Port
			}
		}
		endpoints[owner] = append(endpoints[owner], p)
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
