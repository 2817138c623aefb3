package marathon

import (
	"context"
	"slices"

	"mlb/discovery"
)

// Covers reports whether Update may do for these apps: the last list had them, and
// they were in no deployment group.
func (d *Deriver) Covers(apps []string) bool {
	return !slices.ContainsFunc(apps, func(id string) bool { return !d.alone[id] })
}

// Update is Derive for some apps that have changed since. It reports false if they do not
// decide for themselves: the last list did not have them, they are in a deployment group,
// cannot be read, or need a service port that is to be assigned, which depends on the
// order of all apps (contract 2.6, 2.8, K3). Then all apps have to be derived. Assigned
// service ports stay as long as it reports true.
func (d *Deriver) Update(ctx context.Context, apps []App) ([]discovery.Service, []discovery.Problem, bool) {
	d.assigned.fixed, d.assigned.missed = true, false
	var taken []selection
	seen := make(map[string]bool, len(apps))
	for i := range apps {
		a := &apps[i]
		_, grouped := a.Labels[labelGroup]
		if _, bad := appProblem(a, seen); bad || grouped || !d.alone[a.ID] {
			return nil, nil, false
		}
		seen[a.ID] = true
		m := single(a)
		s := selectServices(m, servicePorts(m, d.assigned), d.opts)
		if d.assigned.missed {
			return nil, nil, false
		}
		if len(s.drafts) > 0 {
			taken = append(taken, s)
		}
	}
	e := env{}
	if d.opts.HealthCheck {
		d.verdicts.note(apps)
		e.alive = d.verdicts.alive
	}
	if d.opts.Readiness {
		d.ready.note(apps)
		e.ready = d.ready.is
	}
	e.addresses = d.resolver.ResolveMore(ctx, hostNames(taken))
	services, problems := deriveAll(taken, e)
	return services, problems, true
}

// deriveAll returns the services of selections, and what is wrong with them.
func deriveAll(taken []selection, e env) ([]discovery.Service, []discovery.Problem) {
	most := 0
	for i := range taken {
		most += len(taken[i].drafts)
	}
	services := make([]discovery.Service, 0, most)
	var problems []discovery.Problem
	for i := range taken {
		s, p := deriveApp(&taken[i], e)
		services = append(services, s...)
		problems = append(problems, p...)
	}
	discovery.SortProblems(problems)
	return services, slices.Compact(problems)
}
