package haproxy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlb/discovery"
	"mlb/haproxy"
)

// ids are IDs as Marathon takes them; few enough to be drawn twice.
func ids() *rapid.Generator[string] { return rapid.StringMatching(`(/a_?){1,2}`) }

// Whatever two apps are called, of different clusters their names differ: nothing is lost
// to the other, and no label reaches the other's requests by a name.
func TestNamesOfDifferentClustersDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cluster := rapid.SampledFrom([]string{"", "a", "a-a", "1"})
		one, other := cluster.Draw(rt, "cluster"), cluster.Draw(rt, "other cluster")
		a, b := ids().Draw(rt, "app"), ids().Draw(rt, "other app")
		port := rapid.SampledFrom([]int{1, 80, 10001}).Draw(rt, "port")
		if one == other {
			return
		}
		for what, name := range map[string]func(app string) string{
			"backend": func(app string) string { return haproxy.BackendName(app, port) },
			"host condition": func(app string) string {
				return haproxy.HostConditionName(discovery.Service{App: app, ServicePort: port, Hosts: []string{"www.example.com"}})
			},
			"app condition": func(app string) string {
				return haproxy.AppConditionName(discovery.Service{App: app, ServicePort: port})
			},
		} {
			of, from := name(discovery.Qualify(one, a)), name(discovery.Qualify(other, b))
			if of == from {
				rt.Errorf("%s %s is the name of %s of %q and of %s of %q", what, of, a, one, b, other)
			}
			if !haproxy.ValidName(of) {
				rt.Errorf("%s %q is not a name for HAProxy", what, of)
			}
		}
	})
}

// A cluster's apps give way to nobody for being called as another cluster's.
func TestClustersShareNothingButPorts(t *testing.T) {
	t.Parallel()
	service := func(app string, port int) discovery.Service {
		return discovery.Service{App: app, ServicePort: port, Mode: discovery.ModeTCP}
	}
	proxies, problems := haproxy.Claim([]discovery.Service{
		service("/a", 10001), service("east:/a", 10001), service("east:/a", 10002), service("west:/a", 10003),
	}, haproxy.Claims{})
	var got []string
	for _, p := range proxies {
		got = append(got, p.Name+" "+p.Bind)
	}
	want := []string{"a_10001 *:10001", "east:a_10001 ", "east:a_10002 *:10002", "west:a_10003 *:10003"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proxies (-want +got):\n%s", diff)
	}
	if len(problems) != 1 || problems[0].App != "east:/a" || problems[0].Reason != "service port taken" {
		t.Errorf("problems %+v, want one of east:/a about its port", problems)
	}
}
