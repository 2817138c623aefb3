package marathonsim

import "time"

// ipJSON is one address of a task.
type ipJSON struct {
	IPAddress string `json:"ipAddress"`
	Protocol  string `json:"protocol"`
}

// addresses returns the task's addresses, which are known once it runs.
func (t *task) addresses() []ipJSON {
	if t.started.IsZero() || t.reserved && t.state == stateStaging {
		return nil
	}
	var out []ipJSON
	for _, ip := range t.ips {
		out = append(out, ipJSON{ip, "IPv4"})
	}
	return out
}

// generatedTask is a task of 1.6 and later.
type generatedTask struct {
	ID           string                `json:"id"`
	SlaveID      string                `json:"slaveId"`
	Host         string                `json:"host"`
	State        string                `json:"state"`
	IPAddresses  []ipJSON              `json:"ipAddresses"`
	StartedAt    string                `json:"startedAt,omitempty"`
	StagedAt     string                `json:"stagedAt,omitempty"`
	Version      string                `json:"version,omitempty"`
	Ports        []int                 `json:"ports"`
	ServicePorts []int                 `json:"servicePorts"`
	Results      []generatedResultJSON `json:"healthCheckResults"`
	LocalVolumes []localVolume         `json:"localVolumes"`
	AppID        string                `json:"appId"`
	Region       string                `json:"region"`
	Zone         string                `json:"zone"`
	Role         string                `json:"role,omitempty"`
}

type generatedResultJSON struct {
	Alive        bool   `json:"alive"`
	Failures     int    `json:"consecutiveFailures"`
	FirstSuccess string `json:"firstSuccess,omitempty"`
	LastFailure  string `json:"lastFailure,omitempty"`
	LastSuccess  string `json:"lastSuccess,omitempty"`
	Cause        string `json:"lastFailureCause,omitempty"`
	InstanceID   string `json:"instanceId"`
}

// legacyTask is a task of up to 1.5.
type legacyTask struct {
	ID           string        `json:"id"`
	SlaveID      string        `json:"slaveId"`
	Host         string        `json:"host"`
	State        string        `json:"state,omitempty"`
	StartedAt    **string      `json:"startedAt,omitempty"` // absent or null
	StagedAt     string        `json:"stagedAt,omitempty"`
	Ports        []int         `json:"ports,omitzero"`
	Version      string        `json:"version,omitempty"`
	IPAddresses  []ipJSON      `json:"ipAddresses,omitzero"`
	LocalVolumes []localVolume `json:"localVolumes,omitempty"`
	AppID        string        `json:"appId"`
	Results      []any         `json:"healthCheckResults,omitempty"`
	ServicePorts []int         `json:"servicePorts,omitempty"`
}

// legacyResultJSON is a health result of up to 1.4.
type legacyResultJSON struct {
	Alive        bool     `json:"alive"`
	Failures     int      `json:"consecutiveFailures"`
	FirstSuccess *string  `json:"firstSuccess"`
	LastFailure  *string  `json:"lastFailure"`
	LastSuccess  *string  `json:"lastSuccess"`
	Cause        **string `json:"lastFailureCause,omitempty"` // absent or null
	TaskID       string   `json:"taskId,omitempty"`
	InstanceID   string   `json:"instanceId,omitempty"`
}

// show returns the task as the API shows it. servicePorts are those of /v2/tasks
// and nil elsewhere; only answers without them are kept for the next time. The
// cluster's lock is held.
func (t *task) show(f features, servicePorts []int) []byte {
	if servicePorts == nil && t.json != nil {
		return t.json
	}
	var b []byte
	if f.legacyTasks {
		b = encode(t.showLegacy(f, servicePorts))
	} else {
		b = encode(t.showGenerated(f, servicePorts))
	}
	if servicePorts == nil {
		t.json = b
	}
	return b
}

// ended reports whether the task shows no ports and no version any more.
func (t *task) ended() bool {
	return t.terminal || t.inactive && t.state != stateLost
}

func (t *task) showGenerated(f features, servicePorts []int) generatedTask {
	out := generatedTask{
		ID: t.id, SlaveID: t.agent.id, Host: t.agent.Name, State: t.state, IPAddresses: notNil(t.addresses()),
		Ports: []int{}, ServicePorts: notNil(servicePorts), Results: []generatedResultJSON{}, LocalVolumes: t.localVolumes(f),
		AppID: t.app.id, Region: "dc-north", Zone: "zone-a",
	}
	if f.roles {
		out.Role = t.def.Role
	}
	if t.ended() {
		return out
	}
	out.Ports, out.Version = notNil(t.ports), t.def.Version
	out.StartedAt, out.StagedAt = dateOrEmpty(t.started), dateOrEmpty(t.staged)
	for _, r := range t.results {
		if r != nil {
			out.Results = append(out.Results, r.showGenerated(t))
		}
	}
	return out
}

func (h *healthResult) showGenerated(t *task) generatedResultJSON {
	return generatedResultJSON{
		Alive: h.alive(), Failures: h.failures, FirstSuccess: dateOrEmpty(h.firstSuccess),
		LastFailure: dateOrEmpty(h.lastFailure), LastSuccess: dateOrEmpty(h.lastSuccess), Cause: h.cause,
		InstanceID: t.instance,
	}
}

func (t *task) showLegacy(f features, servicePorts []int) legacyTask {
	out := legacyTask{
		ID: t.id, SlaveID: t.agent.id, Host: t.agent.Name, AppID: t.app.id, ServicePorts: servicePorts,
		LocalVolumes: t.localVolumes(f),
	}
	if f.taskState {
		out.State = t.state
	}
	if f.addresses {
		out.IPAddresses = t.addresses()
	}
	if f.emptyAddresses {
		out.IPAddresses = notNil(out.IPAddresses)
	}
	if t.ended() {
		return out
	}
	started := stringOrNull(dateOrEmpty(t.started))
	out.Ports, out.StartedAt, out.StagedAt, out.Version = notNil(t.ports), &started, dateOrEmpty(t.staged), t.def.Version
	for _, r := range t.results {
		switch {
		case r == nil:
		case f.legacyJSON:
			out.Results = append(out.Results, r.showLegacy(f, t))
		default:
			out.Results = append(out.Results, r.showGenerated(t))
		}
	}
	return out
}

func (h *healthResult) showLegacy(f features, t *task) legacyResultJSON {
	out := legacyResultJSON{
		Alive: h.alive(), Failures: h.failures, FirstSuccess: stringOrNull(dateOrEmpty(h.firstSuccess)),
		LastFailure: stringOrNull(dateOrEmpty(h.lastFailure)), LastSuccess: stringOrNull(dateOrEmpty(h.lastSuccess)),
	}
	if f.failureCause {
		cause := stringOrNull(h.cause)
		out.Cause = &cause
	}
	if f.instances {
		out.InstanceID = t.instance
	} else {
		out.TaskID = t.id
	}
	return out
}

func dateOrEmpty(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return formatTime(t)
}

func stringOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
