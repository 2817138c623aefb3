package marathonsim

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
)

// groupResource answers /v2/groups and /v2/groups/{id}.
func (c *Cluster) groupResource(q *request, path string) (answer, error) {
	id, err := resolveID("/", path)
	if err != nil {
		return answer{}, invalid("/id", err.Error())
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return c.getGroup(q, id)
	case http.MethodPost:
		return c.changeGroup(q, id, true)
	case http.MethodPut:
		return c.changeGroup(q, id, false)
	case http.MethodDelete:
		return c.deleteGroup(q, id)
	}
	return answer{}, q.wrongMethod()
}

// groupEmbeds is what a request for groups wants to see, Marathon facts 1.
type groupEmbeds struct {
	groups, apps, pods bool
	who                Identity
	app                *embeds // nil: definitions only
}

func parseGroupEmbeds(q *request) groupEmbeds {
	query := q.URL.Query()
	names := query["embed"]
	if len(names) == 0 {
		return groupEmbeds{groups: true, apps: true, pods: true, who: q.who}
	}
	e := groupEmbeds{
		who: q.who, groups: slices.Contains(names, "group.groups"), apps: slices.Contains(names, "group.apps"),
		pods: slices.Contains(names, "group.pods"),
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "group.apps.") }) {
		app := parseEmbeds(query)
		e.app = &app
	}
	return e
}

func (c *Cluster) getGroup(q *request, id string) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups[id] == nil {
		return answer{}, problem(http.StatusNotFound, "Group '%s' does not exist", id)
	}
	return ok(c.showGroup(id, parseGroupEmbeds(q))), nil
}

// groupIn is a posted group.
type groupIn struct {
	ID           *string           `json:"id"`
	Apps         []json.RawMessage `json:"apps"`
	Groups       []json.RawMessage `json:"groups"`
	Dependencies []string          `json:"dependencies"`
	ScaleBy      *float64          `json:"scaleBy"`
	Version      *string           `json:"version"`
}

// changeGroup answers POST, which creates, and PUT, which creates or replaces.
func (c *Cluster) changeGroup(q *request, base string, create bool) (answer, error) {
	body, err := q.readBody()
	if err != nil {
		return answer{}, err
	}
	var in groupIn
	if err = json.Unmarshal(body, &in); err != nil {
		return answer{}, problem(http.StatusBadRequest, "%s", err)
	}
	id := base
	if in.ID != nil && *in.ID != base {
		if id, err = resolveID(base, *in.ID); err != nil {
			return answer{}, invalid("/id", err.Error())
		}
	}
	if in.Version != nil {
		return answer{}, problem(http.StatusNotImplemented, "going back to an earlier version of a group is not simulated")
	}
	d, err := c.apply(func() (*changeSet, error) {
		change := &changeSet{reported: base, force: q.force}
		switch {
		case in.ScaleBy != nil:
			return change, c.scaleGroup(change, id, *in.ScaleBy)
		case create && c.groups[id] != nil:
			return nil, problem(http.StatusConflict, "Group %s is already created. Use PUT to change this group.", id)
		case create && c.apps[id] != nil:
			return nil, problem(http.StatusConflict, "An app with the path %s already exists.", id)
		}
		return change, c.readGroup(change, in, id)
	}, nil)
	if err != nil {
		return answer{}, err
	}
	if !create {
		return deployed(http.StatusOK, d), nil
	}
	a := deployed(http.StatusCreated, d)
	a.header.Set("Location", q.master.url()+"/v2/groups"+id)
	return a, nil
}

// readGroup adds a posted group, and all in it, to the change. What the group has
// and the document does not name is removed, if the document names that kind at
// all. c.mu is held.
func (c *Cluster) readGroup(change *changeSet, in groupIn, id string) error {
	g := &group{id: id}
	if old := c.groups[id]; old != nil {
		g.dependencies = old.dependencies
	}
	if in.Dependencies != nil {
		g.dependencies = nil
		for _, dependency := range in.Dependencies {
			abs, err := resolveID(parentID(id), dependency)
			if err != nil {
				return invalid("/dependencies", err.Error())
			}
			g.dependencies = append(g.dependencies, abs)
		}
	}
	change.groups = append(change.groups, g)
	named := map[string]bool{}
	for _, raw := range in.Apps {
		doc, err := parseFields(raw)
		if err != nil {
			return problem(http.StatusBadRequest, "%s", err)
		}
		def, err := c.newApp(doc, id)
		if err != nil {
			return err
		}
		named[def.ID] = true
		change.set = append(change.set, def)
	}
	for _, raw := range in.Groups {
		var child groupIn
		if err := json.Unmarshal(raw, &child); err != nil || child.ID == nil {
			return problem(http.StatusBadRequest, "a group in %s cannot be read", id)
		}
		childID, err := resolveID(id, *child.ID)
		if err != nil {
			return invalid("/groups/id", err.Error())
		}
		named[childID] = true
		if err := c.readGroup(change, child, childID); err != nil {
			return err
		}
	}
	c.removeUnnamed(change, id, named, in.Apps != nil, in.Groups != nil)
	return nil
}

// removeUnnamed removes the children of a group that a PUT did not name.
func (c *Cluster) removeUnnamed(change *changeSet, id string, named map[string]bool, apps, groups bool) {
	if apps {
		for _, a := range c.order {
			if a.def.Pod == nil && parentID(a.id) == id && !named[a.id] {
				change.remove = append(change.remove, a.id)
			}
		}
	}
	if !groups {
		return
	}
	for _, child := range slices.Sorted(maps.Keys(c.groups)) {
		if child != "/" && parentID(child) == id && !named[child] {
			c.removeGroup(change, child)
		}
	}
}

// removeGroup adds the removal of a group and of all in it to the change.
func (c *Cluster) removeGroup(change *changeSet, id string) {
	prefix := strings.TrimSuffix(id, "/") + "/"
	for _, a := range c.order {
		if strings.HasPrefix(a.id, prefix) {
			change.remove = append(change.remove, a.id)
		}
	}
	for _, g := range slices.Sorted(maps.Keys(c.groups)) {
		if g != "/" && (g == id || strings.HasPrefix(g, prefix)) {
			change.removeGroups = append(change.removeGroups, g)
		}
	}
}

// scaleGroup multiplies the instances of all apps in a group.
func (c *Cluster) scaleGroup(change *changeSet, id string, by float64) error {
	if c.groups[id] == nil {
		return problem(http.StatusNotFound, "Group '%s' does not exist", id)
	}
	for _, a := range c.order {
		if strings.HasPrefix(a.id, strings.TrimSuffix(id, "/")+"/") {
			def := a.def.clone()
			def.Instances = int(math.Ceil(float64(def.Instances) * by))
			change.set = append(change.set, def)
		}
	}
	return nil
}

func (c *Cluster) deleteGroup(q *request, id string) (answer, error) {
	d, err := c.apply(func() (*changeSet, error) {
		if c.groups[id] == nil {
			return nil, problem(http.StatusNotFound, "Group '%s' does not exist", id)
		}
		change := &changeSet{reported: parentID(id), force: q.force}
		c.removeGroup(change, id)
		return change, nil
	}, nil)
	if err != nil {
		return answer{}, err
	}
	return deployed(http.StatusOK, d), nil
}
