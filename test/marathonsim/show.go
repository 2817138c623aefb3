package marathonsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// encode returns v as JSON on one line, without escapes for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Every value comes from this package or was JSON before.
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// show returns the definition as the API shows it, without counts and tasks.
func (d *definition) show(f features) []byte {
	if d.json == nil {
		if f.legacyJSON {
			d.json = encode(showLegacy(d, f))
		} else {
			d.json = encode(showGenerated(d, f))
		}
	}
	return d.json
}

type versionInfo struct {
	LastScalingAt      string `json:"lastScalingAt"`
	LastConfigChangeAt string `json:"lastConfigChangeAt"`
}

// generatedApp is an app of 1.5 and later: what is absent is left out.
type generatedApp struct {
	ID            string                     `json:"id"`
	ResourceRoles json.RawMessage            `json:"acceptedResourceRoles,omitempty"`
	Args          []string                   `json:"args,omitempty"`
	BackoffFactor float64                    `json:"backoffFactor"`
	Backoff       float64                    `json:"backoffSeconds"`
	Cmd           *string                    `json:"cmd,omitempty"`
	Constraints   json.RawMessage            `json:"constraints,omitempty"`
	Container     *generatedContainer        `json:"container,omitempty"`
	CPUs          double                     `json:"cpus"`
	Dependencies  []string                   `json:"dependencies,omitempty"`
	Disk          double                     `json:"disk"`
	Env           map[string]json.RawMessage `json:"env,omitempty"`
	Executor      string                     `json:"executor"`
	Fetch         []artifact                 `json:"fetch,omitempty"`
	GPUs          int                        `json:"gpus"`
	HealthChecks  []healthCheckJSON          `json:"healthChecks,omitempty"`
	Instances     int                        `json:"instances"`
	Labels        map[string]string          `json:"labels"`
	MaxDelay      int                        `json:"maxLaunchDelaySeconds"`
	Mem           double                     `json:"mem"`
	Networks      []network                  `json:"networks"`
	Ports         *[]portDefinition          `json:"portDefinitions,omitempty"`
	Readiness     []readinessCheck           `json:"readinessChecks,omitempty"`
	RequirePorts  bool                       `json:"requirePorts"`
	Residency     json.RawMessage            `json:"residency,omitempty"`
	Secrets       json.RawMessage            `json:"secrets,omitempty"`
	KillGrace     *double                    `json:"taskKillGracePeriodSeconds,omitempty"`
	Upgrade       upgradeStrategy            `json:"upgradeStrategy"`
	User          *string                    `json:"user,omitempty"`
	Version       string                     `json:"version"`
	KillSelection string                     `json:"killSelection"`
	Unreachable   json.RawMessage            `json:"unreachableStrategy"`
	Role          string                     `json:"role,omitempty"`
	VersionInfo   versionInfo                `json:"versionInfo"`
}

type generatedContainer struct {
	Type     string           `json:"type"`
	Volumes  json.RawMessage  `json:"volumes"`
	Docker   *generatedDocker `json:"docker,omitempty"`
	Mappings *[]portMapping   `json:"portMappings,omitempty"`
}

type generatedDocker struct {
	Image      string      `json:"image"`
	ForcePull  bool        `json:"forcePullImage"`
	Parameters []parameter `json:"parameters"`
	Privileged bool        `json:"privileged"`
}

func showGenerated(d *definition, f features) generatedApp {
	out := generatedApp{
		ID: d.ID, ResourceRoles: some(d.ResourceRoles), Args: d.Args, BackoffFactor: d.BackoffFactor, Backoff: d.Backoff,
		Cmd: d.Cmd, Constraints: some(d.Constraints), CPUs: d.CPUs, Dependencies: d.Dependencies, Disk: d.Disk, Env: d.Env,
		Executor: d.Executor, Fetch: d.Fetch, GPUs: d.GPUs, Instances: d.Instances, Labels: d.Labels,
		MaxDelay: d.MaxDelay, Mem: d.Mem, Networks: d.Networks, Readiness: d.Readiness, RequirePorts: d.RequirePorts,
		Residency: d.Residency, Secrets: some(d.Secrets), KillGrace: d.KillGrace, Upgrade: d.Upgrade, User: d.User,
		Version: d.Version, KillSelection: d.KillSelection, Unreachable: d.Unreachable,
		VersionInfo: versionInfo{d.LastScaling, d.ConfigChange},
	}
	if f.roles {
		out.Role = d.Role
	}
	for _, h := range d.HealthChecks {
		out.HealthChecks = append(out.HealthChecks, h.show(f))
	}
	if d.mode() == modeHost {
		out.Ports = &d.Ports
	}
	if c := d.Container; c != nil {
		box := &generatedContainer{Type: c.Type, Volumes: volumes(c)}
		if c.Docker != nil {
			box.Docker = &generatedDocker{c.Docker.Image, c.Docker.ForcePull, notNil(c.Docker.Parameters), c.Docker.Privileged}
		}
		if d.mode() != modeHost {
			ports := notNil(c.Mappings)
			box.Mappings = &ports
		}
		out.Container = box
	}
	return out
}

