package faults_test

import (
	"net/http"
	"regexp"
	"strings"
)

// sudden are answers that are good to look at and say that most of what is served is gone.
// They come twice, and stop.
func sudden() []row {
	twice := func(about func(path string) bool, answer func(x *exchange)) fault {
		return fault{cut: true, about: about, answer: answer, times: 2}
	}
	return []row{
		{name: "the list is empty", begin: at(twice(list, body(`{"apps":[]}`)))},
		{name: "the list is empty, and no app is found", begin: at(fault{cut: true, times: 4, about: apps, answer: func(x *exchange) {
			if list(x.request.URL.Path) {
				body(`{"apps":[]}`)(x)
				return
			}
			says(http.StatusNotFound, "application/json", notFound)(x)
		}})},
		{name: "the list is that of another cluster", begin: at(twice(list, body(`{"apps":[{"id":"/other","instances":1,"labels":{"HAPROXY_GROUP":"external"},"portDefinitions":[{"port":11000}],"tasks":[]}]}`)))},
		{name: "the list lacks most apps, as if they were hidden", begin: at(twice(list, bodies(func(body string) string {
			return strings.NewReplacer(`"id":"/web"`, `"id":"/x"`, `"id":"/api"`, `"id":"/y"`, `"external"`, `"hidden"`).Replace(body)
		})))},
		{name: "the list has no task", begin: at(twice(list, bodies(func(body string) string { return without(body, `"tasks":[]`) })))},
		{name: "the list does not speak of tasks", begin: at(twice(list, bodies(func(body string) string { return without(body, `"none":[]`) })))},
	}
}

// without puts something else in the place of the tasks of all apps.
func without(body, instead string) string {
	return regexp.MustCompile(`"tasks":\[(?:[^][]|\[[^][]*\])*\]`).ReplaceAllString(body, instead)
}
