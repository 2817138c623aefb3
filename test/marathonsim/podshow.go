package marathonsim

import (
	"encoding/json"
	"time"
)

// podJSON is the definition of a pod.
type podJSON struct {
	ID          string                     `json:"id"`
	Labels      map[string]string          `json:"labels"`
	Version     string                     `json:"version"`
	Environment map[string]json.RawMessage `json:"environment,omitempty"`
	Containers  []podContainer             `json:"containers"`
	Networks    []network                  `json:"networks"`
	Scaling     podScaling                 `json:"scaling"`
	Scheduling  podScheduling              `json:"scheduling"`
	Executor    podResources               `json:"executorResources"`
	Role        string                     `json:"role,omitempty"`
}

type podScaling struct {
	Kind      string `json:"kind"`
	Instances int    `json:"instances"`
}

// showPod returns the definition as the API shows it.
func (d *definition) showPod(f features) podJSON {
	out := podJSON{
		ID: d.ID, Labels: d.Labels, Version: d.Version, Environment: d.Env, Containers: d.Pod.Containers,
		Networks: d.Networks, Scaling: podScaling{"fixed", d.Instances}, Scheduling: d.Pod.Scheduling, Executor: d.Pod.Executor,
	}
	if f.roles {
		out.Role = d.Role
	}
	return out
}

// The statuses of a pod and its instances.
const (
	podPending  = "PENDING"
	podStaging  = "STAGING"
	podStable   = "STABLE"
	podDegraded = "DEGRADED"
	podTerminal = "TERMINAL"
)

// podStatusJSON is the live view of a pod.
type podStatusJSON struct {
	ID          string            `json:"id"`
	Spec        podJSON           `json:"spec"`
	Status      string            `json:"status"`
	Since       string            `json:"statusSince"`
	Instances   []podInstanceJSON `json:"instances"`
	History     []struct{}        `json:"terminationHistory"`
	LastUpdated string            `json:"lastUpdated"`
	LastChanged string            `json:"lastChanged"`
}

type podInstanceJSON struct {
	ID          string             `json:"id"`
	Status      string             `json:"status"`
	Since       string             `json:"statusSince"`
	Conditions  []podCondition     `json:"conditions"`
	Host        string             `json:"agentHostname,omitempty"`
	AgentID     string             `json:"agentId,omitempty"`
	Region      string             `json:"agentRegion,omitempty"`
	Zone        string             `json:"agentZone,omitempty"`
	Resources   podResources       `json:"resources"`
	Networks    []podNetworkJSON   `json:"networks"`
	Containers  []podContainerJSON `json:"containers"`
	Reference   string             `json:"specReference"`
	Volumes     *[]struct{}        `json:"localVolumes,omitempty"`
	LastUpdated string             `json:"lastUpdated"`
	LastChanged string             `json:"lastChanged"`
	Role        string             `json:"role,omitempty"`
}

type podNetworkJSON struct {
	Name      string   `json:"name,omitempty"`
	Addresses []string `json:"addresses"`
}

type podContainerJSON struct {
	Name        string            `json:"name"`
	Status      string            `json:"status"`
	Since       string            `json:"statusSince"`
	Conditions  []podCondition    `json:"conditions"`
	ID          string            `json:"containerId"`
	Endpoints   []podEndpointJSON `json:"endpoints"`
	Resources   podResources      `json:"resources"`
	LastUpdated string            `json:"lastUpdated"`
	LastChanged string            `json:"lastChanged"`
}

type podEndpointJSON struct {
	Name     string `json:"name"`
	HostPort int    `json:"allocatedHostPort,omitempty"`
	Healthy  *bool  `json:"healthy,omitempty"`
}

type podCondition struct {
	Name        string `json:"name"`
	LastChanged string `json:"lastChanged"`
	LastUpdated string `json:"lastUpdated"`
	Value       string `json:"value"`
	Reason      string `json:"reason"`
}

// showPodStatus returns the live view of a pod at one moment, which is its lastUpdated:
// it moves with each reading. c.mu is held.
func (c *Cluster) showPodStatus(a *appState, now time.Time) podStatusJSON {
	out := podStatusJSON{
		ID: a.id, Spec: a.def.showPod(c.features), Status: podDegraded, Instances: []podInstanceJSON{},
		History: []struct{}{}, LastUpdated: formatTime(now), LastChanged: a.def.Version,
	}
	stable := 0
	for _, t := range a.tasks {
		i := c.showInstance(t, now)
		if i.Status == podStable {
			stable++
		}
		out.LastChanged = max(out.LastChanged, i.LastChanged)
		out.Instances = append(out.Instances, i)
	}
	if stable >= a.def.Instances {
		out.Status = podStable
	}
	out.Since = out.LastChanged
	return out
}

