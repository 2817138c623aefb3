package marathonsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// healthCheck is the definition of one check.
type healthCheck struct {
	Protocol    string
	Path        string
	PortIndex   *int
	Port        *int
	Command     string
	Grace       float64 // seconds, as the others
	Interval    float64
	Timeout     float64
	Delay       float64
	MaxFailures int
	Ignore1xx   bool
	IPProtocol  string
}

// parseHealthCheck reads a check and fills in the defaults of Marathon's manual.
func parseHealthCheck(raw json.RawMessage) (healthCheck, error) {
	var in struct {
		Protocol   *string  `json:"protocol"`
		Path       *string  `json:"path"`
		PortIndex  *int     `json:"portIndex"`
		Port       *int     `json:"port"`
		Grace      *float64 `json:"gracePeriodSeconds"`
		Interval   *float64 `json:"intervalSeconds"`
		Timeout    *float64 `json:"timeoutSeconds"`
		Delay      *float64 `json:"delaySeconds"`
		Max        *int     `json:"maxConsecutiveFailures"`
		Ignore1xx  bool     `json:"ignoreHttp1xx"`
		IPProtocol string   `json:"ipProtocol"`
		Command    *struct {
			Value string `json:"value"`
		} `json:"command"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return healthCheck{}, fmt.Errorf("read the health check: %w", err)
	}
	h := healthCheck{
		Protocol: "HTTP", PortIndex: in.PortIndex, Port: in.Port,
		Grace: 300, Interval: 60, Timeout: 20, Delay: 15, MaxFailures: 3,
		Ignore1xx: in.Ignore1xx, IPProtocol: cmp.Or(in.IPProtocol, "IPv4"),
	}
	set(&h.Protocol, in.Protocol)
	set(&h.Path, in.Path)
	set(&h.Grace, in.Grace)
	set(&h.Interval, in.Interval)
	set(&h.Timeout, in.Timeout)
	set(&h.Delay, in.Delay)
	set(&h.MaxFailures, in.Max)
	switch h.Protocol {
	case "HTTP", "HTTPS", "MESOS_HTTP", "MESOS_HTTPS":
		h.Path = cmp.Or(h.Path, "/")
	case "TCP", "MESOS_TCP":
	case "COMMAND":
		if in.Command == nil {
			return h, errors.New("a health check of protocol COMMAND needs a command")
		}
		h.Command = in.Command.Value
	default:
		return h, fmt.Errorf("health check protocol %q is unknown", h.Protocol)
	}
	return h, nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// onAgent reports whether the check runs on the agent, so that its result is
// part of the task's status and survives a change of leader.
func (h healthCheck) onAgent() bool {
	return h.Protocol == "COMMAND" || strings.HasPrefix(h.Protocol, "MESOS_")
}

// kills reports whether a task is killed after so many failures in a row. A
// maximum of 0 means never, but at the first one for Mesos' own checks.
func (h healthCheck) kills(failures int) bool {
	if h.MaxFailures == 0 {
		return strings.HasPrefix(h.Protocol, "MESOS_")
	}
	return failures >= h.MaxFailures
}

// healthCheckJSON is a check as documents show it.
type healthCheckJSON struct {
	Grace      json.Number  `json:"gracePeriodSeconds"`
	Interval   json.Number  `json:"intervalSeconds"`
	Timeout    json.Number  `json:"timeoutSeconds"`
	Max        int          `json:"maxConsecutiveFailures"`
	Protocol   string       `json:"protocol"`
	Path       string       `json:"path,omitempty"`
	PortIndex  *int         `json:"portIndex,omitempty"`
	Port       *int         `json:"port,omitempty"`
	Command    *commandJSON `json:"command,omitempty"`
	Ignore1xx  *bool        `json:"ignoreHttp1xx,omitempty"`
	IPProtocol string       `json:"ipProtocol,omitempty"`
	Delay      json.Number  `json:"delaySeconds,omitempty"`
}

type commandJSON struct {
	Value string `json:"value"`
}

// show returns the check as the generation writes it, Marathon facts 4.3.
func (h healthCheck) show(f features) healthCheckJSON {
	out := healthCheckJSON{
		Grace: seconds(h.Grace), Interval: seconds(h.Interval), Timeout: seconds(h.Timeout),
		Max: h.MaxFailures, Protocol: h.Protocol, Path: h.Path, PortIndex: h.PortIndex, Port: h.Port,
	}
	if h.Command != "" {
		out.Command = &commandJSON{Value: h.Command}
	}
	if h.Protocol == "HTTP" || h.Protocol == "HTTPS" || f.fullChecks {
		out.Ignore1xx = &h.Ignore1xx
	}
	if f.fullChecks {
		out.Path = cmp.Or(h.Path, "/")
	}
	if f.ipProtocol {
		out.IPProtocol = h.IPProtocol
	}
	if !f.legacyJSON || h.onAgent() {
		out.Delay = seconds(h.Delay)
	}
	return out
}

func seconds(s float64) json.Number {
	return json.Number(fmt.Sprint(s))
}
