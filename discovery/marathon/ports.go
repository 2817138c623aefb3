package marathon

import (
	"fmt"

	"mlb/discovery"
)

// servicePort is an entry of an app's list of service ports. Its place in the
// list is the {n} of the labels.
type servicePort struct {
	// Port is Marathon's service port, in or out of range.
	Port int
	// Name is that of a pod's endpoint, for which Marathon knows no service port.
	Name string
	// Missing is true for a place that has no port: it counts, but it is no
	// service.
	Missing bool
}

// servicePorts returns the service ports of an app or group (contract 2.6). Ports that
// Marathon did not give come from the assigner, which therefore must see the apps
// in the order of the answer (K3).
func servicePorts(from merged, assign *assigner) []servicePort {
	a := from.app
	if a.isPod() {
		ports := make([]servicePort, len(a.Endpoints))
		for k, name := range a.Endpoints {
			ports[k].Name = name
		}
		return ports
	}
	mode := networkMode(a)
	mappings := portMappings(a)
	var ports []servicePort
	if mode == modeContainer || mode == modeBridge {
		for _, m := range mappings {
			if m.ServicePort != nil {
				ports = append(ports, servicePort{Port: *m.ServicePort})
			}
		}
	}
	if len(ports) > 0 {
		return ports
	}
	if a.PortDefinitions != nil {
		for _, d := range a.PortDefinitions {
			if d.Port != nil {
				ports = append(ports, servicePort{Port: *d.Port})
			}
		}
	} else {
		for _, p := range a.Ports {
			if p == nil {
				ports = append(ports, servicePort{Missing: true})
				continue
			}
			ports = append(ports, servicePort{Port: *p})
		}
	}
	if len(ports) > 0 || mode != modeContainer || len(from.tasks) == 0 {
		return ports
	}
	first := from.tasks[0]
	for _, p := range taskPorts(first.app, networkMode(first.app), first.task) {
		port, ok := assign.port(from.id, p)
		ports = append(ports, servicePort{Port: port, Missing: !ok})
	}
	return ports
}

// taskPorts returns the ports at which a task can be reached; entry k belongs to
// service port k (contract 2.5, 2.7).
func taskPorts(a *App, mode string, t *Task) []int {
	if mode == modeHost || mode == modeBridge {
		if len(t.Ports) > 0 {
			return t.Ports
		}
		if ports := definedPorts(a); len(ports) > 0 {
			return ports
		}
		if mode == modeHost {
			return nil
		}
	} else if len(a.IPPerTask.Ports) > 0 {
		return a.IPPerTask.Ports
	}
	var ports []int
	for _, m := range portMappings(a) {
		if m.ContainerPort != nil {
			ports = append(ports, *m.ContainerPort)
		}
	}
	return ports
}

func definedPorts(a *App) []int {
	var ports []int
	for _, d := range a.PortDefinitions {
		if d.Port != nil {
			ports = append(ports, *d.Port)
		}
	}
	return ports
}

// owners returns, for each place of the list, the place whose labels define the
// service: the last one that has the same port (K4). A missing port owns nothing:
// -1.
func owners(ports []servicePort) []int {
	last := make(map[int]int, len(ports))
	for k, p := range ports {
		if !p.Missing {
			last[p.Port] = k
		}
	}
	owner := make([]int, len(ports))
	for k, p := range ports {
		switch {
		case p.Missing:
			owner[k] = -1
		case p.Name != "":
			owner[k] = k
		default:
			owner[k] = last[p.Port]
		}
	}
	return owner
}

// portProblems reports what is odd about an app's list of service ports and yet
// kept as it is (K2, K4), and what could not be assigned.
func portProblems(a *App, ports []servicePort, owner []int) []discovery.Problem {
	var problems []discovery.Problem
	mode := networkMode(a)
	if mode == modeContainer || mode == modeBridge {
		given := 0
		for _, m := range portMappings(a) {
			if m.ServicePort != nil {
				given++
			}
		}
		if missing := len(portMappings(a)) - given; given > 0 && missing > 0 {
			problems = append(problems, discovery.Problem{
				App: a.ID, PortIndex: -1, Reason: reasonMissingPort,
				Detail: fmt.Sprintf("%d port mappings have no service port; the indexes of later ones move up, "+
					"in labels and in the pairing with task ports", missing),
			})
		}
	}
	for k, p := range ports {
		switch {
		case p.Missing:
			problems = append(problems, discovery.Problem{
				App: a.ID, PortIndex: k, Reason: reasonNoPort,
				Detail: "there is no service port for this task port; it is left out",
			})
		case owner[k] != k:
			problems = append(problems, discovery.Problem{
				App: a.ID, PortIndex: k, Reason: reasonRepeatedPort,
				Detail: fmt.Sprintf("service port %d is listed again at index %d, whose labels define the service; "+
					"the task ports of both serve it", p.Port, owner[k]),
			})
		}
	}
	return problems
}
