package marathonsim_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// readiness returns which tasks of an app have a result, and whether they are ready.
func readiness(t *testing.T, c *marathonsim.Cluster, app string) map[string]bool {
	t.Helper()
	_, body := get(t, c.Masters()[0]+"/v2/apps/"+app+"?embed=apps.readiness")
	var doc struct {
		App struct {
			Results []struct {
				Name, TaskID string
				Ready        bool
			} `json:"readinessCheckResults"`
		} `json:"app"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err, body)
	}
	out := map[string]bool{}
	for _, r := range doc.App.Results {
		out[r.TaskID] = r.Ready
		if r.Name != "warm" {
			t.Error(r)
		}
	}
	return out
}

// TestReadinessHoldsADeploymentUp follows Marathon facts 4.1 and 8.15: results for
// new tasks only, and no event when they flip.
func TestReadinessHoldsADeploymentUp(t *testing.T) {
	t.Parallel()
	for _, generation := range []marathonsim.Generation{marathonsim.V1_1, marathonsim.V1_9} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Speed: 1000})
			document := `{"id":"/a","cmd":"serve","instances":2,"portDefinitions":[{"port":0,"name":"http"}],"labels":{"n":"1"},
				"readinessChecks":[{"name":"warm","portName":"http","intervalSeconds":5}]}`
			simtest.Deploy(t, c, document)
			old := simtest.Running(t, c, "/a", 2)
			if got := readiness(t, c, "/a"); len(got) != 0 {
				t.Errorf("results without a deployment: %v", got)
			}
			if err := c.HoldReadiness("/a", true); err != nil {
				t.Fatal(err)
			}
			simtest.Deploy(t, c, `{"id":"/a","labels":{"n":"2"}}`)
			var results map[string]bool
			simtest.Wait(t, c, "results of the new tasks", func() bool {
				results = readiness(t, c, "/a")
				return len(results) == 2
			})
			for _, task := range old {
				if _, ok := results[task.ID]; ok {
					t.Errorf("the old task %s has a result", task.ID)
				}
			}
			if len(c.Ready("/a")) != 4 || !c.Deploying() {
				t.Errorf("%d tasks run, deploying: %v", len(c.Ready("/a")), c.Deploying())
			}
			f := follow(t, c, "")
			f.awaitKind(t, "event_stream_attached", 1)
			if err := c.HoldReadiness("/a", false); err != nil {
				t.Fatal(err)
			}
			simtest.Running(t, c, "/a", 2)
			f.awaitKind(t, "deployment_success", 1)
			kinds, _ := f.events()
			for _, kind := range kinds {
				if !slices.Contains([]string{
					"event_stream_attached", "status_update_event", "instance_changed_event", "deployment_step_success", "deployment_success",
				}, kind) {
					t.Errorf("an event of type %s", kind)
				}
			}
			if got := readiness(t, c, "/a"); len(got) != 0 {
				t.Errorf("results are left: %v", got)
			}
		})
	}
}

// The check asks the port of its name; the in-process task answers as its path says.
func TestReadinessIsReallyProbed(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HealthInterval: 10 * time.Millisecond, Speed: 1000})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","portDefinitions":[{"name":"other"},{"name":"http"}],
		"readinessChecks":[{"name":"warm","portName":"http","path":"/?status=418","httpStatusCodesForReady":[418]}]}`)
	simtest.Running(t, c, "/a", 1)
	simtest.Deploy(t, c, `{"id":"/b","cmd":"serve","portDefinitions":[{"name":"http"}],
		"readinessChecks":[{"name":"warm","portName":"http","path":"/?status=503","intervalSeconds":5}]}`)
	simtest.Wait(t, c, "a result", func() bool { return len(readiness(t, c, "/b")) == 1 })
	if !c.Deploying() {
		t.Error("the deployment did not wait")
	}
}
