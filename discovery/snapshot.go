package discovery

import (
	"cmp"
	"slices"
	"time"
)

// Problem is something wrong in the input. It costs at most the service that it
// names, and it is a value, not an error: the views (log, metrics, explain)
// compare the problems of one pass with those of the pass before.
type Problem struct {
	// App is the app ID as in Service, or empty for a problem that no single app has.
	App string
	// PortIndex is the index of the port, or -1 for the app as a whole.
	PortIndex int
	// Label is the key of the offending label, or empty.
	Label string
	// Value is the offending value, or empty.
	Value string
	// Reason is a short constant word group for grouping and metrics, such as
	// "duplicate service port".
	Reason string
	// Detail says in a sentence which rule was broken and what follows.
	Detail string
}

// Trace says where the time of a pass went and what set it off.
type Trace struct {
	// Trigger is what started the pass: an event type, "start", "resync",
	// "reconnect", "signal", "retry".
	Trigger string
	// Hinted is when the oldest hint of the pass arrived.
	Hinted time.Time
	// Fetched is when the answer from the source was complete.
	Fetched time.Time
	// Derived is when the snapshot was made.
	Derived time.Time
}

// Snapshot is what one look at the source says. Snapshots are never changed after
// NewSnapshot made them and are safe to share.
type Snapshot struct {
	// Cluster is the name of the cluster that the look was at, or empty for the one
	// without a name. What a snapshot says about all apps it says about those of its
	// cluster.
	Cluster string
	// Apps are the IDs of the apps that the look was at, sorted: Services and Problems
	// are all there is to say about them, and what an earlier snapshot said about
	// others still holds. Nil means all apps of the cluster.
	Apps []string
	// Services are sorted with CompareServices. A service without endpoints
	// belongs to an app that exists but has no task to serve.
	Services []Service
	// Problems are sorted by app, port index, label and reason.
	Problems []Problem
	// Source is the address that answered, without credentials.
	Source string
	// Trace belongs to the pass, not to the facts: Equal ignores it.
	Trace Trace
}

// NewSnapshot sorts the given services and problems (it takes the slices over)
// and returns them as a snapshot.
func NewSnapshot(services []Service, problems []Problem) Snapshot {
	slices.SortFunc(services, CompareServices)
	for i := range services {
		slices.SortFunc(services[i].Endpoints, CompareEndpoints)
		slices.SortFunc(services[i].Overrides, func(a, b Override) int { return cmp.Compare(a.Template, b.Template) })
	}
	SortProblems(problems)
	return Snapshot{Services: services, Problems: problems}
}

// Equal reports whether two snapshots hold the same services and problems.
func (s Snapshot) Equal(o Snapshot) bool {
	return s.Cluster == o.Cluster && slices.Equal(s.Apps, o.Apps) && slices.EqualFunc(s.Services, o.Services, Service.Equal) && slices.Equal(s.Problems, o.Problems)
}

// SortProblems sorts problems in place by app, port index, label, reason, value
// and detail, and is the order in which every view shows them.
func SortProblems(ps []Problem) {
	slices.SortFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.PortIndex, b.PortIndex),
			cmp.Compare(a.Label, b.Label), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Value, b.Value),
			cmp.Compare(a.Detail, b.Detail))
	})
}
