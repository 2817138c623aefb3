package marathonsim

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// TaskInfo is what is known about a task at one moment.
type TaskInfo struct {
	// ID, App and Version are those of the API.
	ID, App, Version string
	// State is a state of Mesos, such as TASK_RUNNING.
	State string
	// Agent is the name that the API reports as host, Address the loopback address
	// on which the task really listens.
	Agent, Address string
	// Ports are the host ports, or the ports at the task's own address when it has
	// no host port.
	Ports []int
	// Healthy is Marathon's verdict over all health checks; nil means unknown.
	Healthy *bool
	// Ready says that the task runs and, if the app has health checks, passes them.
	Ready bool
}

// Addr returns host:port of the i-th port, where the task really listens.
func (t TaskInfo) Addr(i int) string {
	return net.JoinHostPort(t.Address, strconv.Itoa(t.Ports[i]))
}

// Apps returns the ids of all apps in the order of the API.
func (c *Cluster) Apps() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, 0, len(c.order))
	for _, a := range c.order {
		if a.def.Pod == nil {
			out = append(out, a.id)
		}
	}
	return out
}

// Tasks returns the tasks of an app as the API lists them.
func (c *Cluster) Tasks(app string) []TaskInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.apps[app]
	if a == nil {
		return nil
	}
	var out []TaskInfo
	for _, t := range a.tasks {
		if !t.listed(c.features) {
			continue
		}
		info := TaskInfo{
			ID: t.id, App: a.id, Version: t.def.Version, State: t.state, Agent: t.agent.Name, Address: t.agent.Address,
			Ports: append([]int(nil), t.ports...), Healthy: t.healthy, Ready: t.ready(),
		}
		if t.ownIP && len(t.ports) == 0 {
			info.Address, info.Ports = t.ips[0], t.def.containerPorts()
		}
		out = append(out, info)
	}
	return out
}

// Ready returns the tasks of an app that run and pass their health checks.
func (c *Cluster) Ready(app string) []TaskInfo {
	var out []TaskInfo
	for _, t := range c.Tasks(app) {
		if t.Ready {
			out = append(out, t)
		}
	}
	return out
}

// Deploying reports whether a deployment is running.
func (c *Cluster) Deploying() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.deployments) > 0
}

// WaitRunning waits until the app has exactly n tasks, all of them ready, and no
// deployment touches it, and returns them.
func (c *Cluster) WaitRunning(ctx context.Context, app string, n int) ([]TaskInfo, error) {
	var tasks []TaskInfo
	err := c.Wait(ctx, func() bool {
		tasks = c.Ready(app)
		return len(tasks) == n && c.settled(app, n)
	})
	if err != nil {
		return nil, fmt.Errorf("app %s has %d of %d tasks: %w", app, len(tasks), n, err)
	}
	return tasks, nil
}

// WaitIdle waits until no deployment is running.
func (c *Cluster) WaitIdle(ctx context.Context) error {
	return c.Wait(ctx, func() bool { return !c.Deploying() })
}

// settled reports whether the app has n tasks and no deployment. An app that does
// not exist has none.
func (c *Cluster) settled(app string, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.apps[app]
	if a == nil {
		return n == 0
	}
	tasks := len(a.tasks)
	for _, t := range a.tasks {
		if t.reserved {
			tasks--
		}
	}
	return tasks == n && a.deployment == nil
}
