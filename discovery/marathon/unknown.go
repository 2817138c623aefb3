package marathon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"mlb/discovery"
)

// Bounds of the search for what a misspelt label should have been: at most so many
// letters are wrong, and not more than half of them.
const (
	maxMisspelt  = 3
	longestLabel = 64
)

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
// have. Their values are not shown: one could be a secret whose name is misspelt.
func labelProblems(a *App, ports int) []discovery.Problem {
	var problems []discovery.Problem
	for key := range a.Labels {
		p := discovery.Problem{App: a.ID, PortIndex: -1, Label: excerpt(key)}
		index, name := splitLabel(key)
		switch {
		case index < 0 && slices.Contains(appLabels(), name):
			continue
		case index < 0 || !slices.Contains(valueLabels(), name) && !isOverride(name):
			p.Reason, p.Detail = reasonUnknownLabel, "mlb knows no such label"+nearest(name, index)
		case index >= ports:
			p.PortIndex, p.Reason = index, reasonLabelOfNoPort
			p.Detail = fmt.Sprintf("the app has %d service ports, counted from 0; the label has no effect", ports)
		default:
			continue
		}
		problems = append(problems, p)
	}
	return problems
}

// splitLabel returns the port index in the key of a label, -1 if there is none, and
// what follows it.
func splitLabel(key string) (index int, name string) {
	key = strings.TrimPrefix(key, labelPrefix)
	digits, name, ok := strings.Cut(key, "_")
	index, err := strconv.Atoi(digits)
	if !ok || err != nil || index < 0 || strconv.Itoa(index) != digits {
		return -1, key
	}
	return index, name
}

// nearest suggests the known label whose name is most like an unknown one, whatever
// its case, or nothing if none is. Of labels that are as like it, those win that have
// an index if the unknown one has one (-1: none), or have none if it has none.
func nearest(name string, index int) string {
	if len(name) > longestLabel {
		return ""
	}
	name = strings.ToUpper(name)
	best, distance := "", min(maxMisspelt, len(name)/2)+1
	consider := func(prefix string, known []string) {
		for _, k := range known {
			if d := levenshtein.ComputeDistance(name, k); d < distance {
				best, distance = prefix+k, d
			}
		}
	}
	if index < 0 {
		consider(labelPrefix, appLabels())
	}
	consider(labelPrefix+strconv.Itoa(max(index, 0))+"_", slices.Concat(valueLabels(), overrideLabels()))
	consider(labelPrefix, appLabels())
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
