package marathonsim

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
)

// embeds is what a request wants to see beside the definitions.
type embeds struct {
	tasks, readiness, lastFailure, stats bool
}

// parseEmbeds reads the parameter embed. Prefixes are interchangeable, unknown
// names are ignored, Marathon facts 1.
func parseEmbeds(query url.Values) embeds {
	var e embeds
	for _, name := range query["embed"] {
		for _, prefix := range []string{"group.", "apps.", "app."} {
			name = strings.TrimPrefix(name, prefix)
		}
		switch name {
		case "tasks":
			e.tasks = true
		case "failures":
			e.tasks, e.lastFailure = true, true
		case "lastTaskFailure":
			e.lastFailure = true
		case "readiness":
			e.readiness = true
		case "taskStats":
			e.stats = true
		}
	}
	return e
}

// showApp writes an app with counts, deployments and what was asked for. c.mu is
// held.
func (c *Cluster) showApp(b *bytes.Buffer, a *appState, e embeds) {
	def := a.def.show(c.features)
	b.Write(def[:len(def)-1])
	staged, running, healthy, unhealthy := a.counts()
	for _, n := range []struct {
		name  string
		value int
	}{{"tasksStaged", staged}, {"tasksRunning", running}, {"tasksHealthy", healthy}, {"tasksUnhealthy", unhealthy}} {
		b.WriteString(`,"` + n.name + `":` + strconv.Itoa(n.value))
	}
	b.WriteString(`,"deployments":[`)
	if a.deployment != nil {
		b.WriteString(`{"id":"` + a.deployment.id + `"}`)
	}
	b.WriteByte(']')
	if e.readiness && c.features.readiness {
		b.WriteString(`,"readinessCheckResults":`)
		b.Write(encode(a.readinessResults()))
	}
	if e.tasks {
		b.WriteString(`,"tasks":`)
		c.showTasks(b, a, false)
	}
	if e.lastFailure && a.lastFail != nil {
		b.WriteString(`,"lastTaskFailure":`)
		b.Write(encode(a.lastFail))
	}
	b.WriteByte('}')
}

// showTasks writes the tasks of an app as a list. c.mu is held.
func (c *Cluster) showTasks(b *bytes.Buffer, a *appState, servicePorts bool) {
	b.WriteByte('[')
	first := true
	for _, t := range a.tasks {
		if !t.listed(c.features) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		var ports []int
		if servicePorts {
			ports = t.def.servicePorts()
		}
		b.Write(t.show(c.features, ports))
	}
	b.WriteByte(']')
}

// counts returns the four counts of an app: Marathon facts 4.1.
func (a *appState) counts() (staged, running, healthy, unhealthy int) {
	for _, t := range a.tasks {
		switch t.state {
		case stateStaging:
			staged++
		case stateRunning:
			running++
		}
		reported, good := false, true
		for _, r := range t.results {
			if r != nil {
				reported = true
				good = good && r.alive()
			}
		}
		switch {
		case !reported || t.ended():
		case good:
			healthy++
		default:
			unhealthy++
		}
	}
	return staged, running, healthy, unhealthy
}
