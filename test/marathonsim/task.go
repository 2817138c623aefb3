package marathonsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"mlb/test/marathonsim/launcher"
)

// The states of a task.
const (
	stateStaging     = "TASK_STAGING"
	stateStarting    = "TASK_STARTING"
	stateRunning     = "TASK_RUNNING"
	stateKilling     = "TASK_KILLING"
	stateKilled      = "TASK_KILLED"
	stateFailed      = "TASK_FAILED"
	stateFinished    = "TASK_FINISHED"
	stateUnreachable = "TASK_UNREACHABLE"
	stateLost        = "TASK_LOST"
)

// defaultGrace is Mesos' time between SIGTERM and SIGKILL.
const defaultGrace = 3 * time.Second

// task is one task of an app. Its fields are guarded by Cluster.mu unless they
// never change.
type task struct {
	id       string
	instance string
	app      *appState
	def      *definition
	created  time.Time

	agent    *agentState // nil while scheduled
	ports    []int
	ips      []string // from the start; shown once running
	ownIP    bool     // the task binds the addresses
	state    string   // "" while scheduled
	staged   time.Time
	started  time.Time
	terminal bool // ended, listed until it is replaced
	inactive bool // unreachable for long: replaced beside, without ports
	expunged bool

	killing  bool
	killSoon chan struct{} // closed when the task is to be killed
	gone     chan struct{} // closed when the task has ended
	process  launcher.Process

	home     *agentState // where a resident task must run; nil: anywhere
	attempt  int         // of the instance, from 1
	reserved bool        // nothing but the reservation is left of a resident task

	deployment *deployment      // the one that started the task, if one did
	readiness  *readinessResult // nil: nothing known

	results  []*healthResult // by check; nil: nothing known
	healthy  *bool           // of all checks, nil: unknown
	override *bool           // what Marathon's probes are made to say

	json []byte // as the API shows it; nil: to be made again
}

// newTask creates a task of the app's version and starts its life. c.mu is held.
func (c *Cluster) newTask(a *appState, def *definition) {
	id, err := uuid.NewUUID()
	if err != nil {
		panic(err) // only without a source of random numbers
	}
	name := strings.ReplaceAll(strings.TrimPrefix(a.id, "/"), "/", "_")
	t := &task{
		app: a, def: def, created: time.Now(), deployment: a.deployment, attempt: 1,
		killSoon: make(chan struct{}), gone: make(chan struct{}), results: make([]*healthResult, len(def.HealthChecks)),
	}
	switch {
	case def.Pod != nil:
		t.instance = name + ".instance-" + id.String()
		t.id = t.instance
	case c.features.instanceTasks:
		t.instance = name + ".instance-" + id.String()
		t.id = t.instance + "._app.1"
	default:
		t.instance = name + ".marathon-" + id.String()
		t.id = name + "." + id.String()
	}
	if old := c.reservation(a); old != nil {
		t.inherit(old, c.features)
	}
	a.tasks = append(a.tasks, t)
	c.taskIndex[t.id] = t
	if c.features.scheduledEvents {
		c.instanceChanged(t, "Scheduled")
	}
	c.goroutine(func() { c.live(t) })
}

// live is the life of a task, from its placement to its end.
func (c *Cluster) live(t *task) {
	listeners, ok := c.place(t)
	if !ok {
		c.end(t, stateKilled, "")
		return
	}
	if !c.pause(t, c.options.LaunchDelay) || !c.report(t, func() { c.setState(t, stateStarting, "") }) {
		closeAll(listeners)
		c.end(t, stateKilled, "")
		return
	}
	process, err := c.startProcess(t, listeners)
	if err != nil {
		c.end(t, stateFailed, err.Error())
		return
	}
	var done <-chan struct{} // nil for tasks that nobody serves
	if process != nil {
		done = process.Done()
	}
	c.pause(t, c.options.LaunchDelay)
	c.report(t, func() {
		if t.killing {
			return
		}
		t.started = time.Now()
		c.setState(t, stateRunning, "")
		c.check(t)
		c.checkReadiness(t)
	})
	c.await(t, process, done)
}

// await waits for the end of a process and for the order to end it.
func (c *Cluster) await(t *task, process launcher.Process, done <-chan struct{}) {
	select {
	case <-done:
		exit := process.Exit()
		state := stateFailed
		if exit.Code == 0 {
			state = stateFinished
		}
		c.end(t, state, exit.Message)
		return
	case <-c.ctx.Done():
	case <-t.killSoon:
		c.sleep(c.options.KillDelay)
	}
	message := "Container exited with status 143"
	if process != nil {
		if c.ctx.Err() != nil {
			process.Crash()
		} else {
			c.report(t, func() { c.announceKill(t) })
			process.Stop(t.grace())
		}
		select {
		case <-done:
		case <-c.ctx.Done():
			process.Crash()
			<-done
		}
		message = process.Exit().Message
	} else if c.ctx.Err() == nil {
		c.report(t, func() { c.announceKill(t) })
		c.sleep(c.options.LaunchDelay)
	}
	c.end(t, stateKilled, message)
}

// announceKill shows that the task is being killed. c.mu is held.
func (c *Cluster) announceKill(t *task) {
	if c.features.killingState {
		c.setState(t, stateKilling, "")
	}
}

func (t *task) grace() time.Duration {
	if t.def.KillGrace == nil {
		return defaultGrace
	}
	return time.Duration(float64(*t.def.KillGrace) * float64(time.Second))
}

