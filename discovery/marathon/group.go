package marathon

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"mlb/discovery"
)

// Labels of deployment groups (contract 4.2).
const (
	labelGroup         = labelPrefix + "DEPLOYMENT_GROUP"
	labelStartedAt     = labelPrefix + "DEPLOYMENT_STARTED_AT"
	labelTarget        = labelPrefix + "DEPLOYMENT_TARGET_INSTANCES"
	labelNewInstances  = labelPrefix + "DEPLOYMENT_NEW_INSTANCES"
	reasonGroup        = "bad deployment group"
	reasonGroupTaken   = "deployment group called like an app"
	reasonGroupFolders = "deployment group across folders"
	reasonGroupLabel   = "bad deployment label"
	consequenceMissing = "; it counts as missing"
)

// merged is what services are made from: an app, or the apps of a deployment group
// (contract 2.8).
type merged struct {
	// id is the app's ID or the group's name.
	id string
	// app is the definition: that of the app, or of the group's old one.
	app *App
	// apps are the app or the apps of the group, in the order of the answer.
	apps []*App
	// tasks are all tasks, each with the app that it belongs to.
	tasks []member
	// problems are those of its being a group. They are reported only by a balancer
	// that takes something of it.
	problems []discovery.Problem
	// leftOut says that it is not served.
	leftOut bool
}

// member is a task of an app.
type member struct {
	app      *App
	task     *Task
	draining bool
}

func single(a *App) merged {
	m := merged{id: a.ID, app: a, apps: []*App{a}, tasks: make([]member, len(a.Tasks))}
	for i := range a.Tasks {
		m.tasks[i] = member{app: a, task: &a.Tasks[i]}
	}
	return m
}

// mergeGroups folds apps that share a deployment group into one, in the order of the
// answer: apps outside of groups first, then the groups in the order in which they
// appear (contract 2.8). A group called like an app outside of groups, in whatever
// case (that of an app ID in a request does not matter), is left out, so that no label
// can take an app's place. The apps are not changed (D21).
func mergeGroups(apps []*App) []merged {
	var alone, groups []merged
	place := map[string]int{}
	for _, a := range apps {
		m := single(a)
		if !m.nameGroup() {
			alone = append(alone, m)
			continue
		}
		m.problems = deploymentProblems(a)
		if i, ok := place[m.id]; ok {
			groups[i] = fold(groups[i], m)
			continue
		}
		place[m.id] = len(groups)
		groups = append(groups, m)
	}
	taken := make(map[string]bool, len(alone))
	for _, m := range alone {
		taken[strings.ToLower(m.id)] = !m.leftOut
	}
	for i := range groups {
		groups[i].problems = append(groups[i].problems, folderProblems(groups[i])...)
		if taken[strings.ToLower(groups[i].id)] {
			groups[i].refuse(reasonGroupTaken, "an app outside of deployment groups has this ID; the group is left out")
		}
	}
	return append(alone, groups...)
}

// nameGroup gives an app the name of its deployment group and reports whether it is
// in one.
func (m *merged) nameGroup() bool {
	name, ok := m.app.Labels[labelGroup]
	switch {
	case !ok:
		return false
	case name == "":
		m.problems = append(m.problems, groupProblem(m.app, reasonGroupLabel, "the name is empty; the app belongs to no group"))
		return false
	case !strings.HasPrefix(name, "/"):
		name = "/" + name
	}
	if !isAppID(name) {
		m.refuse(reasonGroup, "the name is no path of letters, digits, dots, dashes and underscores; the app is left out")
		return false
	}
	m.id = name
	return true
}

// serviceID returns what an app's services are called by: its ID or its group's name.
func serviceID(a *App) string {
	m := merged{id: a.ID, app: a}
	m.nameGroup()
	return m.id
}

// refuse leaves out an app or group, and says so for each app.
func (m *merged) refuse(reason, detail string) {
	m.leftOut = true
	for _, a := range m.apps {
		m.problems = append(m.problems, groupProblem(a, reason, detail))
	}
}

func groupProblem(a *App, reason, detail string) discovery.Problem {
	return discovery.Problem{
		App: a.ID, PortIndex: -1, Label: labelGroup, Value: excerpt(a.Labels[labelGroup]), Reason: reason, Detail: detail,
	}
}

