package render

import (
	"strconv"
	"strings"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/templates"
)

const serverTemplate = "BACKEND_SERVER_OPTIONS"

// backend is the backend section of a service (order: contract 5.4).
func (w *writer) backend() string {
	var b strings.Builder
	add := func(wanted bool, template string) {
		if wanted {
			b.WriteString(w.expand(template, nil))
		}
	}
	http := w.p.Mode == discovery.ModeHTTP
	b.WriteString(promised(w.expand("BACKEND_HEAD", nil), w.r.promise))
	add(http && w.p.HSTS, "BACKEND_HSTS_OPTIONS")
	add(http, "BACKEND_HTTP_OPTIONS")
	add(http && w.p.ProxyPassPath != "", "HTTP_BACKEND_PROXYPASS_GLUE")
	add(http && w.p.ReverseProxyPath != "", "HTTP_BACKEND_REVPROXY_GLUE")
	add(http && w.p.RootRedirect != "", "HTTP_BACKEND_REDIR")
	b.WriteString(w.allowed())
	add(w.p.Sticky, "BACKEND_STICKY_OPTIONS")
	level := w.checkLevel()
	if level != "" {
		b.WriteString(w.expand("BACKEND_"+level+"_HEALTHCHECK_OPTIONS", w.checkValues(w.backendCheckPort())))
	}
	b.WriteString(w.servers(level))
	return b.String()
}

// allowed lets only the service's client networks in.
func (w *writer) allowed() string {
	if len(w.p.AllowedNetworks) == 0 {
		return ""
	}
	level := "TCP"
	if w.p.Mode == discovery.ModeHTTP {
		level = "HTTP"
	}
	var b strings.Builder
	for _, n := range w.p.AllowedNetworks {
		b.WriteString(w.expand(level+"_BACKEND_NETWORK_ALLOWED_ACL", templates.Values{"network_allowed": n}))
	}
	b.WriteString(w.expand(level+"_BACKEND_ACL_ALLOW_DENY", nil))
	return b.String()
}

// backendCheckPort is the port that the backend's check options name: the one that
// is chosen for the first server (contract 4.5).
func (w *writer) backendCheckPort() int {
	switch {
	case w.p.CheckPortFrom && len(w.p.Endpoints) > 0:
		return checkPort(w.p.Endpoints[0])
	case w.p.HealthCheck.Port == 0 && len(w.p.Endpoints) > 0:
		return w.p.Endpoints[0].Port
	}
	return w.p.HealthCheck.Port
}

// checkPort is the port that is probed in place of the endpoint's own.
func checkPort(e discovery.Endpoint) int {
	if e.CheckPort != 0 {
		return e.CheckPort
	}
	return e.Port
}

// checkLevel says which pair of health check templates applies: HTTP, TCP or
// none (contract 4.5).
func (w *writer) checkLevel() string {
	switch h := w.p.HealthCheck; {
	case !h.Exists():
		return ""
	case w.p.Mode == discovery.ModeTCP || h.Protocol == "TCP" || h.Protocol == "MESOS_TCP":
		return "TCP"
	}
	return "HTTP"
}

// checkValues are the placeholders of the health check templates; port 0 means
// that there is no port of its own to check.
func (w *writer) checkValues(port int) templates.Values {
	h := w.p.HealthCheck
	v := templates.Values{
		"healthCheckPort": "None", "healthCheckPortOptions": "", "healthCheckPath": h.Path,
		"healthCheckFalls": strconv.Itoa(h.MaxConsecutiveFailures + 1), "healthCheckPortIndex": "None",
		"healthCheckProtocol":               h.Protocol,
		"healthCheckTimeoutSeconds":         strconv.Itoa(h.TimeoutSeconds),
		"healthCheckIntervalSeconds":        strconv.Itoa(h.IntervalSeconds),
		"healthCheckGracePeriodSeconds":     strconv.Itoa(h.GracePeriodSeconds),
		"healthCheckMaxConsecutiveFailures": strconv.Itoa(h.MaxConsecutiveFailures),
		"healthCheck":                       h.JSON,
	}
	if h.PortIndex >= 0 {
		v["healthCheckPortIndex"] = strconv.Itoa(h.PortIndex)
	}
	if port != 0 {
		v["healthCheckPort"] = strconv.Itoa(port)
		v["healthCheckPortOptions"] = " port " + strconv.Itoa(port)
	}
	return v
}

// servers are the server lines, one for each (host, port), sorted by (agent,
// port, address); ids follow contract 6.2.
func (w *writer) servers(level string) string {
	check := ""
	if level != "" && !w.p.CheckPortFrom {
		check = w.serverCheck(level, w.p.HealthCheck.Port)
	}
	var b strings.Builder
	ids, seen := map[int]bool{}, map[string]bool{}
	for _, e := range w.p.Endpoints {
		name := haproxy.ServerName(e)
		if seen[name] {
			continue // one server for a name (D41)
		}
		seen[name] = true
		if level != "" && w.p.CheckPortFrom {
			check = w.serverCheck(level, checkPort(e))
		}
		v := templates.Values{
			"serverName": name, "host_ipv4": address(e), "host": e.Agent, "port": strconv.Itoa(e.Port),
			"serverId": strconv.Itoa(haproxy.ServerID(name, ids)), "healthCheckOptions": check,
			"cookieOptions": "", "otherOptions": "",
		}
		if w.p.Sticky {
			v["cookieOptions"] = " check cookie " + haproxy.Cookie(name)
		}
		if e.State == discovery.Draining {
			v["otherOptions"] = " disabled"
		}
		b.WriteString(w.expand(serverTemplate, v))
	}
	return b.String()
}

// serverCheck are the check options of a server line, with a blank before them.
func (w *writer) serverCheck(level string, port int) string {
	options := strings.TrimSpace(w.expand("BACKEND_SERVER_"+level+"_HEALTHCHECK_OPTIONS", w.checkValues(port)))
	if options == "" {
		return ""
	}
	return " " + options
}

// address is the endpoint's address as a server line has it before the port.
func address(e discovery.Endpoint) string {
	if e.Address.Is6() {
		return "[" + e.Address.String() + "]"
	}
	return e.Address.String()
}