// pause waits and reports false when the task is to end before it began.
func (c *Cluster) pause(t *task, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.killSoon:
	case <-c.ctx.Done():
	}
	return false
}

// place finds an agent with room and binds the task's ports. It tries until it
// succeeds, as a task waits for an offer, and reports false when the task is to
// end before.
func (c *Cluster) place(t *task) ([]net.Listener, bool) {
	tried := map[*agentState]bool{}
	for {
		c.mu.Lock()
		agent := c.pick(t, tried)
		c.mu.Unlock()
		if agent == nil {
			clear(tried)
			if !c.pause(t, 50*time.Millisecond) {
				return nil, false
			}
			continue
		}
		ports, listeners, err := agent.reserve(c.ctx, t.def.hostPorts())
		if err != nil {
			tried[agent] = true
			c.unpick(t, agent)
			continue
		}
		own, err := c.bindOwn(t)
		if err != nil {
			closeAll(listeners)
			agent.release(ports)
			tried[agent] = true
			c.unpick(t, agent)
			continue
		}
		ok := c.report(t, func() { c.placed(t, agent, ports) })
		if !ok {
			closeAll(append(listeners, own...))
			agent.release(ports)
			c.unpick(t, agent)
			return nil, false
		}
		return append(listeners, own...), true
	}
}

// pick chooses the agent with the fewest tasks of the app, then the fewest tasks,
// and counts the task there. c.mu is held.
func (c *Cluster) pick(t *task, not map[*agentState]bool) *agentState {
	var best *agentState
	for _, a := range c.agents {
		if not[a] || a.lost || t.home != nil && t.home != a {
			continue
		}
		if best == nil || a.perApp[t.app.id] < best.perApp[t.app.id] ||
			a.perApp[t.app.id] == best.perApp[t.app.id] && a.tasks < best.tasks {
			best = a
		}
	}
	if best != nil {
		best.tasks++
		best.perApp[t.app.id]++
	}
	return best
}

func (c *Cluster) unpick(t *task, a *agentState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(t, a)
}

// leave takes the task out of the agent's counts. c.mu is held.
func (c *Cluster) leave(t *task, a *agentState) {
	a.tasks--
	if a.perApp[t.app.id]--; a.perApp[t.app.id] == 0 {
		delete(a.perApp, t.app.id)
	}
}

// placed notes where the task is. c.mu is held.
func (c *Cluster) placed(t *task, a *agentState, ports []int) {
	t.agent, t.ports, t.staged, t.state = a, ports, time.Now(), stateStaging
	switch t.def.mode() {
	case modeHost:
		t.ips = []string{a.Address}
	case modeBridge:
		a.bridgeIP++
		t.ips = []string{fmt.Sprintf("172.17.%d.%d", a.bridgeIP/250%256, a.bridgeIP%250+2)}
	}
	t.json = nil
	if c.features.scheduledEvents {
		c.instanceChanged(t, "Provisioned")
	} else {
		c.instanceChanged(t, "Created")
	}
	if c.features.launchUpdate {
		c.statusUpdate(t, "")
	}
	c.changed()
}

// bindOwn binds the ports of a task that has an address of its own.
func (c *Cluster) bindOwn(t *task) ([]net.Listener, error) {
	if t.def.mode() != modeContainer {
		return nil, nil
	}
	c.mu.Lock()
	t.ips, t.ownIP = nil, true
	for range t.def.Networks {
		t.ips = append(t.ips, c.newTaskIP())
	}
	c.mu.Unlock()
	if c.options.Unserved {
		return nil, nil
	}
	var listeners []net.Listener
	for _, ip := range t.ips {
		for _, port := range t.def.containerPorts() {
			var lc net.ListenConfig
			l, err := lc.Listen(c.ctx, "tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
			if err != nil {
				closeAll(listeners)
				return nil, fmt.Errorf("bind port %d of task %s: %w", port, t.id, err)
			}
			listeners = append(listeners, l)
		}
	}
	return listeners, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close() // nothing can be done about one that does not close
	}
}

// startProcess hands the task to the launcher. It returns nil when nobody serves
// the task.
func (c *Cluster) startProcess(t *task, listeners []net.Listener) (launcher.Process, error) {
	if c.options.Unserved {
		return nil, nil
	}
	spec := launcher.Task{
		ID: t.id, App: t.app.id, Version: t.def.Version, Agent: t.agent.Name, Address: t.agent.Address,
		Listeners: listeners, Ports: append([]int(nil), t.ports...), Image: t.def.image(), Args: t.def.Args,
		Env: t.environment(),
	}
	if t.ownIP && len(t.ports) == 0 {
		spec.Address, spec.Ports = t.ips[0], t.def.containerPorts()
	}
	if t.def.Cmd != nil {
		spec.Cmd = *t.def.Cmd
	}
	for _, a := range t.def.Fetch {
		spec.URIs = append(spec.URIs, a.URI)
	}
	if t.def.Container != nil && t.def.Container.Docker != nil {
		for _, p := range t.def.Container.Docker.Parameters {
			spec.Parameters = append(spec.Parameters, launcher.Parameter(p))
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
	defer cancel()
	process, err := c.launcher.Start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	if process == nil {
		return nil, errors.New("launch: the launcher returned no process")
	}
	c.mu.Lock()
	t.process = process
	c.mu.Unlock()
	return process, nil
}
