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
	// Files are the maps that the configuration reads, sorted by name.
	Files []haproxy.File
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
		t.owners = append(t.owners, Owner{First: first, Last: t.lines, App: r.App, PortIndex: r.PortIndex})
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
}

// Render writes the configuration for the proxies, which must come in the order
// of discovery.CompareServices. The order of the text is contract 5.7's.
func (r *Renderer) Render(proxies []haproxy.Proxy) Text {
	all, problems := r.services(proxies)
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
	for _, s := range all {
		t.service(s, s.frontend)
	}
	for _, s := range all {
		t.service(s, s.backend)
	}
	slices.SortFunc(files, func(a, b haproxy.File) int { return cmp.Compare(a.Name, b.Name) })
	return Text{Config: t.b.String(), Files: files, Owners: t.owners, Problems: problems}
}

// services renders what each service says by itself.
func (r *Renderer) services(proxies []haproxy.Proxy) ([]*rendered, []discovery.Problem) {
	var problems []discovery.Problem
	all := make([]*rendered, 0, len(proxies))
	taken := map[string]bool{}
	for _, p := range proxies {
		w := r.write(p)
		w.keepApart("cleanedUpHostname", "host_", taken)
		w.keepApart("cleanedUpAppId", "app_", taken)
		if f := w.service(); w.err == nil {
			all = append(all, &rendered{Proxy: p, fragments: f, w: w})
			continue
		}
		problems = append(problems, discovery.Problem{
			App: p.App, PortIndex: p.PortIndex, Reason: "template", Detail: w.err.Error() + "; the service is left out",
		})
	}
	return all, problems
}
