package marathon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// App is what mlb reads of one Marathon app, or of a pod (see DecodePods), in every
// generation of its API. Members that are missing or null have their zero value; unknown members are
// not read at all, whatever they hold.
type App struct {
	// ID is the absolute app ID.
	ID string `json:"id"`
	// Labels holds the labels whose key begins with HAPROXY_.
	Labels Labels `json:"labels"`
	// Instances is the wanted number of tasks; 0 means suspended.
	Instances int `json:"instances"`
	// Ports are the service ports of Marathon up to 1.4; a nil element is a null.
	Ports []*int `json:"ports"`
	// PortDefinitions is nil when the member is absent, which says something
	// else than an empty list (contract 2.6).
	PortDefinitions []PortDefinition `json:"portDefinitions"`
	// Container describes the image and, from 1.5 on, the port mappings.
	Container Container `json:"container"`
	// Networks is the network mode from 1.5 on; a nil element is a null.
	Networks []*Network `json:"networks"`
	// IPPerTask is the member ipAddress of Marathon 0.14 to 1.4.
	IPPerTask IPPerTask `json:"ipAddress"`
	// HealthChecks are in the order of the app definition; a nil element is a null.
	HealthChecks []*HealthCheck `json:"healthChecks"`
	// VersionInfo says when the app was changed.
	VersionInfo VersionInfo `json:"versionInfo"`
	// Version is that of the definition, Deployments how many deployments change the app.
	Version     string `json:"version"`
	Deployments length `json:"deployments"`
	// ReadinessChecks is how many the definition has (Marathon 1.1 and later), and
	// ReadinessResults what they said of tasks, if the request asked for it.
	ReadinessChecks  length           `json:"readinessChecks"`
	ReadinessResults readinessResults `json:"readinessCheckResults"`
	// Tasks are the running instances, without order. They are present only if
	// the request asked for them.
	Tasks []Task `json:"tasks"`

	// Endpoints are the names of a pod's endpoints in the order of its definition, over
	// all containers; they are what an app has ports for. Nil for an app, not for a pod.
	Endpoints []string `json:"-"`
	// Fault says why the app's document could not be read as an app; what could
	// be read is in the other fields. Empty means that it was read whole.
	Fault string `json:"-"`
}

// VersionInfo is the member of that name.
type VersionInfo struct {
	// LastScalingAt is when the number of instances was last changed, in RFC 3339;
	// empty if Marathon does not say.
	LastScalingAt string `json:"lastScalingAt"`
}

// Labels are an app's labels.
type Labels map[string]string

// labelPrefix is what the keys of all labels begin with that mlb reads.
const labelPrefix = "HAPROXY_"

// UnmarshalJSON keeps the labels that mlb reads. A null value counts as absent.
func (l *Labels) UnmarshalJSON(data []byte) error {
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return &shapeError{"labels", err}
	}
	*l = nil
	for k, v := range all {
		if !strings.HasPrefix(k, labelPrefix) || v == nil {
			continue
		}
		text, ok := v.(string)
		if !ok {
			return &shapeError{"label " + k, errNotString}
		}
		if *l == nil {
			*l = make(Labels)
		}
		(*l)[k] = text
	}
	return nil
}

// PortDefinition is an element of portDefinitions (Marathon 1.1 and later).
type PortDefinition struct {
	// Port is the service port, in host mode possibly the host port too; nil if
	// there is none.
	Port *int `json:"port"`
}

// Container is the container of an app. Its zero value is a plain command.
type Container struct {
	// Docker holds the older place of network mode and port mappings.
	Docker Docker `json:"docker"`
	// PortMappings is the place of the mappings from Marathon 1.5 on.
	PortMappings []PortMapping `json:"portMappings"`
}

// Docker is the docker member of a container.
type Docker struct {
	// Network is HOST, BRIDGE, USER or NONE up to Marathon 1.4.
	Network string `json:"network"`
	// PortMappings is the place of the mappings up to Marathon 1.4.
	PortMappings []PortMapping `json:"portMappings"`
}

// PortMapping connects a port of a container with a service port.
type PortMapping struct {
	// ContainerPort is nil if there is none; 0 means that the container listens
	// on the host port's number.
	ContainerPort *int `json:"containerPort"`
	// ServicePort is nil if there is none.
	ServicePort *int `json:"servicePort"`
}

