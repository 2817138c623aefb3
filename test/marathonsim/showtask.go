package marathonsim

import "time"

// ipJSON is one address of a task.
type ipJSON struct {
	IPAddress string `json:"ipAddress"`
	Protocol  string `json:"protocol"`
}

// addresses returns the task's addresses, which are known once it runs.
func (t *task) addresses() []ipJSON {
	if t.started.IsZero() {
		return nil
	}
	var out []ipJSON
	for _, ip := range t.ips {
		out = append(out, ipJSON{ip, "IPv4"})
	}
	return out
}

// generatedTask is a task of 1.8 and later.
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
	LocalVolumes []struct{}            `json:"localVolumes"`
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

// legacyTask is a task of 1.4.
type legacyTask struct {
	ID           string             `json:"id"`
	SlaveID      string             `json:"slaveId"`
	Host         string             `json:"host"`
	State        string             `json:"state"`
	StartedAt    **string           `json:"startedAt,omitempty"` // absent or null
	StagedAt     string             `json:"stagedAt,omitempty"`
	Ports        *[]int             `json:"ports,omitempty"`
	Version      string             `json:"version,omitempty"`
	IPAddresses  []ipJSON           `json:"ipAddresses,omitempty"`
	AppID        string             `json:"appId"`
	Results      []legacyResultJSON `json:"healthCheckResults,omitempty"`
	ServicePorts []int              `json:"servicePorts,omitempty"`
}

type legacyResultJSON struct {
	Alive        bool    `json:"alive"`
	Failures     int     `json:"consecutiveFailures"`
	FirstSuccess *string `json:"firstSuccess"`
	LastFailure  *string `json:"lastFailure"`
	LastSuccess  *string `json:"lastSuccess"`
	Cause        *string `json:"lastFailureCause"`
	InstanceID   string  `json:"instanceId"`
}

// show returns the task as the API shows it. servicePorts are those of /v2/tasks
// and nil elsewhere; only answers without them are kept for the next time. The
// cluster's lock is held.
func (t *task) show(f features, servicePorts []int) []byte {
	if servicePorts == nil && t.json != nil {
		return t.json
	}
	var b []byte
	if f.legacyJSON {
		b = encode(t.showLegacy(servicePorts))
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
	return t.terminal || t.inactive
}

func (t *task) showGenerated(f features, servicePorts []int) generatedTask {
	out := generatedTask{
		ID: t.id, SlaveID: t.agent.id, Host: t.agent.Name, State: t.state, IPAddresses: notNil(t.addresses()),
		Ports: []int{}, ServicePorts: notNil(servicePorts), Results: []generatedResultJSON{}, LocalVolumes: []struct{}{},
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
			out.Results = append(out.Results, generatedResultJSON{
				Alive: r.alive(), Failures: r.failures, FirstSuccess: dateOrEmpty(r.firstSuccess),
				LastFailure: dateOrEmpty(r.lastFailure), LastSuccess: dateOrEmpty(r.lastSuccess), Cause: r.cause,
				InstanceID: t.instance,
			})
		}
	}
	return out
}

func (t *task) showLegacy(servicePorts []int) legacyTask {
	out := legacyTask{
		ID: t.id, SlaveID: t.agent.id, Host: t.agent.Name, State: t.state, IPAddresses: t.addresses(),
		AppID: t.app.id, ServicePorts: servicePorts,
	}
	if t.ended() {
		return out
	}
	ports, started := notNil(t.ports), stringOrNull(dateOrEmpty(t.started))
	out.Ports, out.StartedAt, out.StagedAt, out.Version = &ports, &started, dateOrEmpty(t.staged), t.def.Version
	for _, r := range t.results {
		if r != nil {
			out.Results = append(out.Results, legacyResultJSON{
				Alive: r.alive(), Failures: r.failures, FirstSuccess: stringOrNull(dateOrEmpty(r.firstSuccess)),
				LastFailure: stringOrNull(dateOrEmpty(r.lastFailure)), LastSuccess: stringOrNull(dateOrEmpty(r.lastSuccess)),
				Cause: stringOrNull(r.cause), InstanceID: t.instance,
			})
		}
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
