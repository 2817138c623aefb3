package marathonsim_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// TestMastersBehaveAsTheirGeneration follows Marathon facts 1 and 2.
func TestMastersBehaveAsTheirGeneration(t *testing.T) {
	t.Parallel()
	for generation, want := range map[marathonsim.Generation]struct{ events, slow, unknown int }{
		marathonsim.V0_11: {200, 500, 404},
		marathonsim.V0_15: {200, 500, 404},
		marathonsim.V1_1:  {200, 500, 404},
		marathonsim.V1_3:  {200, 504, 404},
		marathonsim.V1_4:  {200, 504, 404},
		marathonsim.V1_5:  {200, 504, 404},
		marathonsim.V1_7:  {302, 502, 500},
		marathonsim.V1_8:  {302, 502, 500},
		marathonsim.V1_9:  {302, 502, 500},
		marathonsim.V1_11: {302, 502, 500},
	} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{
				Generation: generation, Masters: 2, ProxyTimeout: 50 * time.Millisecond, HeartbeatInterval: 10 * time.Millisecond,
			})
			leader, standby := c.Masters()[0], c.Masters()[1]
			conn, r := dial(t, standby, subscribe)
			status, _ := readHead(t, r)
			if !strings.HasPrefix(status, "HTTP/1.1 "+map[int]string{200: "200", 302: "302"}[want.events]) {
				t.Errorf("events through a standby: %s", status)
			}
			_ = conn.Close()
			if r, _ := get(t, leader+"/v2/unheard"); r.StatusCode != want.unknown {
				t.Errorf("unknown path: %s", r.Status)
			}
			_, body := get(t, leader+"/v2/info")
			if file, err := os.ReadFile("testdata/v1.9-info.json"); err != nil {
				t.Error(err)
			} else if diff := cmp.Diff(shapeOf(t, string(file)), shapeOf(t, body)); diff != "" || !strings.Contains(body, `"version":"`+string(generation)+".") {
				t.Errorf("info %s (-want +got)\n%s", body, diff)
			}
			c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultHang})
			if r, _ := get(t, standby+"/v2/apps"); r.StatusCode != want.slow {
				t.Errorf("a leader that hangs, through a standby: %s", r.Status)
			}
			c.SetFault(0, marathonsim.Fault{})
			if err := c.ChangeLeader(); err != nil {
				t.Fatal(err)
			}
			// Up to 1.1 the process stays, and proxies.
			_, _, err := try(t.Context(), "GET", leader+"/v2/info", "")
			if old := []marathonsim.Generation{marathonsim.V0_11, marathonsim.V0_15, marathonsim.V1_1}; slices.Contains(old, generation) != (err == nil) {
				t.Errorf("the old leader: %v", err)
			}
		})
	}
}

// TestTasksAsText follows Marathon facts 1: gone in 1.11, no longer the default
// since late 1.7.
func TestTasksAsText(t *testing.T) {
	t.Parallel()
	for generation, want := range map[marathonsim.Generation]struct {
		asked      int
		everything string
	}{
		marathonsim.V0_11: {200, "text/plain"},
		marathonsim.V1_5:  {200, "text/plain"},
		marathonsim.V1_7:  {200, "application/json"},
		marathonsim.V1_11: {406, "application/json"},
	} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true})
			if r, _ := get(t, c.Masters()[0]+"/v2/tasks", "Accept", "text/plain"); r.StatusCode != want.asked {
				t.Errorf("text was asked for: %s", r.Status)
			}
			if r, _ := get(t, c.Masters()[0]+"/v2/tasks", "Accept", "*/*"); r.Header.Get("Content-Type") != want.everything {
				t.Errorf("anything was asked for: %v", r.Header)
			}
			if r, _ := get(t, c.Masters()[0]+"/v2/tasks", "Accept", "application/json"); r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("JSON was asked for: %v", r.Header)
			}
		})
	}
}

