package render

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/templates"
)

// fragments are the pieces of text that one service contributes.
type fragments struct {
	http, https, appID, frontend, backend string
}

func serviceNames() []string {
	return []string{
		"backend", "bindAddr", "servicePort", "mode", "sslCert", "bindOptions", "balance",
		"cleanedUpHostname", "hostname", "path", "appId", "cleanedUpAppId",
	}
}

func serverNames() []string {
	return []string{
		"serverName", "host_ipv4", "host", "port", "serverId", "cookieOptions", "healthCheckOptions", "otherOptions",
	}
}

// writer renders the fragments of one service. The first error ends it.
type writer struct {
	r      *Renderer
	p      haproxy.Proxy
	values templates.Values
	err    error
}

// serverTemplate is the one template that a label may replace so far.
const serverTemplate = "BACKEND_SERVER_OPTIONS"

// service returns the fragments of a service, or an error that costs the service.
func (r *Renderer) service(p haproxy.Proxy) (fragments, error) {
	for _, o := range p.Overrides {
		if o.Template != serverTemplate {
			return fragments{}, fmt.Errorf("template label %s: %w", o.Template, errLabelTemplate)
		}
	}
	w := &writer{r: r, p: p, values: templates.Values{
		"backend": p.Name, "servicePort": strconv.Itoa(p.ServicePort), "mode": string(p.Mode),
		"sslCert": "", "bindOptions": "", "balance": p.Balance, "path": p.Path, "appId": p.App,
		"cleanedUpAppId": haproxy.AppConditionName(p.App, p.ServicePort),
	}}
	if address, _, ok := cutLast(p.Bind, ":"); ok {
		w.values["bindAddr"] = address
	}
	var f fragments
	if len(p.Hosts) > 0 && p.Mode == discovery.ModeHTTP {
		w.values["cleanedUpHostname"] = haproxy.HostConditionName(p.Hosts[0], p.App, p.ServicePort)
		w.values["hostname"] = p.Hosts[0]
		f.http, f.https = w.httpRules(), w.httpsRules()
	}
	if p.Mode == discovery.ModeHTTP {
		f.appID = w.expand("HTTP_FRONTEND_APPID_ACL", nil)
	}
	if p.Bind != "" {
		head := w.expand("FRONTEND_HEAD", nil)
		if p.Mode == discovery.ModeHTTP {
			head = promised(head, frontendPromise)
		}
		f.frontend = head + w.expand("FRONTEND_BACKEND_GLUE", nil)
	}
	f.backend = w.backend()
	return f, w.err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// expand fills a template with the service's values and more of them.
func (w *writer) expand(name string, more templates.Values) string {
	if w.err != nil {
		return ""
	}
	values := w.values
	if more != nil {
		values = make(templates.Values, len(w.values)+len(more))
		maps.Copy(values, w.values)
		maps.Copy(values, more)
	}
	t := w.r.templates[name]
	if text, ok := w.p.Override(name); ok {
		t = t.Replaced(text)
	}
	text, err := t.Expand(values)
	if err != nil {
		w.err = err
	}
	return text
}

// hosts expands a template for each host of the service.
func (w *writer) hosts(name string) string {
	var b strings.Builder
	for _, h := range w.p.Hosts {
		b.WriteString(w.expand(name, templates.Values{"hostname": h}))
	}
	return b.String()
}

// httpRules are the rules on port 80, by the table of contract 5.4.
func (w *writer) httpRules() string {
	many, path := len(w.p.Hosts) > 1, w.p.Path != ""
	switch {
	case w.p.RedirectToHTTPS && path:
		return w.hosts("HTTP_FRONTEND_ACL_ONLY") + w.expand("HTTP_FRONTEND_ACL_ONLY_WITH_PATH", nil) +
			w.expand("BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH", nil)
	case w.p.RedirectToHTTPS && many:
		return w.hosts("HTTP_FRONTEND_ACL_ONLY") + w.expand("BACKEND_REDIRECT_HTTP_TO_HTTPS", nil)
	case w.p.RedirectToHTTPS:
		return w.expand("HTTP_FRONTEND_ACL", nil) + w.expand("BACKEND_REDIRECT_HTTP_TO_HTTPS", nil)
	case many && path:
		return w.expand("HTTP_FRONTEND_ACL_ONLY_WITH_PATH", nil) + w.hosts("HTTP_FRONTEND_ACL_ONLY") +
			w.expand("HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH", nil)
	case many:
		return w.hosts("HTTP_FRONTEND_ACL_ONLY") + w.expand("HTTP_FRONTEND_ROUTING_ONLY", nil)
	case path:
		return w.expand("HTTP_FRONTEND_ACL_WITH_PATH", nil)
	}
	return w.expand("HTTP_FRONTEND_ACL", nil)
}

// httpsRules are the rules on port 443, by the table of contract 5.4.
func (w *writer) httpsRules() string {
	if w.p.Path == "" {
		return w.hosts("HTTPS_FRONTEND_ACL")
	}
	return w.expand("HTTPS_FRONTEND_ACL_ONLY_WITH_PATH", nil) + w.hosts("HTTPS_FRONTEND_ACL_WITH_PATH")
}