// legacyApp is an app of up to 1.4: what is absent is null or empty. What a
// generation does not know is left out.
type legacyApp struct {
	ID            string                     `json:"id"`
	Cmd           *string                    `json:"cmd"`
	Args          []string                   `json:"args"`
	User          *string                    `json:"user"`
	Env           map[string]json.RawMessage `json:"env"`
	Instances     int                        `json:"instances"`
	CPUs          double                     `json:"cpus"`
	Mem           double                     `json:"mem"`
	Disk          double                     `json:"disk"`
	GPUs          *int                       `json:"gpus,omitempty"`
	Executor      string                     `json:"executor"`
	Constraints   json.RawMessage            `json:"constraints"`
	URIs          []string                   `json:"uris"`
	Fetch         []artifact                 `json:"fetch,omitzero"`
	StoreURLs     []string                   `json:"storeUrls"`
	Ports         []int                      `json:"ports,omitzero"`
	Definitions   []portDefinition           `json:"portDefinitions,omitzero"`
	RequirePorts  *bool                      `json:"requirePorts,omitempty"`
	Backoff       float64                    `json:"backoffSeconds"`
	BackoffFactor float64                    `json:"backoffFactor"`
	MaxDelay      int                        `json:"maxLaunchDelaySeconds"`
	Container     *legacyContainer           `json:"container"`
	HealthChecks  []healthCheckJSON          `json:"healthChecks"`
	Readiness     []readinessCheck           `json:"readinessChecks,omitzero"`
	Dependencies  []string                   `json:"dependencies"`
	Upgrade       upgradeStrategy            `json:"upgradeStrategy"`
	Labels        map[string]string          `json:"labels"`
	ResourceRoles json.RawMessage            `json:"acceptedResourceRoles,omitempty"`
	IPAddress     json.RawMessage            `json:"ipAddress,omitempty"`
	Version       string                     `json:"version"`
	Residency     json.RawMessage            `json:"residency,omitempty"`
	Secrets       json.RawMessage            `json:"secrets,omitempty"`
	KillGrace     json.RawMessage            `json:"taskKillGracePeriodSeconds,omitempty"`
	Unreachable   json.RawMessage            `json:"unreachableStrategy,omitempty"`
	KillSelection string                     `json:"killSelection,omitempty"`
	VersionInfo   versionInfo                `json:"versionInfo"`
}

type legacyContainer struct {
	Type    string          `json:"type"`
	Volumes json.RawMessage `json:"volumes"`
	Docker  *legacyDocker   `json:"docker,omitempty"`
}

type legacyDocker struct {
	Image      string        `json:"image"`
	Network    *string       `json:"network"`
	Mappings   []portMapping `json:"portMappings"`
	Privileged bool          `json:"privileged"`
	Parameters []parameter   `json:"parameters"`
	ForcePull  bool          `json:"forcePullImage"`
}

