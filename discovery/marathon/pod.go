package marathon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// PodEndpoint is one endpoint of a pod in one of its instances. Its zero value means
// that the instance does not have it: not yet, no more, or not in its version of the
// pod.
type PodEndpoint struct {
	// Container is the task ID of the endpoint's container.
	Container string
	// State is Mesos' word for the container's state, or empty.
	State string
	// Address is the literal address in the pod's network at which the endpoint is
	// reached. Empty means the agent.
	Address string
	// Port is the host port, or the container port at Address. 0 means that the
	// endpoint cannot be reached.
	Port int
	// Results is what the endpoint's health check said; only endpoints that a check
	// names have any.
	Results Results
}

// podStatus is what mlb reads of the live view of a pod, GET /v2/pods::status. Nothing
// that moves with each reading, as lastUpdated does, is in it.
type podStatus struct {
	ID        string         `json:"id"`
	Spec      podSpec        `json:"spec"`
	Instances []*podInstance `json:"instances"`
}

// podSpec is the present definition of a pod.
type podSpec struct {
	Version    string         `json:"version"`
	Labels     Labels         `json:"labels"`
	Containers []podContainer `json:"containers"`
	Networks   []*Network     `json:"networks"`
	Scaling    struct {
		Instances int `json:"instances"`
	} `json:"scaling"`
}

type podContainer struct {
	Endpoints   []podPort `json:"endpoints"`
	HealthCheck *podCheck `json:"healthCheck"`
}

// podPort is an endpoint in a definition.
type podPort struct {
	Name          string   `json:"name"`
	ContainerPort int      `json:"containerPort"`
	NetworkNames  []string `json:"networkNames"`
}

// podCheck is a container's health check.
type podCheck struct {
	HTTP *struct {
		Endpoint string `json:"endpoint"`
		Path     string `json:"path"`
		Scheme   string `json:"scheme"`
	} `json:"http"`
	TCP *struct {
		Endpoint string `json:"endpoint"`
	} `json:"tcp"`
	GracePeriodSeconds     float64 `json:"gracePeriodSeconds"`
	IntervalSeconds        float64 `json:"intervalSeconds"`
	TimeoutSeconds         float64 `json:"timeoutSeconds"`
	MaxConsecutiveFailures int     `json:"maxConsecutiveFailures"`

	// Document is the check as Marathon sent it, without blanks between its parts.
	Document string `json:"document"`
}

// UnmarshalJSON reads the check over Marathon's defaults.
func (h *podCheck) UnmarshalJSON(data []byte) error {
	type plain podCheck
	p := plain{GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20, MaxConsecutiveFailures: 3}
	var document bytes.Buffer
	if err := errors.Join(json.Unmarshal(data, &p), json.Compact(&document, data)); err != nil {
		return &shapeError{"health check", err}
	}
	p.Document = document.String()
	*h = podCheck(p)
	return nil
}

// podInstance is one copy of a pod.
type podInstance struct {
	ID            string `json:"id"`
	Status        string `json:"status"`
	AgentHostname string `json:"agentHostname"`
	SpecReference string `json:"specReference"`
	Networks      []struct {
		Name      string   `json:"name"`
		Addresses []string `json:"addresses"`
	} `json:"networks"`
	Containers []struct {
		Status      string `json:"status"`
		ContainerID string `json:"containerId"`
		Endpoints   []struct {
			Name              string `json:"name"`
			AllocatedHostPort int    `json:"allocatedHostPort"`
			Healthy           *bool  `json:"healthy"`
		} `json:"endpoints"`
	} `json:"containers"`
}

// errNoPods is returned for a document that decodes and is no list of pods, or no pod.
var errNoPods = errors.New("document without pods")

// podDocument is a pod's live view as it was read.
type podDocument struct {
	status podStatus
	// fault says why it could not be read as a pod, as App.Fault.
	fault string
}

// essence is the same for documents that mean the same.
func (d *podDocument) essence() ([]byte, error) {
	text, err := json.Marshal(d.status)
	return append(text, d.fault...), err
}

// DecodePods reads the body of GET /v2/pods::status, on the terms of DecodeApps: each
// pod is an app whose ports are its endpoints. Instances of older versions are taken to
// have the container ports of the present one.
func DecodePods(r io.Reader) ([]App, error) {
	documents, err := decodePods(r)
	if err != nil {
		return nil, err
	}
	pods := make([]App, len(documents))
	for i := range documents {
		pods[i] = documents[i].app(nil)
	}
	return pods, nil
}

func decodePods(r io.Reader) ([]podDocument, error) {
	d := json.NewDecoder(r)
	t, err := d.Token()
	if err == nil && t != json.Delim('[') {
		err = errNoPods
	}
	var pods []podDocument
	for err == nil && d.More() {
		var pod podDocument
		pod.fault, err = decodeLenient(d, &pod.status)
		pods = append(pods, pod)
	}
	if err == nil {
		_, err = d.Token()
	}
	if err == nil {
		err = atEnd(d)
	}
	if err != nil {
		return nil, fmt.Errorf("decode pods: %w", noEOF(err))
	}
	return pods, nil
}

