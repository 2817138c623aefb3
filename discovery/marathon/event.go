package marathon

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// typeAttached is the type of the event that a new stream sees first: its own
// attachment. Those of other streams look the same and mean nothing.
const typeAttached = "event_stream_attached"

// typeGroup is the type of the event that says that something below a group is stored,
// and not what. A deployment, announced before or after it, names the apps; without one
// nothing that routes has changed, as Marathon deploys every change of an app.
const typeGroup = "group_change_success"

// podTypes are the events that say that a pod was stored or removed, and not which one:
// as with a group, a deployment names it.
func podTypes() []string {
	return []string{"pod_created_event", "pod_updated_event", "pod_deleted_event"}
}

// Triggers of passes that no event set off. The type of an event is a trigger too.
const (
	triggerStart     = "start"
	triggerResync    = "resync"
	triggerReconnect = "reconnect"
	triggerNoStream  = "no stream"
	triggerRetry     = "retry"
	triggerReadiness = "readiness"
)

// subscribedTypes are the events that are asked for: those that may change a route
// (contract 2.1, D12), and the stream's own attachment. Why the others are left out is
// in docs/decisions/0004-events-that-are-asked-for.md. Marathon before 1.3.7 sends all
// events nevertheless.
func subscribedTypes(pods bool) []string {
	types := []string{
		"api_post_event", "health_status_changed_event", "status_update_event",
		typeAttached, typeGroup, "app_terminated_event", "deployment_info", "deployment_success",
		"deployment_failed", "instance_changed_event", "instance_health_changed_event",
	}
	if pods {
		types = append(types, podTypes()...)
	}
	return types
}

// subscribed reports whether an event of the type was asked for.
func subscribed(kind string, pods bool) bool { return slices.Contains(subscribedTypes(pods), kind) }

// Hint says what may have changed. It is all that mlb takes from an event.
type Hint struct {
	// Type is the type of the event, or "reconnect" for a new connection.
	Type string
	// Apps are the IDs of the apps (or pods) that may have changed.
	Apps []string
	// All says that any app may have changed.
	All bool
	// Group says that All is only meant if no deployment names the apps, Deployment that
	// this is one.
	Group, Deployment bool
	// Ahead says that the event announces what others will tell, such as a task that is
	// about to start: it has time.
	Ahead bool
	// Gone are those of the apps that are being deleted, or have been; Ends is a task that
	// ends, has ended or cannot be reached: its ID, or what that begins with up to a dot.
	// These are reasons for which an answer may lack what was there.
	Gone []string
	Ends string
	// Ended is the ID of a task, of the one app in Apps, that ends or has ended.
	Ended string
	// Health says that the event is about a health check, and nothing else.
	Health bool
	// News is what the event says that can be held against what was read of the Apps.
	News News
}

// event is what mlb reads of an event's document. Members of all generations are
// here; each event has some of them.
type event struct {
	Type          string `json:"eventType"`
	AppID         string `json:"appId"`
	RunSpecID     string `json:"runSpecId"`
	TaskID        string `json:"taskId"`
	TaskStatus    string `json:"taskStatus"`
	InstanceID    string `json:"instanceId"`
	Condition     string `json:"condition"`
	AppDefinition struct {
		ID string `json:"id"`
	} `json:"appDefinition"`
	Plan struct {
		Steps []struct {
			Actions []struct {
				Action string `json:"action"`
				Type   string `json:"type"` // what it was called up to Marathon 1.1.1
				App    string `json:"app"`
				Pod    string `json:"pod"`
			} `json:"actions"`
		} `json:"steps"`
	} `json:"plan"`
}

