package haproxy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlb/haproxy"
)

// modelMap is a map of a HAProxy as commands change it: a list in which a key may
// stand more than once.
type modelMap [][2]string

func (m modelMap) do(t *rapid.T, command string) modelMap {
	words := strings.Fields(command)
	if len(words) < 4 || words[1] != "map" || words[2] != "/d/m.map" {
		t.Fatalf("command %q", command)
	}
	key := words[3]
	switch words[0] {
	case "add":
		return append(m, [2]string{key, words[4]})
	case "del":
		return slices.DeleteFunc(m, func(e [2]string) bool { return e[0] == key })
	case "set":
		for i := range m {
			if m[i][0] == key {
				m[i][1] = words[4]
			}
		}
	}
	return m
}

func (m modelMap) text() string {
	var b strings.Builder
	for _, e := range m {
		b.WriteString(e[0] + " " + e[1] + "\n")
	}
	return b.String()
}

// A HAProxy with the running map has the desired one after the commands, also if they
// come twice, and no key that stays is missing in between.
func TestMapStepsLeadToTheDesiredMap(t *testing.T) {
	t.Parallel()
	sections := parse(t, "frontend f\n  use_backend %[hdr(host),map_beg(/d/m.map)]\nbackend a\nbackend b\nbackend c\n")
	random := rapid.Custom(func(t *rapid.T) modelMap {
		var m modelMap
		for _, key := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"1|", "1|/x", "2|", "3|", "4|/y"}), rapid.ID).Draw(t, "keys") {
			m = append(m, [2]string{key, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "backend")})
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		has, wanted := random.Draw(t, "running"), random.Draw(t, "desired")
		running := sections.WithFiles([]haproxy.File{{Name: "m.map", Text: has.text()}})
		desired := sections.WithFiles([]haproxy.File{{Name: "m.map", Text: wanted.text()}})
		plan := haproxy.Diff(running, desired, version(3, 2))
		if len(plan.Reasons) > 0 {
			t.Fatalf("reasons %v", plan.Reasons)
		}
		stays := map[string]bool{}
		for _, e := range has {
			stays[e[0]] = slices.ContainsFunc(wanted, func(w [2]string) bool { return w[0] == e[0] })
		}
		for round := range 2 {
			for _, m := range plan.Maps {
				for _, e := range m.Entries {
					for _, c := range e.Commands("/d/" + m.File) {
						has = has.do(t, c)
					}
					for key, stay := range stays {
						if stay && !slices.ContainsFunc(has, func(e [2]string) bool { return e[0] == key }) {
							t.Fatalf("round %d: %s is missing", round, key)
						}
					}
				}
			}
			order := func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }
			if diff := cmp.Diff(slices.SortedFunc(slices.Values(wanted), order), slices.SortedFunc(slices.Values(has), order)); diff != "" {
				t.Fatalf("round %d (-want +got):\n%s", round, diff)
			}
		}
		if !haproxy.Diff(running.AfterMaps(plan.Maps), desired, version(3, 2)).Empty() {
			t.Fatal("the plan does not lead to the desired configuration")
		}
	})
}
