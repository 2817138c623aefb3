package marathon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentsInTheDataOfOneEvent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, data string
		types      []string
		unreadable int
	}{
		{"one document", `{"eventType":"a"}`, []string{"a"}, 0},
		{"two documents parted by CR LF", "{\"eventType\":\"a\"}\r\n{\"eventType\":\"b\"}", []string{"a", "b"}, 0},
		{"two documents parted by nothing", `{"eventType":"a"}{"eventType":"b"}`, []string{"a", "b"}, 0},
		{"one document on several lines", "{\n\"eventType\":\n\"a\"}", []string{"a"}, 0},
		{"an empty payload", "", nil, 0},
		{"white space", " \r\n", nil, 0},
		{"no type in the document", `{"appId":"/a"}`, []string{""}, 0},
		{"text", "hello", nil, 1},
		{"a document cut short", `{"eventType":"a","appI`, nil, 1},
		{"something unreadable before a document", "{\"x\":}\n{\"eventType\":\"a\"}", []string{"a"}, 1},
		{"something unreadable after a document", "{\"eventType\":\"a\"}\nhello", []string{"a"}, 1},
		{"null", "null", nil, 1},
		{"a list", `[{"eventType":"a"}]`, nil, 1},
		{"a number and a document", "1 {\"eventType\":\"a\"}", []string{"a"}, 1},
		{"members of other types than expected", `{"appId":5,"plan":[],"eventType":"a"}`, []string{"a"}, 0},
		{"a type that is no text", `{"eventType":5}`, nil, 1},
		{"members that are null", `{"eventType":"a","appId":null,"plan":null,"appDefinition":null}`, []string{"a"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			events, unreadable := decodeEvents([]byte(tt.data))
			var types []string
			for _, e := range events {
				types = append(types, e.Type)
			}
			if diff := cmp.Diff(tt.types, types); diff != "" || unreadable != tt.unreadable {
				t.Errorf("%d unreadable, want %d; types (-want +got):\n%s", unreadable, tt.unreadable, diff)
			}
		})
	}
}

// notAskedFor are the events that say nothing about routes that another one does not.
func notAskedFor() []string {
	return []string{
		"add_health_check_event", "remove_health_check_event", "failed_health_check_event", "unhealthy_task_kill_event",
		"unhealthy_instance_kill_event", "unknown_task_terminated_event", "unknown_instance_terminated_event",
		"deployment_step_success", "deployment_step_failure", "group_change_failed", "framework_message_event",
		"event_stream_detached", "subscribe_event", "unsubscribe_event", "scheduler_registered_event",
		"scheduler_reregistered_event", "scheduler_disconnected_event",
	}
}

// TestEveryEventOfEveryGenerationNamesItsApps reads one example of every type.
func TestEveryEventOfEveryGenerationNamesItsApps(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "events", "types", "v*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	// The other types that are asked for name an app or a pod in every generation.
	everything := append(podTypes(), "group_change_success", typeAttached)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var examples map[string]json.RawMessage
			if err = json.Unmarshal(content, &examples); err != nil {
				t.Fatal(err)
			}
			for kind, data := range examples {
				events, unreadable := decodeEvents(data)
				if len(events) != 1 || unreadable != 0 || events[0].Type != kind {
					t.Errorf("%s: read %+v and %d unreadable", kind, events, unreadable)
					continue
				}
				if subscribed(kind, true) == slices.Contains(notAskedFor(), kind) {
					t.Errorf("%s: nobody has decided whether it is asked for", kind)
				}
				h := events[0].hint()
				if want := slices.Contains(everything, kind); subscribed(kind, true) && h.All != want {
					t.Errorf("%s: hint %+v, want everything: %v", kind, h, want)
				}
				for _, id := range h.Apps {
					if !strings.HasPrefix(id, "/") {
						t.Errorf("%s: %q is no app ID", kind, id)
					}
				}
			}
		})
	}
}

// FuzzEvents: whatever the data is, it is read or counted, and reading ends.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{`{"eventType":"a","appId":"/x"}`, "{}\r\n{}", "{\n{\n{", "null", "[1]", `{"plan":{"steps":[{"actions":[{"app":"/y"}]}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, unreadable := decodeEvents(data)
		blank := strings.Trim(string(data), " \t\r\n") == ""
		if blank != (len(events)+unreadable == 0) {
			t.Errorf("%d events and %d unreadable in %q", len(events), unreadable, data)
		}
		for _, e := range events {
			if h := e.hint(); h.All != (len(h.Apps) == 0) {
				t.Errorf("hint %+v names apps and everything", h)
			}
		}
	})
}

// What is announced has time, what has happened has not.
func TestWhatIsAhead(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]bool{
		`{"eventType":"status_update_event","appId":"/a","taskStatus":"TASK_STAGING"}`:      true,
		`{"eventType":"status_update_event","appId":"/a","taskStatus":"TASK_STARTING"}`:     true,
		`{"eventType":"status_update_event","appId":"/a","taskStatus":"TASK_RUNNING"}`:      false,
		`{"eventType":"status_update_event","appId":"/a","taskStatus":"TASK_KILLING"}`:      false,
		`{"eventType":"status_update_event","appId":"/a"}`:                                  false,
		`{"eventType":"instance_changed_event","runSpecId":"/a","condition":"Provisioned"}`: true,
		`{"eventType":"instance_changed_event","runSpecId":"/a","condition":"Killing"}`:     false,
		`{"eventType":"instance_changed_event","runSpecId":"/a","condition":"Unreachable"}`: false,
		`{"eventType":"health_status_changed_event","appId":"/a","alive":false}`:            false,
		`{"eventType":"app_terminated_event","appId":"/a"}`:                                 false,
		`{"eventType":"api_post_event","appDefinition":{"id":"/a"}}`:                        true,
		`{"eventType":"deployment_info","plan":{"steps":[{"actions":[{"app":"/a"}]}]}}`:     true,
		`{"eventType":"instance_health_changed_event","runSpecId":"/a","healthy":true}`:     false,
	} {
		events, _ := decodeEvents([]byte(data))
		if len(events) != 1 || events[0].hint().Ahead != want {
			t.Errorf("%s: hints %+v, want ahead: %t", data, events, want)
		}
	}
}

// Of all that an event says, only the end of a task is believed before it is read.
func TestTheEndOfATaskIsTold(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		"TASK_KILLING": "t.1", "TASK_KILLED": "t.1", "TASK_FAILED": "t.1", "TASK_FINISHED": "t.1", "TASK_GONE": "t.1",
		"TASK_RUNNING": "", "TASK_STAGING": "", "TASK_LOST": "", "TASK_UNREACHABLE": "", "TASK_UNKNOWN": "", "": "",
	} {
		e := event{Type: "status_update_event", AppID: "/a", TaskID: "t.1", TaskStatus: state}
		if got := e.hint().Ended; got != want {
			t.Errorf("%s: %q has ended, want %q", state, got, want)
		}
	}
	for _, e := range []event{
		{Type: "status_update_event", TaskID: "t.1", TaskStatus: "TASK_KILLED"},
		{Type: "instance_changed_event", RunSpecID: "/a", TaskID: "t.1", TaskStatus: "TASK_KILLED"},
	} {
		if got := e.hint().Ended; got != "" {
			t.Errorf("%+v: %q has ended", e, got)
		}
	}
}
