package marathon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery/marathon"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// warming is an app of version 2 with a readiness check, whose tasks are of the given
// versions and have the given results.
func warming(t *testing.T, deployments string, tasks map[string]string, results string) marathon.App {
	t.Helper()
	var list []string
	for _, id := range []string{"a.1", "a.2", "a.3"} {
		if version, ok := tasks[id]; ok {
			list = append(list, fmt.Sprintf(`{"id":%q,"host":"10.0.0.1","ports":[%s],"state":"TASK_RUNNING","version":%q}`, id, "100"+id[2:], version))
		}
	}
	app, err := marathon.DecodeApp(fmt.Appendf(nil, `{"app":{"id":"/a","version":"2","ports":[10000],"labels":{"HAPROXY_GROUP":"external"},
		"deployments":%s,"readinessChecks":[{"name":"warm"}],"readinessCheckResults":%s,"tasks":[%s]}}`,
		deployments, results, strings.Join(list, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestANewTaskOfADeploymentIsServedWhenItIsReady(t *testing.T) {
	t.Parallel()
	const running, none = `[{"id":"d"}]`, `[]`
	mixed := map[string]string{"a.1": "1", "a.2": "2", "a.3": "2"}
	for name, tt := range map[string]struct {
		deployments string
		results     string
		want        []string
	}{
		"no result yet":                  {running, `[]`, []string{"a.1"}},
		"one is ready":                   {running, `[{"taskId":"a.2","ready":false},{"taskId":"a.3","ready":true}]`, []string{"a.1", "a.3"}},
		"the deployment is over":         {none, `[]`, []string{"a.1", "a.2", "a.3"}},
		"results that cannot be read":    {running, `7`, []string{"a.1"}},
		"deployments that are no list":   {`{"id":"d"}`, `[]`, []string{"a.1", "a.2", "a.3"}},
		"results without an end in view": {none, `[{"taskId":"a.2","ready":false}]`, []string{"a.1", "a.3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := external()
			opts.Readiness = true
			d := marathon.NewDeriver(opts, agents(), zap.NewNop())
			if diff := cmp.Diff(tt.want, taskIDs(t, snapshot(t, d, warming(t, tt.deployments, mixed, tt.results)))); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			if waits := len(d.Waiting()) > 0; waits != (len(tt.want) < 3) {
				t.Errorf("waiting: %v", d.Waiting())
			}
		})
	}
	t.Run("without the option nothing of it matters", func(t *testing.T) {
		t.Parallel()
		d := marathon.NewDeriver(external(), agents(), zap.NewNop())
		if got := taskIDs(t, snapshot(t, d, warming(t, running, mixed, `[{"taskId":"a.2","ready":false}]`))); len(got) != 3 {
			t.Errorf("tasks %v", got)
		}
	})
	t.Run("what was ready once stays so", func(t *testing.T) {
		t.Parallel()
		opts := external()
		opts.Readiness = true
		d := marathon.NewDeriver(opts, agents(), zap.NewNop())
		snapshot(t, d, warming(t, running, mixed, `[{"taskId":"a.2","ready":true}]`))
		after := warming(t, running, mixed, `[]`) // a new leader has no results
		if diff := cmp.Diff([]string{"a.1", "a.2"}, taskIDs(t, snapshot(t, d, after))); diff != "" {
			t.Errorf("tasks (-want +got):\n%s", diff)
		}
		again := marathon.NewDeriver(opts, agents(), zap.NewNop())
		again.Remember(snapshot(t, d, after).Services)
		if diff := cmp.Diff([]string{"a.1", "a.2"}, taskIDs(t, snapshot(t, again, after))); diff != "" {
			t.Errorf("tasks of another process (-want +got):\n%s", diff)
		}
	})
}

// TestAppsThatAreNotReadyAreAskedAgain: no event says when a task is ready.
func TestAppsThatAreNotReadyAreAskedAgain(t *testing.T) {
	t.Parallel()
	w := watchWith(t, marathonsim.Options{Speed: 1000}, func(c *marathon.ClientConfig, o *marathon.Options) { c.Readiness, o.Readiness = true, true })
	simtest.Deploy(t, w.cluster, `{"id":"/a","cmd":"serve","instances":2,"portDefinitions":[{"port":0,"name":"http"}],"labels":{"n":"1"},
		"readinessChecks":[{"name":"warm","portName":"http","intervalSeconds":5}]}`)
	old := simtest.Running(t, w.cluster, "/a", 2)
	addresses := func(tasks []marathonsim.TaskInfo) []string {
		var list []string
		for _, task := range tasks {
			list = append(list, task.Addr(0))
		}
		return list
	}
	w.reaches(t, addresses(old))
	if err := w.cluster.HoldReadiness("/a", true); err != nil {
		t.Fatal(err)
	}
	simtest.Deploy(t, w.cluster, `{"id":"/a","labels":{"n":"2"}}`)
	simtest.Wait(t, w.cluster, "new tasks", func() bool { return len(w.cluster.Ready("/a")) == 4 })
	w.reaches(t, addresses(old))
	if err := w.cluster.HoldReadiness("/a", false); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, w.cluster, "the end of the deployment", func() bool { return !w.cluster.Deploying() })
	w.reaches(t, addresses(simtest.Running(t, w.cluster, "/a", 2)))
}

func TestNoEventIsNeededToLearnThatATaskIsReady(t *testing.T) {
	t.Parallel()
	opts := everything()
	opts.Readiness = true
	tasks := map[string]string{"a.1": "1", "a.2": "2"}
	inBrake(t, marathon.WatcherConfig{}, opts, func(s *brakeScene) {
		s.set(append(three()[1:], warming(s.t, `[{"id":"d"}]`, tasks, `[]`))...)
		s.hint(updated("/a"))
		let(5 * time.Second)
		s.want("while it is not ready", "a.1", "b.3", "b.4", "c.5", "c.6")
		s.set(append(three()[1:], warming(s.t, `[{"id":"d"}]`, tasks, `[{"taskId":"a.2","ready":true}]`))...)
		let(3 * time.Second)
		s.want("when it is ready", "a.1", "a.2", "b.3", "b.4", "c.5", "c.6")
	})
}
