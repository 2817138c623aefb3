package marathonsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

// reluctant starts tasks of apps but /case/starting, and they do not stop when they
// are asked to.
type reluctant struct{ launcher.InProcess }

func (r reluctant) Start(ctx context.Context, t launcher.Task) (launcher.Process, error) {
	if t.App != "/case/starting" {
		return r.InProcess.Start(ctx, t)
	}
	<-ctx.Done()
	for _, l := range t.Listeners {
		_ = l.Close()
	}
	return nil, errors.New("it was never to start")
}

// stateOfTasks is how a task of an app gets into the state of a recorded one.
var stateOfTasks = []struct { //nolint:gochecknoglobals // a constant
	name, fields string
	options      func(*marathonsim.Options)
	cause        func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error
	reached      func(task marathonsim.TaskInfo) bool
}{
	{name: "running-healthy", fields: passes, reached: isReady},
	{name: "running-no-results", fields: `"healthChecks":[{"intervalSeconds":1e6}]`, reached: isIn("TASK_RUNNING")},
	{
		name: "running-unhealthy", fields: passes, reached: isReady,
		cause: func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error { return c.FailTask(task.ID) },
	},
	{
		name: "running-never-healthy", fields: `"healthChecks":[{"path":"/?status=500","gracePeriodSeconds":0,"maxConsecutiveFailures":0}]`,
		reached: func(task marathonsim.TaskInfo) bool { return task.Healthy != nil },
	},
	{name: "staging", options: func(o *marathonsim.Options) { o.LaunchDelay = time.Hour }, reached: isIn("TASK_STAGING")},
	{name: "starting", reached: isIn("TASK_STARTING")},
	{
		name: "killing", fields: passes + `,"taskKillGracePeriodSeconds":3600`, reached: isReady,
		cause: func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error { return c.Scale(task.App, 0) },
	},
	{
		name: "unreachable", fields: passes + `,"unreachableStrategy":"disabled"`, reached: isReady,
		cause: func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error { return c.LoseAgent(task.Agent) },
	},
	{
		name: "unreachable-inactive", fields: passes + `,"unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":1e6}`, reached: isReady,
		cause: func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error { return c.LoseAgent(task.Agent) },
	},
	{
		name: "lost", fields: passes, reached: isReady,
		cause: func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error { return c.LoseAgent(task.Agent) },
	},
	{
		name: "failed-awaiting-replacement", fields: `"backoffSeconds":1e6,"maxLaunchDelaySeconds":1000000`, reached: isReady,
		cause: func(c *marathonsim.Cluster, task marathonsim.TaskInfo) error { return c.CrashTask(task.ID) },
	},
}

const passes = `"healthChecks":[{"protocol":"TCP","maxConsecutiveFailures":0}]`

func isReady(task marathonsim.TaskInfo) bool { return task.Ready }

func isIn(state string) func(marathonsim.TaskInfo) bool {
	return func(task marathonsim.TaskInfo) bool { return task.State == state }
}

// TestTaskStatesHaveTheShapeOfTheGeneration brings a task into each state that was
// recorded and compares which members it has, which are null and of what type, and
// its state.
func TestTaskStatesHaveTheShapeOfTheGeneration(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/task-states/v*.json")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tasks map[string]map[string]any
		if err := json.Unmarshal(b, &tasks); err != nil {
			t.Fatal(err)
		}
		for _, s := range stateOfTasks {
			want := tasks[s.name]
			if want == nil {
				continue // not in this generation
			}
			t.Run(string(generationOf(file))+" "+s.name, func(t *testing.T) {
				t.Parallel()
				o := marathonsim.Options{Generation: generationOf(file), Speed: 10000, Launcher: reluctant{launcher.InProcess{StopDelay: time.Hour}}}
				if s.options != nil {
					s.options(&o)
				}
				c := simtest.Start(t, o)
				document := `{"id":"/case/` + s.name + `","container":{"type":"DOCKER","docker":{"image":"i","network":"BRIDGE","portMappings":[{"containerPort":80,"hostPort":0}]}},` + s.fields
				simtest.Deploy(t, c, strings.TrimSuffix(document, ",")+"}")
				var task marathonsim.TaskInfo
				simtest.Wait(t, c, s.name, func() bool {
					list := c.Tasks("/case/" + s.name)
					if i := slices.IndexFunc(list, s.reached); i >= 0 {
						task = list[i]
						return true
					}
					return false
				})
				var got map[string]any
				if s.cause != nil {
					if err := s.cause(c, task); err != nil {
						t.Fatal(err)
					}
				}
				simtest.Wait(t, c, "the recorded state", func() bool {
					for _, shown := range shownTasks(t, c, "/case/"+s.name) {
						if got = shown.(map[string]any); got["id"] == task.ID {
							return got["state"] == want["state"] && sameVerdicts(want, got)
						}
					}
					return false
				})
				if diff := cmp.Diff(shape(want), shape(got)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

// sameVerdicts reports whether two tasks have as many results, with the same verdicts.
func sameVerdicts(want, got map[string]any) bool {
	verdicts := func(task map[string]any) (out []any) {
		results, _ := task["healthCheckResults"].([]any)
		for _, r := range results {
			out = append(out, r.(map[string]any)["alive"])
		}
		return out
	}
	return slices.Equal(verdicts(want), verdicts(got))
}
