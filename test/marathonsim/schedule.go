package marathonsim

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// appState is an app and its tasks. Its fields are guarded by Cluster.mu.
type appState struct {
	id       string
	def      *definition            // as the API shows it
	versions map[string]*definition // all versions it had
	tasks    []*task                // in the order of their creation

	launch     *definition // what new tasks are made of
	target     int         // how many tasks the scheduler keeps
	restarting bool        // tasks of other configurations are to be replaced
	deployment *deployment // the one that touches the app now

	failures  int       // in a row
	notBefore time.Time // no launch before
	unready   bool      // readiness checks fail
	waiting   bool      // a timer will reconcile the app at notBefore
	lastFail  *failureJSON
}

// failureJSON is lastTaskFailure.
type failureJSON struct {
	AppID     string `json:"appId"`
	Host      string `json:"host"`
	Message   string `json:"message"`
	State     string `json:"state"`
	TaskID    string `json:"taskId"`
	Timestamp string `json:"timestamp"`
	Version   string `json:"version"`
	SlaveID   string `json:"slaveId"`
}

// report runs f with c.mu held as soon as there is a leader to hear it, as agents
// repeat a status until it is acknowledged. It reports false when the cluster was
// closed before.
func (c *Cluster) report(t *task, f func()) bool {
	for {
		c.mu.Lock()
		if c.ctx.Err() != nil {
			c.mu.Unlock()
			return false
		}
		if c.publishing {
			f()
			t.json = nil
			c.touch(t.app)
			c.mu.Unlock()
			return true
		}
		change := c.change
		c.mu.Unlock()
		select {
		case <-change:
		case <-c.ctx.Done():
		}
	}
}

// touch lets everything follow that depends on the tasks of the app. c.mu is held.
func (c *Cluster) touch(a *appState) {
	c.reconcile(a)
	if a.deployment != nil {
		c.advance(a.deployment)
	}
	c.changed()
}

// setState changes a task's state and announces it. c.mu is held.
func (c *Cluster) setState(t *task, state, message string) {
	t.state = state
	t.json = nil
	c.statusUpdate(t, message)
	c.instanceChanged(t, condition(state))
}

// end notes that a task has ended and gives back what it had.
func (c *Cluster) end(t *task, state, message string) {
	close(t.gone)
	if t.agent != nil {
		t.agent.release(t.ports)
	}
	c.report(t, func() {
		if t.agent != nil {
			c.leave(t, t.agent)
			if t.expunged {
				c.unknownTerminated(t, state)
				return
			}
			c.setState(t, state, message)
		}
		t.killing = true
		failed := state == stateFailed || state == stateFinished
		if failed {
			c.noteFailure(t, message)
		}
		if t.agent != nil && t.def.resident() && c.apps[t.app.id] == t.app {
			c.reserve(t)
			return
		}
		if !failed {
			c.remove(t)
			return
		}
		if c.features.listTerminal && state == stateFailed && c.apps[t.app.id] == t.app {
			t.terminal = true
			t.forgetResults(c.features)
			return
		}
		c.remove(t)
	})
}

// remove takes a task out of the list. c.mu is held.
func (c *Cluster) remove(t *task) {
	delete(c.taskIndex, t.id)
	t.app.tasks = slices.DeleteFunc(t.app.tasks, func(o *task) bool { return o == t })
}

// noteFailure delays the next launch: the first failure by backoffSeconds, each
// further one by backoffFactor more. A task that lived ten times as long ends the
// row. c.mu is held.
func (c *Cluster) noteFailure(t *task, message string) {
	a := t.app
	if !t.started.IsZero() && time.Since(t.started) > 10*c.backoff(a, max(a.failures, 1)) {
		a.failures = 0
	}
	a.failures++
	a.notBefore = time.Now().Add(c.backoff(a, a.failures))
	a.lastFail = &failureJSON{
		AppID: a.id, Message: message, State: t.state, TaskID: t.id,
		Timestamp: formatTime(time.Now()), Version: t.def.Version,
	}
	if t.agent != nil {
		a.lastFail.Host, a.lastFail.SlaveID = t.agent.Name, t.agent.id
	}
}

func (c *Cluster) backoff(a *appState, failures int) time.Duration {
	seconds := a.def.Backoff * math.Pow(a.def.BackoffFactor, float64(failures-1))
	return c.options.scaled(min(seconds, float64(a.def.MaxDelay)))
}

