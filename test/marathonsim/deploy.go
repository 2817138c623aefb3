package marathonsim

import (
	"encoding/json"
	"slices"
	"time"

	"go.uber.org/zap"
)

// The actions of a deployment.
const (
	actionStart   = "StartApplication"
	actionScale   = "ScaleApplication"
	actionRestart = "RestartApplication"
	actionStop    = "StopApplication"
)

// deployment carries out one change of the apps, step by step. Its fields are
// guarded by Cluster.mu.
type deployment struct {
	id, version      string
	steps            []step
	step             int
	started          bool // the current step was begun
	over             bool
	apps             []*appState
	before           map[*appState]*definition // what was there, to go back to it
	original, target json.RawMessage           // the root groups, for heavy plans
}

type step []action

type action struct {
	kind string
	app  *appState
	def  *definition
	kill []string // tasks that go first
}

// show returns the step as documents show it.
func (s step) show(f features) stepJSON {
	out := stepJSON{Actions: []actionJSON{}}
	for _, a := range s {
		out.Actions = append(out.Actions, a.show(f))
	}
	return out
}

// plan returns the plan as events show it.
func (d *deployment) plan(f features, original, target json.RawMessage) planJSON {
	p := planJSON{ID: d.id, Original: original, Target: target, Version: d.version, Steps: []stepJSON{}}
	for _, s := range d.steps {
		p.Steps = append(p.Steps, s.show(f))
	}
	return p
}

// advance begins the current step, or ends it and goes on when it is done. c.mu is
// held.
func (c *Cluster) advance(d *deployment) {
	for !d.over && c.publishing && c.ctx.Err() == nil {
		current := d.steps[d.step]
		if !d.started {
			d.started = true
			for _, a := range current {
				c.begin(a)
			}
		}
		if !slices.ContainsFunc(current, func(a action) bool { return !a.done() }) {
			c.finishStep(d)
			continue
		}
		return
	}
}

func (c *Cluster) finishStep(d *deployment) {
	current := d.steps[d.step]
	for _, a := range current {
		switch a.kind {
		case actionRestart:
			a.app.restarting = false
		case actionStop:
			c.publish("app_terminated_event", member{"appId", a.app.id})
		}
	}
	shown := member{"currentStep", current.show(c.features)}
	c.publishDeployment("deployment_step_success", d, shown)
	if d.step+1 < len(d.steps) {
		d.step++
		d.started = false
		c.publishDeployment("deployment_info", d, member{"currentStep", d.steps[d.step].show(c.features)})
		return
	}
	c.close(d)
	c.publishDeployment("deployment_success", d)
	c.log.Info("deployment finished", zap.String("id", d.id))
}

// close ends a deployment, whatever became of it. c.mu is held.
func (c *Cluster) close(d *deployment) {
	d.over = true
	for _, a := range d.apps {
		if a.deployment == d {
			a.deployment = nil
		}
	}
	c.deployments = slices.DeleteFunc(c.deployments, func(o *deployment) bool { return o == d })
	c.changed()
}

// cancelDeployment gives a deployment up; what it did stays. c.mu is held.
func (c *Cluster) cancelDeployment(d *deployment) {
	c.close(d)
	members := []member{}
	if c.features.failureReason {
		members = append(members, member{"reason", "The deployment was cancelled"})
	}
	c.publishDeployment("deployment_failed", d, members...)
}

// begin gives the scheduler the app's new target. c.mu is held.
func (c *Cluster) begin(a action) {
	app := a.app
	if a.def != nil {
		if app.launch == nil || app.launch.ConfigChange != a.def.ConfigChange {
			app.failures, app.notBefore = 0, time.Time{}
		}
		app.launch = a.def
	}
	switch a.kind {
	case actionStart:
		app.target = 0
	case actionScale:
		app.target = a.def.Instances
	case actionRestart:
		app.target = a.def.Instances
		app.restarting = true
	case actionStop:
		app.target, app.restarting = 0, false
	}
	for _, id := range a.kill {
		if t := c.taskIndex[id]; t != nil {
			c.kill(t)
		}
	}
	if a.kind == actionStop {
		for _, t := range slices.Clone(app.tasks) {
			c.kill(t)
		}
	}
	c.reconcile(app)
}

// done reports whether the action has reached its aim. c.mu is held.
func (a action) done() bool {
	switch a.kind {
	case actionStart:
		return true
	case actionStop:
		return a.app.alive() == 0
	}
	ready := 0
	for _, t := range a.app.tasks {
		switch {
		case t.terminal || t.inactive:
		case t.killing, a.kind == actionRestart && t.def.ConfigChange != a.def.ConfigChange:
			return false
		case t.ready() && t.passed():
			ready++
		default:
			return false
		}
	}
	return ready == a.app.target
}
