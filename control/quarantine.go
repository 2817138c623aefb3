package control

import (
	"slices"
	"time"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
)

// verdictLife is how long a verdict stands. The cause may be outside the app, such as
// a file that was not there.
const verdictLife = 10 * time.Minute

// quarantine holds the apps whose text HAProxy refused, with what it said. The
// verdict stands until the app's services change in anything but their endpoints,
// or for verdictLife, so that later passes need no check for it.
type quarantine map[string]verdict

type verdict struct {
	services []discovery.Service
	message  string
	since    time.Time
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

// release forgets verdicts about apps that have changed or are gone, and old ones.
func (q quarantine) release(services []discovery.Service, now time.Time) {
	for app, v := range q {
		as := withoutEndpoints(services, app)
		if now.Sub(v.since) >= verdictLife || !slices.EqualFunc(as, v.services, discovery.Service.Equal) {
			delete(q, app)
		}
	}
}

// until returns how long the oldest verdict still stands; more than verdictLife if
// there is none.
func (q quarantine) until(now time.Time) time.Duration {
	wait := verdictLife + 1
	for _, v := range q {
		wait = min(wait, max(0, v.since.Add(verdictLife).Sub(now)))
	}
	return wait
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
			Detail: v.message + "; the app is left out until it changes, and tried again after ten minutes",
		})
	}
	return slices.DeleteFunc(slices.Clone(services), func(s discovery.Service) bool {
		_, out := q[s.App]
		return out
	}), problems
}

// add sets apps aside, each with a message.
func (q quarantine) add(guilty map[string]string, services []discovery.Service, now time.Time) {
	for app, message := range guilty {
		if _, known := q[app]; !known {
			q[app] = verdict{withoutEndpoints(services, app), message, now}
		}
	}
}

// culprits returns the apps that a refusal names by line or by section, each with
// what is said about it first.
func culprits(refused []apply.Refusal, text render.Text, proxies []haproxy.Proxy) map[string]string {
	out := map[string]string{}
	for _, r := range refused {
		if app, ok := culprit(r, text, proxies); ok {
			if _, known := out[app]; !known {
				out[app] = r.Message
			}
		}
	}
	return out
}

func culprit(r apply.Refusal, text render.Text, proxies []haproxy.Proxy) (app string, ok bool) {
	if app, ok = text.Owner(r.Line); ok {
		return app, true
	}
	for _, p := range proxies {
		if r.Section == "backend "+p.Name || r.Section == "frontend "+p.Name {
			return p.App, true
		}
	}
	return "", false
}
