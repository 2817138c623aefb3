package discovery_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mlb/discovery"
)

func TestAQualifiedIDNamesItsClusterAndItsApp(t *testing.T) {
	t.Parallel()
	for qualified, want := range map[string][2]string{
		"east:/shop/web": {"east", "/shop/web"}, "/shop/web": {"", "/shop/web"}, "east:": {"east", ""}, "": {"", ""}, ":/a": {"", ":/a"},
		"/odd:id": {"", "/odd:id"}, // as a problem shows an ID that Marathon should not have taken
	} {
		cluster, app := discovery.CutCluster(qualified)
		if got := [2]string{cluster, app}; got != want {
			t.Errorf("CutCluster(%q) = %q, want %q", qualified, got, want)
		}
		if got := discovery.Qualify(want[0], want[1]); got != qualified {
			t.Errorf("Qualify(%q) = %q, want %q", want, got, qualified)
		}
	}
}

// The order is what everything that looks an app up relies on.
func TestASnapshotOfAClusterKeepsItsOrderAndItsSource(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOf(rapid.StringMatching(`(/[a-z0-9._-]{1,3}){1,3}`)).Draw(rt, "ids")
		var services []discovery.Service
		var problems []discovery.Problem
		for _, id := range ids {
			services = append(services, discovery.Service{App: id, ServicePort: 80})
			problems = append(problems, discovery.Problem{App: id, Reason: "r"})
		}
		one := discovery.NewSnapshot(services, problems)
		one.Apps = slices.Sorted(slices.Values(ids))
		before := discovery.NewSnapshot(slices.Clone(one.Services), slices.Clone(one.Problems))
		before.Apps = slices.Clone(one.Apps)
		of := one.Of("east")
		if !one.Equal(before) {
			rt.Fatalf("changed to %+v", one)
		}
		again := discovery.NewSnapshot(slices.Clone(of.Services), slices.Clone(of.Problems))
		again.Cluster, again.Apps = "east", slices.Sorted(slices.Values(of.Apps))
		if !of.Equal(again) {
			rt.Fatalf("out of order: %+v", of)
		}
		for i := range one.Services {
			want := discovery.Qualify("east", one.Services[i].App)
			if of.Services[i].App != want || of.Problems[i].App != want || of.Apps[i] != want {
				rt.Fatalf("service %s, problem %s, app %s, want %s", of.Services[i].App, of.Problems[i].App, of.Apps[i], want)
			}
		}
		if same := one.Of(""); same.Cluster != "" || !same.Equal(one) {
			rt.Fatalf("the cluster without a name changes %+v to %+v", one, same)
		}
	})
}
