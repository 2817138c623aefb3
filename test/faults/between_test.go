package faults_test

import (
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mlb/test/marathonsim"
)

// notFound is what Marathon says of an app that it does not have.
const notFound = `{"message":"App '/web' does not exist"}`

// between are faults between an event and the reading that it leads to.
func between() []row {
	rows := []row{
		{
			name: "events come before what they announce", begin: nothing, noticed: always,
			options: marathonsim.Options{StoreDelay: 400 * time.Millisecond},
		},
		{
			name: "answers are late, and what they say has changed meanwhile",
			begin: answering(apps, spoils(func(x *exchange, a answer) {
				x.pause(150 * time.Millisecond)
				x.say(a)
			})),
		},
		{
			name: "every other answer is late",
			begin: answering(apps, alternating(spoils(func(x *exchange, a answer) {
				x.pause(250 * time.Millisecond)
				x.say(a)
			}))),
		},
		alone("cannot be read", says(http.StatusInternalServerError, "application/json", `{"message":"Internal Server Error"}`)),
		alone("is not found", says(http.StatusNotFound, "application/json", notFound)),
		alone("is not found, says a page", says(http.StatusNotFound, "text/html", page)),
		alone("is answered with an app of no name", body(`{"app":{}}`)),
		alone("is answered with one of nothing but a name", bodies(func(body string) string {
			return `{"app":{` + regexp.MustCompile(`"id":"[^"]*"`).FindString(body) + `}}`
		})),
		alone("is answered with a list", body(`{"apps":[]}`)),
		alone("is not answered", hang),
		{name: "an app that is asked for alone is answered with another", begin: answerWithAnother, life: tasks},
		{name: "answers come out of a cache", resync: soon, begin: outOfCache},
		{
			name: "events about an app come long after it is gone",
			begin: framing(func(f *following, frame string) {
				if strings.Contains(frame, `/old"`) {
					f.held = append(f.held, frame)
					return
				}
				f.write(frame)
				if f.count++; f.count%20 == 0 {
					f.write(strings.Join(f.held, ""))
					f.held = nil
				}
			}),
			resync: soon, // an app whose events are held may be read too early
		},
	}
	for name, how := range map[string]func(x *exchange){
		"fails":                    says(http.StatusServiceUnavailable, "text/html", page),
		"is reset":                 reset,
		"is not answered":          hang,
		"finds no app":             says(http.StatusNotFound, "application/json", notFound),
		"finds the connection cut": func(x *exchange) { x.over = true },
		"has half a body": spoils(func(x *exchange, a answer) {
			x.write(a.head(len(a.body)) + half(a.body))
			reset(x)
		}),
		"is redirected in a circle": redirects(func(x *exchange) string { return x.url + x.request.URL.RequestURI() }),
	} {
		rows = append(rows, afterEvents("the reading after an event "+name, how))
	}
	return rows
}

// alone deals with questions for single apps.
func alone(how string, answer func(x *exchange)) row {
	return row{
		name: "an app that is asked for alone " + how, life: tasks,
		begin: at(fault{about: single, answer: answer}),
	}
}

// tasks is a life in which tasks come and go, and nothing else, until mlb has asked for a
// single app.
func tasks(t *testing.T, g *rig) map[string]int {
	t.Helper()
	tasks := firstTasks()
	tasks["/web"] = 4
	must(t, g.cluster.Scale("/web", 4))
	for ok := true; ok; ok = !spoilt(g) {
		settled(t, g.cluster, tasks)
		must(t, g.cluster.KillTask(g.cluster.Ready("/api")[0].ID))
	}
	settled(t, g.cluster, tasks)
	return tasks
}

// nothing is the fault of rows whose cluster has the fault in its options.
func nothing(*testing.T, *rig) func() { return func() {} }

// always is for faults that are there from the beginning.
func always(*rig) bool { return true }

// afterEvents deals with the first request for apps after each event.
func afterEvents(name string, how func(x *exchange)) row {
	var armed atomic.Bool
	var met atomic.Int64
	return row{
		name: name,
		begin: at(fault{
			about: apps,
			answer: func(x *exchange) {
				if !armed.Swap(false) {
					pass(x)
					return
				}
				met.Add(1)
				how(x)
			},
			frame: exceptHeartbeats(func(f *following, frame string) {
				armed.Store(true)
				f.write(frame)
			}),
		}),
		noticed: func(*rig) bool { return met.Load() > 0 },
	}
}

// pause waits, unless mlb hangs up.
func (x *exchange) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.ctx.Done():
	}
}

// memory is what the masters said at one moment, by the path of the question.
func memory(g *rig) map[string]string {
	const embed = "?embed=apps.tasks"
	said := map[string]string{}
	_, all := g.cluster.Do(http.MethodGet, "/v2/apps"+embed, "")
	said["/v2/apps"] = string(all)
	for app := range ports() {
		if status, one := g.cluster.Do(http.MethodGet, "/v2/apps/"+app+embed, ""); status == http.StatusOK {
			said["/v2/apps/"+strings.TrimPrefix(app, "/")] = string(one)
		}
	}
	return said
}

// remembers answers questions for apps with what was said once.
func remembers(said map[string]string) func(x *exchange) {
	return func(x *exchange) {
		text, ok := said[x.request.URL.Path]
		if !ok {
			says(http.StatusNotFound, "application/json", notFound)(x)
			return
		}
		x.say(answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: text})
	}
}

// outOfCache answers as if nothing had happened.
func outOfCache(t *testing.T, g *rig) func() {
	t.Helper()
	return at(fault{about: apps, answer: remembers(memory(g))})(t, g)
}

// answerWithAnother answers each question for one app with another one.
func answerWithAnother(t *testing.T, g *rig) func() {
	t.Helper()
	said := memory(g)
	return at(fault{about: single, answer: func(x *exchange) {
		other := said["/v2/apps/api"]
		if strings.HasSuffix(x.request.URL.Path, "/api") {
			other = said["/v2/apps/web"]
		}
		x.say(answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: other})
	}})(t, g)
}