// decodePod reads the body of GET /v2/pods/{id}::status.
func decodePod(r io.Reader) (pod podDocument, err error) {
	d := json.NewDecoder(r)
	pod.fault, err = decodeLenient(d, &pod.status)
	switch {
	case err != nil:
	case pod.status.ID == "":
		err = errNoPods
	default:
		err = atEnd(d)
	}
	if err != nil {
		return podDocument{}, fmt.Errorf("decode pod: %w", noEOF(err))
	}
	return pod, nil
}

// app returns the pod as an app. old has the container ports of older versions; those
// that are missing are taken from the present one.
func (d *podDocument) app(old map[string]podPorts) App {
	p := &d.status
	if d.fault != "" {
		return App{ID: p.ID, Labels: p.Spec.Labels, Fault: d.fault}
	}
	a := App{
		ID: p.ID, Labels: p.Spec.Labels, Instances: p.Spec.Scaling.Instances, Networks: p.Spec.Networks,
		Endpoints: []string{}, Tasks: make([]Task, 0, len(p.Instances)),
	}
	var ports []podPort
	places := map[string]int{} // of endpoints in ports, by their names
	for _, c := range p.Spec.Containers {
		for _, port := range c.Endpoints {
			_, twice := places[port.Name]
			switch {
			case !isPortName(port.Name):
				a.Fault = fmt.Sprintf("endpoint name %q is not made of letters, digits, dots, dashes and underscores", excerpt(port.Name))
				return a
			case twice:
				a.Fault = fmt.Sprintf("two endpoints are called %q", port.Name)
				return a
			}
			places[port.Name] = len(ports)
			ports, a.Endpoints = append(ports, port), append(a.Endpoints, port.Name)
		}
	}
	for _, c := range p.Spec.Containers {
		if c.HealthCheck != nil {
			a.HealthChecks = append(a.HealthChecks, c.HealthCheck.check(places))
		}
	}
	mode := networkMode(&a)
	for _, i := range p.Instances {
		if i != nil {
			a.Tasks = append(a.Tasks, i.task(ports, places, mode, old[i.version()]))
		}
	}
	return a
}

// maxPortName is the longest name of an endpoint: Marathon takes 63 letters.
const maxPortName = 63

// isPortName reports whether text can be the name of an endpoint, which becomes a part
// of names in HAProxy.
func isPortName(text string) bool {
	return len(text) <= maxPortName && isAppID("/"+text)
}

// check returns the health check as an app has it: Mesos carries it out (Marathon knows
// no other ones for pods), and a port index stands for the endpoint that it names. A
// check of a command names none.
func (h *podCheck) check(places map[string]int) *HealthCheck {
	out := &HealthCheck{
		Protocol: "COMMAND", Path: "/", GracePeriodSeconds: int(h.GracePeriodSeconds), IntervalSeconds: int(h.IntervalSeconds),
		TimeoutSeconds: int(h.TimeoutSeconds), MaxConsecutiveFailures: h.MaxConsecutiveFailures, Document: h.Document,
	}
	name := ""
	switch {
	case h.HTTP != nil:
		out.Protocol, out.Path, name = "MESOS_HTTP", h.HTTP.Path, h.HTTP.Endpoint
		if h.HTTP.Scheme == "HTTPS" {
			out.Protocol = "MESOS_HTTPS"
		}
	case h.TCP != nil:
		out.Protocol, name = "MESOS_TCP", h.TCP.Endpoint
	}
	if k, ok := places[name]; ok {
		out.PortIndex = &k
	}
	return out
}

// task returns the instance as a task. Its endpoints are found by their names, because
// an instance of an older version, whose container ports are in old, may have others, or
// the same in another order.
func (i *podInstance) task(ports []podPort, places map[string]int, mode string, old podPorts) Task {
	t := Task{ID: i.ID, Host: i.AgentHostname, State: "TASK_RUNNING", Endpoints: make([]PodEndpoint, len(ports))}
	switch i.Status {
	case "STABLE":
	case "PENDING", "STAGING":
		t.State = "TASK_STAGING"
	case "TERMINAL":
		t.State = "TASK_KILLED"
	default: // DEGRADED
		t.Degraded = true
	}
	for _, c := range i.Containers {
		for _, e := range c.Endpoints {
			k, ok := places[e.Name]
			if !ok {
				continue
			}
			found := PodEndpoint{Container: c.ContainerID, State: c.Status, Port: e.AllocatedHostPort}
			if found.Port == 0 && mode == modeContainer {
				port := ports[k]
				if own := old[port.Name]; own != 0 {
					port.ContainerPort = own
				}
				found.Address, found.Port = i.address(port)
			}
			switch {
			case e.Healthy == nil:
			case *e.Healthy:
				found.Results.Alive, t.Results.Alive = 1, t.Results.Alive+1
			default:
				found.Results.Failing, t.Results.Failing = 1, t.Results.Failing+1
			}
			t.Endpoints[k] = found
		}
	}
	return t
}

// address returns where a port is reached that the agent does not lead to: at the first
// address in one of the networks that its endpoint names, or in any. All containers of
// an instance share them.
func (i *podInstance) address(p podPort) (address string, port int) {
	if p.ContainerPort == 0 {
		return "", 0
	}
	for _, n := range i.Networks {
		if len(p.NetworkNames) > 0 && !slices.Contains(p.NetworkNames, n.Name) {
			continue
		}
		for _, text := range n.Addresses {
			if _, ok := literal(text); ok {
				return text, p.ContainerPort
			}
		}
	}
	return "", 0
}
