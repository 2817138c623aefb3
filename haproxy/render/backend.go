package render

import (
	"errors"
	"strconv"
	"strings"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/templates"
)

var errLabelTemplate = errors.New("template overrides by label are not supported by this version, except " + serverTemplate)

// backend is the backend section of a service (order: contract 5.4).
func (w *writer) backend() string {
	var b strings.Builder
	b.WriteString(promised(w.expand("BACKEND_HEAD", nil), backendPromise))
	if w.p.Mode == discovery.ModeHTTP {
		b.WriteString(w.expand("BACKEND_HTTP_OPTIONS", nil))
	}
	if w.p.Sticky {
		b.WriteString(w.expand("BACKEND_STICKY_OPTIONS", nil))
	}
	level := w.checkLevel()
	if level != "" {
		first := w.p.HealthCheck.Port
		if first == 0 && len(w.p.Endpoints) > 0 {
			first = w.p.Endpoints[0].Port
		}
		b.WriteString(w.expand("BACKEND_"+level+"_HEALTHCHECK_OPTIONS", w.checkValues(first)))
	}
	b.WriteString(w.servers(level))
	return b.String()
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

func checkNames() []string {
	return []string{
		"healthCheckPort", "healthCheckPortOptions", "healthCheckPath", "healthCheckFalls", "healthCheckPortIndex",
		"healthCheckProtocol", "healthCheckTimeoutSeconds", "healthCheckIntervalSeconds",
		"healthCheckGracePeriodSeconds", "healthCheckMaxConsecutiveFailures",
	}
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
	if level != "" {
		options := w.expand("BACKEND_SERVER_"+level+"_HEALTHCHECK_OPTIONS", w.checkValues(w.p.HealthCheck.Port))
		if options = strings.TrimSpace(options); options != "" {
			check = " " + options
		}
	}
	var b strings.Builder
	ids, seen := map[int]bool{}, map[string]bool{}
	for _, e := range w.p.Endpoints {
		name := haproxy.ServerName(e)
		if seen[name] {
			continue // one server for a name (D41)
		}
		seen[name] = true
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
	text := b.String()
	if _, overridden := w.p.Override(serverTemplate); overridden && w.err == nil {
		_, w.err = haproxy.ServerLines(text)
	}
	return text
}

// address is the endpoint's address as a server line has it before the port.
func address(e discovery.Endpoint) string {
	if e.Address.Is6() {
		return "[" + e.Address.String() + "]"
	}
	return e.Address.String()
}
