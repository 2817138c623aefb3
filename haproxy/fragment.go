package haproxy

import (
	"maps"
	"slices"
	"strings"
)

// Fragment is a piece of a text that is cut into sections once and used in many
// configurations. It is meant for one goroutine.
type Fragment struct {
	text string
	// kind and name are those of the first section, of count.
	kind, name string
	count      int
	// unresolved are the sections as they stand, until they are resolved.
	unresolved []*Section

	// resolved are the sections as they are behind before; after is what is behind
	// them.
	before, after *surroundings
	resolved      []*Section
}

// NewFragment cuts a text as Parse does. If its last line does not end, it does now.
func NewFragment(text string) *Fragment {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	f := &Fragment{text: strings.Clone(text)} // what built the text took more room than it needs
	if text != "" {
		f.unresolved = cut(f.text)
		f.kind, f.name, f.count = f.unresolved[0].Kind, f.unresolved[0].Name, len(f.unresolved)
	}
	return f
}

// Text returns the text of the fragment.
func (f *Fragment) Text() string { return f.text }

// Lines returns the number of lines.
func (f *Fragment) Lines() int { return strings.Count(f.text, "\n") }

// continues reports whether the fragment begins within a section of another one.
func (f *Fragment) continues() bool { return f.count > 0 && f.kind == "" }

// resolve returns the sections as they are behind others.
func (f *Fragment) resolve(before *surroundings) []*Section {
	if f.before == before && f.resolved != nil {
		return f.resolved
	}
	if f.unresolved == nil && f.count > 0 {
		f.unresolved = cut(f.text)
	}
	f.before, f.after = before, before
	f.resolved = make([]*Section, f.count)
	for i, s := range f.unresolved {
		f.resolved[i] = s.resolved(f.after)
		if s.Kind == "defaults" {
			f.after = f.after.with(f.resolved[i])
		}
	}
	f.unresolved = nil // the resolved ones are all that is needed, mostly for ever
	return f.resolved
}

// Assemble returns the configuration whose text is that of the fragments one behind
// the other. Fragments that were in a configuration before, behind the same defaults,
// cost next to nothing, and their sections are the very same ones.
func Assemble(fragments []*Fragment) Config {
	var sections []*Section
	var around *surroundings
	for _, f := range fragments {
		if f.continues() {
			var b strings.Builder
			for _, f := range fragments {
				b.WriteString(f.text)
			}
			return Parse(b.String())
		}
		sections = append(sections, f.resolve(around)...)
		if f.count > 0 {
			around = f.after
		}
	}
	return newConfig(sections)
}

// With returns the configuration with another fragment in the place of one that it was
// assembled from. It reports false, and returns c, if more than the servers and lines of
// one section would change.
func (c Config) With(old, replacement *Fragment) (Config, bool) {
	if len(old.resolved) != 1 || replacement.count != 1 {
		return c, false
	}
	was := old.resolved[0]
	at, ok := c.place(was.Name)
	if !ok || c.Sections.At(at) != was || !was.holdsServers() || was.Kind != replacement.kind || was.Name != replacement.name {
		return c, false
	}
	return c.with(at, replacement.resolve(old.before)[0]), true
}

// WithServersOf returns the configuration with the servers that another one has in
// sections of the same name.
func (c Config) WithServersOf(o Config) Config {
	for i, s := range c.Sections.All() {
		if !s.holdsServers() {
			continue
		}
		switch to, ok := o.Backend(s.Name); {
		case !ok || to == s || !s.sameName(to):
		case slices.Equal(s.Skeleton, to.Skeleton) && slices.Equal(s.Defaults, to.Defaults):
			c = c.with(i, to)
		default:
			c = c.with(i, s.withServers(to.Servers))
		}
	}
	return c
}

// withServers returns the section with other servers, each as its line means where it
// comes from.
func (s *Section) withServers(servers []Server) *Section {
	out := *s
	out.Servers = make([]Server, len(servers))
	for i, srv := range servers {
		srv.Position = 0
		out.Servers[i] = srv.Effective()
	}
	out.named = out.namedServers()
	return &out
}

// sectionIndex is what is known about all sections of a configuration. Those that
// differ in servers only may share it.
type sectionIndex struct {
	// places are the indexes of the sections that hold servers, by name.
	places map[string]int
	// named are the servers that other directives name, each with the directive.
	named map[string]string
}

func newConfig(all []*Section) Config {
	sections := newSections(all)
	return Config{Sections: sections, index: newIndex(sections)}
}

func newIndex(sections Sections) *sectionIndex {
	x := &sectionIndex{places: make(map[string]int, sections.Len()/2), named: map[string]string{}}
	for i, s := range sections.All() {
		if _, twice := x.places[s.Name]; s.holdsServers() && !twice {
			x.places[s.Name] = i
		}
		maps.Copy(x.named, s.named)
	}
	return x
}

// place returns the index of the section of a name that holds servers.
func (c Config) place(name string) (int, bool) {
	if c.index == nil {
		return 0, false
	}
	i, ok := c.index.places[name]
	return i, ok
}

// with returns the configuration with another section of the same kind and name in the
// place of one.
func (c Config) with(at int, s *Section) Config {
	was := c.Sections.At(at)
	c.Sections = c.Sections.with(at, s)
	if len(was.named)+len(s.named) > 0 {
		c.index = newIndex(c.Sections)
	}
	return c
}
