package marathon

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"sync"
)

// podVersion is one version of a pod.
type podVersion struct{ id, version string }

// podPorts are the container ports of endpoints, by their names.
type podPorts map[string]int

// podVersions remembers the container ports of versions of pods: an instance without a
// host port listens where its own version says, and the live view has only the present
// one. Safe for concurrent use.
type podVersions struct {
	mu    sync.Mutex
	ports map[podVersion]podPorts
}

// note remembers the present version of a pod.
func (v *podVersions) note(p *podStatus) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ports == nil {
		v.ports = map[podVersion]podPorts{}
	}
	v.ports[podVersion{p.ID, p.Spec.Version}] = p.Spec.ports()
}

// keep forgets the versions that none of these pods has any more.
func (v *podVersions) keep(pods []podDocument) {
	used := map[podVersion]bool{}
	for i := range pods {
		p := &pods[i].status
		used[podVersion{p.ID, p.Spec.Version}] = true
		for _, old := range p.oldVersions() {
			used[podVersion{p.ID, old}] = true
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.ports, func(k podVersion, _ podPorts) bool { return !used[k] })
}

func (v *podVersions) find(k podVersion) (podPorts, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ports, ok := v.ports[k]
	return ports, ok
}

func (v *podVersions) add(k podVersion, ports podPorts) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ports[k] = ports
}

// ports returns the container ports of a definition.
func (s *podSpec) ports() podPorts {
	ports := podPorts{}
	for _, c := range s.Containers {
		for _, e := range c.Endpoints {
			ports[e.Name] = e.ContainerPort
		}
	}
	return ports
}

// version returns the version of the pod that the instance runs, or "".
func (i *podInstance) version() string {
	_, version, _ := strings.Cut(i.SpecReference, "::versions/")
	return version
}

// oldVersions returns the versions of instances, other than the present one, if their
// container ports matter.
func (p *podStatus) oldVersions() []string {
	if networkMode(&App{Networks: p.Spec.Networks}) != modeContainer {
		return nil
	}
	var old []string
	for _, i := range p.Instances {
		if i != nil && i.version() != "" && i.version() != p.Spec.Version {
			old = append(old, i.version())
		}
	}
	return old
}

// resolvePod returns the pod of a document, with the ports of old versions from memory
// or from Marathon. What cannot be found out is taken for the present version's, and
// reported as not whole: asking again may help.
func (c *Client) resolvePod(ctx context.Context, d *podDocument) (pod App, whole bool) {
	p := &d.status
	c.versions.note(p)
	known, whole := map[string]podPorts{}, true
	for _, version := range p.oldVersions() {
		if known[version] != nil {
			continue
		}
		key := podVersion{p.ID, version}
		ports, ok := c.versions.find(key)
		if !ok {
			var err error
			if ports, err = c.podVersion(ctx, key); err != nil {
				whole = false
				continue
			}
			c.versions.add(key, ports)
		}
		known[version] = ports
	}
	return d.app(known), whole
}

// podVersion asks for the container ports of a version.
func (c *Client) podVersion(ctx context.Context, k podVersion) (podPorts, error) {
	var spec podSpec
	path := "/v2/pods/" + strings.TrimLeft(k.id, "/") + "::versions/" + k.version
	_, err := c.ask(ctx, question{path: path, missing: ErrNotFound, read: func(body io.Reader) error {
		spec = podSpec{}
		return json.NewDecoder(body).Decode(&spec)
	}})
	return spec.ports(), err
}
