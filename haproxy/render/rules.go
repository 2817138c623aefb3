package render

import (
	"strings"

	"mlb/templates"
)

// side is one of the two kinds of frontends that know virtual hosts.
type side int

const (
	plainSide side = iota // port 80
	tlsSide               // port 443 and, grouped, the frontends of virtual hosts
)

// hostRules are the rules that lead from hosts to one service, by the table of
// contract 5.4.
func (w *writer) hostRules(s side, hosts []string) string {
	var all, byLabels strings.Builder
	for _, u := range w.uses(s) {
		var b strings.Builder
		if !u.each {
			b.WriteString(w.expand(u.template, nil))
		} else {
			for _, h := range hosts {
				b.WriteString(w.expand(u.template, templates.Values{"hostname": h}))
			}
		}
		all.WriteString(b.String())
		if _, byLabel := w.template(u.template); byLabel {
			byLabels.WriteString(b.String())
		}
	}
	if w.err == nil && byLabels.Len() > 0 {
		w.err = w.confine(w.uses(s)[0].template, byLabels.String())
	}
	return all.String()
}

// use is one template of the table; each says that it stands once for each host.
type use struct {
	template string
	each     bool
}

// uses returns the templates of the service on a side, in order.
func (w *writer) uses(s side) []use {
	if s == tlsSide {
		return w.tlsUses()
	}
	return w.plainUses()
}

// templateNames returns the templates of the service on a side.
func (w *writer) templateNames(s side) []string {
	var names []string
	for _, u := range w.uses(s) {
		names = append(names, u.template)
	}
	return names
}

func (w *writer) plainUses() []use {
	many, path, auth := len(w.p.Hosts) > 1, w.p.Path != "", w.p.Auth.Exists()
	condition := use{template: "HTTP_FRONTEND_ACL_ONLY", each: true}
	pathCondition := use{template: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH"}
	if many && auth {
		pathCondition.template = "HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH"
	}
	suffix := ""
	switch {
	case w.p.RedirectToHTTPS && path && many:
		return []use{pathCondition, condition, {template: "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH"}}
	case w.p.RedirectToHTTPS && path:
		return []use{condition, pathCondition, {template: "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH"}}
	case w.p.RedirectToHTTPS && many:
		return []use{condition, {template: "BACKEND_REDIRECT_HTTP_TO_HTTPS"}}
	case w.p.RedirectToHTTPS:
		return []use{{template: "HTTP_FRONTEND_ACL"}, {template: "BACKEND_REDIRECT_HTTP_TO_HTTPS"}}
	case many && path:
		if auth {
			suffix = "_AND_AUTH"
		}
		return []use{pathCondition, condition, {template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH" + suffix}}
	case many:
		if auth {
			suffix = "_WITH_AUTH"
		}
		return []use{condition, {template: "HTTP_FRONTEND_ROUTING_ONLY" + suffix}}
	}
	return []use{{template: "HTTP_FRONTEND_ACL" + protection(auth, path)}}
}

func (w *writer) tlsUses() []use {
	path, auth := w.p.Path != "", w.p.Auth.Exists()
	route := use{template: "HTTPS_FRONTEND_ACL" + protection(auth, path), each: true}
	if path {
		return []use{{template: "HTTPS_FRONTEND_ACL_ONLY_WITH_PATH"}, route}
	}
	return []use{route}
}

// protection is the end of the names of templates that hold everything a service
// with one host needs.
func protection(auth, path bool) string {
	switch {
	case auth && path:
		return "_WITH_AUTH_AND_PATH"
	case auth:
		return "_WITH_AUTH"
	case path:
		return "_WITH_PATH"
	}
	return ""
}
