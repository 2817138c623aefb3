package marathon_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// colour makes an app of deployment group shop with so many tasks.
func colour(id string, instances, tasks int, more ...appOption) marathon.App {
	opts := []appOption{ports(10000), label("HAPROXY_DEPLOYMENT_GROUP", "shop"), instancesOf(instances)}
	for i := range tasks {
		opts = append(opts, task(fmt.Sprintf("%s.%d", id[1:], i), fmt.Sprintf("10.0.%d.%d", len(id), i+1), 31000+i))
	}
	return app(id, append(opts, more...)...)
}

func instancesOf(n int) appOption { return func(a *marathon.App) { a.Instances = n } }

func scaledAt(text string) appOption {
	return func(a *marathon.App) { a.VersionInfo.LastScalingAt = text }
}

func started(text string) appOption { return label("HAPROXY_DEPLOYMENT_STARTED_AT", text) }

// drained returns which tasks of the one service are drained, and how many there are.
func drained(t *testing.T, s discovery.Snapshot) (tasks []string, all int) {
	t.Helper()
	if len(s.Services) != 1 {
		t.Fatalf("services %+v, want one", s.Services)
	}
	return drainedOf(s.Services[0])
}

func drainedOf(s discovery.Service) (tasks []string, all int) {
	for _, e := range s.Endpoints {
		if e.State == discovery.Draining {
			tasks = append(tasks, e.Task)
		}
	}
	slices.Sort(tasks)
	return tasks, len(s.Endpoints)
}

func TestDeploymentGroups(t *testing.T) {
	t.Parallel()
	target := func(n string) appOption { return label("HAPROXY_DEPLOYMENT_TARGET_INSTANCES", n) }
	hybrid := func(n string) appOption { return label("HAPROXY_DEPLOYMENT_NEW_INSTANCES", n) }
	early, late := started("2026-01-01T00:00:00"), started("2026-01-02T00:00:00")
	tests := map[string]struct {
		apps []marathon.App
		want []string
	}{
		"the new one replaces as many as are beyond the target": {
			[]marathon.App{colour("/blue", 3, 3, early), colour("/green", 1, 1, late, target("3"), hybrid("0"))}, []string{"blue.0"},
		},
		"the order of the answer does not matter when dates differ": {
			[]marathon.App{colour("/green", 1, 1, late, target("3"), hybrid("0")), colour("/blue", 3, 3, early)}, []string{"blue.0"},
		},
		"without dates the app that comes first is the new one": {
			[]marathon.App{colour("/blue", 2, 2), colour("/green", 2, 2)}, []string{"green.0", "green.1"},
		},
		"of equal dates the app that comes first is the new one": {
			[]marathon.App{colour("/blue", 2, 2, early), colour("/green", 1, 1, early)}, []string{"green.0"},
		},
		"D21: without the number of the new one the target is one": {
			[]marathon.App{colour("/blue", 3, 3, early), colour("/green", 1, 1, late, target("3"))}, []string{"blue.0"},
		},
		"nothing is drained before the target is there": {
			[]marathon.App{colour("/blue", 3, 3, early), colour("/green", 1, 1, late, target("4"), hybrid("0"))}, nil,
		},
		"D21: an app that was never scaled turns nothing round": {
			[]marathon.App{
				colour("/blue", 2, 2, early), colour("/green", 2, 2, late, hybrid("1"), target("2"), scaledAt("2026-01-03T00:00:00Z")),
			}, []string{"blue.0", "blue.1"},
		},
		"with health checks only tasks that are alive count": {
			[]marathon.App{
				colour("/blue", 3, 3, early),
				colour("/green", 3, 0, late, check("HTTP"), task("green.0", "10.9.0.1", 1), results(1, 1), task("green.1", "10.9.0.2", 1), results(0, 1)),
			}, []string{"blue.0"},
		},
		"without a target it is one": {
			[]marathon.App{colour("/blue", 2, 2, early), colour("/green", 1, 1, late)}, []string{"blue.0"},
		},
		"never more than there are healthy new ones": {
			[]marathon.App{colour("/blue", 9, 9, early), colour("/green", 2, 2, late)}, []string{"blue.0", "blue.1"},
		},
		"D21: a split turns round after the old one was scaled up": {
			[]marathon.App{
				colour("/blue", 2, 2, early, scaledAt("2026-01-04T00:00:00Z")),
				colour("/green", 2, 2, late, hybrid("1"), target("2"), scaledAt("2026-01-03T00:00:00Z")),
			}, []string{"green.0", "green.1"},
		},
		"D21: the number 0 turns nothing round": {
			[]marathon.App{
				colour("/blue", 2, 2, early, scaledAt("2026-01-04T00:00:00Z")),
				colour("/green", 2, 2, late, hybrid("0"), target("2"), scaledAt("2026-01-03T00:00:00Z")),
			}, []string{"blue.0", "blue.1"},
		},
		"D21: dates with and without a zone are compared in UTC": {
			[]marathon.App{
				colour("/blue", 1, 1, started("2026-01-01T10:00:00")), colour("/green", 1, 1, started("2026-01-01T10:30:00+01:00")),
			}, []string{"green.0"},
		},
		"three apps are folded one after the other": {
			[]marathon.App{colour("/a", 1, 1, early), colour("/bb", 1, 1, late), colour("/ccc", 1, 1, started("2026-01-03"))},
			[]string{"a.0"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), tt.apps...)
			tasks, _ := drained(t, got)
			if diff := cmp.Diff(tt.want, tasks); diff != "" {
				t.Errorf("drained (-want +got):\n%s", diff)
			}
			if got.Services[0].App != "/shop" || len(got.Problems) > 0 {
				t.Errorf("app %s, problems %+v; want /shop and none", got.Services[0].App, got.Problems)
			}
		})
	}
}

