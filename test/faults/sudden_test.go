package faults_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"
)

// sudden are answers that are good to look at and say that most of what is served is gone.
// They come twice, and stop. No event says so.
func sudden() []row {
	lists := map[string]func(x *exchange){
		"is empty":             body(`{"apps":[]}`),
		"is another cluster's": body(`{"apps":[{"id":"/other","instances":1,"labels":{"HAPROXY_GROUP":"external"},"portDefinitions":[{"port":11000}],"tasks":[]}]}`),
		"lacks most apps, as if they were hidden": bodies(func(body string) string { return hiding(body, "/web", "/api") }),
		"has no task":             bodies(func(body string) string { return without(body, `"tasks":[]`) }),
		"does not speak of tasks": bodies(func(body string) string { return without(body, `"none":[]`) }),
	}
	rows := []row{{
		name: "the list is empty, and no app is found",
		begin: at(fault{cut: true, times: 4, about: apps, answer: func(x *exchange) {
			if list(x.request.URL.Path) {
				body(`{"apps":[]}`)(x)
				return
			}
			says(http.StatusNotFound, "application/json", notFound)(x)
		}}),
	}}
	for name, how := range lists {
		rows = append(rows,
			row{name: "the list " + name, life: quiet, begin: at(fault{cut: true, about: list, answer: how, times: 2})},
			row{name: "the list " + name + ", after events about tasks that come", life: arrivals, begin: at(fault{about: list, answer: how, times: 2})})
	}
	return rows
}

// quiet is a life in which nothing happens beside the fault.
func quiet(*testing.T, *rig) map[string]int { return firstTasks() }

// arrivals is a life in which tasks and an app come, and nothing goes.
func arrivals(t *testing.T, g *rig) map[string]int {
	t.Helper()
	must(t, g.cluster.Scale("/web", 4))
	must(t, g.cluster.Deploy(document("/new", 2, "")))
	tasks := firstTasks()
	tasks["/web"], tasks["/new"] = 4, 2
	settled(t, g.cluster, tasks)
	return tasks
}

// hiding takes apps out of a list.
func hiding(body string, hidden ...string) string {
	var all struct {
		Apps []json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		return body
	}
	all.Apps = slices.DeleteFunc(all.Apps, func(app json.RawMessage) bool {
		var a struct {
			ID string `json:"id"`
		}
		return json.Unmarshal(app, &a) == nil && slices.Contains(hidden, a.ID)
	})
	shown, err := json.Marshal(all)
	if err != nil {
		return body
	}
	return string(shown)
}

// without puts something else in the place of the tasks of all apps.
func without(body, instead string) string {
	return regexp.MustCompile(`"tasks":\[(?:[^][]|\[[^][]*\])*\]`).ReplaceAllString(body, instead)
}
