package marathonsim_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// TestWhatAnnouncesAChange follows Marathon facts 3 and 8.11: only posted and put
// apps are told by api_post_event; group_change_success names the parent.
func TestWhatAnnouncesAChange(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Unserved: true, LaunchDelay: -1})
	f := follow(t, c, "?event_type=api_post_event&event_type=group_change_success&event_type=deployment_info&event_type=deployment_success")
	simtest.Wait(t, c, "the stream", func() bool { return c.Streams() == 1 })
	seen := 0
	for _, step := range []struct{ method, path, body, group, action string }{
		{"POST", "/v2/apps", `{"id":"/g/a","cmd":"x"}`, "/g", "ScaleApplication"},
		{"PUT", "/v2/apps//g/a", `{"instances":2}`, "/g", "ScaleApplication"},
		{"PATCH", "/v2/apps//g/a", `{"labels":{"n":"1"}}`, "/g", "RestartApplication"},
		{"PUT", "/v2/apps//g/a", `{"instances":0}`, "/g", "ScaleApplication"},
		{"PATCH", "/v2/apps//g/a", `{"labels":{"n":"2"}}`, "/g", "ScaleApplication"}, // nothing runs that could be restarted
		{"PUT", "/v2/apps", `[{"id":"/g/a","instances":1}]`, "/", "ScaleApplication"},
		{"POST", "/v2/apps//g/a/restart", ``, "/g", "RestartApplication"},
		{"PUT", "/v2/groups//g", `{"scaleBy":2}`, "/g", "ScaleApplication"},
		{"PUT", "/v2/groups//g", `{"dependencies":["/other"]}`, "/g", ""}, // an empty plan
		{"DELETE", "/v2/apps//g/a", ``, "/g", "StopApplication"},
		{"DELETE", "/v2/groups//g", ``, "/", ""},
	} {
		name := step.method + " " + step.path + " " + step.body
		if r, body := send(t, step.method, c.Masters()[0]+step.path, step.body); r.StatusCode >= http.StatusMultipleChoices {
			t.Fatalf("%s: %s %s", name, r.Status, body)
		}
		f.await(t, name, func(kinds []string) bool {
			return len(kinds) > seen && slices.Contains(kinds[seen:], "deployment_success")
		})
		kinds, data := f.events()
		kinds, data = kinds[seen:], data[seen:]
		seen += len(kinds)
		posted := step.path != "/v2/apps" && !strings.Contains(step.path, "restart") && strings.Contains(step.path, "/v2/apps") && step.method != "DELETE"
		if posted = posted || step.method == "POST" && step.path == "/v2/apps"; slices.Contains(kinds, "api_post_event") != posted {
			t.Errorf("%s: %q", name, kinds)
		}
		if i := slices.Index(kinds, "deployment_info"); i >= 0 != (step.action != "") || i > 0 || i == 0 && !strings.Contains(data[0], `"currentStep":{"actions":[{"action":"`+step.action+`","app":"/g/a"}]}`) {
			t.Errorf("%s: %q", name, data)
		}
		var changed struct{ GroupID string }
		if i := slices.Index(kinds, "group_change_success"); i < 0 {
			t.Errorf("%s: %q", name, kinds)
		} else if err := json.Unmarshal([]byte(data[i]), &changed); err != nil || changed.GroupID != step.group {
			t.Errorf("%s: group %q instead of %q", name, changed.GroupID, step.group)
		}
	}
}

// Everybody sees who comes and goes; who comes sees itself first.
func TestStreamsSeeEachOtherComeAndGo(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	first := follow(t, c, "")
	first.awaitKind(t, "event_stream_attached", 1)
	conn, r := dial(t, c.Masters()[0], subscribe)
	readHead(t, r)
	if frame := readFrame(t, r); !strings.HasPrefix(frame, "event: event_stream_attached\r\n") {
		t.Errorf("%q", frame)
	}
	first.awaitKind(t, "event_stream_attached", 2)
	_ = conn.Close()
	first.awaitKind(t, "event_stream_detached", 1)
}
