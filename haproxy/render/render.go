package render

import (
	"cmp"
	"slices"
	"strings"

	"mlb/discovery"
	"mlb/haproxy"
)

// Text is a complete configuration.
type Text struct {
	// Config is the configuration, with the maps that it reads.
	Config haproxy.Config
	// Problems are the services that could not be rendered.
	Problems []discovery.Problem

	shared shared
	all    []*rendered
}

// shared is what services have in common, with the owners of lines of it.
type shared struct {
	fragment *haproxy.Fragment
	owners   []owner
}

// owner is a run of lines that one service wrote, both included.
type owner struct {
	first, last int
	by          *rendered
}

// Owner returns the app whose service wrote a line of Config.Text, counted from 1; ok
// is false for lines of the frame.
func (t Text) Owner(line int) (app string, ok bool) {
	if line < 1 {
		return "", false
	}
	if n := t.shared.fragment.Lines(); line > n {
		return t.ownerOfOwn(line - n)
	}
	i, found := slices.BinarySearchFunc(t.shared.owners, line, func(o owner, l int) int { return cmp.Compare(o.first, l) })
	if !found {
		i--
	}
	if i < 0 || t.shared.owners[i].last < line {
		return "", false
	}
	return t.shared.owners[i].by.App, true
}

// ownerOfOwn is Owner for the lines behind the shared ones.
func (t Text) ownerOfOwn(line int) (app string, ok bool) {
	for place := range ownPlaces {
		for _, s := range t.all {
			n := s.own[place].Lines()
			if line <= n {
				return s.App, true
			}
			line -= n
		}
	}
	return "", false
}

// text collects lines that services share and remembers who wrote them.
type text struct {
	b      strings.Builder
	lines  int
	owners []owner
	// rules are set aside while a frontend's are collected.
	rules     []rule
	collected bool
}

// rule is a piece of text and the service that wrote it, nil for the frame.
type rule struct {
	by   *rendered
	text string
}

func (t *text) frame(s string) { t.service(nil, s) }

// service adds what a service wrote; nil stands for the frame.
func (t *text) service(r *rendered, s string) {
	switch {
	case s == "":
		return
	case t.collected:
		t.rules = append(t.rules, rule{r, s})
		return
	}
	first := t.lines + 1
	t.b.WriteString(s)
	t.lines += strings.Count(s, "\n")
	if r != nil {
		t.owners = append(t.owners, owner{first, t.lines, r})
	}
}

// byPhase adds the rules of one frontend that write writes, in the order in which
// HAProxy acts on them whatever theirs is. HAProxy warns of any other at each load.
func (t *text) byPhase(write func()) {
	t.collected = true
	write()
	t.collected = false
	rules := t.rules
	t.rules = nil
	for phase := range lastPhase + 1 {
		for _, r := range rules {
			var b strings.Builder
			for line := range strings.Lines(r.text) {
				if phaseOf(line) == phase {
					b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
				}
			}
			t.service(r.by, b.String())
		}
	}
}

const lastPhase = 2

// phaseOf says when HAProxy acts on a line of a frontend: redirects after all
// http-request rules, the choice of a backend at last.
func phaseOf(line string) int {
	words, err := haproxy.Words(line) // HAProxy knows a quoted directive, too
	switch {
	case err != nil || len(words) == 0:
		return 0
	case words[0] == "redirect":
		return 1
	case words[0] == "use_backend":
		return lastPhase
	}
	return 0
}

// rendered is a service with its fragments, and what writes more of them.
type rendered struct {
	haproxy.Proxy
	fragments
	w *writer
	// own are the sections of the service alone.
	own [ownPlaces]*haproxy.Fragment
	err error
}

// Places of a service's own sections.
const (
	ownFrontend = iota
	ownBackend
	ownPlaces
)

// Render writes the configuration for the proxies, which must come in the order
// of discovery.CompareServices. The order of the text is contract 5.7's. What a service
// says by itself is rendered again only if the proxy is another one than last time.
func (r *Renderer) Render(proxies []haproxy.Proxy) Text {
	all, problems := r.services(proxies)
	common, files := r.shared(all)
	fragments := make([]*haproxy.Fragment, 0, 1+ownPlaces*len(all))
	fragments = append(fragments, common.fragment)
	for place := range ownPlaces {
		for _, s := range all {
			fragments = append(fragments, s.own[place])
		}
	}
	return Text{Config: haproxy.Assemble(fragments).WithFiles(files), Problems: problems, shared: common, all: all}
}