// D21, D22: a deployment label that cannot be read counts as missing.
func TestD21UnreadableDeploymentLabelsAreReported(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"HAPROXY_DEPLOYMENT_STARTED_AT", "HAPROXY_DEPLOYMENT_TARGET_INSTANCES", "HAPROXY_DEPLOYMENT_NEW_INSTANCES",
	} {
		got := derive(t, external(), colour("/blue", 1, 1, label(key, "soon")))
		if len(got.Services) != 1 || len(got.Problems) != 1 || got.Problems[0].Label != key || got.Problems[0].App != "/blue" {
			t.Errorf("%s: services %+v, problems %+v; want one of each", key, got.Services, got.Problems)
		}
	}
	alone := derive(t, external(), colour("/blue", 1, 1, label("HAPROXY_DEPLOYMENT_GROUP", "")))
	if len(alone.Services) != 1 || alone.Services[0].App != "/blue" || len(alone.Problems) != 1 {
		t.Errorf("an empty group: %+v, %+v; want the app as it is, and a problem", alone.Services, alone.Problems)
	}
	bad := derive(t, external(), colour("/blue", 1, 1, label("HAPROXY_DEPLOYMENT_GROUP", "a b")), colour("/green", 1, 1))
	if len(bad.Services) != 1 || bad.Services[0].App != "/shop" || len(bad.Problems) != 1 {
		t.Errorf("a bad group name: %+v, %+v; want the other app, and a problem", bad.Services, bad.Problems)
	}
}

// K14: any app may join a group, but a group cannot take the place of an app that
// belongs to none.
func TestK14AGroupCannotTakeAnAppsPlace(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"/shop", "/SHOP"} { // a request names an app in any case
		blue := colour("/blue", 1, 1)
		blue.Labels["HAPROXY_DEPLOYMENT_GROUP"] = name
		got := derive(t, external(), app("/shop", ports(10000), task("t", "10.0.0.1", 1)), blue)
		if diff := cmp.Diff([]string{"/shop#0:10000 -> 10.0.0.1:1"}, routes(got)); diff != "" {
			t.Errorf("group %s: routes (-want +got):\n%s", name, diff)
		}
		if len(got.Problems) != 1 || got.Problems[0].App != "/blue" {
			t.Errorf("group %s: problems %+v, want one about /blue", name, got.Problems)
		}
	}
}

// D21: whatever the apps of a group are, every task is there, only tasks of one app
// are drained, never more than there are healthy new ones, and the input is unchanged.
func TestD21GroupsLoseNoTask(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		old, next := rapid.IntRange(0, 6).Draw(rt, "old tasks"), rapid.IntRange(0, 6).Draw(rt, "new tasks")
		oldWanted, newWanted := rapid.IntRange(0, 6).Draw(rt, "old"), rapid.IntRange(0, 6).Draw(rt, "new")
		target := rapid.IntRange(0, 8).Draw(rt, "target")
		apps := []marathon.App{
			colour("/blue", oldWanted, old, started("2026-01-01")),
			colour("/green", newWanted, next, started("2026-01-02"), label("HAPROXY_DEPLOYMENT_NEW_INSTANCES", "0"),
				label("HAPROXY_DEPLOYMENT_TARGET_INSTANCES", strconv.Itoa(target))),
		}
		before := []marathon.App{apps[0], apps[1]}
		before[0].Tasks, before[1].Tasks = slices.Clone(apps[0].Tasks), slices.Clone(apps[1].Tasks)
		got := derive(t, external(), apps...)
		if diff := cmp.Diff(before, apps); diff != "" {
			rt.Fatalf("the input was changed:\n%s", diff)
		}
		tasks, all := drained(t, got)
		if all != old+next {
			rt.Fatalf("%d endpoints, want %d", all, old+next)
		}
		if want := max(0, min(old, newWanted, newWanted+oldWanted-target)); len(tasks) != want {
			rt.Fatalf("%d drained, want %d", len(tasks), want)
		}
	})
}

