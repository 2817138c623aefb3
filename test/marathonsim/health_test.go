package marathonsim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

func TestHealthChecksProbe(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]string{
		"HTTP":             `{"protocol":"HTTP","path":"/ok"}`,
		"HTTP, a redirect": `{"protocol":"HTTP","path":"/?status=302"}`,
		"TCP":              `{"protocol":"TCP"}`,
		"MESOS_HTTP":       `{"protocol":"MESOS_HTTP","path":"/"}`,
		"MESOS_TCP":        `{"protocol":"MESOS_TCP"}`,
		"COMMAND":          `{"protocol":"COMMAND","command":{"value":"test -n \"$PORT0\""}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{HealthInterval: 20 * time.Millisecond})
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[`+check+`]}`)
			simtest.Running(t, c, "/a", 1)
		})
	}
}

func TestFailuresWithinTheGracePeriodLeaveNoResult(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HealthInterval: 5 * time.Millisecond})
	f := follow(t, c, "")
	f.awaitKind(t, "event_stream_attached", 1)
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[
		{"protocol":"HTTP","path":"/?status=500","gracePeriodSeconds":300},{"protocol":"TCP"}]}`)
	// The second check reports; by then the first has failed as often.
	f.awaitKind(t, "health_status_changed_event", 1)
	kinds, _ := f.events()
	for _, kind := range kinds {
		if kind == "failed_health_check_event" || kind == "instance_health_changed_event" {
			t.Errorf("there is an event %s", kind)
		}
	}
	_, body := get(t, c.Masters()[0]+"/v2/apps//a")
	if n := strings.Count(body, `"alive":`); n != 1 || !strings.Contains(body, `"alive":true`) {
		t.Errorf("%d results: %s", n, body)
	}
}

func TestFlipsAreAnnouncedOnceAndFailureKills(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HealthInterval: 10 * time.Millisecond, Speed: 50})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"HTTP","maxConsecutiveFailures":4}]}`)
	task := simtest.Running(t, c, "/a", 1)[0]
	f := follow(t, c, "")
	f.awaitKind(t, "event_stream_attached", 1)
	if err := c.FailTask(task.ID); err != nil {
		t.Fatal(err)
	}
	f.awaitKind(t, "unhealthy_instance_kill_event", 1)
	kinds, data := f.events()
	counts := map[string]int{}
	for i, kind := range kinds {
		var event struct{ InstanceID, TaskID string }
		if err := json.Unmarshal([]byte(data[i]), &event); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(task.ID, event.InstanceID+".") || strings.HasPrefix(task.ID, event.TaskID+".") {
			counts[kind]++
		}
	}
	if counts["failed_health_check_event"] != 4 || counts["health_status_changed_event"] != 1 || counts["instance_health_changed_event"] != 1 {
		t.Errorf("%v", counts)
	}
	simtest.Wait(t, c, "a replacement", func() bool {
		ready := c.Ready("/a")
		return len(ready) == 1 && ready[0].ID != task.ID
	})
}

func TestRecoveredTaskIsAliveAgain(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HealthInterval: 10 * time.Millisecond})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"TCP","maxConsecutiveFailures":0}]}`)
	task := simtest.Running(t, c, "/a", 1)[0]
	if err := c.FailTask(task.ID); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, c, "the failure", func() bool { return len(c.Ready("/a")) == 0 })
	if r, _ := get(t, "http://"+task.Addr(0)); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the task answers %s", r.Status)
	}
	if err := c.RecoverTask(task.ID); err != nil {
		t.Fatal(err)
	}
	if got := simtest.Running(t, c, "/a", 1)[0].ID; got != task.ID {
		t.Errorf("task %s instead of %s", got, task.ID)
	}
}

func TestAgentResultsSurviveALeaderChange(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Masters: 2, HealthInterval: 10 * time.Millisecond})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}]}`)
	simtest.Running(t, c, "/a", 1)
	if err := c.StopMaster(0); err != nil {
		t.Fatal(err)
	}
	if len(c.Ready("/a")) != 1 {
		t.Error("the result of the agent is lost")
	}
}

func TestKillingTaskIsListedAndAliveUntilItEnds(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{
		HealthInterval: 10 * time.Millisecond,
		Launcher:       launcher.InProcess{StopDelay: time.Hour}, // goes on until it is killed
	})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","taskKillGracePeriodSeconds":0.5,"healthChecks":[{"protocol":"TCP"}]}`)
	task := simtest.Running(t, c, "/a", 1)[0]
	if err := c.Scale("/a", 0); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, c, "the kill", func() bool {
		tasks := c.Tasks("/a")
		return len(tasks) == 1 && tasks[0].State == "TASK_KILLING"
	})
	_, body := get(t, c.Masters()[0]+"/v2/apps//a")
	if !strings.Contains(body, `"state":"TASK_KILLING"`) || !strings.Contains(body, `"alive":true`) {
		t.Error(body)
	}
	if r, _ := get(t, "http://"+task.Addr(0)); r.StatusCode != http.StatusOK {
		t.Error(r.Status)
	}
	simtest.Running(t, c, "/a", 0)
	if _, _, err := try(t.Context(), "GET", "http://"+task.Addr(0), ""); err == nil {
		t.Error("the task still answers")
	}
}
