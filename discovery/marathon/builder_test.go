package marathon_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// appOption changes an app under construction.
type appOption func(*marathon.App)

// app builds an app of group external, in host mode unless an option says
// otherwise.
func app(id string, opts ...appOption) marathon.App {
	a := marathon.App{ID: id, Labels: marathon.Labels{"HAPROXY_GROUP": "external"}, Instances: 1}
	for _, opt := range opts {
		opt(&a)
	}
	return a
}

// port adds a port mapping in bridge mode; a negative service port is a missing
// one.
func port(containerPort, servicePort int) appOption {
	return func(a *marathon.App) {
		a.Networks = []*marathon.Network{{Mode: "container/bridge"}}
		mapping(containerPort, servicePort)(a)
	}
}

// mapping adds a port mapping and leaves the network mode alone.
func mapping(containerPort, servicePort int) appOption {
	return func(a *marathon.App) {
		m := marathon.PortMapping{ContainerPort: new(containerPort)}
		if servicePort >= 0 {
			m.ServicePort = new(servicePort)
		}
		a.Container.PortMappings = append(a.Container.PortMappings, m)
	}
}

// definitions sets portDefinitions.
func definitions(ports ...int) appOption {
	return func(a *marathon.App) {
		a.PortDefinitions = []marathon.PortDefinition{}
		for _, p := range ports {
			a.PortDefinitions = append(a.PortDefinitions, marathon.PortDefinition{Port: new(p)})
		}
	}
}

// ports sets the service ports as Marathon up to 1.4 does.
func ports(list ...int) appOption {
	return func(a *marathon.App) {
		for _, p := range list {
			a.Ports = append(a.Ports, new(p))
		}
	}
}

// networks sets the modes of networks.
func networks(modes ...string) appOption {
	return func(a *marathon.App) {
		a.Networks = nil
		for _, m := range modes {
			a.Networks = append(a.Networks, &marathon.Network{Mode: m})
		}
	}
}

// dockerNetwork sets the mode as Marathon up to 1.4 does.
func dockerNetwork(mode string) appOption {
	return func(a *marathon.App) { a.Container.Docker.Network = mode }
}

// perTask makes it an IP-per-task app with the given discovery ports.
func perTask(discoveryPorts ...int) appOption {
	return func(a *marathon.App) { a.IPPerTask = marathon.IPPerTask{Present: true, Ports: discoveryPorts} }
}

// label sets a label.
func label(key, value string) appOption {
	return func(a *marathon.App) { a.Labels[key] = value }
}

// unlabelled takes all labels away.
func unlabelled() appOption {
	return func(a *marathon.App) { a.Labels = marathon.Labels{} }
}

// check adds a health check with Marathon's defaults; options change it.
func check(protocol string, opts ...func(*marathon.HealthCheck)) appOption {
	return func(a *marathon.App) {
		h := &marathon.HealthCheck{
			Protocol: protocol, Path: "/", GracePeriodSeconds: 300,
			IntervalSeconds: 60, TimeoutSeconds: 20, MaxConsecutiveFailures: 3,
		}
		for _, opt := range opts {
			opt(h)
		}
		a.HealthChecks = append(a.HealthChecks, h)
	}
}

func portIndex(n int) func(*marathon.HealthCheck) {
	return func(h *marathon.HealthCheck) { h.PortIndex = new(n) }
}

func fixedPort(n int) func(*marathon.HealthCheck) {
	return func(h *marathon.HealthCheck) { h.Port = n }
}

// task adds a running task with its host ports.
func task(id, host string, hostPorts ...int) appOption {
	return func(a *marathon.App) {
		a.Tasks = append(a.Tasks, marathon.Task{ID: id, Host: host, State: "TASK_RUNNING", Ports: hostPorts})
	}
}

// last changes the task added last.
func last(change func(*marathon.Task)) appOption {
	return func(a *marathon.App) { change(&a.Tasks[len(a.Tasks)-1]) }
}

// state sets the state of the task added last.
func state(word string) appOption { return last(func(t *marathon.Task) { t.State = word }) }

// at gives the task added last addresses of its own.
func at(addresses ...string) appOption {
	return last(func(t *marathon.Task) {
		for _, a := range addresses {
			t.IPAddresses = append(t.IPAddresses, marathon.IPAddress{Address: a})
		}
	})
}

// results gives the task added last health check results.
func results(alive, failing int) appOption {
	return last(func(t *marathon.Task) { t.Results = marathon.Results{Alive: alive, Failing: failing} })
}

// hosts resolves names from a fixed table.
type hosts map[string]string

func (h hosts) ResolveMore(ctx context.Context, names []string) map[string]netip.Addr {
	return h.Resolve(ctx, names)
}

func (h hosts) Resolve(_ context.Context, names []string) map[string]netip.Addr {
	found := make(map[string]netip.Addr)
	for _, name := range names {
		if text, ok := h[name]; ok {
			found[name] = netip.MustParseAddr(text)
		}
	}
	return found
}

// agents are the agents of the sample documents.
func agents() hosts {
	return hosts{"agent-1.example.com": "10.0.1.11", "agent-2.example.com": "10.0.1.12", "agent-1": "10.0.1.11"}
}

// external are the options that most tests use.
func external() marathon.Options {
	return marathon.Options{
		Groups: []string{"external"}, MinServicePort: 10050, MaxServicePort: 10100, VerdictCapacity: 1000,
	}
}

// everything takes apps of all groups and of none.
func everything() marathon.Options {
	opts := external()
	opts.Groups = []string{"*"}
	return opts
}

// derive makes a snapshot of the apps with a deriver that remembers nothing.
func derive(t *testing.T, opts marathon.Options, apps ...marathon.App) discovery.Snapshot {
	t.Helper()
	return snapshot(t, marathon.NewDeriver(opts, agents(), zap.NewNop()), apps...)
}

func snapshot(t *testing.T, d *marathon.Deriver, apps ...marathon.App) discovery.Snapshot {
	t.Helper()
	return discovery.NewSnapshot(d.Derive(t.Context(), apps))
}

// routes shows services as "app#index:port -> address:port ...", which is what
// most rules are about.
func routes(s discovery.Snapshot) []string {
	lines := []string{}
	for _, v := range s.Services {
		var line strings.Builder
		fmt.Fprintf(&line, "%s#%d:%d ->", v.App, v.PortIndex, v.ServicePort)
		for _, e := range v.Endpoints {
			fmt.Fprintf(&line, " %s", netip.AddrPortFrom(e.Address, uint16(e.Port)))
		}
		lines = append(lines, line.String())
	}
	return lines
}

// reasons shows problems as "app#index LABEL: reason".
func reasons(s discovery.Snapshot) []string {
	lines := []string{}
	for _, p := range s.Problems {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s#%d %s", p.App, p.PortIndex, p.Label))+": "+p.Reason)
	}
	return lines
}