// Network is an element of networks (Marathon 1.5 and later).
type Network struct {
	// Mode is host, container/bridge or container; empty means container.
	Mode string `json:"mode"`
}

// IPPerTask is the ipAddress member of an app.
type IPPerTask struct {
	// Present is true if the member exists and is not empty.
	Present bool
	// Ports are the numbers of the discovery ports.
	Ports []int
}

// UnmarshalJSON reads the member; an object of nothing but nulls is empty.
func (p *IPPerTask) UnmarshalJSON(data []byte) error {
	var members map[string]any
	var ports struct {
		Discovery struct {
			Ports []struct {
				Number *int `json:"number"`
			} `json:"ports"`
		} `json:"discovery"`
	}
	if err := errors.Join(json.Unmarshal(data, &members), json.Unmarshal(data, &ports)); err != nil {
		return &shapeError{"ipAddress", err}
	}
	*p = IPPerTask{}
	for _, v := range members {
		p.Present = p.Present || v != nil
	}
	for _, d := range ports.Discovery.Ports {
		if d.Number != nil {
			p.Ports = append(p.Ports, *d.Number)
		}
	}
	return nil
}

// HealthCheck is one of an app's health checks.
type HealthCheck struct {
	// Protocol is HTTP if the check does not say.
	Protocol string `json:"protocol"`
	// Path is the path of an HTTP check, "/" if the check does not say.
	Path string `json:"path"`
	// PortIndex counts service ports; nil if there is none.
	PortIndex *int `json:"portIndex"`
	// Port is a fixed port that wins over PortIndex; 0 if there is none.
	Port int `json:"port"`
	// GracePeriodSeconds, IntervalSeconds and TimeoutSeconds are in seconds.
	GracePeriodSeconds int `json:"gracePeriodSeconds"`
	IntervalSeconds    int `json:"intervalSeconds"`
	TimeoutSeconds     int `json:"timeoutSeconds"`
	// MaxConsecutiveFailures is how many failures Marathon tolerates.
	MaxConsecutiveFailures int `json:"maxConsecutiveFailures"`

	// Document is the check as Marathon sent it, without blanks between its parts.
	Document string `json:"-"`
}

// UnmarshalJSON reads the check over Marathon's defaults.
func (h *HealthCheck) UnmarshalJSON(data []byte) error {
	type plain HealthCheck
	p := plain{
		Protocol: "HTTP", Path: "/",
		GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20, MaxConsecutiveFailures: 3,
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return &shapeError{"health check", err}
	}
	var document bytes.Buffer
	if err := json.Compact(&document, data); err != nil {
		return &shapeError{"health check", err}
	}
	p.Document = document.String()
	*h = HealthCheck(p)
	return nil
}

// Task is one instance of an app.
type Task struct {
	// ID is unique for ever.
	ID string `json:"id"`
	// Host is the agent's name or address.
	Host string `json:"host"`
	// State is Mesos' word, or empty: some versions do not say.
	State string `json:"state"`
	// Version is that of the definition that the task runs.
	Version string `json:"version"`
	// Ports are the allocated host ports; a null element reads as 0.
	Ports []int `json:"ports"`
	// IPAddresses are the container's own addresses. They exist in every network
	// mode, so that one is there does not mean that it can be reached.
	IPAddresses []IPAddress `json:"ipAddresses"`
	// Results is what the health checks said.
	Results Results `json:"healthCheckResults"`

	// Endpoints are those of the instance of a pod for which the task stands, in the
	// order of App.Endpoints. Nil for a task of an app.
	Endpoints []PodEndpoint `json:"-"`
	// Degraded says that an instance runs and not all of it is known to be well.
	Degraded bool `json:"-"`
}

// IPAddress is an element of a task's ipAddresses.
type IPAddress struct {
	// Address is an IPv4 or IPv6 literal.
	Address string `json:"ipAddress"`
}

// Results counts the health check results of a task. The zero value means that
// Marathon knows none: it does not say how it says so, some generations leave the
// member out and others list nothing (D17).
type Results struct {
	// Alive and Failing are the numbers of passing and of failing checks.
	Alive, Failing int
}

