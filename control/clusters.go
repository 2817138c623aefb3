package control

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"mlb/discovery"
)

// clusters is what was said about the apps of each cluster last.
type clusters struct {
	said map[string]discovery.Snapshot
	// before are those of which only an earlier process knew what they said.
	before map[string]bool
	// awaited are the clusters that the first text waits for. It may be that HAProxy has
	// their routes, from before this start, and a text without them would remove these.
	awaited map[string]bool
}

// newClusters returns clusters that are all awaited; no name stands for one without.
func newClusters(names []string) clusters {
	c := clusters{said: map[string]discovery.Snapshot{}, before: map[string]bool{}, awaited: map[string]bool{}}
	for _, name := range names {
		c.awaited[name] = true
	}
	return c
}

// waiting reports whether there is a cluster that the first text waits for.
func (c clusters) waiting() bool { return len(c.awaited) > 0 }

// take notes a snapshot of all apps of its cluster.
func (c clusters) take(s discovery.Snapshot) {
	c.said[s.Cluster] = s
	delete(c.before, s.Cluster)
	delete(c.awaited, s.Cluster)
}

// heard reports whether any cluster has said something in this process.
func (c clusters) heard() bool { return len(c.said) > len(c.before) }

// services returns those of all clusters, in the order of discovery.CompareServices. The
// result must not be changed.
func (c clusters) services() []discovery.Service {
	if len(c.said) == 1 {
		for _, s := range c.said {
			return s.Services
		}
	}
	// All IDs of a cluster begin alike.
	names := slices.SortedFunc(maps.Keys(c.said), func(a, b string) int {
		return cmp.Compare(discovery.Qualify(a, "/"), discovery.Qualify(b, "/"))
	})
	var all []discovery.Service
	for _, name := range names {
		all = append(all, c.said[name].Services...)
	}
	return all
}

// problems returns those of all clusters, in no order.
func (c clusters) problems() []discovery.Problem {
	var all []discovery.Problem
	for _, s := range c.said {
		all = append(all, s.Problems...)
	}
	return all
}

// Remember takes in what an earlier process knew of a cluster. It counts until the cluster
// says something, but is no reason for a pass. Call it before the first Pass.
func (c *Controller) Remember(s discovery.Snapshot) {
	c.turn.Lock()
	defer c.turn.Unlock()
	s.Services = slices.Clone(s.Services) // update changes it
	c.given.said[s.Cluster] = s
	c.given.before[s.Cluster] = true
}

// triggerAwaited is the trigger of a pass for which clusters were awaited in vain,
// triggerLastGood that of one about what an earlier process knew.
const (
	triggerAwaited  = "start"
	triggerLastGood = "last good state"
)

// Proceed ends the waiting of the first text for clusters that have said nothing yet.
// What others have said is brought into effect, on the terms of Pass.
func (c *Controller) Proceed(ctx context.Context) {
	defer c.begin()()
	c.proceed(ctx, slices.Collect(maps.Keys(c.given.awaited))...)
}

// proceed makes the pass that was waiting for nothing but these clusters, and reports
// whether there was one.
func (c *Controller) proceed(ctx context.Context, without ...string) bool {
	if !c.given.waiting() {
		return false
	}
	for _, name := range without {
		delete(c.given.awaited, name)
	}
	if c.given.waiting() || !c.given.heard() {
		return false
	}
	c.pass(ctx, nil, Record{Trace: discovery.Trace{Trigger: triggerAwaited}})
	return true
}
