package marathon_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// Deriving some apps is a way to be fast, not another way to derive: what it says
// about them is what a look at all apps says.
func TestUpdateSaysWhatDerivingAllWouldSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		some, all := marathon.NewDeriver(gate(), agents(), zap.NewNop()), marathon.NewDeriver(gate(), agents(), zap.NewNop())
		apps := cluster(8)
		some.Derive(t.Context(), apps)
		all.Derive(t.Context(), apps)
		for step := range rapid.IntRange(1, 6).Draw(rt, "changes") {
			var ids []string
			var changed []marathon.App
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(apps)-1), 1, 3, rapid.ID[int]).Draw(rt, "apps") {
				apps[i] = changedApp(rt, apps[i], step)
				ids, changed = append(ids, apps[i].ID), append(changed, apps[i])
			}
			services, problems := all.Derive(t.Context(), apps)
			want := discovery.NewSnapshot(
				slices.DeleteFunc(services, func(s discovery.Service) bool { return !slices.Contains(ids, s.App) }),
				slices.DeleteFunc(problems, func(p discovery.Problem) bool { return !slices.Contains(ids, p.App) }))
			services, problems, ok := some.Update(t.Context(), changed)
			if !ok || !some.Covers(ids) {
				rt.Fatalf("apps %v are not covered", ids)
			}
			if diff := cmp.Diff(want, discovery.NewSnapshot(services, problems), cmpopts.EquateEmpty(), cmpopts.EquateComparable(discovery.Endpoint{})); diff != "" {
				rt.Fatalf("snapshot (-all +some):\n%s", diff)
			}
		}
	})
}

// changedApp is an app that has changed as apps do between two events.
func changedApp(t *rapid.T, a marathon.App, step int) marathon.App {
	a.Tasks, a.Labels = slices.Clone(a.Tasks), maps.Clone(a.Labels)
	switch rapid.SampledFrom([]string{"add", "remove", "all gone", "state", "no verdict", "label"}).Draw(t, "change") {
	case "add":
		added := app(a.ID, task(fmt.Sprintf("new-%d", step), fmt.Sprintf("10.9.0.%d", step), 31000), results(1, 0)).Tasks
		a.Tasks = append(a.Tasks, added...)
	case "remove":
		a.Tasks = a.Tasks[:len(a.Tasks)/2]
	case "all gone":
		a.Tasks = nil
	case "state":
		for i := range a.Tasks {
			a.Tasks[i].State = rapid.SampledFrom([]string{"TASK_RUNNING", "TASK_KILLING", "TASK_STAGING"}).Draw(t, "state")
		}
	case "no verdict": // as after a change of the leader
		for i := range a.Tasks {
			a.Tasks[i].Results = marathon.Results{}
		}
	case "label":
		a.Labels["HAPROXY_0_MODE"] = rapid.SampledFrom([]string{"http", "tcp", "nonsense"}).Draw(t, "mode")
	}
	return a
}

// What depends on other apps, or on their order, is for a look at all of them.
func TestUpdateRefusesAppsThatDependOnOthers(t *testing.T) {
	t.Parallel()
	listed := []marathon.App{
		app("/alone", port(80, 10001)), app("/blue", port(80, 10002), label("HAPROXY_DEPLOYMENT_GROUP", "site")),
		app("/floating", networks("container"), mapping(80, -1), task("t1", "10.0.0.1", 31000), at("9.0.0.1")),
	}
	for name, a := range map[string]marathon.App{
		"new":                        app("/new", port(80, 10003)),
		"in a deployment group":      listed[1],
		"newly in one":               app("/alone", port(80, 10001), label("HAPROXY_DEPLOYMENT_GROUP", "site")),
		"unreadable":                 {ID: "/alone", Fault: "it is a list"},
		"with a port to be assigned": app("/floating", networks("container"), mapping(80, -1), mapping(81, -1), task("t1", "10.0.0.1", 31000), at("9.0.0.1")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := marathon.NewDeriver(everything(), agents(), zap.NewNop())
			d.Derive(t.Context(), listed)
			if services, problems, ok := d.Update(t.Context(), []marathon.App{a}); ok {
				t.Errorf("update says %v, %v", services, problems)
			}
		})
	}
}
