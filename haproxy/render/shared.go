package render

import (
	"fmt"
	"slices"
	"strings"

	"mlb/discovery"
	"mlb/haproxy"
)

// hostFrontend writes the rules of one frontend that knows virtual hosts.
type hostFrontend struct {
	r    *Renderer
	side side
	// fetch is how the frontend knows the host, name what its map files are called.
	fetch, name string
	// host limits the frontend to one virtual host; empty stands for all.
	host string
	// maps says that mlb's own look-ups may replace rules.
	maps bool
}

// hosts returns the hosts of a service that the frontend knows.
func (f hostFrontend) hosts(p haproxy.Proxy) []string {
	if f.host == "" {
		return p.Hosts
	}
	return []string{f.host}
}

// write adds the rules of all services, which must be in the order of contract 6.3,
// to t and returns the map files that they read.
func (f hostFrontend) write(t *text, services []*rendered) []haproxy.File {
	known := make([]routed, len(services))
	var emits *rendered // the first service that is found by the map of contract 5.5
	for i, s := range services {
		known[i] = f.routed(s)
		if emits == nil && known[i].mapped && f.byDomain(s) {
			emits = s
		}
	}
	p := arrange(known)
	l := &lookups{r: f.r, name: f.name, fetch: f.fetch}
	at := 0
	for n := range len(p.rules) + 1 {
		for ; at < len(p.segments) && p.segments[at].rules == n; at++ {
			f.segment(t, services, &p, p.segments[at], l)
		}
		if n < len(p.rules) {
			s := services[p.rules[n]]
			t.service(s, f.rules(s))
		}
	}
	for _, name := range f.mapTemplates(services) {
		t.frame(emits.w.expand(name, nil))
	}
	return l.files
}

// routed says how a service takes part in the order.
func (f hostFrontend) routed(s *rendered) routed {
	r := routed{hosts: f.hosts(s.Proxy), backend: s.Name}
	if f.byDomain(s) {
		r.mapped = !f.ownMapRule(s)
		r.opaque = !r.mapped
		return r
	}
	prefixes, simple := mapPrefixes(s.Path)
	standard := s.w.standard(s.w.templateNames(f.side)...)
	r.prefixes = prefixes
	r.mapped = f.maps && simple && standard && !s.Auth.Exists() && !f.redirects(s)
	r.opaque = !standard
	return r
}

// redirects reports whether the frontend sends the service's requests to HTTPS.
func (f hostFrontend) redirects(s *rendered) bool { return f.side == plainSide && s.RedirectToHTTPS }

// byDomain reports whether contract 5.5 has the service found by the domain map.
func (f hostFrontend) byDomain(s *rendered) bool {
	return f.r.frame.Map && s.Path == "" && !s.Auth.Exists() && !f.redirects(s)
}

// mapTemplate is the template of the rule that looks the service's host up.
func (f hostFrontend) mapTemplate(s *rendered) string {
	switch {
	case f.side == tlsSide:
		return "MAP_HTTPS_FRONTEND_ACL"
	case len(s.Hosts) > 1:
		return "MAP_HTTP_FRONTEND_ACL_ONLY"
	}
	return "MAP_HTTP_FRONTEND_ACL"
}

// ownMapRule reports whether a label replaces the rule for the service's hosts.
func (f hostFrontend) ownMapRule(s *rendered) bool {
	_, own := s.Override(f.mapTemplate(s))
	return own
}

// mapTemplates returns the templates of the rules that end the frontend, each once.
func (f hostFrontend) mapTemplates(services []*rendered) []string {
	var names []string
	for _, s := range services {
		if !f.byDomain(s) || f.ownMapRule(s) {
			continue
		}
		name := f.mapTemplate(s)
		if len(names) == 0 || len(names) == 1 && names[0] != name {
			names = append(names, name)
		}
	}
	return names
}

// rules are a service's rules.
func (f hostFrontend) rules(s *rendered) string {
	if !f.byDomain(s) || !f.ownMapRule(s) {
		return s.w.hostRules(f.side, f.hosts(s.Proxy))
	}
	condition := "host_" + s.w.names.host
	var b strings.Builder
	for _, h := range f.hosts(s.Proxy) {
		b.WriteString("  acl " + condition + " " + f.fetch + " -i " + h + "\n")
	}
	return b.String() + s.w.scoped(f.mapTemplate(s), condition)
}

