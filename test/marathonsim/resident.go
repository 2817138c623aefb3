package marathonsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Resident tasks have volumes on their agent: what is left of an instance when its
// task has ended is a reservation, and the next task starts there, as a further
// attempt of the same instance (Marathon facts 4.2).

// volume is a persistent volume of a container.
type volume struct {
	Path       string          `json:"containerPath"`
	Persistent json.RawMessage `json:"persistent"`
}

// localVolume is a volume as tasks show it.
type localVolume struct {
	App  string `json:"runSpecId,omitempty"`
	Path string `json:"containerPath"`
	UUID string `json:"uuid,omitempty"`
	ID   string `json:"persistenceId"`
}

// persistent returns where the app's persistent volumes are mounted. An app with
// residency has one, whatever it says.
func (d *definition) persistent() []string {
	var paths []string
	if d.Container != nil && len(d.Container.Volumes) > 2 { // not even []
		var volumes []volume
		_ = json.Unmarshal(d.Container.Volumes, &volumes) // volumes of other kinds have other fields
		for _, v := range volumes {
			if len(v.Persistent) > 0 && !isNull(v.Persistent) {
				paths = append(paths, v.Path)
			}
		}
	}
	if len(paths) == 0 && len(d.Residency) > 0 && !isNull(d.Residency) {
		paths = []string{"data"}
	}
	return paths
}

// resident reports whether tasks stay where their volumes are.
func (d *definition) resident() bool { return len(d.persistent()) > 0 }

// parseResidency fills in what differs for resident apps.
func parseResidency(d *definition, in fields, _ features) error {
	if !d.resident() {
		return nil
	}
	if len(d.Residency) == 0 {
		d.Residency = json.RawMessage(`{"relaunchEscalationTimeoutSeconds":3600,"taskLostBehavior":"WAIT_FOREVER"}`)
	}
	if !in.has("upgradeStrategy") && d.Upgrade == (upgradeStrategy{1, 1}) {
		d.Upgrade = upgradeStrategy{0.5, 0}
	}
	if !in.has("unreachableStrategy") {
		d.Unreachable = json.RawMessage(`"disabled"`)
	}
	return nil
}

// reserve keeps what a resident task leaves behind. c.mu is held.
func (c *Cluster) reserve(t *task) {
	t.terminal, t.reserved = true, true
	t.json = nil
	t.forgetResults(c.features)
	if !c.features.instances {
		t.state = stateStaging // that is how it looks
	}
}

// reservation takes a reservation of the app out of the list, or returns nil. c.mu
// is held.
func (c *Cluster) reservation(a *appState) *task {
	i := slices.IndexFunc(a.tasks, func(t *task) bool { return t.reserved && !t.agent.lost })
	if i < 0 {
		return nil
	}
	t := a.tasks[i]
	c.remove(t)
	return t
}

// ending returns how many tasks are being killed.
func (a *appState) ending() int {
	n := 0
	for _, t := range a.tasks {
		if t.killing && !t.terminal {
			n++
		}
	}
	return n
}

// inherit makes a task the next attempt of an instance.
func (t *task) inherit(old *task, f features) {
	t.instance, t.home, t.attempt = old.instance, old.agent, old.attempt+1
	if f.instanceTasks {
		t.id = fmt.Sprintf("%s._app.%d", t.instance, t.attempt)
		return
	}
	first := old.id
	if old.attempt > 1 {
		first = strings.TrimSuffix(first, fmt.Sprintf(".%d", old.attempt))
	}
	t.id = fmt.Sprintf("%s.%d", first, t.attempt)
}

// listed reports whether documents show the task: one that is placed, and
// reservations but in 1.4 to 1.7.
func (t *task) listed(f features) bool {
	return t.agent != nil && t.state != "" && (!t.reserved || !f.instances || f.listTerminal)
}

// localVolumes returns the task's volumes as documents show them.
func (t *task) localVolumes(f features) []localVolume {
	out := []localVolume{}
	for _, path := range t.def.persistent() {
		uuid := t.instance[len(t.instance)-36:]
		v := localVolume{Path: path, ID: strings.ReplaceAll(strings.TrimPrefix(t.app.id, "/"), "/", "_") + "#" + path + "#" + uuid}
		if !t.reserved || f.instances {
			v.App, v.UUID = t.app.id, uuid
		}
		out = append(out, v)
	}
	return out
}
