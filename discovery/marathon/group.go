package marathon

import (
	"cmp"
	"errors"
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
	// tasks are all tasks, each with the app that it belongs to.
	tasks []member
}

// member is a task of an app.
type member struct {
	app      *App
	task     *Task
	draining bool
}

func single(a *App) merged {
	m := merged{id: a.ID, app: a, tasks: make([]member, len(a.Tasks))}
	for i := range a.Tasks {
		m.tasks[i] = member{app: a, task: &a.Tasks[i]}
	}
	return m
}

// mergeGroups folds apps that share a deployment group into one, in the order of the
// answer: apps outside of groups first, then the groups in the order in which they
// appear (contract 2.8). A group called like an app outside of groups is left out,
// so that no label can take an app's place. The apps are not changed (D21).
func mergeGroups(apps []*App) ([]merged, []discovery.Problem) {
	var problems []discovery.Problem
	var alone, groups []merged
	place := map[string]int{}
	for _, a := range apps {
		name, p := groupName(a)
		if p.Reason != "" {
			problems = append(problems, p)
		}
		switch {
		case name == "" && p.Reason != reasonGroup:
			alone = append(alone, single(a))
			continue
		case name == "":
			continue
		}
		problems = append(problems, deploymentProblems(a)...)
		m := single(a)
		m.id = name
		if i, ok := place[name]; ok {
			groups[i] = fold(groups[i], m)
			continue
		}
		place[name] = len(groups)
		groups = append(groups, m)
	}
	taken := make(map[string]bool, len(alone))
	for _, m := range alone {
		taken[m.id] = true
	}
	for _, g := range groups {
		if taken[g.id] {
			problems = append(problems, discovery.Problem{
				App: g.app.ID, PortIndex: -1, Label: labelGroup, Value: g.id, Reason: reasonGroupTaken,
				Detail: "an app outside of deployment groups has this ID; the group is left out",
			})
			continue
		}
		alone = append(alone, g)
	}
	return alone, problems
}

// groupName returns the name of the app's deployment group, or "".
func groupName(a *App) (string, discovery.Problem) {
	name, ok := a.Labels[labelGroup]
	if !ok {
		return "", discovery.Problem{}
	}
	p := discovery.Problem{App: a.ID, PortIndex: -1, Label: labelGroup, Value: excerpt(name)}
	if name == "" {
		p.Reason, p.Detail = reasonGroupLabel, "the name is empty; the app belongs to no group"
		return "", p
	}
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	if !isAppID(name) {
		p.Reason = reasonGroup
		p.Detail = "the name is no path of letters, digits, dots, dashes and underscores; the app is left out"
		return "", p
	}
	return name, discovery.Problem{}
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