// folderProblems reports apps of a deployment group that are in another folder than
// its first one, because whoever runs them may be somebody else, and nothing keeps
// an app from joining a group (K14).
func folderProblems(m merged) []discovery.Problem {
	var problems []discovery.Problem
	for _, a := range m.apps[1:] {
		if path.Dir(a.ID) != path.Dir(m.apps[0].ID) {
			problems = append(problems, groupProblem(a, reasonGroupFolders,
				fmt.Sprintf("app %s, of another folder, is in the same deployment group; the labels of the older app rule both", m.apps[0].ID)))
		}
	}
	return problems
}

// fold adds the next app of a group to what the group is so far.
func fold(previous, current merged) merged {
	older, newer := current, previous
	if startedAt(previous.app).Before(startedAt(current.app)) {
		older, newer = previous, current
	}
	target := 1
	if n, ok, err := labelNumber(newer.app, labelNewInstances); ok && err == nil {
		if n != 0 && scaledLater(older.app, newer.app) {
			older, newer = newer, older
		}
		if t, found, targetErr := labelNumber(newer.app, labelTarget); found && targetErr == nil {
			target = t
		}
	}
	healthy := newer.app.Instances
	if hasHealthChecks(current.app) {
		healthy = alive(newer.tasks)
	}
	tasks := slices.Clone(older.tasks)
	slices.SortStableFunc(tasks, func(a, b member) int { return strings.Compare(a.task.ID, b.task.ID) })
	for i := range draining(len(tasks), healthy, older.app.Instances, target) {
		tasks[i].draining = true
	}
	older.tasks = slices.Concat(tasks, newer.tasks)
	older.apps = slices.Concat(previous.apps, current.apps)
	older.problems = slices.Concat(previous.problems, current.problems)
	return older
}

// draining returns how many of the old app's tasks get no new sessions: as many as
// there are healthy new ones beyond what the target leaves to the old app.
func draining(tasks, healthy, instances, target int) int {
	return max(0, min(tasks, healthy, healthy+instances-target))
}

// alive counts the tasks of which any check passes.
func alive(tasks []member) int {
	n := 0
	for _, m := range tasks {
		if m.task.Results.Alive > 0 {
			n++
		}
	}
	return n
}

// scaledLater reports whether a was scaled after b; what is not known was not.
func scaledLater(a, b *App) bool {
	one, errOne := time.Parse(time.RFC3339, a.VersionInfo.LastScalingAt)
	other, errOther := time.Parse(time.RFC3339, b.VersionInfo.LastScalingAt)
	return errOne == nil && errOther == nil && one.After(other)
}

// startedAt returns when the app's deployment began; the earliest time if it does
// not say.
func startedAt(a *App) time.Time {
	t, err := parseDate(a.Labels[labelStartedAt])
	if err != nil {
		return time.Time{}
	}
	return t
}

var errDate = errors.New("not a date such as 2026-01-31T23:59:59")

// parseDate reads a date and time in a form of ISO 8601; without a zone it is UTC
// (D21).
func parseDate(text string) (time.Time, error) {
	text = strings.Replace(strings.TrimSpace(text), " ", "T", 1)
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "20060102T150405", "20060102",
		"2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errDate
}

// labelNumber reads a label that holds a number of instances.
func labelNumber(a *App, key string) (n int, ok bool, err error) {
	text, ok := a.Labels[key]
	if !ok {
		return 0, false, nil
	}
	n, err = number(text)
	return n, true, err
}

// deploymentProblems reports labels about the deployment that cannot be read.
func deploymentProblems(a *App) []discovery.Problem {
	var problems []discovery.Problem
	report := func(key string, err error) {
		problems = append(problems, discovery.Problem{
			App: a.ID, PortIndex: -1, Label: key, Value: excerpt(a.Labels[key]),
			Reason: reasonGroupLabel, Detail: err.Error() + consequenceMissing,
		})
	}
	if text, ok := a.Labels[labelStartedAt]; ok {
		if _, err := parseDate(text); err != nil {
			report(labelStartedAt, err)
		}
	}
	for _, key := range []string{labelTarget, labelNewInstances} {
		if _, _, err := labelNumber(a, key); err != nil {
			report(key, err)
		}
	}
	slices.SortFunc(problems, func(a, b discovery.Problem) int { return cmp.Compare(a.Label, b.Label) })
	return problems
}
