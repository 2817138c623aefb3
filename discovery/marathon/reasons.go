package marathon

import (
	"iter"
	"maps"
	"strings"

	"mlb/discovery"
)

// reasons are what events said of why an answer may lack what was there. The zero value
// has none.
type reasons struct {
	// apps are being deleted, or have been.
	apps map[string]struct{}
	// tasks no longer run: their IDs, or what these begin with up to a dot.
	tasks map[string]struct{}
}

// note takes in what a hint tells.
func (r *reasons) note(h Hint) {
	for _, app := range h.Gone {
		r.apps = with(r.apps, app)
	}
	if h.Ends != "" {
		r.tasks = with(r.tasks, h.Ends)
	}
}

func with(set map[string]struct{}, member string) map[string]struct{} {
	if set == nil {
		set = map[string]struct{}{}
	}
	set[member] = struct{}{}
	return set
}

// and returns the reasons of both, in sets of its own.
func (r reasons) and(o reasons) reasons {
	return reasons{union(r.apps, o.apps), union(r.tasks, o.tasks)}
}

func union(a, b map[string]struct{}) map[string]struct{} {
	u := make(map[string]struct{}, len(a)+len(b))
	maps.Copy(u, a)
	maps.Copy(u, b)
	return u
}

// about returns the reasons that have to do with what is served: the others excuse nothing.
func (r reasons) about(served []discovery.Service) reasons {
	starts := make(map[string][]string, len(r.apps))
	for app := range r.apps {
		starts[taskPrefix(app)] = append(starts[taskPrefix(app)], app)
	}
	var kept reasons
	for _, s := range served {
		if _, ok := r.apps[s.App]; ok {
			kept.apps = with(kept.apps, s.App)
		}
		for _, e := range s.Endpoints {
			for head := range heads(e.Task) {
				if _, ok := r.tasks[head]; ok {
					kept.tasks = with(kept.tasks, head)
				}
				for _, app := range starts[head] {
					kept.apps = with(kept.apps, app)
				}
			}
		}
	}
	return kept
}

// excuse returns what tells whether there is a reason for which a task may be gone that
// belongs to an app, or to one of a deployment group.
func (r reasons) excuse() func(app, task string) bool {
	starts := make(map[string]struct{}, len(r.apps))
	for app := range r.apps {
		starts[taskPrefix(app)] = struct{}{}
	}
	return func(app, task string) bool {
		if begins(task, r.tasks) {
			return true
		}
		if isTaskOf(task, taskPrefix(app)) {
			_, gone := r.apps[app]
			return gone
		}
		for start := range heads(task) { // which app of the group it is has to be seen from the ID
			if _, gone := starts[start]; gone && isTaskOf(task, start) {
				return true
			}
		}
		return false
	}
}

// taskPrefix returns what the IDs of an app's tasks begin with, up to a dot (Marathon's
// task IDs, all generations). It may be that of another app, too: one with an underscore
// for a slash.
func taskPrefix(app string) string {
	return strings.ReplaceAll(strings.TrimPrefix(app, "/"), "/", "_")
}

// isTaskOf reports whether a task is one of the app whose tasks begin with the prefix,
// and of none whose ID goes on with a dot: app.UUID, app.UUID.2 (on a volume),
// app.marathon-UUID.container, app.instance-UUID._app.1.
func isTaskOf(task, prefix string) bool {
	own, ok := strings.CutPrefix(task, prefix+".")
	if !ok {
		return false
	}
	instance, _, more := strings.Cut(own, ".")
	return !more || isUUID(strings.TrimPrefix(strings.TrimPrefix(instance, "instance-"), "marathon-"))
}

// isUUID reports whether text has the form of a UUID.
func isUUID(text string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(text) != len(form) {
		return false
	}
	for i, c := range []byte(text) {
		if dash := form[i] == '-'; dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

// heads returns a task's ID up to each of its dots, and whole.
func heads(task string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, c := range []byte(task) {
			if c == '.' && !yield(task[:i]) {
				return
			}
		}
		yield(task)
	}
}

// begins reports whether a task's ID begins, up to a dot or its end, with a member of
// the set.
func begins(task string, set map[string]struct{}) bool {
	for head := range heads(task) {
		if _, ok := set[head]; ok {
			return true
		}
	}
	return false
}
