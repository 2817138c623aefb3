package marathon

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// readinessInterval is how often an app is read of which a task is not ready yet: no event
// tells when it is (Marathon's readiness checks).
const readinessInterval = 2 * time.Second

// length is how many elements a list has; what is no list has none.
type length int

// UnmarshalJSON counts the elements.
func (l *length) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	_ = json.Unmarshal(data, &list) // a member that decides little costs no app
	*l = length(len(list))
	return nil
}

// readinessResults says of tasks whether they are ready.
type readinessResults map[string]bool

// UnmarshalJSON reads what is there to read.
func (r *readinessResults) UnmarshalJSON(data []byte) error {
	var list []struct {
		Task  string `json:"taskId"`
		Ready bool   `json:"ready"`
	}
	_ = json.Unmarshal(data, &list)
	*r = nil
	for _, result := range list {
		if *r == nil {
			*r = readinessResults{}
		}
		(*r)[result.Task] = result.Ready
	}
	return nil
}

// readiness remembers what readiness checks said, because Marathon knows it only while
// the deployment runs that started the task.
type readiness struct {
	// ready are tasks that were ready once.
	ready map[string]bool
	// waiting are the apps of which a task is not ready.
	waiting map[string]bool
}

// restore takes in that a task was served by an earlier process.
func (r *readiness) restore(task string) {
	if r.ready == nil {
		r.ready, r.waiting = map[string]bool{}, map[string]bool{}
	}
	r.ready[task] = true
}

// observe takes in all apps, and forgets tasks that are not among theirs.
func (r *readiness) observe(apps []App) {
	was := r.ready
	r.ready, r.waiting = map[string]bool{}, map[string]bool{}
	for i := range apps {
		for _, t := range apps[i].Tasks {
			if was[t.ID] && apps[i].ReadinessChecks > 0 {
				r.ready[t.ID] = true
			}
		}
	}
	r.note(apps)
}

// note takes in some apps.
func (r *readiness) note(apps []App) {
	if r.ready == nil {
		r.ready, r.waiting = map[string]bool{}, map[string]bool{}
	}
	for i := range apps {
		a := &apps[i]
		delete(r.waiting, a.ID)
		for k := range a.Tasks {
			t := &a.Tasks[k]
			switch {
			case a.ReadinessChecks == 0, idle(t.State):
			case r.is(a, t):
				r.ready[t.ID] = true
			default:
				r.waiting[a.ID] = true
			}
		}
	}
}

// is reports whether a task may be served. Results are there only for tasks that the
// running deployment started, and a moment after they run: a task of the app's present
// version without one is not ready while a deployment runs, any other one is. What was
// ready once stays so: no result is no bad one.
func (r *readiness) is(a *App, t *Task) bool {
	ready, known := a.ReadinessResults[t.ID]
	switch {
	case a.ReadinessChecks == 0 || r.ready[t.ID]:
		return true
	case known:
		return ready
	}
	return a.Deployments == 0 || t.Version != a.Version
}

// Waiting returns the apps, sorted, of which a task is kept out until it is ready: no
// event tells when.
func (d *Deriver) Waiting() []string { return slices.Sorted(maps.Keys(d.ready.waiting)) }
