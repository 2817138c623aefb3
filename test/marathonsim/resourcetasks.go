package marathonsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// versionNames returns the versions of an app, newest first.
func (a *appState) versionNames() []string {
	names := slices.Sorted(maps.Keys(a.versions))
	slices.Reverse(names)
	return names
}

// listTasks answers /v2/tasks, as JSON or as text.
func (c *Cluster) listTasks(q *request) (answer, error) {
	accept := q.Header.Get("Accept")
	text := strings.Contains(accept, "text/plain")
	switch json := strings.Contains(accept, "json") || strings.Contains(accept, "application/*"); {
	case text && !json && !c.features.textTasks:
		return answer{}, page(http.StatusNotAcceptable, "Not Acceptable")
	case c.features.textTasks && (text || c.features.textByDefault && !json):
		return c.textTasks(q.who), nil
	}
	query := q.URL.Query()
	wanted := slices.Concat(query["status"], query["status[]"])
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	b.WriteString(`{"tasks":[`)
	first := true
	for _, a := range c.order {
		if a.def.Pod != nil {
			continue
		}
		for _, t := range a.tasks {
			if !q.who.sees(a.id) || !t.listed(c.features) || len(wanted) > 0 && !slices.Contains(wanted, status(t.state)) {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			b.Write(t.show(c.features, t.def.servicePorts()))
		}
	}
	b.WriteString("]}")
	return ok(b.Bytes()), nil
}

// status is the name of a state in the filter of /v2/tasks.
func status(state string) string {
	return lower(strings.TrimPrefix(state, "TASK_"))
}

// textTasks is the tab-separated form, Marathon facts 1.
func (c *Cluster) textTasks(who Identity) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	for _, a := range c.order {
		if a.def.Pod != nil || !who.sees(a.id) {
			continue
		}
		name := strings.ReplaceAll(strings.TrimPrefix(a.id, "/"), "/", "_")
		ports := a.def.servicePorts()
		if len(ports) == 0 {
			b.WriteString(name + "\t \t")
			for _, t := range a.tasks {
				if t.state == stateRunning {
					b.WriteString(t.agent.Name + " ")
				}
			}
			b.WriteByte('\n')
			continue
		}
		for i, port := range ports {
			fmt.Fprintf(&b, "%s\t%d\t", name, port)
			for _, t := range a.tasks {
				if t.state != stateRunning {
					continue
				}
				host := 0
				if i < len(t.ports) {
					host = t.ports[i]
				}
				fmt.Fprintf(&b, "%s:%d\t", t.agent.Name, host)
			}
			b.WriteByte('\n')
		}
	}
	return answer{status: http.StatusOK, contentType: "text/plain", body: b.Bytes()}
}

// appTasks answers /v2/apps/{id}/tasks.
func (c *Cluster) appTasks(q *request, id string) (answer, error) {
	if q.Method == http.MethodDelete {
		return c.deleteAppTasks(q, id)
	}
	return q.only(http.MethodGet, func() (answer, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		a := c.app(id)
		if a == nil {
			return answer{}, noApp(id)
		}
		if !q.who.sees(id) {
			return answer{}, forbidden()
		}
		var b bytes.Buffer
		b.WriteString(`{"tasks":`)
		c.showTasks(&b, a, false)
		b.WriteByte('}')
		return ok(b.Bytes()), nil
	})
}

func (c *Cluster) deleteAppTasks(q *request, id string) (answer, error) {
	host := q.URL.Query().Get("host")
	c.mu.Lock()
	a := c.app(id)
	if a == nil {
		c.mu.Unlock()
		return answer{}, noApp(id)
	}
	var tasks []string
	for _, t := range a.active() {
		if t.agent != nil && (host == "" || host == "*" || host == t.agent.Name) {
			tasks = append(tasks, t.id)
		}
	}
	c.mu.Unlock()
	return c.killTasks(q, tasks)
}

func (c *Cluster) deleteTask(q *request, app, id string) (answer, error) {
	c.mu.Lock()
	t := c.taskIndex[id]
	if c.app(app) == nil {
		c.mu.Unlock()
		return answer{}, noApp(app)
	}
	if t == nil || t.app.id != app || t.agent == nil {
		c.mu.Unlock()
		return answer{}, problem(http.StatusNotFound, "Task '%s' does not exist", id)
	}
	shown := t.show(c.features, nil)
	c.mu.Unlock()
	a, err := c.killTasks(q, []string{id})
	if err != nil || q.URL.Query().Get("scale") == "true" {
		return a, err
	}
	return ok([]byte(`{"task":` + string(shown) + `}`)), nil
}

func (c *Cluster) deleteTasks(q *request) (answer, error) {
	body, err := q.readBody()
	if err != nil {
		return answer{}, err
	}
	var in struct {
		IDs []string `json:"ids"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return answer{}, problem(http.StatusBadRequest, "%s", err)
	}
	return c.killTasks(q, in.IDs)
}

// killTasks ends tasks. With scale=true their apps become smaller, otherwise the
// tasks are replaced. Tasks that do not exist are left out.
func (c *Cluster) killTasks(q *request, tasks []string) (answer, error) {
	if q.URL.Query().Get("scale") != "true" {
		c.mu.Lock()
		defer c.mu.Unlock()
		var b bytes.Buffer
		b.WriteString(`{"tasks":[`)
		n := 0
		for _, id := range tasks {
			t := c.taskIndex[id]
			if t == nil || t.agent == nil {
				continue
			}
			if n++; n > 1 {
				b.WriteByte(',')
			}
			b.Write(t.show(c.features, nil))
			c.kill(t)
			c.touch(t.app)
		}
		b.WriteString("]}")
		return ok(b.Bytes()), nil
	}
	d, err := c.apply(func() (*changeSet, error) {
		change := &changeSet{reported: "/", force: q.force, kill: map[string][]string{}}
		for _, id := range tasks {
			if t := c.taskIndex[id]; t != nil && c.apps[t.app.id] == t.app && !t.killing {
				change.kill[t.app.id] = append(change.kill[t.app.id], id)
			}
		}
		for _, a := range c.order {
			if n := len(change.kill[a.id]); n > 0 {
				def := a.def.clone()
				def.Instances = max(def.Instances-n, 0)
				change.set = append(change.set, def)
			}
		}
		return change, nil
	}, nil)
	if err != nil {
		return answer{}, err
	}
	return deployed(http.StatusOK, d), nil
}