func showLegacy(d *definition, f features) legacyApp {
	out := legacyApp{
		ID: d.ID, Cmd: d.Cmd, Args: d.Args, User: d.User, Env: d.Env, Instances: d.Instances, CPUs: d.CPUs, Mem: d.Mem,
		Disk: d.Disk, Executor: d.Executor, Constraints: orEmpty(d.Constraints, "[]"), URIs: []string{},
		StoreURLs: []string{}, Backoff: d.Backoff, BackoffFactor: d.BackoffFactor, MaxDelay: d.MaxDelay,
		Container: showLegacyContainer(d, f), HealthChecks: []healthCheckJSON{}, Dependencies: notNil(d.Dependencies),
		Upgrade: d.Upgrade, Labels: d.Labels, ResourceRoles: some(d.ResourceRoles), Version: d.Version,
		VersionInfo: versionInfo{d.LastScaling, d.ConfigChange},
	}
	if out.Env == nil {
		out.Env = map[string]json.RawMessage{}
	}
	for _, a := range d.Fetch {
		out.URIs = append(out.URIs, a.URI)
	}
	for _, h := range d.HealthChecks {
		out.HealthChecks = append(out.HealthChecks, h.show(f))
	}
	if d.mode() != modeContainer || !f.instances {
		out.Ports, out.RequirePorts = d.servicePorts(), &d.RequirePorts
	}
	if f.namedPorts {
		out.Fetch, out.Readiness, out.Residency = notNil(d.Fetch), notNil(d.Readiness), orEmpty(d.Residency, "null")
		out.Definitions = padded(d, out.Ports)
	}
	if f.addresses {
		out.IPAddress = showIPAddress(d, f)
	}
	if f.gpus {
		out.GPUs, out.Secrets, out.KillGrace = &d.GPUs, orEmpty(d.Secrets, "{}"), encode(d.KillGrace)
	}
	if f.instances {
		out.Unreachable, out.KillSelection = d.Unreachable, d.KillSelection
	} else {
		out.ResourceRoles = orEmpty(out.ResourceRoles, "null")
	}
	return out
}

// padded returns the port definitions beside the service ports: those of the host
// network, otherwise as many as there are ports, right in nothing but the port.
func padded(d *definition, ports []int) []portDefinition {
	if d.mode() == modeHost || ports == nil {
		return d.Ports
	}
	definitions := []portDefinition{}
	for _, p := range ports {
		definitions = append(definitions, portDefinition{Port: p, Protocol: "tcp", Labels: map[string]string{}})
	}
	return definitions
}

func showLegacyContainer(d *definition, f features) *legacyContainer {
	c := d.Container
	if c == nil {
		return nil
	}
	out := &legacyContainer{Type: c.Type, Volumes: volumes(c)}
	if c.Docker == nil {
		return out
	}
	name := map[string]string{modeHost: "HOST", modeBridge: "BRIDGE", modeContainer: "USER"}[d.mode()]
	out.Docker = &legacyDocker{
		Image: c.Docker.Image, Network: &name, Mappings: slices.Clone(c.Mappings),
		Privileged: c.Docker.Privileged, Parameters: notNil(c.Docker.Parameters), ForcePull: c.Docker.ForcePull,
	}
	if f.instances {
		out.Docker.Mappings = notNil(c.Mappings)
	}
	if !f.namedPorts {
		for i := range out.Docker.Mappings {
			out.Docker.Mappings[i].Name, out.Docker.Mappings[i].Labels = "", nil
		}
	}
	return out
}

// showIPAddress writes ipAddress, or null for an app without one.
func showIPAddress(d *definition, f features) json.RawMessage {
	if d.mode() != modeContainer {
		return json.RawMessage("null")
	}
	ip := ipAddress{Groups: []string{}, Labels: map[string]string{}, NetworkName: d.Networks[0].Name}
	ip.Discovery.Ports = []discoveryPort{}
	if d.IPAddress != nil {
		ip = *d.IPAddress
		ip.Discovery.Ports = slices.Clone(ip.Discovery.Ports)
	}
	for i := range ip.Discovery.Ports {
		if p := &ip.Discovery.Ports[i]; !f.namedPorts {
			p.Labels = nil
		} else if p.Labels == nil {
			p.Labels = map[string]string{}
		}
	}
	return encode(ip)
}

func volumes(c *container) json.RawMessage {
	return orEmpty(c.Volumes, "[]")
}

// some returns nil for an empty list or object, which then is left out.
func some(raw json.RawMessage) json.RawMessage {
	switch string(bytes.TrimSpace(raw)) {
	case "[]", "{}":
		return nil
	}
	return raw
}

func orEmpty(raw json.RawMessage, empty string) json.RawMessage {
	return json.RawMessage(cmp.Or(string(raw), empty))
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
