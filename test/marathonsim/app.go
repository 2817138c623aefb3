package marathonsim

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// definition is one version of an app, independent of the generation. A stored
// definition is never changed; a new version is a copy.
type definition struct {
	ID            string
	Cmd           *string
	Args          []string
	User          *string
	Env           map[string]json.RawMessage
	Instances     int
	CPUs          double
	Mem           double
	Disk          double
	GPUs          int
	Executor      string
	Constraints   json.RawMessage
	Fetch         []artifact
	Backoff       float64
	BackoffFactor float64
	MaxDelay      int
	Container     *container
	Networks      []network
	Ports         []portDefinition // host networking only
	RequirePorts  bool
	IPAddress     *ipAddress // up to 1.4, IP-per-task
	HealthChecks  []healthCheck
	Readiness     []readinessCheck
	Dependencies  []string
	Upgrade       upgradeStrategy
	Labels        map[string]string
	ResourceRoles json.RawMessage
	KillSelection string
	Unreachable   json.RawMessage
	KillGrace     *double
	Residency     json.RawMessage
	Secrets       json.RawMessage
	Role          string
	Pod           *podSpec // nil for an app

	Version      string
	LastScaling  string
	ConfigChange string

	json []byte // as the API shows it, without counts and tasks
}

type artifact struct {
	URI        string `json:"uri"`
	Extract    bool   `json:"extract"`
	Executable bool   `json:"executable"`
	Cache      bool   `json:"cache"`
}

type container struct {
	Type     string // DOCKER or MESOS
	Volumes  json.RawMessage
	Docker   *docker
	Mappings []portMapping // nil: none were named
}

type docker struct {
	Image      string
	Privileged bool
	ForcePull  bool
	Parameters []parameter
}

type parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type portMapping struct {
	ContainerPort int               `json:"containerPort"`
	HostPort      *int              `json:"hostPort,omitempty"`
	ServicePort   int               `json:"servicePort"`
	Protocol      string            `json:"protocol"`
	Name          string            `json:"name,omitempty"`
	Labels        map[string]string `json:"labels,omitzero"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
}

type portDefinition struct {
	Port     int               `json:"port"`
	Protocol string            `json:"protocol"`
	Labels   map[string]string `json:"labels"`
	Name     string            `json:"name,omitempty"`
}

type ipAddress struct {
	Groups    []string          `json:"groups"`
	Labels    map[string]string `json:"labels"`
	Discovery struct {
		Ports []discoveryPort `json:"ports"`
	} `json:"discovery"`
	NetworkName string `json:"networkName,omitempty"`
}

type discoveryPort struct {
	Number   int               `json:"number"`
	Name     string            `json:"name"`
	Protocol string            `json:"protocol"`
	Labels   map[string]string `json:"labels,omitzero"`
}

type upgradeStrategy struct {
	MinimumHealthCapacity double `json:"minimumHealthCapacity"`
	MaximumOverCapacity   double `json:"maximumOverCapacity"`
}

// The modes of a network.
const (
	modeHost      = "host"
	modeBridge    = "container/bridge"
	modeContainer = "container"
)

type network struct {
	Mode   string            `json:"mode"`
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// double is a number that Marathon writes with a decimal point.
type double float64

// MarshalJSON writes 128 as 128.0.
func (d double) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.ContainsRune(s, '.') {
		s += ".0"
	}
	return []byte(s), nil
}

// mode returns the network mode of the app.
func (d *definition) mode() string {
	if len(d.Networks) == 0 {
		return modeHost
	}
	return d.Networks[0].Mode
}

// servicePorts returns the service ports in the order of the port indexes.
func (d *definition) servicePorts() []int {
	ports := []int{}
	if d.Pod != nil || d.IPAddress != nil && d.Container == nil {
		return ports
	}
	if d.mode() == modeHost {
		for _, p := range d.Ports {
			ports = append(ports, p.Port)
		}
		return ports
	}
	if d.Container != nil {
		for _, m := range d.Container.Mappings {
			ports = append(ports, m.ServicePort)
		}
	}
	return ports
}

// hostPorts returns the host ports the app wants, 0 for any, in the order in
// which a task reports them: mappings without a host port are left out.
func (d *definition) hostPorts() []int {
	if d.Pod != nil {
		return d.podHostPorts()
	}
	var ports []int
	if d.mode() == modeHost {
		for _, p := range d.Ports {
			if d.RequirePorts {
				ports = append(ports, p.Port)
			} else {
				ports = append(ports, 0)
			}
		}
		return ports
	}
	if d.Container != nil {
		for _, m := range d.Container.Mappings {
			if m.HostPort != nil {
				ports = append(ports, *m.HostPort)
			}
		}
	}
	return ports
}

// containerPorts returns the ports that a task with an address of its own serves
// there and that no host port leads to.
func (d *definition) containerPorts() []int {
	var ports []int
	if d.mode() != modeContainer {
		return nil
	}
	if d.IPAddress != nil {
		for _, p := range d.IPAddress.Discovery.Ports {
			ports = append(ports, p.Number)
		}
	}
	if d.Container != nil {
		for _, m := range d.Container.Mappings {
			if m.HostPort == nil && m.ContainerPort != 0 {
				ports = append(ports, m.ContainerPort)
			}
		}
	}
	return ports
}

// clone returns a copy of which every part may be changed but the raw JSON.
func (d *definition) clone() *definition {
	c := *d
	c.json = nil
	c.Ports = slices.Clone(d.Ports)
	c.Networks = slices.Clone(d.Networks)
	c.HealthChecks = slices.Clone(d.HealthChecks)
	if d.Container != nil {
		box := *d.Container
		box.Mappings = slices.Clone(d.Container.Mappings)
		c.Container = &box
	}
	return &c
}

// sameConfig reports whether tasks of both versions are interchangeable: they
// differ in the number of instances and in dependencies at most.
func (d *definition) sameConfig(o *definition) bool {
	a, b := *d, *o
	for _, x := range []*definition{&a, &b} {
		x.json = nil
		x.Instances = 0
		x.Dependencies = nil
		x.Version, x.LastScaling, x.ConfigChange = "", "", ""
	}
	return reflect.DeepEqual(a, b)
}

// same reports whether the versions differ in nothing but their names.
func (d *definition) same(o *definition) bool {
	return d.sameConfig(o) && d.Instances == o.Instances && slices.Equal(d.Dependencies, o.Dependencies)
}

// image returns the image of the app's container, or "".
func (d *definition) image() string {
	if d.Container == nil || d.Container.Docker == nil {
		return ""
	}
	return d.Container.Docker.Image
}
