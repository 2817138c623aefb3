package marathon

// interned keeps one copy of each text of which a list of apps has many: the names of
// agents, states, and health checks.
type interned map[string]string

// app makes the texts of an app the kept ones.
func (n interned) app(a *App) {
	for i := range a.Tasks {
		t := &a.Tasks[i]
		t.Host, t.State = n.text(t.Host), n.text(t.State)
	}
	for i := range a.HealthChecks {
		if h := a.HealthChecks[i]; h != nil {
			h.Protocol, h.Path, h.Document = n.text(h.Protocol), n.text(h.Path), n.text(h.Document)
		}
	}
}

func (n interned) text(s string) string {
	if kept, ok := n[s]; ok {
		return kept
	}
	n[s] = s
	return s
}
