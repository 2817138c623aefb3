package marathon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"mlb/discovery"
)

// maxMisspelt is how many letters of a label may be wrong for a known one to be
// suggested.
const maxMisspelt = 4

// appLabels are the labels that an app has once (contract 4.2), without HAPROXY_.
func appLabels() []string {
	return []string{
		"GROUP", "DEPLOYMENT_GROUP", "DEPLOYMENT_STARTED_AT", "DEPLOYMENT_TARGET_INSTANCES",
		"DEPLOYMENT_NEW_INSTANCES", "DEPLOYMENT_ALT_PORT", "DEPLOYMENT_COLOUR", "APP_ID",
	}
}

// valueLabels are the labels that each port index may have (contract 4.1), without
// HAPROXY_ and the index.
func valueLabels() []string {
	return []string{
		"VHOST", "PATH", "BACKEND_WEIGHT", "MODE", "BALANCE", "PORT", "BIND_ADDR", "BIND_OPTIONS", "SSL_CERT", "STICKY",
		"ENABLED", "GROUP", "REDIRECT_TO_HTTPS", "USE_HSTS", "AUTH", "BACKEND_NETWORK_ALLOWED_ACL",
		"HTTP_BACKEND_PROXYPASS_PATH", "HTTP_BACKEND_REVPROXY_PATH", "HTTP_BACKEND_REDIR",
		"BACKEND_HEALTHCHECK_PORT_INDEX",
	}
}

// LabelNames returns the keys of all labels that mlb knows, sorted, with {n} in
// place of the port index.
func LabelNames() []string {
	var names []string
	for _, n := range appLabels() {
		names = append(names, labelPrefix+n)
	}
	for _, n := range slices.Concat(valueLabels(), overrideLabels()) {
		names = append(names, labelPrefix+"{n}_"+n)
	}
	slices.Sort(names)
	return names
}

// labelProblems reports labels that say nothing to mlb: names that it does not know,
// with the nearest one that it does (D22), and those of ports that the app does not
// have.
func labelProblems(a *App, ports int) []discovery.Problem {
	var problems []discovery.Problem
	for key := range a.Labels {
		p := discovery.Problem{App: a.ID, PortIndex: -1, Label: key}
		digits, name, _ := strings.Cut(strings.TrimPrefix(key, labelPrefix), "_")
		index, err := strconv.Atoi(digits)
		general := labelPrefix + "{n}_" + name
		known := slices.Contains(valueLabels(), name) || isOverride(name)
		if err != nil || index < 0 || strconv.Itoa(index) != digits {
			general, digits = key, ""
			known = slices.Contains(appLabels(), strings.TrimPrefix(key, labelPrefix))
		}
		switch {
		case !known:
			p.Reason, p.Detail = "unknown label", "mlb knows no such label"+nearest(general, digits)
		case digits != "" && index >= ports:
			p.PortIndex, p.Reason = index, "label of a missing port"
			p.Detail = fmt.Sprintf("the app has %d service ports, counted from 0; the label has no effect", ports)
		default:
			continue
		}
		problems = append(problems, p)
	}
	return problems
}

// nearest suggests a known label.
func nearest(general, digits string) string {
	best, distance := "", maxMisspelt+1
	for _, known := range LabelNames() {
		if d := levenshtein.ComputeDistance(general, known); d < distance {
			best, distance = known, d
		}
	}
	if best == "" {
		return ""
	}
	if digits != "" {
		best = strings.Replace(best, "{n}", digits, 1)
	}
	return "; did you mean " + best + "?"
}
