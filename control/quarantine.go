package control

import (
	"slices"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
)

// quarantine holds the apps whose text HAProxy refused, with what it said. The
// verdict stands until the app's services change in anything but their endpoints,
// so that later passes need no check for it.
type quarantine map[string]verdict

type verdict struct {
	services []discovery.Service
	message  string
}

// withoutEndpoints is the part of an app that a verdict is about.
func withoutEndpoints(services []discovery.Service, app string) []discovery.Service {
	var out []discovery.Service
	for _, s := range services {
		if s.App == app {
			s.Endpoints = nil
			out = append(out, s)
		}
	}
	return out
}

// release forgets verdicts about apps that have changed or are gone.
func (q quarantine) release(services []discovery.Service) {
	for app, v := range q {
		if now := withoutEndpoints(services, app); !slices.EqualFunc(now, v.services, discovery.Service.Equal) {
			delete(q, app)
		}
	}
}

// filter returns the services of apps that are not set aside, and a problem for
// each app that is.
func (q quarantine) filter(services []discovery.Service) ([]discovery.Service, []discovery.Problem) {
	if len(q) == 0 {
		return services, nil
	}
	var problems []discovery.Problem
	for app, v := range q {
		problems = append(problems, discovery.Problem{
			App: app, PortIndex: -1, Reason: "refused by haproxy",
			Detail: v.message + "; the app is left out until it changes",
		})
	}
	return slices.DeleteFunc(slices.Clone(services), func(s discovery.Service) bool {
		_, out := q[s.App]
		return out
	}), problems
}

// blame sets aside the apps that a refusal names by line or by section, and
// reports whether it named any.
func (q quarantine) blame(refused []apply.Refusal, text render.Text, proxies []haproxy.Proxy) bool {
	services := make([]discovery.Service, len(proxies))
	for i, p := range proxies {
		services[i] = p.Service
	}
	named := false
	for _, r := range refused {
		app, ok := culprit(r, text, proxies)
		if !ok {
			continue
		}
		named = true
		if _, known := q[app]; !known {
			q[app] = verdict{withoutEndpoints(services, app), r.Message}
		}
	}
	return named
}

func culprit(r apply.Refusal, text render.Text, proxies []haproxy.Proxy) (app string, ok bool) {
	if o, found := text.Owner(r.Line); found && r.Line > 0 {
		return o.App, true
	}
	for _, p := range proxies {
		if r.Section == "backend "+p.Name || r.Section == "frontend "+p.Name {
			return p.App, true
		}
	}
	return "", false
}
