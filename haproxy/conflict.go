package haproxy

import (
	"cmp"
	"fmt"
	"slices"

	"mlb/discovery"
)

// HostConflicts reports what services do to each other on virtual hosts, which
// stays as users know it: of two services with one host and path the first by
// (weight, service order) gets everything (contract 6.3, K12), and a service that
// asks for a password or redirects to HTTPS on a whole host does so for the other
// apps there too (K13). The proxies must come in the order of
// discovery.CompareServices; the problems cost nobody anything.
func HostConflicts(proxies []Proxy) []discovery.Problem {
	ordered := slices.Clone(proxies)
	slices.SortStableFunc(ordered, func(a, b Proxy) int { return cmp.Compare(b.Weight, a.Weight) })
	type place struct{ host, path string }
	first := map[place]Proxy{}
	onHost := map[string][]Proxy{}
	var problems []discovery.Problem
	for _, p := range ordered {
		if p.Mode != discovery.ModeHTTP {
			continue
		}
		for _, h := range p.Hosts {
			onHost[h] = append(onHost[h], p)
			winner, taken := first[place{h, p.Path}]
			if !taken {
				first[place{h, p.Path}] = p
				continue
			}
			problems = append(problems, discovery.Problem{
				App: p.App, PortIndex: p.PortIndex, Label: portLabel(p, "VHOST"), Value: h, Reason: "virtual host taken",
				Detail: fmt.Sprintf("requests for %s%s go to %s port index %d, which comes first by weight and app id",
					h, p.Path, winner.App, winner.PortIndex),
			})
		}
	}
	for _, p := range ordered {
		what, label := "asks for a password", "AUTH"
		switch {
		case p.Mode != discovery.ModeHTTP || p.Path != "":
			continue
		case p.RedirectToHTTPS:
			what, label = "redirects to HTTPS", "REDIRECT_TO_HTTPS"
		case !p.Auth.Exists():
			continue
		}
		for _, h := range p.Hosts {
			i := slices.IndexFunc(onHost[h], func(o Proxy) bool { return o.App != p.App })
			if i < 0 {
				continue
			}
			problems = append(problems, discovery.Problem{
				App: p.App, PortIndex: p.PortIndex, Label: portLabel(p, label), Value: h, Reason: "rule for a shared host",
				Detail: fmt.Sprintf("the service has no path, so it %s for every app on %s, %s among them",
					what, h, onHost[h][i].App),
			})
		}
	}
	return problems
}

func portLabel(p Proxy, name string) string { return fmt.Sprintf("HAPROXY_%d_%s", p.PortIndex, name) }