// D21: each task is read by its own app's network mode, ports and health checks, and
// paired by index with the service ports of the group.
func TestD21EachTaskIsReadByItsOwnApp(t *testing.T) {
	t.Parallel()
	opts := external()
	opts.HealthCheck = true
	group := label("HAPROXY_DEPLOYMENT_GROUP", "shop")
	got := derive(
		t, opts,
		app("/blue", group, started("2026-01-01"), ports(10000, 10001), task("blue", "10.0.0.1", 31000, 31001)),
		app("/green", group, started("2026-01-02"), networks("container"), mapping(80, 10100), mapping(443, 10101), check("TCP"),
			task("green", "10.0.0.2"), at("9.0.0.1"), results(1, 0), task("starting", "10.0.0.2"), at("9.0.0.2")),
	)
	want := []string{"/shop#0:10000 -> 10.0.0.1:31000 9.0.0.1:80", "/shop#1:10001 -> 10.0.0.1:31001 9.0.0.1:443"}
	if diff := cmp.Diff(want, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if tasks, _ := drainedOf(got.Services[0]); !slices.Equal(tasks, []string{"blue"}) {
		t.Errorf("%v are drained, want blue", tasks)
	}
}

// The name of a group takes the place of the app's ID wherever that counts (contract
// 2.8): where ports are assigned, apart from other groups, and for FRAMEWORK_NAME.
func TestAGroupIsCalledByItsName(t *testing.T) {
	t.Parallel()
	grouped := func(id, group string) marathon.App {
		a := overlay(id, 80)
		a.Labels["HAPROXY_DEPLOYMENT_GROUP"] = group
		return a
	}
	opts := external()
	opts.Framework = "lb"
	got := derive(t, opts, grouped("/first", "/b"), grouped("/balancer", "lb"), grouped("/lb", "other"), overlay("/a", 80))
	want := []string{"/a#0:10065 -> 9.0.0.1:80", "/b#0:10059 -> 9.0.0.1:80"}
	if diff := cmp.Diff(want, slices.DeleteFunc(routes(got), func(s string) bool { return strings.HasPrefix(s, "/other") })); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if len(got.Services) != 3 || len(got.Problems) > 0 {
		t.Errorf("routes %v, problems %v; want /other too, and none", routes(got), reasons(got))
	}
}

func TestProblemsInAGroupNameTheApp(t *testing.T) {
	t.Parallel()
	blue, green := started("2026-01-01"), started("2026-01-02")
	apps := []marathon.App{
		colour("/blue", 1, 1, blue, label("HAPROXY_0_VHSOT", "x")),
		colour("/green", 1, 1, green, label("HAPROXY_1_VHOST", "x"), label("HAPROXY_0_MOOD", "x"), task("green.1", "")),
	}
	want := []string{
		"/blue#-1 HAPROXY_0_VHSOT: unknown label", "/green#-1: bad task", "/green#-1 HAPROXY_0_MOOD: unknown label",
		"/green#1 HAPROXY_1_VHOST: label of a missing port",
	}
	if diff := cmp.Diff(want, reasons(derive(t, external(), apps...))); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	t.Run("and are not those of a balancer that takes nothing of it", func(t *testing.T) {
		t.Parallel()
		internal := external()
		internal.Groups = []string{"internal"}
		others := append([]marathon.App{
			colour("/red", 1, 1, label("HAPROXY_DEPLOYMENT_GROUP", "")), colour("/grey", 1, 1, label("HAPROXY_DEPLOYMENT_GROUP", "a b")),
			colour("/pink", 1, 1, started("soon")),
		}, apps[0])
		if got := derive(t, internal, others...); len(got.Problems) > 0 {
			t.Errorf("problems %v, want none", reasons(got))
		}
	})
}

// K14: any app may join a group; one from another folder is reported.
func TestK14AppsOfOtherFoldersAreReported(t *testing.T) {
	t.Parallel()
	got := derive(t, external(), colour("/shop/blue", 1, 1), colour("/shop/green", 1, 1), colour("/else/red", 1, 1))
	if diff := cmp.Diff([]string{"/else/red#-1 HAPROXY_DEPLOYMENT_GROUP: deployment group across folders"}, reasons(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if _, all := drained(t, got); all != 3 {
		t.Errorf("%d endpoints, want 3", all)
	}
}

// D27: the label names Marathon's port index, and the port of the same task there is
// probed; out of range it is the own one.
func TestD27TheProbedPortIsTheSameTasks(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"1": 32, "-1": 0, "2": 0, "0": 31} {
		got := derive(t, external(), app("/a", ports(10000, 10001), check("HTTP", portIndex(1)),
			label("HAPROXY_0_BACKEND_HEALTHCHECK_PORT_INDEX", value), label("HAPROXY_0_MODE", "tcp"), task("t", "10.0.0.1", 31, 32)))
		s := got.Services[0]
		if s.Endpoints[0].CheckPort != want {
			t.Errorf("index %s: port %d is probed, want %d", value, s.Endpoints[0].CheckPort, want)
		}
		if borrowed := value == "1"; s.HealthCheck.Exists() != borrowed || (s.Mode == discovery.ModeHTTP) != borrowed {
			t.Errorf("index %s: check %+v, mode %s", value, s.HealthCheck, s.Mode)
		}
	}
}