func TestDeploymentsHaveTheShapeOfTheGeneration(t *testing.T) {
	t.Parallel()
	for _, generation := range []marathonsim.Generation{marathonsim.V0_11, marathonsim.V1_9} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true, LaunchDelay: time.Hour})
			simtest.Deploy(t, c, marathonsim.KeysAndValues())
			simtest.Wait(t, c, "the placement", func() bool { return len(c.Tasks("/keys-and-values/db")) == 1 })
			_, body := get(t, c.Masters()[0]+"/v2/deployments")
			file, err := os.ReadFile("testdata/deployments/v" + string(generation) + ".json")
			if err != nil {
				t.Fatal(err)
			}
			want, got := shapeOf(t, string(file)).([]any)[0].(map[string]any), shapeOf(t, body).([]any)[0].(map[string]any)
			if generation == marathonsim.V0_11 { // each app has a step for its start, which was not recorded
				got["steps"] = got["steps"].([]any)[2:]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestServicePortsOfMappings follows Marathon facts 4.1: up to 1.1 a mapping's port
// belongs to one app; ports of the host network are not compared.
func TestServicePortsOfMappings(t *testing.T) {
	t.Parallel()
	mapping := func(id string) string {
		return `{"id":"` + id + `","container":{"type":"DOCKER","docker":{"image":"i","network":"BRIDGE",
			"portMappings":[{"containerPort":80,"hostPort":0,"servicePort":10500}]}}}`
	}
	for generation, want := range map[marathonsim.Generation]struct{ app, group int }{
		marathonsim.V0_11: {422, 201}, marathonsim.V1_1: {422, 422}, marathonsim.V1_3: {201, 201}, marathonsim.V1_9: {201, 201},
	} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true})
			simtest.Deploy(t, c, mapping("/first"))
			simtest.Deploy(t, c, mapping("/first")) // itself is no other app
			simtest.Deploy(t, c, `{"id":"/host","cmd":"serve","ports":[10500]}`)
			if r, body := send(t, "POST", c.Masters()[0]+"/v2/apps", mapping("/second")); r.StatusCode != want.app {
				t.Errorf("%s %s", r.Status, body)
			}
			if r, body := send(t, "POST", c.Masters()[0]+"/v2/groups", `{"id":"/g","apps":[`+mapping("third")+`]}`); r.StatusCode != want.group {
				t.Errorf("in a group: %s %s", r.Status, body)
			}
		})
	}
}

// TestSeveralChecksAreToldAsTheGenerationDoes: one check passes, one never does.
func TestSeveralChecksAreToldAsTheGenerationDoes(t *testing.T) {
	t.Parallel()
	for generation, want := range map[marathonsim.Generation]string{
		marathonsim.V1_3: "", marathonsim.V1_4: `"healthy":true`, marathonsim.V1_5: `"healthy":false`, marathonsim.V1_9: `"healthy":false`,
	} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, HealthInterval: 10 * time.Millisecond})
			f := follow(t, c, "")
			f.awaitKind(t, "event_stream_attached", 1)
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"TCP"},
				{"protocol":"HTTP","path":"/?status=500","gracePeriodSeconds":0,"maxConsecutiveFailures":0}]}`)
			f.awaitKind(t, "failed_health_check_event", 2)
			f.awaitKind(t, "health_status_changed_event", 1) // of the one that passes; the other never flips
			if want != "" {
				f.awaitKind(t, "instance_health_changed_event", 1)
			}
			kinds, data := f.events()
			var told []string
			for i, kind := range kinds {
				if kind == "instance_health_changed_event" {
					told = append(told, data[i])
				}
			}
			if want == "" != (len(told) == 0) || want != "" && (len(told) != 1 || !strings.Contains(told[0], want)) {
				t.Errorf("%q", told)
			}
			if task := c.Tasks("/a")[0]; task.State != "TASK_RUNNING" || task.Ready {
				t.Errorf("%+v", task)
			}
		})
	}
}

// TestOldLeadersForgetTheResultsOfAgents follows Marathon facts 4.3.
func TestOldLeadersForgetTheResultsOfAgents(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Generation: marathonsim.V1_1, Masters: 2, HealthInterval: 10 * time.Millisecond, ElectionDelay: time.Hour})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}]}`)
	simtest.Running(t, c, "/a", 1)
	if r, body := send(t, "POST", c.Masters()[0]+"/v2/apps", `{"id":"/b","cmd":"serve","healthChecks":[{"protocol":"MESOS_TCP"}]}`); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("Mesos' checks came with 1.4: %s %s", r.Status, body)
	}
	if err := c.StopMaster(0); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, c, "the loss", func() bool { return c.Tasks("/a")[0].Healthy == nil })
}
