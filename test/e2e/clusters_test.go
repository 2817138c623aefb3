package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
)

// clustered returns two clusters with equal app ids, and a balancer for both that does not
// run. The second one is called east. On the port 10003 both have an app.
func clustered(t *testing.T) (west, east *marathonsim.Cluster, b *balancer.Balancer) {
	t.Helper()
	west, east = cluster(t), cluster(t)
	host := func(name string) map[string]string { return map[string]string{"HAPROXY_0_VHOST": name} }
	deploy(t, west, app{id: "/web", port: 10001, instances: 2, labels: host("west.example")}, app{id: "/same", port: 10003, instances: 1})
	deploy(t, east, app{id: "/web", port: 10002, instances: 2, labels: host("east.example")},
		app{id: "/same", port: 10003, instances: 1, labels: host("same.example")})
	b = newBalancer(t, "external", west.Masters(), "--marathon-cluster", "east="+strings.Join(east.Masters(), ","))
	return west, east, b
}

func TestEqualAppsOfSeveralClustersAreServedSideBySide(t *testing.T) {
	t.Parallel()
	west, east, b := clustered(t)
	b.Start(t)
	b.WaitReady(t)
	exactly(t, west, "/web", 2, b.Port(10001, "/"))
	exactly(t, west, "/web", 2, b.Web("west.example", "/"))
	exactly(t, west, "/web", 2, b.ByID("/web", "/"))
	exactly(t, east, "/web", 2, b.Port(10002, "/"))
	exactly(t, east, "/web", 2, b.Web("east.example", "/"))
	exactly(t, east, "/web", 2, b.ByID("east:/web", "/"))
	// A port has one owner, the first by id; the other is found by host and id.
	exactly(t, west, "/same", 1, b.Port(10003, "/"))
	exactly(t, east, "/same", 1, b.Web("same.example", "/"))
	exactly(t, east, "/same", 1, b.ByID("east:/same", "/"))
	problem(t, b, "east:/same")
	closed(t, b.ByID("west:/web", "/"))

	reloads := b.Reloads(t)
	must(t, west.Delete("/same")) // this needs a reload
	exactly(t, east, "/same", 1, b.Port(10003, "/"))
	scale(t, east, "/web", 4)
	exactly(t, east, "/web", 4, b.ByID("east:/web", "/"))
	exactly(t, west, "/web", 2, b.ByID("/web", "/"))
	if n := b.Reloads(t) - reloads; n > 1 {
		t.Errorf("%v reloads, want one: tasks of a cluster with a name need none", n)
	}
}

