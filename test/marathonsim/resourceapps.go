package marathonsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// appsResource answers /v2/apps.
func (c *Cluster) appsResource(q *request) (answer, error) {
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		if notAcceptable(q.Request) {
			return answer{}, page(http.StatusNotAcceptable, "Not Acceptable")
		}
		return c.listApps(q)
	case http.MethodPost:
		return c.postApp(q)
	case http.MethodPut:
		return c.putApps(q)
	}
	return answer{}, q.wrongMethod()
}

// listApps answers GET /v2/apps with the filters id, cmd and label.
func (c *Cluster) listApps(q *request) (answer, error) {
	query := q.URL.Query()
	labels, err := parseSelectors(query.Get("label"))
	if err != nil {
		return answer{}, problem(http.StatusUnprocessableEntity, "%s", err)
	}
	id, cmd := strings.ToLower(query.Get("id")), strings.ToLower(query.Get("cmd"))
	return c.showApps("apps", parseEmbeds(query), func(def *definition) bool {
		return q.who.sees(def.ID) && strings.Contains(strings.ToLower(def.ID), id) &&
			(cmd == "" || def.Cmd != nil && strings.Contains(strings.ToLower(*def.Cmd), cmd)) && labels(def.Labels)
	}), nil
}

// showApps writes the wanted apps in an object with one member.
func (c *Cluster) showApps(name string, e embeds, wanted func(*definition) bool) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	b.WriteString(`{"` + name + `":[`)
	first := true
	for _, a := range c.order {
		if a.def.Pod != nil || !wanted(a.def) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		c.showApp(&b, a, e)
	}
	b.WriteString("]}")
	return ok(b.Bytes())
}

// postApp answers POST /v2/apps.
func (c *Cluster) postApp(q *request) (answer, error) {
	body, err := q.readBody()
	if err != nil {
		return answer{}, err
	}
	in, err := parseFields(body)
	if err != nil {
		return answer{}, problem(http.StatusBadRequest, "%s", err)
	}
	var def *definition
	d, err := c.apply(func() (*changeSet, error) {
		if def, err = c.newApp(in, "/"); err != nil {
			return nil, err
		}
		if c.apps[def.ID] != nil {
			return nil, problem(http.StatusConflict, "An app with id [%s] already exists.", def.ID)
		}
		return &changeSet{set: []*definition{def}, reported: parentID(def.ID), force: q.force}, nil
	}, func(*deployment) { c.published(q, def) })
	if err != nil {
		return answer{}, err
	}
	shown := def.show(c.features)
	var b bytes.Buffer
	b.Write(shown[:len(shown)-1])
	b.WriteString(`,"tasksStaged":0,"tasksRunning":0,"tasksHealthy":0,"tasksUnhealthy":0,"deployments":[{"id":"`)
	b.WriteString(d.id + `"}],"tasks":[]}`)
	return answer{status: http.StatusCreated, body: b.Bytes(), header: http.Header{
		"Location": {q.master.url() + "/v2/apps" + def.ID}, "Marathon-Deployment-Id": {d.id},
	}}, nil
}

// newApp makes the definition of an app whose id is relative to base.
func (c *Cluster) newApp(in fields, base string) (*definition, error) {
	var name string
	if !in.has("id") || json.Unmarshal(in["id"], &name) != nil || strings.Trim(name, "/") == "" {
		return nil, invalid("/id", "error.path.missing")
	}
	id, err := resolveID(base, name)
	if err != nil {
		return nil, invalid("/id", err.Error())
	}
	return newDefinition(id, c.features).update(in, c.features)
}

// putApps answers PUT /v2/apps: a list of partial apps.
func (c *Cluster) putApps(q *request) (answer, error) {
	body, err := q.readBody()
	if err != nil {
		return answer{}, err
	}
	var docs []json.RawMessage
	if err = json.Unmarshal(body, &docs); err != nil {
		return answer{}, problem(http.StatusBadRequest, "%s", err)
	}
	d, err := c.apply(func() (*changeSet, error) {
		change := &changeSet{reported: "/", force: q.force}
		for _, doc := range docs {
			in, parseErr := parseFields(doc)
			if parseErr != nil {
				return nil, problem(http.StatusBadRequest, "%s", parseErr)
			}
			def, updateErr := c.updated(in, "")
			if updateErr != nil {
				return nil, updateErr
			}
			change.set = append(change.set, def)
		}
		return change, nil
	}, nil)
	if err != nil {
		return answer{}, err
	}
	return deployed(http.StatusOK, d), nil
}

// updated returns the next version of an app, which may be its first; an empty id
// stands for the one in the document. c.mu is held.
func (c *Cluster) updated(in fields, id string) (*definition, error) {
	if id == "" {
		fresh, err := c.newAppID(in)
		if err != nil {
			return nil, err
		}
		id = fresh
	}
	if c.pod(id) != nil {
		return nil, problem(http.StatusConflict, "An app with id [%s] already exists as a pod.", id)
	}
	if a := c.apps[id]; a != nil {
		return a.def.update(in, c.features)
	}
	return newDefinition(id, c.features).update(in, c.features)
}

