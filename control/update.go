package control

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"mlb/discovery"
	"mlb/haproxy"
)

// update brings a snapshot of some apps into effect if nothing but endpoints differ from
// the last rendering: then no service gains or loses a claim, and the text of no other
// service changes. It reports false if a pass over all services is needed.
func (c *Controller) update(ctx context.Context, s discovery.Snapshot) bool {
	changed, ok := c.changed(s)
	if !ok {
		return false
	}
	text, ok := c.renderer.Update(c.last.text, changed)
	if !ok {
		return false
	}
	r := Record{
		Trace: s.Trace, Source: s.Source, Rendered: time.Now(), Problems: c.last.problems, Services: len(c.last.proxies),
	}
	result, err := c.applier.Apply(ctx, text.Config)
	if len(result.Refused)+len(result.Taken) > 0 {
		return false
	}
	r.Applied = time.Now()
	r.did(result)
	c.last.text = text
	c.take(s, changed)
	r.Endpoints = c.last.endpoints
	if err != nil {
		r.Error = err.Error()
	}
	c.finish(r)
	return true
}

// Ended takes tasks that end out of service, each given with its app, all of one cluster,
// before the source is asked. What the next snapshot of their apps says holds. The last
// ready tasks of a service stay until then: those that take their place may not be known
// yet.
func (c *Controller) Ended(ctx context.Context, tasks map[string]string) {
	defer c.begin()()
	if len(tasks) == 0 || c.given.waiting() {
		return
	}
	apps := slices.Compact(slices.Sorted(maps.Values(tasks)))
	cluster, _ := discovery.CutCluster(apps[0])
	given := c.given.said[cluster]
	s := discovery.Snapshot{Cluster: cluster, Source: given.Source, Trace: discovery.Trace{Trigger: triggerEnded, Hinted: time.Now()}}
	for _, app := range apps {
		found := false
		var services []discovery.Service
		for _, service := range discovery.ServicesOf(given.Services, app) {
			left := slices.DeleteFunc(slices.Clone(service.Endpoints), func(e discovery.Endpoint) bool { return tasks[e.Task] == app })
			if len(left) < len(service.Endpoints) && slices.ContainsFunc(left, ready) {
				found = true
				service.Endpoints = left
			}
			services = append(services, service)
		}
		if found {
			s.Apps = append(s.Apps, app)
			s.Services = append(s.Services, services...)
			s.Problems = append(s.Problems, problemsOf(given.Problems, app)...)
		}
	}
	if len(s.Apps) > 0 {
		c.update(ctx, s) // if it cannot, the pass that follows will
	}
}

func ready(e discovery.Endpoint) bool { return e.State == discovery.Ready }

// triggerEnded is the trigger of a pass about tasks that end.
const triggerEnded = "task ended"

// changed returns the proxies of the apps with their present endpoints; ok is false if
// something else about the apps has changed.
func (c *Controller) changed(s discovery.Snapshot) (changed []haproxy.Proxy, ok bool) {
	given := c.given.said[s.Cluster]
	for _, app := range s.Apps {
		was, is := discovery.ServicesOf(given.Services, app), discovery.ServicesOf(s.Services, app)
		_, aside := c.quarantine[app]
		if aside || !slices.EqualFunc(was, is, discovery.Service.SameButEndpoints) ||
			!slices.Equal(problemsOf(given.Problems, app), problemsOf(s.Problems, app)) {
			return nil, false
		}
		for i := range is {
			at, rendered := slices.BinarySearchFunc(c.last.proxies, is[i], func(p haproxy.Proxy, s discovery.Service) int {
				return discovery.CompareServices(p.Service, s)
			})
			switch {
			case rendered && !c.keeper.stays(was[i], is[i], time.Now()), !rendered && len(is[i].Endpoints) > 0:
				return nil, false
			case rendered && !slices.Equal(was[i].Endpoints, is[i].Endpoints):
				p := c.last.proxies[at]
				p.Service = is[i]
				changed = append(changed, p)
			}
		}
	}
	return changed, true
}

// take notes what the source says now.
func (c *Controller) take(s discovery.Snapshot, changed []haproxy.Proxy) {
	for _, app := range s.Apps {
		copy(discovery.ServicesOf(c.given.said[s.Cluster].Services, app), discovery.ServicesOf(s.Services, app))
	}
	for _, p := range changed {
		at, _ := slices.BinarySearchFunc(c.last.proxies, p, func(a, b haproxy.Proxy) int {
			return discovery.CompareServices(a.Service, b.Service)
		})
		c.last.endpoints += len(p.Endpoints) - len(c.last.proxies[at].Endpoints)
		c.last.proxies[at] = p
	}
}

// completed returns a snapshot of all apps of a cluster with what one of some apps says.
func (c *Controller) completed(s discovery.Snapshot) discovery.Snapshot {
	other := func(app string) bool {
		_, mine := slices.BinarySearch(s.Apps, app)
		return !mine
	}
	given := c.given.said[s.Cluster]
	services, problems := slices.Clone(s.Services), slices.Clone(s.Problems)
	for _, o := range given.Services {
		if other(o.App) {
			services = append(services, o)
		}
	}
	for _, p := range given.Problems {
		if other(p.App) {
			problems = append(problems, p)
		}
	}
	all := discovery.NewSnapshot(services, problems)
	all.Cluster, all.Source, all.Trace = s.Cluster, s.Source, s.Trace
	return all
}

// problemsOf returns the run of problems of an app.
func problemsOf(problems []discovery.Problem, app string) []discovery.Problem {
	first, _ := slices.BinarySearchFunc(problems, app, func(p discovery.Problem, app string) int { return cmp.Compare(p.App, app) })
	last := first
	for last < len(problems) && problems[last].App == app {
		last++
	}
	return problems[first:last]
}