// Whatever happens in one cluster, or to it: nobody loses a request of the other, which
// goes on changing.
func TestTroubleInOneClusterDoesNotTouchTheOthers(t *testing.T) {
	t.Parallel()
	west, east, b := clustered(t)
	b.Start(t)
	b.WaitReady(t)
	inWest, inEast := newTraffic(t, b.Web("west.example", "/")), newTraffic(t, b.Web("east.example", "/"))
	connected := func(labels string, want float64) {
		t.Helper()
		balancer.Eventually(t, fmt.Sprintf("stream %s: %v", labels, want), func() error {
			if got := metric(t, b, "mlb_stream_connected", labels); got != want {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	connected(`cluster="east"`, 1)
	start := stopMasters(t, east)
	connected(`cluster="east"`, 0)
	connected(`cluster=""`, 1)
	scale(t, west, "/web", 5)
	exactly(t, west, "/web", 5, b.Port(10001, "/"))
	scale(t, west, "/web", 1)
	exactly(t, west, "/web", 1, b.Port(10001, "/"))
	deploy(t, west, app{id: "/new", port: 10004, instances: 1}) // this needs a reload
	exactly(t, west, "/new", 1, b.Port(10004, "/"))
	exactly(t, east, "/web", 2, b.Port(10002, "/"))
	start()
	connected(`cluster="east"`, 1)
	inWest.lossless(t)

	for _, id := range []string{"/web", "/same", "/new"} {
		must(t, west.Delete(id))
	}
	closed(t, b.Port(10001, "/"))
	scale(t, east, "/web", 3)
	exactly(t, east, "/web", 3, b.Port(10002, "/"))
	exactly(t, east, "/same", 1, b.Port(10003, "/"))
	inEast.lossless(t)
}

// HAProxy goes on with the routes of all clusters when mlb is replaced, also if one of
// them takes longer to answer.
func TestARestartWaitsForAllClusters(t *testing.T) {
	t.Parallel()
	west, east, b := clustered(t)
	b.Start(t)
	b.WaitReady(t)
	exactly(t, east, "/web", 2, b.Web("east.example", "/"))
	clients := newTraffic(t, b.Web("east.example", "/"))
	b.Signal(t, syscall.SIGKILL)
	b.Wait(t)
	east.SetFault(marathonsim.AllMasters, marathonsim.Fault{Kind: marathonsim.FaultDelay, Delay: time.Second, Path: "/v2/apps"})
	b.Start(t)
	b.WaitReady(t)
	scale(t, west, "/web", 3)
	exactly(t, west, "/web", 3, b.Port(10001, "/"))
	exactly(t, east, "/web", 2, b.Port(10002, "/"))
	clients.lossless(t)
}

// A cluster that is away when mlb starts anew keeps the routes that it had, whatever the
// others say.
func TestARestartKeepsTheRoutesOfAClusterThatIsAway(t *testing.T) {
	t.Parallel()
	west, east, b := clustered(t)
	b.Start(t)
	b.WaitReady(t)
	exactly(t, east, "/web", 2, b.Web("east.example", "/"))
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	start := stopMasters(t, east)
	b.Start(t)
	exactly(t, west, "/web", 2, b.Port(10001, "/"))
	clients := newTraffic(t, b.Web("east.example", "/"))
	scale(t, west, "/web", 3)
	exactly(t, west, "/web", 3, b.Port(10001, "/"))
	deploy(t, west, app{id: "/new", port: 10004, instances: 1}) // this needs a reload
	exactly(t, west, "/new", 1, b.Port(10004, "/"))
	exactly(t, east, "/web", 2, b.ByID("east:/web", "/"))
	if err := ready(t, b); err == nil || !strings.Contains(err.Error(), "cluster east: no answer from marathon yet") {
		t.Errorf("mlb health --ready: %v", err)
	}
	start()
	b.WaitReady(t)
	scale(t, east, "/web", 4)
	exactly(t, east, "/web", 4, b.Port(10002, "/"))
	clients.lossless(t)
}

func TestAClusterThatNeverAnsweredIsNamed(t *testing.T) {
	t.Parallel()
	west, east, b := clustered(t)
	start := stopMasters(t, east)
	b.Start(t)
	exactly(t, west, "/web", 2, b.Port(10001, "/"))
	if err := ready(t, b); err == nil || !strings.Contains(err.Error(), "cluster east: no answer from marathon yet") {
		t.Errorf("mlb health --ready: %v", err)
	}
	start()
	exactly(t, east, "/web", 2, b.Port(10002, "/"))
	b.WaitReady(t)
}

// One pass is for all clusters; it is none if one of them cannot be read.
func TestOnePassIsForAllClusters(t *testing.T) {
	t.Parallel()
	west, east, b := clustered(t)
	b.Mode = "once"
	b.Args = append(b.Args, "--dont-bind-http-https", "--command", "/bin/sh "+script(t, b, balancer.ReloadScript))
	pass := func() (status int) {
		b.Start(t)
		return b.Wait(t)
	}
	start := stopMasters(t, east)
	if status := pass(); status != 1 {
		t.Errorf("status %d without one of the clusters, want 1", status)
	}
	if _, err := os.Stat(b.Path("haproxy.cfg")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("configuration without one of the clusters: %v", err)
	}
	start()
	if status := pass(); status != 0 {
		t.Fatalf("status %d\n%s", status, b.Log())
	}
	exactly(t, west, "/web", 2, b.Port(10001, "/"))
	exactly(t, east, "/web", 2, b.ByID("east:/web", "/"))
	text, err := os.ReadFile(b.Path("haproxy.cfg"))
	must(t, err)
	printed, err := b.Prepare(t.Context(), append([]string{"render"}, b.Line()[1:]...)...).Output()
	must(t, err)
	for _, backend := range []string{"\nbackend web_10001\n", "\nbackend east:web_10002\n", "\nbackend east:same_10003\n"} {
		if !strings.Contains(string(text), backend) || !strings.Contains(string(printed), backend) {
			t.Errorf("no%sin the configuration, or in the one that is printed", backend)
		}
	}
}
