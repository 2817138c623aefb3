package render

import (
	"slices"
	"strings"
)

// routed is what the order of rules in a frontend depends on: one service, in the
// order of contract 6.3.
type routed struct {
	// hosts are the hosts that the service answers for there.
	hosts []string
	// prefixes are those of the request path; nil stands for every path.
	prefixes []string
	// backend is where a mapped service's requests go.
	backend string
	// mapped services may be found by looking host and path up in a map.
	mapped bool
	// opaque services have a text that may act on any request.
	opaque bool
}

// entry is a line of a map: requests for host whose path begins with prefix go to
// backend. An empty prefix stands for every path.
type entry struct {
	host, prefix, backend string
	service               int // the index of the service
}

// segment is a run of mapped services: at its place in the frontend one look-up
// does what their rules would have done one after the other.
type segment struct {
	// rules is how many rules stand before it.
	rules   int
	entries []entry
}

// plan is the order of a frontend: the services that stay rules, by their index,
// and the segments between them, sorted by their place.
type plan struct {
	rules    []int
	segments []*segment
	// touched is for each host the number of rules that stand before or at the last
	// one that may act on it; opaque the same for the last opaque rule.
	touched map[string]int
	opaque  int
}

// last reports whether no rule behind the segment may act on the host.
func (p *plan) last(s *segment, host string) bool {
	return max(p.touched[host], p.opaque) <= s.rules
}

// arrange puts mapped services into as few segments as possible, such that the
// frontend routes every request as the rules of all services in the given order
// would (D43). HAProxy takes the first rule that matches; the longest prefix of a map
// is that one, because an entry is dropped when an earlier one catches all its
// requests. A rule divides mapped services only if it acts on their hosts.
func arrange(services []routed) plan {
	p := plan{touched: map[string]int{}}
	caught := catches{}
	for i, s := range services {
		if !s.mapped {
			p.rules = append(p.rules, i)
			for _, h := range s.hosts {
				p.touched[h] = len(p.rules)
			}
			if s.opaque {
				p.opaque = len(p.rules)
			}
			continue
		}
		prefixes := s.prefixes
		if prefixes == nil {
			prefixes = []string{""}
		}
		for _, h := range s.hosts {
			for _, prefix := range prefixes {
				if caught.add(h, prefix) {
					to := p.segment(max(p.touched[h], p.opaque))
					to.entries = append(to.entries, entry{host: h, prefix: prefix, backend: s.backend, service: i})
				}
			}
		}
	}
	return p
}

// segment returns the first segment that stands behind as many rules, or makes one
// at the present end.
func (p *plan) segment(rules int) *segment {
	i, _ := slices.BinarySearchFunc(p.segments, rules, func(s *segment, n int) int { return s.rules - n })
	if i == len(p.segments) {
		p.segments = append(p.segments, &segment{rules: len(p.rules)})
	}
	return p.segments[i]
}

// catches are the entries seen so far.
type catches map[string]struct{}

// add notes an entry, and reports false if an earlier one catches all that it could.
func (c catches) add(host, prefix string) bool {
	for n := range len(prefix) + 1 {
		if _, ok := c[catchKey(host, prefix[:n])]; ok {
			return false
		}
	}
	c[catchKey(host, prefix)] = struct{}{}
	return true
}

func catchKey(host, prefix string) string { return host + "\n" + prefix }

// mapPrefixes returns the path prefixes of a label as a map can hold them, and
// whether it can: match flags change how HAProxy compares, and a request path begins
// with a slash.
func mapPrefixes(path string) ([]string, bool) {
	if path == "" {
		return nil, true
	}
	prefixes := strings.Fields(path)
	for _, p := range prefixes {
		if !strings.HasPrefix(p, "/") {
			return nil, false
		}
	}
	return prefixes, true
}
