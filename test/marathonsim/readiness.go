package marathonsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// readinessCheck is the check that a deployment asks of each new task, Marathon
// facts 4.1.
type readinessCheck struct {
	Name     string  `json:"name"`
	Protocol string  `json:"protocol"`
	Path     string  `json:"path"`
	PortName string  `json:"portName"`
	Interval float64 `json:"intervalSeconds"`
	Timeout  float64 `json:"timeoutSeconds"`
	Codes    []int   `json:"httpStatusCodesForReady"`
	Preserve bool    `json:"preserveLastResponse"`
}

// readinessResult is what the check has found out about a task.
type readinessResult struct {
	Name     string        `json:"name"`
	TaskID   string        `json:"taskId"`
	Ready    bool          `json:"ready"`
	Response *responseJSON `json:"lastResponse,omitempty"`
}

type responseJSON struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
}

// parseReadinessChecks reads "readinessChecks" and fills in the defaults.
func parseReadinessChecks(d *definition, in fields, _ features) error {
	if !in.has("readinessChecks") {
		return nil
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(in["readinessChecks"], &raws); err != nil || len(raws) > 1 {
		return invalid("/readinessChecks", "a list of at most one")
	}
	d.Readiness = []readinessCheck{}
	for _, raw := range raws {
		r := readinessCheck{
			Name: "readinessCheck", Protocol: "HTTP", Path: "/", PortName: "http-api", Interval: 30, Timeout: 10, Codes: []int{200},
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return invalid("/readinessChecks", err.Error())
		}
		d.Readiness = append(d.Readiness, r)
	}
	return nil
}

// HoldReadiness makes the readiness checks of an app fail, or ends that.
func (c *Cluster) HoldReadiness(app string, hold bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.apps[app]
	if a == nil {
		return fmt.Errorf("app %s does not exist", app)
	}
	a.unready = hold
	return nil
}

// deploying reports whether the task was started by the deployment that touches
// its app now. c.mu is held.
func (t *task) deploying() bool {
	return t.deployment != nil && t.deployment == t.app.deployment
}

// passed reports whether a deployment need not wait for the task's readiness. c.mu
// is held.
func (t *task) passed() bool {
	return len(t.def.Readiness) == 0 || !t.deploying() || t.readiness != nil && t.readiness.Ready
}

// checkReadiness starts the readiness check of a task that runs, if a deployment
// waits for it. c.mu is held.
func (c *Cluster) checkReadiness(t *task) {
	if !c.features.readiness || !t.deploying() {
		return
	}
	for _, r := range t.def.Readiness {
		c.goroutine(func() { c.probeReadiness(t, r) })
	}
}

// probeReadiness probes a task until it is ready or nobody waits for it any more.
// No event tells what it finds.
func (c *Cluster) probeReadiness(t *task, r readinessCheck) {
	for {
		result := c.readinessOf(t, r)
		c.mu.Lock()
		wanted := t.deploying() && t.state == stateRunning && !t.killing
		if wanted {
			t.readiness = result
			c.touch(t.app)
		}
		c.mu.Unlock()
		if !wanted || result.Ready {
			return
		}
		timer := time.NewTimer(max(c.options.scaled(r.Interval), time.Millisecond))
		select {
		case <-timer.C:
		case <-t.gone:
			timer.Stop()
			return
		case <-c.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// readinessOf asks the task once.
func (c *Cluster) readinessOf(t *task, r readinessCheck) *readinessResult {
	c.mu.Lock()
	fails := t.app.unready || t.override != nil && !*t.override
	c.mu.Unlock()
	result := &readinessResult{Name: r.Name, TaskID: t.id}
	if fails || c.options.Unserved {
		result.Ready = !fails
		return result
	}
	index, err := t.def.portNamed(r.PortName)
	if err != nil {
		return result
	}
	address, err := t.healthAddress(healthCheck{PortIndex: &index})
	if err != nil {
		return result
	}
	ctx, cancel := context.WithTimeout(c.ctx, time.Duration(r.Timeout*float64(time.Second)))
	defer cancel()
	response, err := askHTTP(ctx, strings.ToLower(r.Protocol)+"://"+address+"/"+strings.TrimPrefix(r.Path, "/"))
	if err != nil {
		return result
	}
	result.Ready = slices.Contains(r.Codes, response.Status)
	if r.Preserve {
		result.Response = response
	}
	return result
}

// portNamed returns the index of a port by its name.
func (d *definition) portNamed(name string) (int, error) {
	index := slices.IndexFunc(d.Ports, func(p portDefinition) bool { return p.Name == name })
	if d.mode() != modeHost {
		index = slices.IndexFunc(d.mappings(), func(p portMapping) bool { return p.Name == name })
	}
	if index < 0 {
		return 0, errors.New("the app has no port named " + name)
	}
	return index, nil
}

// readinessResults returns what is known about the tasks that the running
// deployment has started. c.mu is held.
func (a *appState) readinessResults() []*readinessResult {
	out := []*readinessResult{}
	for _, t := range a.tasks {
		if t.deploying() && t.readiness != nil {
			out = append(out, t.readiness)
		}
	}
	return out
}
