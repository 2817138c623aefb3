package marathonsim_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// recordedTask returns the first recorded task of an app in a state.
func recordedTask(t *testing.T, generation, app string) map[string]any {
	t.Helper()
	file, err := os.ReadFile("testdata/resident/v" + generation + "-" + app + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var task map[string]any
	if err := json.Unmarshal(file, &task); err != nil {
		t.Fatal(err)
	}
	return task
}

func shownTasks(t *testing.T, c *marathonsim.Cluster, app string) []any {
	t.Helper()
	_, body := get(t, c.Masters()[0]+"/v2/apps/"+app)
	var doc struct {
		App struct {
			Tasks []any `json:"tasks"`
		} `json:"app"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err, body)
	}
	return doc.App.Tasks
}

// TestResidentTaskComesBackWhereItsVolumesAre follows Marathon facts 4.2: the same
// agent, a further attempt in the id, and what is listed of a reservation.
func TestResidentTaskComesBackWhereItsVolumesAre(t *testing.T) {
	t.Parallel()
	for generation, tt := range map[marathonsim.Generation]struct {
		second      string // the end of the second task's id
		reservation string // how it was recorded; empty: it is not listed
	}{
		marathonsim.V1_1: {".2", "reserved"},
		marathonsim.V1_5: {".2", ""},
		marathonsim.V1_8: {"._app.2", "stopped"},
	} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Speed: 100})
			simtest.Deploy(t, c, `{"id":"/case/resident","residency":{},"container":{"type":"DOCKER","volumes":[],"docker":{"image":"nginx:1.15",
				"network":"BRIDGE","portMappings":[{"containerPort":80,"hostPort":0}]}},"healthChecks":[{"protocol":"TCP"}]}`)
			first := simtest.Running(t, c, "/case/resident", 1)[0]
			want, got := shape(recordedTask(t, string(generation), "running")), shape(shownTasks(t, c, "/case/resident")[0])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("running (-want +got)\n%s", diff)
			}
			if err := c.CrashTask(first.ID); err != nil {
				t.Fatal(err)
			}
			simtest.Wait(t, c, "another attempt", func() bool {
				tasks := c.Ready("/case/resident")
				return len(tasks) == 1 && tasks[0].ID != first.ID
			})
			second := c.Ready("/case/resident")[0]
			name, _ := strings.CutSuffix(first.ID, "._app.1")
			if second.Agent != first.Agent || second.ID != name+tt.second {
				t.Errorf("%s on %s became %s on %s", first.ID, first.Agent, second.ID, second.Agent)
			}
			if err := c.Scale("/case/resident", 0); err != nil {
				t.Fatal(err)
			}
			simtest.Running(t, c, "/case/resident", 0)
			shown := shownTasks(t, c, "/case/resident")
			if tt.reservation == "" {
				if len(shown) > 0 {
					t.Errorf("the reservation is listed: %v", shown)
				}
			} else if diff := cmp.Diff([]any{shape(recordedTask(t, string(generation), tt.reservation))}, shape(shown)); diff != "" {
				t.Errorf("reserved (-want +got)\n%s", diff)
			}
			if err := c.Scale("/case/resident", 1); err != nil {
				t.Fatal(err)
			}
			if third := simtest.Running(t, c, "/case/resident", 1)[0]; third.Agent != first.Agent || !strings.HasSuffix(third.ID, "3") {
				t.Errorf("the third attempt is %s on %s", third.ID, third.Agent)
			}
			if err := c.Restart("/case/resident"); err != nil {
				t.Fatal(err)
			}
			if fourth := simtest.Running(t, c, "/case/resident", 1)[0]; fourth.Agent != first.Agent || !strings.HasSuffix(fourth.ID, "4") {
				t.Errorf("the fourth attempt is %s on %s", fourth.ID, fourth.Agent)
			}
			if err := c.Delete("/case/resident"); err != nil {
				t.Fatal(err)
			}
			simtest.Idle(t, c)
		})
	}
}