// hint returns what the event says. An event that names no app, as those about
// groups that name only the parent, may be about any.
func (e event) hint() Hint {
	var apps, gone []string
	add := func(id string) {
		if id != "" && !slices.Contains(apps, id) {
			apps = append(apps, id)
		}
	}
	if e.Type == "app_terminated_event" && e.AppID != "" {
		gone = append(gone, e.AppID)
	}
	add(e.AppID)
	add(e.RunSpecID)
	add(e.AppDefinition.ID)
	for _, step := range e.Plan.Steps {
		for _, action := range step.Actions {
			add(action.App)
			add(action.Pod)
			if strings.HasPrefix(action.Action+action.Type, "Stop") { // StopApplication, StopPod
				gone = append(gone, action.App+action.Pod)
			}
		}
	}
	deploys := strings.HasPrefix(e.Type, "deployment_")
	stored := e.Type == typeGroup || slices.Contains(podTypes(), e.Type)
	return Hint{
		Type: e.Type, Apps: apps, All: len(apps) == 0,
		Group: len(apps) == 0 && (deploys || stored), Deployment: deploys && len(apps) > 0,
		Ahead: deploys || stored || e.ahead(), Gone: gone, Ends: e.ends(), Ended: e.ended(), Health: e.health(), News: e.news(),
	}
}

// ahead reports whether the event says that an app was defined, or a task is on its way to
// run. Its end comes with another event (Marathon's states of tasks and instances).
func (e event) ahead() bool {
	switch e.Type {
	case "api_post_event":
		return true
	case "status_update_event":
		return slices.Contains([]string{"TASK_STAGING", "TASK_STARTING"}, e.TaskStatus)
	case "instance_changed_event":
		return slices.Contains([]string{"Scheduled", "Provisioned", "Reserved", "Created", "Staging", "Starting"}, e.Condition)
	}
	return false
}

// ends returns the task that the event says no longer runs, whatever it is that it does
// instead, or what the ID of that task begins with up to a dot; empty if there is none.
func (e event) ends() string {
	switch {
	case e.Type == "status_update_event" && e.TaskStatus != "" && e.TaskStatus != "TASK_RUNNING" && !e.ahead():
		return e.TaskID
	case e.Type == "instance_changed_event" && e.Condition != "" && e.Condition != "Running" && !e.ahead():
		return strings.Replace(e.InstanceID, ".marathon-", ".", 1) // as News.about has it
	}
	return ""
}

// health reports whether the event is about a health check.
func (e event) health() bool {
	return e.Type == "health_status_changed_event" || e.Type == "instance_health_changed_event"
}

// ended returns the task that the event says ends or has ended, or "". A task that is
// lost or unreachable has not (K17).
func (e event) ended() string {
	if e.Type == "status_update_event" && e.AppID != "" && slices.Contains([]string{
		"TASK_KILLING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR",
	}, e.TaskStatus) {
		return e.TaskID
	}
	return ""
}

// maxRestarts bounds how often reading goes on after something unreadable in the
// data of one event.
const maxRestarts = 16

// decodeEvents reads the documents in the data of one event: usually one, several
// on lines of their own where a proxy merged events. It returns how many documents
// could not be read beside those that could; white space alone is no document. An
// event whose members have unexpected types counts as readable if it has a type, and
// then names no app.
func decodeEvents(data []byte) (events []event, unreadable int) {
	var only event
	if json.Unmarshal(data, &only) == nil && only.Type != "" {
		return []event{only}, 0
	}
	for unreadable <= maxRestarts {
		data = bytes.TrimLeft(data, " \t\r\n")
		if len(data) == 0 {
			return events, unreadable
		}
		d := json.NewDecoder(bytes.NewReader(data))
		var e event
		err := d.Decode(&e)
		var shape *json.UnmarshalTypeError
		switch {
		case err == nil && data[0] != '{':
			unreadable++ // null
		case err == nil:
			events = append(events, e)
		case errors.As(err, &shape):
			if e.Type == "" {
				unreadable++
			} else {
				events = append(events, event{Type: e.Type})
			}
		default:
			unreadable++
			next := bytes.Index(data[1:], []byte("\n{"))
			if next < 0 {
				return events, unreadable
			}
			data = data[next+2:]
			continue
		}
		data = data[d.InputOffset():]
	}
	return events, unreadable
}
