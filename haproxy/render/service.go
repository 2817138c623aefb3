package render

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/templates"
)

// fragments are the pieces of text that one service contributes by itself. What it
// contributes to the shared frontends depends on the other services: see route.
type fragments struct {
	users, frontend string
	backend         string // empty when own sections were made of it
}

// writer renders the text of one service. The first error ends it.
type writer struct {
	r     *Renderer
	p     *haproxy.Proxy
	names conditionNames
	// values are the placeholders of the service; nil: they are made when asked for.
	values templates.Values
	err    error
}

var (
	errTemplateLabels = errors.New("labels of this app may not replace templates (--template-labels)")
	errGlueAlone      = errors.New("FRONTEND_HEAD is empty and FRONTEND_BACKEND_GLUE is not: its lines would continue another section")
)

// write returns a writer for a service, which must not change.
func (r *Renderer) write(p *haproxy.Proxy, names conditionNames) *writer {
	w := &writer{r: r, p: p, names: names}
	_, w.err = haproxy.Quote(p.Auth.Realm)
	w.values = w.own()
	return w
}

// own returns the placeholders of the service.
func (w *writer) own() templates.Values {
	if w.values != nil {
		return w.values
	}
	p := w.p
	realm, _ := haproxy.Quote(p.Auth.Realm) // write has looked at the error
	values := templates.Values{
		"backend": p.Name, "servicePort": strconv.Itoa(p.ServicePort), "mode": string(p.Mode),
		"bindAddr": cmp.Or(p.BindAddress, "*"), "sslCert": "", "bindOptions": "",
		"balance": p.Balance, "path": p.Path, "appId": p.App, "realm": realm,
		"user": p.Auth.User, "passwd": p.Auth.Password,
		"cleanedUpHostname": w.names.host, "hostname": "", "cleanedUpAppId": w.names.app,
		"proxypath": p.ProxyPassPath, "rootpath": p.ReverseProxyPath, "redirpath": p.RootRedirect,
	}
	if i := strings.LastIndexByte(p.Bind, ':'); i >= 0 {
		values["bindAddr"] = p.Bind[:i]
	}
	if p.Certificate != "" {
		values["sslCert"] = " ssl " + certificateWords([]string{p.Certificate})
	}
	if p.BindOptions != "" {
		values["bindOptions"] = " " + p.BindOptions
	}
	if len(p.Hosts) > 0 {
		values["hostname"] = p.Hosts[0]
	}
	maps.Copy(values, haproxy.RewriteValues(p.Service))
	return values
}

// conditions returns the names for the conditions of a service. taken are those of
// earlier services: names of different hosts and apps can be equal when they are
// cleaned, and a shared condition would lead the requests of one to the other (D32, D33).
func (r *Renderer) conditions(p haproxy.Proxy, taken map[string]bool) conditionNames {
	apart := func(prefix, name string) string {
		if name == "" {
			return ""
		}
		if taken[prefix+name] {
			name += "_" + haproxy.Cookie(p.App+" "+p.Name)
		}
		taken[prefix+name] = true
		return name
	}
	host := ""
	if len(p.Hosts) > 0 {
		host = haproxy.HostConditionName(p.Service)
	}
	return conditionNames{host: apart("host_", host), app: apart("app_", haproxy.AppConditionName(p.Service))}
}

// service returns the fragments of a service.
func (w *writer) service() fragments {
	var f fragments
	if may := w.r.frame.TemplateLabels; may != nil && len(w.p.Overrides) > 0 && !may(w.p.App) {
		w.err = fmt.Errorf("template label %s: %w", w.p.Overrides[0].Template, errTemplateLabels)
		return f
	}
	if w.p.Auth.Exists() {
		f.users = w.expand("USERLIST_HEAD", nil)
	}
	if w.p.Bind != "" {
		head := w.expand("FRONTEND_HEAD", nil)
		if w.p.Mode == discovery.ModeHTTP {
			head = promised(head, frontendPromise)
		}
		glue := w.expand("FRONTEND_BACKEND_GLUE", nil)
		if w.err == nil && strings.TrimSpace(head) == "" && strings.TrimSpace(glue) != "" {
			w.err = errGlueAlone
		}
		f.frontend = w.r.distinct(head, w.p.Name, "_in") + glue
	}
	f.backend = w.backend()
	w.tryRules()
	return f
}

// tryRules finds out whether the texts that are not mlb's own will do in the shared
// frontends, where an error would come too late.
func (w *writer) tryRules() {
	if w.p.Mode != discovery.ModeHTTP {
		return
	}
	w.appRule()
	if len(w.p.Hosts) == 0 || w.r.frame.NoHTTP {
		return
	}
	s := &rendered{Proxy: *w.p, w: w}
	for _, f := range []hostFrontend{{r: w.r, side: plainSide, fetch: hostHeader}, {r: w.r, side: tlsSide, fetch: w.r.frame.tlsHost()}} {
		if !w.standard(w.templateNames(f.side)...) || f.byDomain(s) && f.ownMapRule(s) {
			f.rules(s)
		}
	}
}

// expand fills a template with the service's values and more of them.
func (w *writer) expand(name string, more templates.Values) string {
	if w.err != nil {
		return ""
	}
	t, byLabel := w.template(name)
	text, err := t.Expand(more, w.r.values, w.own())
	if err == nil && byLabel {
		err = w.confine(name, text)
	}
	if err != nil {
		w.err = err
		return ""
	}
	return text
}

// template returns the template that the service uses, and whether a label
// replaces it.
func (w *writer) template(name string) (templates.Template, bool) {
	t := w.r.templates[name]
	text, ok := w.p.Override(name)
	if ok {
		t = t.Replaced(text)
	}
	return t, ok
}

// confine refuses a label's text that leaves the place it stands for (D36).
func (w *writer) confine(name, text string) error {
	values := w.own()
	if err := haproxy.Confine(name, text, haproxy.Place{
		Backend: w.p.Name, Bind: w.p.Bind, BindOptions: values["sslCert"] + values["bindOptions"],
		App: w.p.App, Hosts: w.p.Hosts, Tasks: w.tasks(), MapDir: w.r.frame.MapDir,
		HostCondition: w.names.host, AppCondition: w.names.app,
	}); err != nil {
		return fmt.Errorf("template label %s: %w", name, err)
	}
	return nil
}

// tasks are the addresses of the service's tasks.
func (w *writer) tasks() []netip.Addr {
	out := make([]netip.Addr, len(w.p.Endpoints))
	for i, e := range w.p.Endpoints {
		out[i] = e.Address.Unmap()
	}
	return out
}

// standard reports whether mlb's own text is used for all these templates.
func (w *writer) standard(names ...string) bool {
	for _, n := range names {
		if t, byLabel := w.template(n); byLabel || !t.Own {
			return false
		}
	}
	return true
}