// segment writes a segment. What the map at the end of the frontend finds is left
// to it; the others are looked up here, or by rules where there are no own maps.
func (f hostFrontend) segment(t *text, services []*rendered, p *plan, s *segment, l *lookups) {
	var here []entry
	for _, e := range s.entries {
		if e.prefix == "" && f.byDomain(services[e.service]) && p.last(s, e.host) {
			continue
		}
		here = append(here, e)
	}
	if f.maps {
		t.frame(l.segment(here))
		return
	}
	for _, e := range here {
		service := services[e.service]
		t.service(service, service.w.hostRules(f.side, []string{e.host}))
	}
}

// domains are the lines of the domain map, the first service of a host winning.
func (r *Renderer) domains(services []*rendered) [][2]string {
	if !r.frame.Map {
		return nil
	}
	plain, tls := hostFrontend{r: r, side: plainSide}, hostFrontend{r: r, side: tlsSide}
	var pairs [][2]string
	for _, s := range services {
		if plain.byDomain(s) || tls.byDomain(s) {
			for _, h := range s.Hosts {
				pairs = append(pairs, [2]string{h, s.Name})
			}
		}
	}
	return firstOf(pairs)
}

// writeApps adds the rules that lead from app IDs to services (contract 8): of each
// app its first http service. It returns the map files that they read.
func (r *Renderer) writeApps(t *text, services []*rendered) []haproxy.File {
	var pairs [][2]string
	var emits *rendered
	app := ""
	for _, s := range services {
		if s.Mode != discovery.ModeHTTP || s.App == app {
			continue
		}
		app = s.App
		switch rule := s.w.appRule(); {
		case r.frame.Map:
			t.service(s, rule)
			if rule == "" && emits == nil {
				emits = s
			}
		case rule != "":
			t.service(s, rule)
			continue
		}
		pairs = append(pairs, [2]string{s.App, s.Name})
	}
	// Marathon's IDs are in lower case; only the name of a deployment group need not be.
	slices.SortStableFunc(pairs, func(a, b [2]string) int { return isLower(b[0]) - isLower(a[0]) })
	for i := range pairs {
		pairs[i][0] = strings.ToLower(pairs[i][0])
	}
	pairs = firstOf(pairs)
	if r.frame.Map {
		if emits != nil {
			t.frame(emits.w.expand(appMapTemplate, nil))
		}
		return []haproxy.File{{Name: appMap, Text: mapText(pairs)}}
	}
	l := &lookups{r: r, name: "apps"}
	if len(pairs) > 0 {
		t.frame(useFound(appHeader+",lower,map("+l.file("ids", pairs)+")", ""))
	}
	return append(l.files, haproxy.File{Name: appMap})
}

// isLower is 1 for a text without upper-case letters, else 0.
func isLower(s string) int {
	if s == strings.ToLower(s) {
		return 1
	}
	return 0
}

const (
	appTemplate    = "HTTP_FRONTEND_APPID_ACL"
	appMapTemplate = "MAP_HTTP_FRONTEND_APPID_ACL"
)

// appRule is the rule for the app ID of a service whose template is not mlb's own;
// empty if a look-up does.
func (w *writer) appRule() string {
	_, own := w.p.Override(appMapTemplate)
	switch {
	case w.r.frame.Map && own:
		condition := "app_" + w.names.app
		return "  acl " + condition + " " + appHeader + " -i " + w.p.App + "\n" + w.scoped(appMapTemplate, condition)
	case !w.r.frame.Map && !w.standard(appTemplate):
		return w.expand(appTemplate, nil)
	}
	return ""
}

// scoped expands a label's rule and ties its lines to the service's own requests:
// the rule that it replaces is one for all services.
func (w *writer) scoped(name, condition string) string {
	t, _ := w.template(name)
	expanded, err := t.Expand(w.r.values, w.own())
	if err != nil {
		w.err = err
		return ""
	}
	scoped, err := haproxy.Conditioned(expanded, condition)
	if err != nil {
		w.err = fmt.Errorf("template label %s: %w", name, err)
		return ""
	}
	if err := w.confine(name, scoped); err != nil {
		w.err = err
		return ""
	}
	return scoped
}