// showInstance returns the live view of one instance. c.mu is held.
func (c *Cluster) showInstance(t *task, now time.Time) podInstanceJSON {
	changed := formatTime(t.changedAt())
	out := podInstanceJSON{
		ID: t.instance, Status: t.podStatus(), Since: changed, Conditions: []podCondition{}, Networks: []podNetworkJSON{},
		Containers: []podContainerJSON{}, Reference: "/v2/pods" + t.app.id + "::versions/" + t.def.Version,
		LastUpdated: formatTime(now), LastChanged: changed, Resources: t.def.Pod.Executor,
	}
	out.Resources.GPUs = new(double)
	for _, box := range t.def.Pod.Containers {
		out.Resources.CPUs += box.Resources.CPUs
		out.Resources.Mem += box.Resources.Mem
		out.Resources.Disk += box.Resources.Disk
	}
	if t.agent != nil {
		out.Host, out.AgentID = t.agent.Name, t.agent.id
		if c.features.atLeast(6) {
			out.Region, out.Zone = "dc-north", "zone-a"
		}
	}
	if c.features.atLeast(6) {
		out.Volumes = &[]struct{}{}
	}
	if c.features.roles {
		out.Role = t.def.Role
	}
	if !t.started.IsZero() {
		for i, ip := range t.ips {
			n := podNetworkJSON{Addresses: []string{ip}}
			switch t.def.mode() {
			case modeBridge:
				n.Name = "mesos-bridge"
			case modeContainer:
				n.Name = t.def.Networks[i].Name
			}
			out.Networks = append(out.Networks, n)
		}
	}
	if t.agent != nil && t.state != "" {
		out.Containers = c.showContainers(t, changed)
	}
	return out
}

// showContainers returns the containers of an instance. Those of one that has ended show
// no endpoints. c.mu is held.
func (c *Cluster) showContainers(t *task, changed string) []podContainerJSON {
	allocated := t.allocated()
	ended := t.ended() || t.podStatus() == podTerminal
	boxes := []podContainerJSON{}
	check := 0
	for _, box := range t.def.Pod.Containers {
		b := podContainerJSON{
			Name: box.Name, Status: t.state, Since: changed, Conditions: []podCondition{}, ID: t.containerID(c.features, box.Name),
			Endpoints: []podEndpointJSON{}, Resources: box.Resources, LastUpdated: changed, LastChanged: changed,
		}
		var result *healthResult
		checked := ""
		if box.HealthCheck != nil {
			result = t.results[check]
			checked = box.HealthCheck.endpoint()
			check++
		}
		if result != nil && !ended {
			value := map[bool]string{true: "true", false: "false"}[result.alive()]
			b.Conditions = append(b.Conditions, podCondition{"healthy", changed, changed, value, "health-reported-by-mesos"})
		}
		for _, e := range box.Endpoints {
			if ended {
				break
			}
			shown := podEndpointJSON{Name: e.Name, HostPort: allocated[e.Name]}
			if result != nil && e.Name == checked {
				alive := result.alive()
				shown.Healthy = &alive
			}
			b.Endpoints = append(b.Endpoints, shown)
		}
		boxes = append(boxes, b)
	}
	return boxes
}

// endpoint returns the endpoint that a check names, or "".
func (h *podHealthCheck) endpoint() string {
	switch {
	case h.HTTP != nil:
		return h.HTTP.Endpoint
	case h.TCP != nil:
		return h.TCP.Endpoint
	}
	return ""
}

// podStatus returns the status of an instance: running is stable only with every check
// known to pass.
func (t *task) podStatus() string {
	switch t.state {
	case "":
		return podPending
	case stateStaging, stateStarting:
		return podStaging
	case stateRunning:
		if len(t.def.HealthChecks) == 0 || t.healthy != nil && *t.healthy {
			return podStable
		}
		return podDegraded
	case stateUnreachable:
		return podDegraded
	}
	return podTerminal
}

// changedAt returns when the task last changed, as far as documents tell.
func (t *task) changedAt() time.Time {
	at := t.created
	for _, when := range []time.Time{t.staged, t.started} {
		at = latest(at, when)
	}
	for _, r := range t.results {
		if r != nil {
			at = latest(at, latest(r.firstSuccess, r.lastFailure))
		}
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
