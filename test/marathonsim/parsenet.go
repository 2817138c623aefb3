package marathonsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// containerIn is a container as documents of any generation name it.
type containerIn struct {
	Type     *string         `json:"type"`
	Volumes  json.RawMessage `json:"volumes"`
	Mappings []mappingIn     `json:"portMappings"`
	Docker   *struct {
		Image      string      `json:"image"`
		Network    string      `json:"network"`
		Privileged bool        `json:"privileged"`
		ForcePull  bool        `json:"forcePullImage"`
		Parameters []parameter `json:"parameters"`
		Mappings   []mappingIn `json:"portMappings"`
	} `json:"docker"`
}

type mappingIn struct {
	ContainerPort int               `json:"containerPort"`
	HostPort      *int              `json:"hostPort"`
	ServicePort   int               `json:"servicePort"`
	Protocol      string            `json:"protocol"`
	Name          string            `json:"name"`
	Labels        map[string]string `json:"labels"`
	NetworkNames  []string          `json:"networkNames"`
}

// parseContainer reads "container" and, from its old form, the networks.
func parseContainer(d *definition, in fields, f features) error {
	if _, named := in["container"]; !named {
		return nil
	}
	if !in.has("container") {
		d.Container = nil
		return nil
	}
	var c containerIn
	if err := json.Unmarshal(in["container"], &c); err != nil {
		return invalid("/container", err.Error())
	}
	d.Container = &container{Type: "MESOS", Volumes: c.Volumes}
	mappings := c.Mappings
	if c.Docker != nil {
		d.Container.Type = "DOCKER"
		d.Container.Docker = &docker{
			Image: c.Docker.Image, Privileged: c.Docker.Privileged, ForcePull: c.Docker.ForcePull,
			Parameters: c.Docker.Parameters,
		}
		if c.Docker.Network != "" && in.has("networks") {
			return invalid("/container", "cannot specify both container.docker.network and networks")
		}
		if c.Docker.Mappings != nil {
			mappings = c.Docker.Mappings
		}
		if err := legacyNetwork(d, c.Docker.Network, f); err != nil {
			return err
		}
	}
	set(&d.Container.Type, c.Type)
	if d.Container.Type == "DOCKER" && (d.Container.Docker == nil || d.Container.Docker.Image == "") {
		return invalid("/container/docker/image", "must not be empty")
	}
	if mappings == nil {
		return nil
	}
	d.Container.Mappings = []portMapping{}
	for _, m := range mappings {
		if m.Labels == nil {
			m.Labels = map[string]string{}
		}
		d.Container.Mappings = append(d.Container.Mappings, portMapping{
			ContainerPort: m.ContainerPort, HostPort: m.HostPort, ServicePort: m.ServicePort,
			Protocol: cmp.Or(m.Protocol, "tcp"), Name: m.Name, Labels: m.Labels, NetworkNames: m.NetworkNames,
		})
	}
	return nil
}

// legacyNetwork turns the network of a docker container into a network.
func legacyNetwork(d *definition, name string, f features) error {
	name = strings.ToUpper(name)
	switch {
	case name == "":
	case name == "HOST", name == "NONE":
		d.Networks = []network{{Mode: modeHost}}
	case name == "BRIDGE":
		d.Networks = []network{{Mode: modeBridge}}
	case name == "USER" && f.userNetwork:
		d.Networks = []network{{Mode: modeContainer}}
	default:
		return invalid("/container/docker/network", fmt.Sprintf("%q is not a network", name))
	}
	return nil
}

// parseNetworks reads "networks" and "ipAddress" and fills in the host network.
func parseNetworks(d *definition, in fields, f features) error {
	if in.has("networks") {
		d.Networks = nil
		if err := json.Unmarshal(in["networks"], &d.Networks); err != nil {
			return invalid("/networks", err.Error())
		}
	}
	if in.has("ipAddress") {
		if !f.legacyJSON && in.has("networks") {
			return invalid("/", "cannot specify both ipAddress and networks")
		}
		ip := &ipAddress{Groups: []string{}, Labels: map[string]string{}}
		ip.Discovery.Ports = []discoveryPort{}
		if err := json.Unmarshal(in["ipAddress"], ip); err != nil {
			return invalid("/ipAddress", err.Error())
		}
		d.IPAddress = ip
		d.Networks = []network{{Mode: modeContainer, Name: ip.NetworkName, Labels: ip.Labels}}
		if len(ip.Labels) == 0 {
			d.Networks[0].Labels = nil
		}
	}
	if len(d.Networks) == 0 {
		d.Networks = []network{{Mode: modeHost}}
	}
	for i, n := range d.Networks {
		switch n.Mode {
		case modeHost, modeBridge, modeContainer:
		case "":
			d.Networks[i].Mode = modeContainer
		default:
			return invalid("/networks", fmt.Sprintf("mode %q is unknown", n.Mode))
		}
	}
	return nil
}

// parsePorts reads the ports of host networking and fills in the default port:
// an app that says nothing about ports gets one, an empty list means none.
func parsePorts(d *definition, in fields, f features) error {
	name := ""
	if !f.legacyJSON {
		name = "default"
	}
	if d.mode() != modeHost {
		d.Ports = nil
		d.RequirePorts = d.RequirePorts && f.legacyJSON
		if d.Container != nil && d.Container.Mappings == nil && (d.mode() == modeBridge || !f.legacyJSON) {
			d.Container.Mappings = []portMapping{{HostPort: new(int), Protocol: "tcp", Name: name, Labels: map[string]string{}}}
		}
		for i, m := range d.mappings() {
			if m.HostPort == nil && d.mode() == modeBridge {
				d.Container.Mappings[i].HostPort = new(int)
			}
		}
		return nil
	}
	if d.Container != nil {
		d.Container.Mappings = nil
	}
	switch {
	case in.has("portDefinitions"):
		d.Ports = []portDefinition{}
		if err := json.Unmarshal(in["portDefinitions"], &d.Ports); err != nil {
			return invalid("/portDefinitions", err.Error())
		}
	case in.has("ports"):
		var ports []int
		if err := json.Unmarshal(in["ports"], &ports); err != nil {
			return invalid("/ports", err.Error())
		}
		d.Ports = []portDefinition{}
		for _, p := range ports {
			d.Ports = append(d.Ports, portDefinition{Port: p})
		}
	case d.Ports == nil:
		d.Ports = []portDefinition{{Name: name}}
	}
	for i := range d.Ports {
		d.Ports[i].Protocol = cmp.Or(d.Ports[i].Protocol, "tcp")
		if d.Ports[i].Labels == nil {
			d.Ports[i].Labels = map[string]string{}
		}
	}
	return nil
}

func (d *definition) mappings() []portMapping {
	if d.Container == nil {
		return nil
	}
	return d.Container.Mappings
}