func (c *Cluster) newAppID(in fields) (string, error) {
	var name string
	if !in.has("id") || json.Unmarshal(in["id"], &name) != nil {
		return "", invalid("/id", "error.path.missing")
	}
	id, err := resolveID("/", name)
	if err != nil {
		return "", invalid("/id", err.Error())
	}
	return id, nil
}

// appResource answers /v2/apps/{id} and what is below.
func (c *Cluster) appResource(q *request, path string) (answer, error) {
	if group, ok := strings.CutSuffix(path, "/*"); ok || path == "/*" {
		return q.only(http.MethodGet, func() (answer, error) { return c.listGroupApps(q, group) })
	}
	if i := strings.LastIndex(path, "/tasks/"); i > 0 {
		return q.only(http.MethodDelete, func() (answer, error) { return c.deleteTask(q, path[:i], path[i+len("/tasks/"):]) })
	}
	if id, ok := strings.CutSuffix(path, "/tasks"); ok && id != "" {
		return c.appTasks(q, id)
	}
	if id, ok := strings.CutSuffix(path, "/versions"); ok && id != "" {
		return q.only(http.MethodGet, func() (answer, error) { return c.listVersions(id) })
	}
	if i := strings.LastIndex(path, "/versions/"); i > 0 {
		return q.only(http.MethodGet, func() (answer, error) { return c.showVersion(path[:i], path[i+len("/versions/"):]) })
	}
	if id, ok := strings.CutSuffix(path, "/restart"); ok && id != "" {
		return q.only(http.MethodPost, func() (answer, error) { return c.restartApp(q, id) })
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return c.getApp(q, path)
	case http.MethodPut, http.MethodPatch:
		return c.putApp(q, path)
	case http.MethodDelete:
		return c.deleteApp(q, path)
	}
	return answer{}, q.wrongMethod()
}

func (c *Cluster) getApp(q *request, id string) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(id)
	if a == nil {
		return answer{}, noApp(id)
	}
	if !q.who.sees(id) {
		return answer{}, forbidden()
	}
	e := parseEmbeds(q.URL.Query())
	e.tasks, e.lastFailure = true, true
	var b bytes.Buffer
	b.WriteString(`{"app":`)
	c.showApp(&b, a, e)
	b.WriteByte('}')
	return ok(b.Bytes()), nil
}

// listGroupApps answers /v2/apps/{group}/*.
func (c *Cluster) listGroupApps(q *request, group string) (answer, error) {
	c.mu.Lock()
	known := group == "" || c.groups[group] != nil
	c.mu.Unlock()
	if !known && c.features.unknownGroupAs404 {
		return answer{}, problem(http.StatusNotFound, "Group '%s' does not exist", group)
	}
	e := parseEmbeds(q.URL.Query())
	e.tasks = true
	return c.showApps("*", e, func(def *definition) bool {
		return q.who.sees(def.ID) && strings.HasPrefix(def.ID, group+"/")
	}), nil
}

// putApp answers PUT /v2/apps/{id}, which creates the app or replaces what the
// document names.
func (c *Cluster) putApp(q *request, id string) (answer, error) {
	body, err := q.readBody()
	if err != nil {
		return answer{}, err
	}
	in, err := parseFields(body)
	if err != nil {
		return answer{}, problem(http.StatusBadRequest, "%s", err)
	}
	if id, err = resolveID("/", id); err != nil {
		return answer{}, invalid("/id", err.Error())
	}
	status := http.StatusOK
	d, err := c.apply(func() (*changeSet, error) {
		if c.apps[id] == nil {
			status = http.StatusCreated
		}
		next, updateErr := c.updated(in, id)
		if updateErr != nil {
			return nil, updateErr
		}
		return &changeSet{set: []*definition{next}, reported: parentID(id), force: q.force}, nil
	}, func(*deployment) { c.published(q, c.apps[id].def) })
	if err != nil {
		return answer{}, err
	}
	return deployed(status, d), nil
}

func (c *Cluster) deleteApp(q *request, id string) (answer, error) {
	d, err := c.apply(func() (*changeSet, error) {
		if c.app(id) == nil {
			return nil, noApp(id)
		}
		return &changeSet{remove: []string{id}, reported: parentID(id), force: q.force}, nil
	}, nil)
	if err != nil {
		return answer{}, err
	}
	return deployed(http.StatusOK, d), nil
}

func (c *Cluster) restartApp(q *request, id string) (answer, error) {
	d, err := c.apply(func() (*changeSet, error) {
		a := c.app(id)
		if a == nil {
			return nil, noApp(id)
		}
		return &changeSet{set: []*definition{a.def.clone()}, restart: true, reported: parentID(id), force: q.force}, nil
	}, nil)
	if err != nil {
		return answer{}, err
	}
	return deployed(http.StatusOK, d), nil
}

func (c *Cluster) listVersions(id string) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(id)
	if a == nil {
		return answer{}, noApp(id)
	}
	return ok(encode(map[string][]string{"versions": a.versionNames()})), nil
}

func (c *Cluster) showVersion(id, version string) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(id)
	if a == nil || a.versions[version] == nil {
		return answer{}, problem(http.StatusNotFound, "App '%s' does not exist in version %s", id, version)
	}
	return ok(a.versions[version].show(c.features)), nil
}
