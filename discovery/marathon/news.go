package marathon

import (
	"slices"
	"strings"
	"time"
)

// News is what an event says beside the app that it is about, if that can be held against
// what was read of the app last. Marathon tells most things twice or more often, and
// once they have been read another reading brings nothing. The zero value says that
// the app has to be read.
type News struct {
	// Task is the ID of a task, Instance that of the instance that it belongs to;
	// one of them is enough. Serves says that the task runs, else it has not begun to, or
	// has ended.
	Task, Instance string
	Serves         bool
	// Over says that what was announced about the app is done. Each part of it came with
	// an event of its own.
	Over bool
	// Gone says that the app has been deleted and its last task has ended.
	Gone bool
}

// told is news as it is kept.
type told struct {
	News
	// announced is when what is over was announced; zero if that was missed.
	announced time.Time
}

// mostNews is how much about one app is kept: one about which there is more is read.
const mostNews = 32

// look is what the last reading of an app by itself showed.
type look struct {
	began time.Time
	tasks []lookedAt
}

// lookedAt is a task as it was read.
type lookedAt struct {
	id     string
	serves bool
	// whole says that its running was read with all that it brings: Marathon tells of some
	// tasks that they run before it knows their address, of one that was unreachable that it
	// runs again, and of a container of a pod once more when its health changes.
	whole bool
}

// newLook takes down what an answer about an app shows. One that was not read, as it is
// the same as before, shows what that showed.
func newLook(before look, a Answer) look {
	l := look{began: a.Began, tasks: before.tasks}
	for _, app := range a.Apps {
		l.tasks = make([]lookedAt, 0, len(app.Tasks))
		own := !app.isPod() && !byHost(networkMode(&app))
		for _, t := range app.Tasks {
			whole := (t.State == "TASK_RUNNING" || t.State == "") && !t.Degraded && (!own || len(t.IPAddresses) > 0)
			l.tasks = append(l.tasks, lookedAt{t.ID, !idle(t.State), whole})
			for _, p := range t.Endpoints {
				l.tasks = append(l.tasks, lookedAt{p.Container, !idle(p.State), false})
			}
		}
	}
	return l
}

// has reports whether a reading showed all that is news.
func (l look) has(news []told) bool {
	return !l.began.IsZero() && len(news) > 0 && !slices.ContainsFunc(news, func(n told) bool { return !l.shows(n) })
}

func (l look) shows(n told) bool {
	switch {
	case n.Gone:
		return false
	case n.Over:
		return !n.announced.IsZero() && l.began.After(n.announced)
	}
	of := func(t lookedAt) bool { return t.serves && n.about(t.id) }
	if n.Serves {
		return slices.ContainsFunc(l.tasks, func(t lookedAt) bool { return of(t) && t.whole })
	}
	return !slices.ContainsFunc(l.tasks, of)
}

// listing is which apps the last reading of all had, and how many documents.
type listing struct {
	began time.Time
	count int
	apps  map[string]struct{}
}

func newListing(a Answer) listing {
	l := listing{a.Began, len(a.Apps), make(map[string]struct{}, len(a.Apps))}
	for i := range a.Apps {
		l.apps[a.Apps[i].ID] = struct{}{}
	}
	return l
}

// lacks reports whether an app was not there any more and the news are about its end:
// events about the tasks of a deleted app come for as long as these take to end.
func (l listing) lacks(app string, news []told) bool {
	_, there := l.apps[app]
	return !there && l.apps != nil && len(news) > 0 && !slices.ContainsFunc(news, func(n told) bool {
		if n.Over {
			return n.announced.IsZero() || !l.began.After(n.announced)
		}
		return n.Serves
	})
}

// about reports whether the news is about a task. The instance of the task app.UUID is
// app.marathon-UUID up to Marathon 1.7; later ones call the tasks of an instance
// app.instance-UUID._app.1 and so on.
func (n News) about(task string) bool {
	return n.Task == task || n.Instance != "" &&
		(strings.HasPrefix(task, n.Instance+".") || strings.Replace(n.Instance, ".marathon-", ".", 1) == task)
}

// news returns what the event says beside the app. What it says about a task that is
// lost or unreachable, or in a state that nobody knows yet, may be anything.
func (e event) news() News {
	switch e.Type {
	case "status_update_event":
		if serves, known := serving(e.TaskStatus); known && e.TaskID != "" {
			return News{Task: e.TaskID, Serves: serves}
		}
	case "instance_changed_event":
		if serves, known := serving("TASK_" + strings.ToUpper(e.Condition)); known && e.InstanceID != "" {
			return News{Instance: e.InstanceID, Serves: serves}
		}
	case "deployment_success":
		return News{Over: true}
	case "app_terminated_event":
		return News{Gone: true}
	}
	return News{}
}

// serving says whether a task in a state is served, of the states about which there is
// no doubt. An instance that is scheduled, provisioned, reserved or created has not
// begun to.
func serving(state string) (serves, known bool) {
	switch state {
	case "TASK_RUNNING":
		return true, true
	case "TASK_UNKNOWN":
		return false, false
	case "TASK_SCHEDULED", "TASK_PROVISIONED", "TASK_RESERVED", "TASK_CREATED":
		return false, true
	}
	return false, idle(state)
}
