package marathonsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// tree is the apps and groups by the group they are in.
type tree struct {
	apps   map[string][]*appState
	pods   map[string][]*appState
	groups map[string][]*group
	root   *group
}

// tree returns the apps and groups as they are. c.mu is held.
func (c *Cluster) tree() tree {
	return treeOf(c.order, c.groups)
}

func treeOf(apps []*appState, groups map[string]*group) tree {
	t := tree{apps: map[string][]*appState{}, pods: map[string][]*appState{}, groups: map[string][]*group{}, root: groups["/"]}
	for _, a := range apps {
		p := parentID(a.id)
		if a.def.Pod != nil {
			t.pods[p] = append(t.pods[p], a)
			continue
		}
		t.apps[p] = append(t.apps[p], a)
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		if id != "/" {
			p := parentID(id)
			t.groups[p] = append(t.groups[p], groups[id])
		}
	}
	return t
}

// showRoot returns the root group as it will be after a change, for events that
// announce it. c.mu is held.
func (c *Cluster) showRoot(change *changeSet, version string) json.RawMessage {
	next := map[string]*definition{}
	for _, def := range change.set {
		next[def.ID] = def
	}
	var apps []*appState
	for _, a := range c.order {
		if !slices.Contains(change.remove, a.id) {
			apps = append(apps, &appState{id: a.id, def: cmp.Or(next[a.id], a.def)})
			delete(next, a.id)
		}
	}
	for _, def := range change.set {
		if next[def.ID] != nil {
			apps = append(apps, &appState{id: def.ID, def: def})
		}
	}
	groups := maps.Clone(c.groups)
	for _, id := range change.removeGroups {
		delete(groups, id)
	}
	for _, g := range change.groups {
		groups[g.id] = &group{id: g.id, dependencies: g.dependencies, version: version}
	}
	for _, id := range slices.Concat(ids(change.set), change.remove) {
		for p := parentID(id); ; p = parentID(p) {
			g := group{id: p, version: version}
			if old := groups[p]; old != nil {
				g.dependencies = old.dependencies
			}
			groups[p] = &g
			if p == "/" {
				break
			}
		}
	}
	t := treeOf(apps, groups)
	var b bytes.Buffer
	c.writeGroup(&b, t, t.root, groupEmbeds{groups: true, apps: true, pods: true})
	return b.Bytes()
}

// showGroup returns a group as the API shows it. c.mu is held.
func (c *Cluster) showGroup(id string, e groupEmbeds) json.RawMessage {
	var b bytes.Buffer
	c.writeGroup(&b, c.tree(), c.groups[id], e)
	return b.Bytes()
}

func (c *Cluster) writeGroup(b *bytes.Buffer, t tree, g *group, e groupEmbeds) {
	b.WriteString(`{"id":`)
	b.Write(encode(g.id))
	if e.apps {
		b.WriteString(`,"apps":[`)
		first := true
		for _, a := range t.apps[g.id] {
			if !e.who.sees(a.id) {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			if e.app != nil {
				c.showApp(b, a, *e.app)
			} else {
				b.Write(a.def.show(c.features))
			}
		}
		b.WriteByte(']')
	}
	if e.groups {
		b.WriteString(`,"groups":[`)
		for i, child := range t.groups[g.id] {
			if i > 0 {
				b.WriteByte(',')
			}
			c.writeGroup(b, t, child, e)
		}
		b.WriteByte(']')
	}
	b.WriteString(`,"dependencies":`)
	b.Write(encode(notNil(g.dependencies)))
	b.WriteString(`,"version":`)
	b.Write(encode(g.version))
	if e.pods && c.features.instances {
		b.WriteString(`,"pods":`)
		b.Write(c.showPods(slices.DeleteFunc(slices.Clone(t.pods[g.id]), func(a *appState) bool { return !e.who.sees(a.id) })))
	}
	if c.features.roles {
		b.WriteString(`,"enforceRole":false`)
	}
	b.WriteByte('}')
}
