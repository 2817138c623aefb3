package marathon

import (
	"cmp"
	"slices"
)

// verdictMemory keeps the last verdict on each task, because Marathon forgets:
// after a change of its leader no task has results (contract 2.4, D17). Only
// tasks that are no longer listed are forgotten, least recently listed first,
// and only while there are more than capacity of all: with more listed tasks than
// that the memory grows, since forgetting a listed task would take it out of
// service at the next change of the leader.
type verdictMemory struct {
	capacity int
	pass     uint64
	byTask   map[string]remembered
}

type remembered struct {
	alive bool
	// pass is the last pass that listed the task.
	pass uint64
}

func newVerdictMemory(capacity int) *verdictMemory {
	return &verdictMemory{capacity: capacity, byTask: make(map[string]remembered)}
}

// observe takes in the results of one pass and returns how many verdicts it has
// forgotten.
func (m *verdictMemory) observe(apps []App) int {
	m.pass++
	m.note(apps)
	return m.trim()
}

// note takes in the results of apps beside those of the pass.
func (m *verdictMemory) note(apps []App) {
	for i := range apps {
		if !hasHealthChecks(&apps[i]) {
			continue
		}
		for _, t := range apps[i].Tasks {
			if !apps[i].isPod() {
				m.see(t.ID, t.Results)
			}
			for _, p := range t.Endpoints {
				m.see(p.Container, p.Results)
			}
		}
	}
}

// see takes in the results of one task, that of a pod's container too.
func (m *verdictMemory) see(task string, r Results) {
	v, ok := m.byTask[task]
	if r.Known() {
		v.alive, ok = r.Alive > 0, true
	}
	if ok {
		v.pass = m.pass
		m.byTask[task] = v
	}
}

// trim forgets tasks of earlier passes until capacity is kept or none is left.
func (m *verdictMemory) trim() int {
	surplus := len(m.byTask) - m.capacity
	if surplus <= 0 {
		return 0
	}
	unlisted := m.oldestFirst(func(v remembered) bool { return v.pass != m.pass })
	unlisted = unlisted[:min(surplus, len(unlisted))]
	for _, task := range unlisted {
		delete(m.byTask, task)
	}
	return len(unlisted)
}

// alive returns the last verdict on a task; one never seen is not alive.
func (m *verdictMemory) alive(task string) bool { return m.byTask[task].alive }

// restore takes in that a task was alive in an earlier process, which is older than all
// that was seen in this one and never replaces it. That one was not is the same as that
// it was never seen.
func (m *verdictMemory) restore(task string) {
	if _, ok := m.byTask[task]; !ok {
		m.byTask[task] = remembered{alive: true}
	}
}

// oldestFirst returns the tasks whose entry is wanted, least recently listed
// first. Sorting only those matters: trim wants few of many.
func (m *verdictMemory) oldestFirst(wanted func(remembered) bool) []string {
	var tasks []string
	for task, v := range m.byTask {
		if wanted(v) {
			tasks = append(tasks, task)
		}
	}
	slices.SortFunc(tasks, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.byTask[a].pass, m.byTask[b].pass), cmp.Compare(a, b))
	})
	return tasks
}
