package faults_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// lives are things that happen in a cluster and that are told badly or late.
func lives() []row {
	return []row{
		{name: "an agent is cut off, and its tasks go on", begin: loseAgent, noticed: always, life: quiet},
		{name: "names of agents do not resolve for a while", begin: loseNames, noticed: func(g *rig) bool { return g.names.failures() > 0 }, named: true},
		{
			name: "health results are empty, and a task is new", begin: noResults(`"healthCheckResults":[]`), life: newcomer, resync: soon,
			visits: []string{"/db"},
		},
		{
			name: "health results are absent, and a task is new", begin: noResults(`"none":[]`), life: newcomer, resync: soon,
			visits: []string{"/db"}, options: marathonsim.Options{Generation: marathonsim.V1_4},
		},
		{name: "deployments are not told", begin: framing(only(func(kind string) bool { return !strings.HasPrefix(kind, "deployment_") }))},
		{name: "only changes of groups are told", resync: soon, begin: framing(only(func(kind string) bool { return kind == "group_change_success" }))},
		{name: "only tasks are told of", resync: soon, begin: framing(only(func(kind string) bool { return kind == "status_update_event" }))},
		{name: "a group comes and another goes", begin: nothing, noticed: always, life: groups},
		{name: "an app is replaced by one with more ports", begin: nothing, noticed: always, life: redefine, visits: []string{"/api", "/db"}},
		{name: "many apps come at once", begin: storm, noticed: always},
		{name: "the tasks of 0.11 are incomplete after a change of the leader", begin: noTasks, noticed: always, options: marathonsim.Options{Masters: 2}},
	}
}

// loseAgent cuts off an agent with tasks. They are served until they are replaced, which
// takes longer than the fault.
func loseAgent(t *testing.T, g *rig) func() {
	t.Helper()
	agent := g.cluster.Tasks("/web")[0].Agent
	must(t, g.cluster.LoseAgent(agent))
	before := texts(g)
	g.watcher.Refresh("test")
	eventually(t, "mlb has looked at it", func() error {
		if texts(g) == before {
			return fmt.Errorf("%d texts", before)
		}
		return nil
	})
	return func() { must(t, g.cluster.ReturnAgent(agent)) }
}

// texts returns how many texts were applied since the fault began.
func texts(g *rig) int {
	g.applier.mu.Lock()
	defer g.applier.mu.Unlock()
	return g.applier.texts
}

// loseNames makes look-ups of agents fail.
func loseNames(_ *testing.T, g *rig) func() {
	g.names.fail(true)
	return func() { g.names.fail(false) }
}

// noResults puts something in the place of all health results.
func noResults(instead string) func(t *testing.T, g *rig) func() {
	results := regexp.MustCompile(`"healthCheckResults":\[[^]]*\]`)
	return answering(apps, bodies(func(body string) string { return results.ReplaceAllString(body, instead) }))
}

// newcomer is a life in which an app with a health check gets one task more. As nobody
// has heard of its health it must not be served.
func newcomer(t *testing.T, g *rig) map[string]int {
	t.Helper()
	old := g.cluster.Tasks("/db")[0].Addr(0)
	must(t, g.cluster.Scale("/db", 2))
	settled(t, g.cluster, map[string]int{"/db": 2})
	before := texts(g)
	g.watcher.Refresh("test")
	eventually(t, "mlb has looked at it", func() error {
		servers, err := g.process.Socket().Servers(t.Context())
		if err != nil {
			return err
		}
		if got := rotating(servers)["/db"]; len(got) != 1 || got[0] != old {
			return fmt.Errorf("haproxy has %v of /db, want %s alone", got, old)
		}
		if texts(g) == before {
			return fmt.Errorf("%d texts", before)
		}
		return nil
	})
	tasks := firstTasks()
	tasks["/db"] = 2
	return tasks
}

// only passes on the events of some types.
func only(kept func(kind string) bool) func(f *following, frame string) {
	return exceptHeartbeats(func(f *following, frame string) {
		line, _, _ := strings.Cut(frame, "\r\n")
		if kind := strings.TrimPrefix(line, "event: "); kept(kind) || kind == "event_stream_attached" {
			f.write(frame)
		}
	})
}

// groups is a life in which groups are made, scaled and deleted.
func groups(t *testing.T, g *rig) map[string]int {
	t.Helper()
	do := func(method, path, body string) {
		t.Helper()
		eventually(t, method+" "+path, func() error {
			if status, answer := g.cluster.Do(method, path, body); status > 299 {
				return fmt.Errorf("status %d: %s", status, answer)
			}
			return nil
		})
	}
	do(http.MethodPut, "/v2/groups", `{"id":"/shop","apps":[`+document("/shop/cart", 2, "")+`,`+document("/shop/pay", 1, "")+`]}`)
	settled(t, g.cluster, map[string]int{"/shop/cart": 2, "/shop/pay": 1})
	do(http.MethodPut, "/v2/groups//shop", `{"scaleBy":2}`)
	settled(t, g.cluster, map[string]int{"/shop/cart": 4, "/shop/pay": 2})
	do(http.MethodPut, "/v2/groups", `{"id":"/shop","apps":[`+document("/shop/cart", 3, "")+`]}`)
	do(http.MethodDelete, "/v2/apps//old", "")
	tasks := firstTasks()
	tasks["/shop/cart"], tasks["/shop/pay"], tasks["/old"] = 3, 0, 0
	settled(t, g.cluster, tasks)
	return tasks
}

// redefine is a life in which an app gets a second port, by tasks that replace others.
func redefine(t *testing.T, g *rig) map[string]int {
	t.Helper()
	simtest.Deploy(t, g.cluster, strings.Replace(document("/web", 3, ""), `[{"port": 10001}]`, `[{"port": 10001}, {"port": 10021}]`, 1))
	settled(t, g.cluster, firstTasks())
	return firstTasks()
}

// storm lets many apps come that mlb does not serve, and go again.
func storm(t *testing.T, g *rig) func() {
	t.Helper()
	var apps []string
	for i := range 40 {
		apps = append(apps, fmt.Sprintf(`{"id":"/storm/app-%d","cmd":"serve","instances":2}`, i))
	}
	simtest.Deploy(t, g.cluster, `{"id":"/storm","apps":[`+strings.Join(apps, ",")+`]}`)
	return func() { must(t, g.cluster.Delete("/storm")) }
}

// noTasks changes the leader and makes /v2/tasks answer with nothing, which mlb must not
// ask for.
func noTasks(t *testing.T, g *rig) func() {
	t.Helper()
	end := answering(func(path string) bool { return path == "/v2/tasks" }, body(`{"tasks":[]}`))(t, g)
	changeLeader(1)(t, g)
	return func() {
		if spoilt(g) {
			t.Error("/v2/tasks was asked for")
		}
		end()
	}
}
