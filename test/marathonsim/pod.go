package marathonsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// podSpec is what a pod has beside a definition. A pod is simulated as an app with one
// task per instance, whose ports are the pod's endpoints; only documents and events
// differ.
type podSpec struct {
	Containers []podContainer
	Scheduling podScheduling
	Executor   podResources
}

// podContainer is a container as documents show it.
type podContainer struct {
	Name        string          `json:"name"`
	Exec        json.RawMessage `json:"exec,omitempty"`
	Resources   podResources    `json:"resources"`
	Endpoints   []podEndpoint   `json:"endpoints"`
	HealthCheck *podHealthCheck `json:"healthCheck,omitempty"`
	Image       json.RawMessage `json:"image,omitempty"`
}

type podResources struct {
	CPUs double  `json:"cpus"`
	Mem  double  `json:"mem"`
	Disk double  `json:"disk"`
	GPUs *double `json:"gpus,omitempty"`
}

type podEndpoint struct {
	Name          string            `json:"name"`
	ContainerPort int               `json:"containerPort,omitempty"`
	Protocol      []string          `json:"protocol"`
	Labels        map[string]string `json:"labels,omitempty"`
	HostPort      *int              `json:"hostPort,omitempty"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
}

type podHealthCheck struct {
	HTTP        *podHTTPCheck   `json:"http,omitempty"`
	TCP         *podTCPCheck    `json:"tcp,omitempty"`
	Exec        json.RawMessage `json:"exec,omitempty"`
	Grace       float64         `json:"gracePeriodSeconds"`
	Interval    float64         `json:"intervalSeconds"`
	MaxFailures int             `json:"maxConsecutiveFailures"`
	Timeout     float64         `json:"timeoutSeconds"`
	Delay       float64         `json:"delaySeconds"`
}

type podHTTPCheck struct {
	Endpoint string `json:"endpoint"`
	Path     string `json:"path,omitempty"`
	Scheme   string `json:"scheme,omitempty"`
}

type podTCPCheck struct {
	Endpoint string `json:"endpoint"`
}

type podScheduling struct {
	Backoff struct {
		Backoff        double `json:"backoff"`
		BackoffFactor  double `json:"backoffFactor"`
		MaxLaunchDelay double `json:"maxLaunchDelay"`
	} `json:"backoff"`
	Upgrade       upgradeStrategy `json:"upgrade"`
	KillSelection string          `json:"killSelection"`
	Unreachable   json.RawMessage `json:"unreachableStrategy"`
}

// pods reports whether the generation has pods: 1.4 and later.
func (f features) pods() bool { return f.atLeast(4) }

// atLeast reports whether the version is 1.minor or later.
func (f features) atLeast(minor int) bool {
	var major, has int
	_, err := fmt.Sscanf(f.version, "%d.%d", &major, &has)
	return err == nil && (major > 1 || major == 1 && has >= minor)
}

// newPod makes the definition of a posted pod; what the document leaves out has
// Marathon's defaults.
func newPod(id string, in fields, f features) (*definition, error) {
	d := newDefinition(id, f)
	spec := &podSpec{Executor: podResources{CPUs: 0.1, Mem: 32, Disk: 10}}
	b := &spec.Scheduling.Backoff
	b.Backoff, b.BackoffFactor, b.MaxLaunchDelay = double(d.Backoff), double(d.BackoffFactor), 300
	spec.Scheduling.Upgrade, spec.Scheduling.KillSelection, spec.Scheduling.Unreachable = d.Upgrade, d.KillSelection, d.Unreachable
	var raws []json.RawMessage
	scaling := struct {
		Instances *int `json:"instances"`
	}{&d.Instances}
	for name, to := range map[string]any{
		"labels": &d.Labels, "containers": &raws, "networks": &d.Networks, "scaling": &scaling,
		"scheduling": &spec.Scheduling, "environment": &d.Env, "executorResources": &spec.Executor, "role": &d.Role,
	} {
		if in.has(name) {
			if err := json.Unmarshal(in[name], to); err != nil {
				return nil, invalid("/"+name, err.Error())
			}
		}
	}
	if len(raws) == 0 {
		return nil, invalid("/containers", "must not be empty")
	}
	for i, raw := range raws {
		c := podContainer{Resources: podResources{CPUs: 0.1, Mem: 32, GPUs: new(double)}, Endpoints: []podEndpoint{}}
		if err := json.Unmarshal(raw, &c); err != nil || c.Name == "" {
			return nil, invalid(fmt.Sprintf("/containers(%d)", i), "is no container with a name")
		}
		spec.Containers = append(spec.Containers, c)
	}
	d.Pod = spec
	d.Backoff, d.BackoffFactor, d.MaxDelay = float64(b.Backoff), float64(b.BackoffFactor), int(b.MaxLaunchDelay)
	d.Upgrade, d.KillSelection, d.Unreachable = spec.Scheduling.Upgrade, spec.Scheduling.KillSelection, spec.Scheduling.Unreachable
	if err := parseNetworks(d, fields{}, f); err != nil {
		return nil, err
	}
	return d, d.readContainers()
}

// readContainers makes ports and health checks of the containers'.
func (d *definition) readContainers() error {
	var names []string
	for i := range d.Pod.Containers {
		c := &d.Pod.Containers[i]
		for k := range c.Endpoints {
			e := &c.Endpoints[k]
			if e.Name == "" || slices.Contains(names, e.Name) {
				return invalid(fmt.Sprintf("/containers(%d)/endpoints(%d)/name", i, k), "must be there and unique")
			}
			names = append(names, e.Name)
			if e.Protocol == nil {
				e.Protocol = []string{"tcp"}
			}
		}
	}
	if d.mode() != modeHost {
		d.Container = &container{Type: "MESOS", Mappings: []portMapping{}}
	}
	for _, e := range d.Pod.endpoints() {
		if d.mode() == modeHost {
			d.Ports = append(d.Ports, portDefinition{Name: e.Name})
			continue
		}
		d.Container.Mappings = append(d.Container.Mappings, portMapping{ContainerPort: e.ContainerPort, HostPort: e.HostPort})
	}
	for i := range d.Pod.Containers {
		c := &d.Pod.Containers[i]
		if c.HealthCheck == nil {
			continue
		}
		h, err := c.HealthCheck.check(names)
		if err != nil {
			return invalid(fmt.Sprintf("/containers(%d)/healthCheck", i), err.Error())
		}
		d.HealthChecks = append(d.HealthChecks, h)
	}
	return nil
}

// UnmarshalJSON reads a check over Marathon's defaults.
func (h *podHealthCheck) UnmarshalJSON(data []byte) error {
	type plain podHealthCheck
	p := plain{Grace: 300, Interval: 60, MaxFailures: 3, Timeout: 20, Delay: 15}
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read the health check: %w", err)
	}
	*h = podHealthCheck(p)
	return nil
}

// check returns the check as one of Mesos' on the port of the endpoint it names. A
// command of a pod's check is not run: it passes.
func (h *podHealthCheck) check(names []string) (healthCheck, error) {
	out := healthCheck{
		Protocol: "COMMAND", Command: "true", Grace: h.Grace, Interval: h.Interval, Timeout: h.Timeout,
		Delay: h.Delay, MaxFailures: h.MaxFailures,
	}
	endpoint := ""
	switch {
	case h.HTTP != nil:
		out.Protocol, out.Path, out.Command, endpoint = "MESOS_HTTP", h.HTTP.Path, "", h.HTTP.Endpoint
		if h.HTTP.Scheme == "HTTPS" {
			out.Protocol = "MESOS_HTTPS"
		}
	case h.TCP != nil:
		out.Protocol, out.Command, endpoint = "MESOS_TCP", "", h.TCP.Endpoint
	default:
		return out, nil
	}
	k := slices.Index(names, endpoint)
	if k < 0 {
		return out, fmt.Errorf("endpoint %q does not exist", endpoint)
	}
	out.PortIndex = &k
	return out, nil
}

// endpoints returns the endpoints of all containers in order.
func (p *podSpec) endpoints() []podEndpoint {
	var all []podEndpoint
	for _, c := range p.Containers {
		all = append(all, c.Endpoints...)
	}
	return all
}

// podHostPorts returns the host ports the pod wants, 0 for any, in the order in which
// its tasks hold them: with the agent's network every endpoint has one.
func (d *definition) podHostPorts() []int {
	var ports []int
	for _, e := range d.Pod.endpoints() {
		switch {
		case e.HostPort != nil:
			ports = append(ports, *e.HostPort)
		case d.mode() == modeHost:
			ports = append(ports, 0)
		}
	}
	return ports
}

// allocated returns the host port of each endpoint that has one, by its name.
func (t *task) allocated() map[string]int {
	ports := map[string]int{}
	k := 0
	for _, e := range t.def.Pod.endpoints() {
		if (e.HostPort != nil || t.def.mode() == modeHost) && k < len(t.ports) {
			ports[e.Name] = t.ports[k]
			k++
		}
	}
	return ports
}

// announced returns the health checks that events tell of: those of apps.
func (d *definition) announced() []healthCheck {
	if d.Pod != nil {
		return nil
	}
	return d.HealthChecks
}

// containerID returns the task ID of a container of a pod's instance.
func (t *task) containerID(f features, container string) string {
	id := t.instance + "." + container
	if f.instanceTasks {
		id += ".1"
	}
	return id
}

// podStatusUpdate announces the state of each container of an instance: each is a task
// of Mesos. c.mu is held.
func (c *Cluster) podStatusUpdate(t *task, message string) {
	allocated := t.allocated()
	for _, box := range t.def.Pod.Containers {
		ports := []int{}
		for _, e := range box.Endpoints {
			if p, ok := allocated[e.Name]; ok {
				ports = append(ports, p)
			}
		}
		c.publish("status_update_event",
			member{"slaveId", t.agent.id}, member{"taskId", t.containerID(c.features, box.Name)}, member{"taskStatus", t.state},
			member{"message", message}, member{"appId", t.app.id}, member{"host", t.agent.Name},
			member{"ipAddresses", notNil(t.addresses())}, member{"ports", ports}, member{"version", t.def.Version})
	}
}

// show returns an action as documents show it.
func (a action) show(f features) actionJSON {
	def := a.def
	if def == nil {
		def = a.app.def
	}
	if def != nil && def.Pod != nil {
		return actionJSON{Action: strings.Replace(a.kind, "Application", "Pod", 1), Pod: a.app.id}
	}
	if f.actionType {
		return actionJSON{Type: a.kind, App: a.app.id}
	}
	return actionJSON{Action: a.kind, App: a.app.id}
}

// DeployPod creates or replaces a pod. It returns when Marathon has accepted.
func (c *Cluster) DeployPod(document string) error {
	in, err := parseFields([]byte(document))
	if err != nil {
		return err
	}
	var id string
	if err := json.Unmarshal(in["id"], &id); err != nil {
		return fmt.Errorf("read the id of the pod: %w", err)
	}
	c.mu.Lock()
	exists := c.pod(id) != nil
	c.mu.Unlock()
	if exists {
		return c.do(http.MethodPut, "/v2/pods"+id, document)
	}
	return c.do(http.MethodPost, "/v2/pods", document)
}

// DeletePod removes a pod.
func (c *Cluster) DeletePod(id string) error { return c.do(http.MethodDelete, "/v2/pods"+id, "") }

// pod returns the pod of an ID, and app the app; nil if there is none. c.mu is held.
func (c *Cluster) pod(id string) *appState {
	if a := c.apps[id]; a != nil && a.def.Pod != nil {
		return a
	}
	return nil
}

func (c *Cluster) app(id string) *appState {
	if a := c.apps[id]; a != nil && a.def.Pod == nil {
		return a
	}
	return nil
}
