package admin

import (
	"strings"

	"mlb/discovery"
)

// problem is the JSON form of a discovery.Problem.
type problem struct {
	App string `json:"app,omitempty"`
	// PortIndex is left out for a problem of the app as a whole.
	PortIndex *int   `json:"port_index,omitempty"`
	Label     string `json:"label,omitempty"`
	Value     string `json:"value,omitempty"`
	Reason    string `json:"reason"`
	Detail    string `json:"detail"`
}

type problems struct {
	Problems []problem `json:"problems"`
}

// problemList returns the answer of /_mlb/problems; without problems its list is
// empty, not null.
func problemList(found []discovery.Problem) problems {
	list := problems{Problems: make([]problem, 0, len(found))}
	for _, p := range found {
		entry := problem{App: p.App, Label: p.Label, Value: shown(p), Reason: p.Reason, Detail: p.Detail}
		if p.PortIndex >= 0 {
			entry.PortIndex = new(p.PortIndex)
		}
		list.Problems = append(list.Problems, entry)
	}
	return list
}

// shown returns the value of a problem's label, unless it may hold a password or its
// hash.
func shown(p discovery.Problem) string {
	secret := strings.HasSuffix(p.Label, "_AUTH") || strings.HasSuffix(p.Label, "_USERLIST_HEAD")
	if secret && p.Value != "" {
		return "<secret>"
	}
	return p.Value
}