// UnmarshalJSON counts the results; null elements are no results.
func (r *Results) UnmarshalJSON(data []byte) error {
	var results []*struct {
		Alive bool `json:"alive"`
	}
	if err := json.Unmarshal(data, &results); err != nil {
		return &shapeError{"healthCheckResults", err}
	}
	*r = Results{}
	for _, result := range results {
		switch {
		case result == nil:
		case result.Alive:
			r.Alive++
		default:
			r.Failing++
		}
	}
	return nil
}

// Known reports whether any check has reported.
func (r Results) Known() bool { return r.Alive+r.Failing > 0 }

// shapeError says that a member has another type than an app's.
type shapeError struct {
	member string
	err    error
}

func (e *shapeError) Error() string { return e.member + ": " + e.err.Error() }
func (e *shapeError) Unwrap() error { return e.err }

var errNotString = errors.New("not a string")

// ErrNoApps is returned for a document that decodes but has no list of apps (or
// no app) in it. It is an error like every other: it never means "no apps" (D11).
var ErrNoApps = errors.New("document without apps")

// DecodeApps reads the body of GET /v2/apps. The list is decoded app by app and
// only what mlb needs is kept, so that memory follows the number of tasks and not
// the size of the body. An app with a member of an unexpected type is returned
// with its Fault set (D18). The error is not nil if the body is empty, truncated,
// not JSON, or has no list of apps; asking another master may help then.
func DecodeApps(r io.Reader) ([]App, error) {
	d := json.NewDecoder(r)
	var apps []App
	texts := interned{}
	found := false
	err := members(d, "apps", func() error {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("read list of apps: %w", err)
		}
		if t != json.Delim('[') {
			return ErrNoApps
		}
		found, apps = true, []App{}
		for d.More() {
			app, appErr := decodeApp(d)
			if appErr != nil {
				return fmt.Errorf("read app %d: %w", len(apps), appErr)
			}
			texts.app(&app)
			apps = append(apps, app)
		}
		_, err = d.Token()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("decode apps: %w", noEOF(err))
	}
	if !found {
		return nil, fmt.Errorf("decode apps: %w", ErrNoApps)
	}
	return apps, nil
}

// DecodeApp reads the body of GET /v2/apps/{id}, on the terms of DecodeApps. The text is
// not kept.
func DecodeApp(text []byte) (App, error) {
	var plain struct {
		App App `json:"app"`
	}
	if err := json.Unmarshal(text, &plain); err == nil && plain.App.ID != "" {
		return plain.App, nil
	}
	d := json.NewDecoder(bytes.NewReader(text)) // what is wrong with it, and can it be lived with?
	var app App
	found := false
	err := members(d, "app", func() error {
		var err error
		app, err = decodeApp(d)
		found = err == nil && (app.ID != "" || app.Fault != "")
		return err
	})
	if err != nil {
		return App{}, fmt.Errorf("decode app: %w", noEOF(err))
	}
	if !found {
		return App{}, fmt.Errorf("decode app: %w", ErrNoApps)
	}
	return app, nil
}

// members reads one JSON object that ends the input, calls read at the value of
// the named member and skips the others.
func members(d *json.Decoder, name string, read func() error) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return ErrNoApps
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if key != name {
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return err
			}
			continue
		}
		if err := read(); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	return atEnd(d)
}

// atEnd returns an error unless the input has ended.
func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the end of the document")
	}
	return nil
}

// decodeApp reads the next value as an app. A value that has another shape is an
// app with a Fault; only what makes the rest of the input unreadable is an error.
func decodeApp(d *json.Decoder) (App, error) {
	var app App
	fault, err := decodeLenient(d, &app)
	if err != nil {
		return App{}, err
	}
	app.Fault = fault
	return app, nil
}

// decodeLenient reads the next value into to. The fault says which member has another
// shape; what could be read is in to.
func decodeLenient(d *json.Decoder, to any) (fault string, err error) {
	err = d.Decode(to)
	var typeError *json.UnmarshalTypeError
	var shape *shapeError
	switch {
	case errors.As(err, &shape):
		return shape.Error(), nil
	case errors.As(err, &typeError):
		return fmt.Sprintf("%s where %s is expected in member %q", typeError.Value, typeError.Type, typeError.Field), nil
	}
	return "", err
}

// noEOF turns the end of the input into the error that it is here.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
