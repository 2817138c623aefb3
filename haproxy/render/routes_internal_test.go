package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// byRules is what HAProxy does with one rule for each service: the first one that
// matches counts.
func byRules(services []routed, host, path string) string {
	for _, s := range services {
		if !slices.Contains(s.hosts, host) {
			continue
		}
		if s.prefixes == nil || slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(path, p) }) {
			return s.backend
		}
	}
	return ""
}

// byPlan is what HAProxy does with the arranged rules and maps: a map_beg gives the
// entry with the longest prefix, a map the entry itself.
func byPlan(services []routed, p plan, host, path string) string {
	at := 0
	for n := range len(p.rules) + 1 {
		for ; at < len(p.segments) && p.segments[at].rules == n; at++ {
			if b := lookUp(p.segments[at].entries, host, path); b != "" {
				return b
			}
		}
		if n < len(p.rules) {
			if b := byRules(services[p.rules[n]:p.rules[n]+1], host, path); b != "" {
				return b
			}
		}
	}
	return ""
}

func lookUp(entries []entry, host, path string) string {
	longest, backend := 0, ""
	for _, e := range entries {
		if e.prefix != "" && e.host == host && strings.HasPrefix(path, e.prefix) && len(e.prefix) > longest {
			longest, backend = len(e.prefix), e.backend
		}
	}
	if backend != "" {
		return backend
	}
	for _, e := range entries {
		if e.prefix == "" && e.host == host {
			return e.backend
		}
	}
	return ""
}

func someHosts() []string    { return []string{"a", "b", "c"} }
func somePrefixes() []string { return []string{"/", "/a", "/a/", "/ab", "/a/b", "/b", "/abc"} }
func somePaths() []string {
	return []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/abc", "/abcd", "/b", "/c"}
}

func drawServices(t *rapid.T) []routed {
	n := rapid.IntRange(0, 12).Draw(t, "services")
	services := make([]routed, n)
	for i := range services {
		s := routed{
			hosts:   rapid.SliceOfNDistinct(rapid.SampledFrom(someHosts()), 1, 3, rapid.ID[string]).Draw(t, "hosts"),
			backend: fmt.Sprint("backend", i),
			mapped:  rapid.IntRange(0, 3).Draw(t, "mapped") > 0,
		}
		if rapid.Bool().Draw(t, "with path") {
			s.prefixes = rapid.SliceOfN(rapid.SampledFrom(somePrefixes()), 1, 3).Draw(t, "prefixes")
		}
		s.opaque = !s.mapped && rapid.Bool().Draw(t, "opaque")
		services[i] = s
	}
	return services
}

// D43: maps route as the rules of contract 6.3 do.
func checkD43(t *rapid.T) {
	services := drawServices(t)
	p := arrange(services)
	for _, host := range append(someHosts(), "d") {
		for _, path := range somePaths() {
			if got, want := byPlan(services, p, host, path), byRules(services, host, path); got != want {
				t.Fatalf("%s%s goes to %q, want %q", host, path, got, want)
			}
		}
	}
	if !slices.IsSortedFunc(p.segments, func(a, b *segment) int { return a.rules - b.rules }) {
		t.Fatalf("segments out of order")
	}
	for _, s := range p.segments {
		keys := map[string]bool{}
		for _, e := range s.entries {
			key := e.host + e.prefix
			if e.prefix != "" && keys[key] {
				t.Fatalf("key %s stands twice in a map", key)
			}
			keys[key] = true
		}
	}
}

func TestD43MapsRouteAsRulesDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, checkD43)
}

func FuzzD43MapsRouteAsRulesDo(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(checkD43))
}

// A rule that acts on other hosts does not divide mapped services: many services
// need few look-ups.
func TestARuleDividesOnlyItsOwnHosts(t *testing.T) {
	t.Parallel()
	services := []routed{
		{hosts: []string{"a"}, backend: "a", mapped: true},
		{hosts: []string{"x"}, backend: "x"},
		{hosts: []string{"b"}, backend: "b", mapped: true},
		{hosts: []string{"x"}, backend: "late", mapped: true},
		{hosts: []string{"c"}, backend: "c", mapped: true},
	}
	p := arrange(services)
	if len(p.segments) != 2 || len(p.segments[0].entries) != 3 || p.segments[1].entries[0].backend != "late" {
		t.Errorf("segments %+v, want a, b and c before the rule and late behind it", p.segments)
	}
	services[1].opaque = true
	if p = arrange(services); len(p.segments) != 2 || len(p.segments[0].entries) != 1 {
		t.Errorf("segments %+v: a text that may act on any host divides all", p.segments)
	}
}
