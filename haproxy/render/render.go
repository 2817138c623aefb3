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
	// Config is the text of the configuration file.
	Config string
	// Owners say which service wrote which lines, by first line.
	Owners []Owner
	// Problems are the services that could not be rendered.
	Problems []discovery.Problem
}

// Owner is a run of lines that one service wrote.
type Owner struct {
	// First and Last are line numbers of Text.Config, from 1, both included.
	First, Last int
	// App and PortIndex name the service.
	App       string
	PortIndex int
}

// Owner returns the service that wrote a line; ok is false for lines of the frame.
func (t Text) Owner(line int) (o Owner, ok bool) {
	i, found := slices.BinarySearchFunc(t.Owners, line, func(o Owner, l int) int { return cmp.Compare(o.First, l) })
	if !found {
		i--
	}
	if i < 0 || t.Owners[i].Last < line {
		return Owner{}, false
	}
	return t.Owners[i], true
}

// text collects lines and remembers who wrote them.
type text struct {
	b      strings.Builder
	lines  int
	owners []Owner
}

func (t *text) frame(s string) {
	t.b.WriteString(s)
	t.lines += strings.Count(s, "\n")
}

func (t *text) service(p haproxy.Proxy, s string) {
	if s == "" {
		return
	}
	first := t.lines + 1
	t.frame(s)
	t.owners = append(t.owners, Owner{First: first, Last: t.lines, App: p.App, PortIndex: p.PortIndex})
}

// rendered is a service with its fragments.
type rendered struct {
	haproxy.Proxy
	fragments
}

// Render writes the configuration for the proxies, which must come in the order
// of discovery.CompareServices. The order of the text is contract 5.7's.
func (r *Renderer) Render(proxies []haproxy.Proxy) Text {
	var problems []discovery.Problem
	all := make([]rendered, 0, len(proxies))
	for _, p := range proxies {
		f, err := r.service(p)
		if err != nil {
			problems = append(problems, discovery.Problem{
				App: p.App, PortIndex: p.PortIndex, Reason: "template", Detail: err.Error() + "; the service is left out",
			})
			continue
		}
		all = append(all, rendered{p, f})
	}
	var t text
	t.frame(r.head)
	rules := slices.Clone(all)
	slices.SortStableFunc(rules, func(a, b rendered) int { return cmp.Compare(b.Weight, a.Weight) })
	if !r.frame.NoHTTP {
		t.frame(r.http)
		for _, s := range rules {
			t.service(s.Proxy, s.http)
		}
	}
	t.frame(r.appID)
	app := ""
	for _, s := range all {
		if s.appID != "" && s.App != app { // the app's first http service only
			t.service(s.Proxy, s.appID)
			app = s.App
		}
	}
	if !r.frame.NoHTTP {
		t.frame(r.https)
		for _, s := range rules {
			t.service(s.Proxy, s.https)
		}
	}
	for _, s := range all {
		t.service(s.Proxy, s.frontend)
	}
	for _, s := range all {
		t.service(s.Proxy, s.backend)
	}
	return Text{Config: t.b.String(), Owners: t.owners, Problems: problems}
}
