package marathonsim

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// tree is the apps and groups by the group they are in.
type tree struct {
	apps   map[string][]*appState
	groups map[string][]string
}

func (c *Cluster) tree() tree {
	t := tree{apps: map[string][]*appState{}, groups: map[string][]string{}}
	for _, a := range c.order {
		p := parentID(a.id)
		t.apps[p] = append(t.apps[p], a)
	}
	for _, id := range slices.Sorted(maps.Keys(c.groups)) {
		if id != "/" {
			p := parentID(id)
			t.groups[p] = append(t.groups[p], id)
		}
	}
	return t
}

// showRoot returns the root group as events carry it. c.mu is held.
func (c *Cluster) showRoot() json.RawMessage {
	return c.showGroup("/", groupEmbeds{groups: true, apps: true, pods: true})
}

// showGroup returns a group as the API shows it. c.mu is held.
func (c *Cluster) showGroup(id string, e groupEmbeds) json.RawMessage {
	var b bytes.Buffer
	c.writeGroup(&b, c.tree(), id, e)
	return b.Bytes()
}

func (c *Cluster) writeGroup(b *bytes.Buffer, t tree, id string, e groupEmbeds) {
	g := c.groups[id]
	b.WriteString(`{"id":`)
	b.Write(encode(id))
	if e.apps {
		b.WriteString(`,"apps":[`)
		for i, a := range t.apps[id] {
			if i > 0 {
				b.WriteByte(',')
			}
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
		for i, child := range t.groups[id] {
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
	if e.pods {
		b.WriteString(`,"pods":[]`)
	}
	if c.features.roles {
		b.WriteString(`,"enforceRole":false`)
	}
	b.WriteByte('}')
}