// Update renders changed proxies into the text that was rendered last, which must not
// be used any more if that succeeds. It reports false, and has done nothing, if a proxy
// is not in the text, differs in more than its endpoints, or changes more of it than its
// own backend: then the text has to be rendered as a whole. Its cost does not depend on
// the number of services, but for the copy of one list.
func (r *Renderer) Update(t Text, changed []haproxy.Proxy) (Text, bool) {
	places, is := make([]int, len(changed)), make([]*rendered, len(changed))
	for i, p := range changed {
		at, found := slices.BinarySearchFunc(t.all, p, func(s *rendered, p haproxy.Proxy) int {
			return discovery.CompareServices(s.Service, p.Service)
		})
		if !found || !t.all[at].SameButEndpoints(p) {
			return t, false
		}
		was := t.all[at]
		s := r.render(p, was.names())
		if s.err != nil || s.users != was.users || s.frontend != was.frontend {
			return t, false
		}
		s.own[ownFrontend] = was.own[ownFrontend]
		places[i], is[i] = at, s
	}
	out := t
	for i, s := range is {
		var ok bool
		if out.Config, ok = out.Config.With(t.all[places[i]].own[ownBackend], s.own[ownBackend]); !ok {
			return t, false
		}
	}
	for i, s := range is {
		out.all[places[i]] = s
		r.rendered[s.Key()] = s
	}
	return out, true
}

// shared renders what services have in common, and the maps.
func (r *Renderer) shared(all []*rendered) (shared, []haproxy.File) {
	hosted := slices.DeleteFunc(slices.Clone(all), func(s *rendered) bool {
		return len(s.Hosts) == 0 || s.Mode != discovery.ModeHTTP
	})
	slices.SortStableFunc(hosted, func(a, b *rendered) int { return cmp.Compare(b.Weight, a.Weight) })
	var t text
	t.frame(r.head)
	for _, s := range all {
		t.service(s, s.users)
	}
	var files []haproxy.File
	if !r.frame.NoHTTP {
		t.frame(r.http)
		plain := hostFrontend{r: r, side: plainSide, fetch: hostHeader, name: "http", maps: true}
		t.byPhase(func() { files = plain.write(&t, hosted) })
	}
	t.frame(r.appID)
	files = append(files, r.writeApps(&t, all)...)
	switch {
	case r.frame.NoHTTP:
		hosted = nil
	case r.frame.Grouped:
		r.writeGrouped(&t, all, hosted)
	default:
		t.frame(r.https)
		tls := hostFrontend{r: r, side: tlsSide, fetch: r.frame.tlsHost(), name: "https", maps: true}
		t.byPhase(func() { files = append(files, tls.write(&t, hosted)...) })
	}
	files = append(files, haproxy.File{Name: domainMap, Text: mapText(r.domains(hosted))})
	files = append(files, r.certificateFiles()...)
	if written := t.b.String(); r.common == nil || r.common.Text() != written {
		r.common = haproxy.NewFragment(written)
	}
	return shared{r.common, t.owners}, files
}

// conditionNames are the names of a service's conditions (D32, D33).
type conditionNames struct{ host, app string }

func (s *rendered) names() conditionNames {
	return s.w.names
}

// services renders what each service says by itself.
func (r *Renderer) services(proxies []haproxy.Proxy) ([]*rendered, []discovery.Problem) {
	var problems []discovery.Problem
	all := make([]*rendered, 0, len(proxies))
	next := make(map[discovery.ServiceKey]*rendered, len(proxies))
	taken := map[string]bool{}
	for _, p := range proxies {
		names := r.conditions(p, taken)
		s := r.rendered[p.Key()]
		if s == nil || !s.Equal(p) || s.names() != names {
			s = r.render(p, names)
		}
		next[p.Key()] = s
		if s.err == nil {
			all = append(all, s)
			continue
		}
		problems = append(problems, discovery.Problem{
			App: p.App, PortIndex: p.PortIndex, Reason: "template", Detail: s.err.Error() + "; the service is left out",
		})
	}
	r.rendered = next
	return all, problems
}

// render renders what one service says by itself.
func (r *Renderer) render(p haproxy.Proxy, names conditionNames) *rendered {
	s := &rendered{Proxy: p}
	w := r.write(&s.Proxy, names)
	s.w, s.fragments = w, w.service()
	s.err = w.err
	s.own[ownFrontend], s.own[ownBackend] = haproxy.NewFragment(s.frontend), haproxy.NewFragment(s.backend)
	// Of thousands of services, few are asked for these again.
	s.frontend, s.backend = s.own[ownFrontend].Text(), ""
	w.values = nil
	return s
}