// active returns the tasks that count as running or about to run.
func (a *appState) active() []*task {
	var out []*task
	for _, t := range a.tasks {
		if !t.killing && !t.terminal && !t.inactive {
			out = append(out, t)
		}
	}
	return out
}

// alive returns the number of tasks that have not ended.
func (a *appState) alive() int {
	n := 0
	for _, t := range a.tasks {
		if !t.terminal {
			n++
		}
	}
	return n
}

// ready reports whether the task counts for a deployment.
func (t *task) ready() bool {
	return t.state == stateRunning && !t.killing && (len(t.def.HealthChecks) == 0 || t.healthy != nil && *t.healthy)
}

// reconcile launches and kills until the app has what it should have. c.mu is
// held.
func (c *Cluster) reconcile(a *appState) {
	if c.leader < 0 || c.ctx.Err() != nil {
		return
	}
	if a.restarting {
		c.replace(a)
		return
	}
	active := a.active()
	if surplus := len(active) - a.target; surplus > 0 {
		for _, t := range victims(active, a.def.KillSelection)[:surplus] {
			c.kill(t)
		}
	}
	if len(active) >= a.target {
		c.forgetTerminal(a)
	}
	c.launchUpTo(a, a.target-len(active))
}

// forgetTerminal removes the ended tasks that waited to be replaced. c.mu is held.
func (c *Cluster) forgetTerminal(a *appState) {
	for _, t := range slices.Clone(a.tasks) {
		if t.terminal && !t.reserved {
			c.remove(t)
		}
	}
}

// replace is a rolling deployment, Marathon facts 4.1 and 8.15: as many old tasks
// stay as minimumHealthCapacity asks for, new ones start as maximumOverCapacity
// allows, and each healthy new one replaces an old one. c.mu is held.
func (c *Cluster) replace(a *appState) {
	var old, fresh []*task
	healthy := 0
	for _, t := range a.active() {
		if t.def.ConfigChange != a.launch.ConfigChange {
			old = append(old, t)
			continue
		}
		fresh = append(fresh, t)
		if t.ready() && t.passed() {
			healthy++
		}
	}
	upgrade := a.launch.Upgrade
	minimum := int(math.Ceil(float64(a.target) * float64(upgrade.MinimumHealthCapacity)))
	maximum := int(math.Floor(float64(a.target) * (1 + float64(upgrade.MaximumOverCapacity))))
	if minimum == maximum { // without room for one more or less nothing could ever be replaced
		if a.launch.resident() {
			minimum--
		} else {
			maximum++
		}
	}
	if surplus := len(old) - max(minimum-healthy, 0); surplus > 0 {
		for _, t := range victims(old, a.def.KillSelection)[:surplus] {
			c.kill(t)
		}
		old = old[surplus:]
	}
	if surplus := len(fresh) - a.target; surplus > 0 {
		for _, t := range victims(fresh, a.def.KillSelection)[:surplus] {
			c.kill(t)
		}
	}
	c.launchUpTo(a, min(maximum-len(old)-len(fresh), a.target-len(fresh)))
}

// victims orders tasks by how gladly they are killed: those that do not run
// first, then by the app's kill selection.
func victims(tasks []*task, selection string) []*task {
	out := slices.Clone(tasks)
	slices.SortStableFunc(out, func(x, y *task) int {
		if x.ready() != y.ready() {
			if x.ready() {
				return 1
			}
			return -1
		}
		order := cmp.Compare(x.created.UnixNano(), y.created.UnixNano())
		if selection == "OLDEST_FIRST" {
			return order
		}
		return -order
	})
	return out
}

// launchUpTo creates n tasks, now or when the backoff is over. c.mu is held.
func (c *Cluster) launchUpTo(a *appState, n int) {
	if n > 0 && a.launch.resident() {
		n -= a.ending() // their places are taken when they have ended
	}
	if n <= 0 {
		return
	}
	if wait := time.Until(a.notBefore); wait > 0 {
		if !a.waiting {
			a.waiting = true
			c.after(wait, func() {
				a.waiting = false
				c.touch(a)
			})
		}
		return
	}
	c.forgetTerminal(a)
	for range n {
		c.newTask(a, a.launch)
	}
}

// kill asks for the end of a task. c.mu is held.
func (c *Cluster) kill(t *task) {
	if t.terminal {
		c.remove(t)
		return
	}
	if t.killing {
		return
	}
	t.killing = true
	t.json = nil
	if c.features.scheduledEvents && t.agent != nil { // the goal has changed, the condition has not
		c.instanceChanged(t, condition(t.state))
	}
	close(t.killSoon)
}
