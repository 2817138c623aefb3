package marathon_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

func TestServicesOfAShop(t *testing.T) {
	t.Parallel()
	got := derive(t, external(), app("/shop/cart", port(80, 10001), port(81, 10002),
		label("HAPROXY_0_VHOST", "cart.example"), label("HAPROXY_1_MODE", "tcp"), check("HTTP", portIndex(0)),
		task("t2", "10.0.0.2", 31000, 31001), task("t1", "agent-1", 31002, 31003), at("172.17.0.2"),
	))
	want := []discovery.Service{
		{
			App: "/shop/cart", ServicePort: 10001, Mode: discovery.ModeHTTP, Balance: "roundrobin",
			Hosts: []string{"cart.example"},
			HealthCheck: discovery.HealthCheck{
				Protocol: "HTTP", Path: "/", GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20,
				MaxConsecutiveFailures: 3,
			},
		},
		{App: "/shop/cart", PortIndex: 1, ServicePort: 10002, Mode: discovery.ModeTCP, Balance: "roundrobin"},
	}
	bare := slices.Clone(got.Services)
	for i := range bare {
		bare[i].Endpoints = nil
	}
	if diff := cmp.Diff(want, bare); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	wantRoutes := []string{
		"/shop/cart#0:10001 -> 10.0.0.2:31000 10.0.1.11:31002",
		"/shop/cart#1:10002 -> 10.0.0.2:31001 10.0.1.11:31003",
	}
	if diff := cmp.Diff(wantRoutes, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	e := got.Services[0].Endpoints[1]
	if e.Task != "t1" || e.Agent != "agent-1" || e.State != discovery.Ready {
		t.Errorf("endpoint %+v, want the ready task t1 on agent-1", e)
	}
}

func TestOverridesAreSortedByTemplate(t *testing.T) {
	t.Parallel()
	got := derive(t, external(), app("/a", ports(1), label("HAPROXY_0_FRONTEND_HEAD", "f"), label("HAPROXY_0_BACKEND_HEAD", "b"),
		label("HAPROXY_0_MAP_HTTP_FRONTEND_ACL", "m")))
	want := []discovery.Override{{Template: "BACKEND_HEAD", Text: "b"}, {Template: "FRONTEND_HEAD", Text: "f"}, {Template: "MAP_HTTP_FRONTEND_ACL", Text: "m"}}
	if diff := cmp.Diff(want, got.Services[0].Overrides); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
}

func TestAppsThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "/", "a", "/a/", "//a", "/a b", "/a\n", "/ä", "/a#"} {
		got := derive(t, external(), app(id, ports(1)), app("/good", ports(1)))
		if diff := cmp.Diff([]string{"/good#0:1 ->"}, routes(got)); diff != "" {
			t.Errorf("ID %q: routes (-want +got):\n%s", id, diff)
		}
		if len(got.Problems) != 1 || got.Problems[0].Reason != "bad app ID" {
			t.Errorf("ID %q: problems %v", id, reasons(got))
		}
	}
	got := derive(t, external(), app("/a", ports(1)), app("/a", ports(2)))
	if diff := cmp.Diff([]string{"/a#0:1 ->"}, routes(got)); diff != "" {
		t.Errorf("an ID listed twice (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/a#-1: repeated app"}, reasons(got)); diff != "" {
		t.Errorf("an ID listed twice (-want +got):\n%s", diff)
	}
}

// cluster makes apps with ten tasks each, a few of them faulty.
func cluster(apps int) []marathon.App {
	list := make([]marathon.App, 0, apps)
	for i := range apps {
		opts := []appOption{
			port(80, 10000+i), check("HTTP", portIndex(0)),
			label("HAPROXY_0_VHOST", fmt.Sprintf("app-%d.example,www-%d.example", i, i)),
		}
		if i%7 == 3 {
			opts = append(opts, label("HAPROXY_0_PORT", "x"))
		}
		for j := range 10 {
			opts = append(opts, task(fmt.Sprintf("app-%d.task-%d", i, j), fmt.Sprintf("10.%d.%d.%d", i>>8&255, i&255, j), 31000+j), results(1, 0))
			if j%5 == 4 {
				opts = append(opts, task(fmt.Sprintf("app-%d.lost-%d", i, j), "agent-9", 31000), results(1, 0), at("9.0.0.1"))
			}
		}
		list = append(list, app(fmt.Sprintf("/team-%d/app-%d", i%10, i), opts...))
	}
	return list
}

func TestTheOrderOfAppsAndTasksDoesNotMatter(t *testing.T) {
	t.Parallel()
	apps := cluster(50)
	want := derive(t, gate(), apps...)
	if len(want.Services) == 0 || len(want.Problems) == 0 {
		t.Fatal("nothing to compare")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		random.Shuffle(len(apps), func(i, j int) { apps[i], apps[j] = apps[j], apps[i] })
		for i := range apps {
			tasks := apps[i].Tasks
			random.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
		}
		if got := derive(t, gate(), apps...); !got.Equal(want) {
			t.Fatalf("shuffled (-want +got):\n%s", cmp.Diff(routes(want), routes(got)))
		}
	}
}

func TestDeriveLeavesTheAppsAlone(t *testing.T) {
	t.Parallel()
	apps := readApps(t, "apps/v1.4-bridge.json")
	snapshotOf := derive(t, everything(), apps...)
	again := readApps(t, "apps/v1.4-bridge.json")
	if diff := cmp.Diff(again, apps); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	for i := range apps { // and what was made of them does not change with them
		clear(apps[i].Labels)
		apps[i].Tasks = slices.Delete(apps[i].Tasks, 0, len(apps[i].Tasks))
	}
	if want := derive(t, everything(), again...); !snapshotOf.Equal(want) {
		t.Errorf("snapshot (-want +got):\n%s", cmp.Diff(routes(want), routes(snapshotOf)))
	}
}
