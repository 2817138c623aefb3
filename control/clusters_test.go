package control_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlb/control"
	"mlb/discovery"
	"mlb/haproxy"
)

// of returns the services as all that a cluster says.
func of(cluster string, services ...discovery.Service) discovery.Snapshot {
	return snapshot(services...).Of(cluster)
}

// backends returns the names of the backends of services in a text.
func backends(text string) string {
	var names []string
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "backend "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return strings.Join(names, " ")
}

// both is the configuration for a cluster without a name and one with.
func both() control.Config {
	return control.Config{Clusters: []string{"", "east"}, EmptyServiceTimeout: time.Hour}
}

func TestAllThatOneClusterSaysLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	k := &kernel{}
	c, r := newCounting(t, both(), k)
	defer c.Close()
	odd := of("east", service("/a", 10002, 1))
	odd.Problems = []discovery.Problem{{App: "east:/a", PortIndex: -1, Reason: "odd"}}
	c.Pass(t.Context(), of("", service("/a", 10001, 1)))
	c.Pass(t.Context(), odd)
	steps := []struct {
		what     string
		s        discovery.Snapshot
		backends string
		problems int
	}{
		{"another app", of("", service("/a", 10001, 1), service("/b", 10003, 1)), "a_10001 b_10003 east:a_10002", 1},
		{"none of the apps of the first", of(""), "east:a_10002", 1},
		{"some apps of the first", about(of("", service("/a", 10001, 1)), "/a"), "a_10001 east:a_10002", 1},
		{"none of the apps of the second", of("east"), "a_10001", 0},
	}
	for _, step := range steps {
		c.Pass(t.Context(), step.s)
		if got := backends(k.text()); got != step.backends || len(c.Problems()) != step.problems {
			t.Errorf("after %s: backends %q, problems %v, want %q and %d", step.what, got, c.Problems(), step.backends, step.problems)
		}
	}
	whole := r.whole
	c.Pass(t.Context(), about(of("", service("/a", 10001, 3)), "/a"))
	if r.whole != whole {
		t.Error("a task of one of several clusters renders everything")
	}
}

func TestATaskThatEndsIsTheTaskOfItsOwnCluster(t *testing.T) {
	t.Parallel()
	k := &kernel{}
	c, _ := newCounting(t, both(), k)
	defer c.Close()
	two := func() discovery.Service {
		s := service("/a", 10001, 2)
		s.Endpoints[0].Task, s.Endpoints[1].Task = "a.1", "a.2"
		return s
	}
	c.Pass(t.Context(), of("", two()))
	c.Pass(t.Context(), of("east", two()))
	c.Ended(t.Context(), map[string]string{"a.1": "east:/a"})
	first, second, _ := strings.Cut(k.text(), "backend east:a_10001")
	if n, m := strings.Count(first, "server 10_0_0_1_"), strings.Count(second, "server 10_0_0_1_"); n != 2 || m != 1 {
		t.Errorf("%d and %d servers, want 2 and 1:\n%s", n, m, k.text())
	}
}

// HAProxy may have the routes of a cluster that has not answered yet.
func TestTheFirstTextWaitsForAllClusters(t *testing.T) {
	t.Parallel()
	answer := of("", service("/a", 10001, 1))
	for name, last := range map[string]struct {
		does func(c *control.Controller)
		want string
	}{
		"the other answers":         {func(c *control.Controller) { c.Pass(t.Context(), of("east", service("/a", 10002, 1))) }, "a_10001 east:a_10002"},
		"the other gives no answer": {func(c *control.Controller) { c.Failed(t.Context(), "east", errors.New("away")) }, "a_10001"},
		"the time is over":          {func(c *control.Controller) { c.Proceed(t.Context()) }, "a_10001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &kernel{last: true}
			c, _ := newCounting(t, both(), k)
			defer c.Close()
			c.Pass(t.Context(), answer)
			c.Pass(t.Context(), about(answer, "/a"))
			c.Ended(t.Context(), map[string]string{"t": "/a"})
			if _, passed := c.Last(); passed || len(k.texts) > 0 {
				t.Fatalf("did not wait: %q", k.texts)
			}
			last.does(c)
			if len(k.texts) != 1 || backends(k.text()) != last.want || k.started != 0 {
				t.Errorf("texts %q, want one with %s; %d starts with the last good one", k.texts, last.want, k.started)
			}
			c.Pass(t.Context(), of("east", service("/b", 10003, 1)))
			if got := backends(k.text()); got != "a_10001 east:b_10003" {
				t.Errorf("backends %s after an answer that is late", got)
			}
		})
	}
}

// What serves goes on while a cluster fails, and a start serves what it did last.
func TestAClusterThatFailsStartsTheLastGoodConfigurationOnce(t *testing.T) {
	t.Parallel()
	k := &kernel{last: true}
	c, _ := newCounting(t, both(), k)
	defer c.Close()
	c.Failed(t.Context(), "east", errors.New("away"))
	c.Failed(t.Context(), "", errors.New("away"))
	c.Proceed(t.Context())
	if k.started != 1 || len(k.texts) > 0 {
		t.Errorf("%d starts and %d texts, want one start", k.started, len(k.texts))
	}
	c.Pass(t.Context(), of("", service("/a", 10001, 1)))
	c.Failed(t.Context(), "east", errors.New("away"))
	if k.started != 1 || backends(k.text()) != "a_10001" {
		t.Errorf("%d starts, backends %s", k.started, backends(k.text()))
	}
}

// Watchers call side by side; in the end all that they said last holds.
func TestSeveralClustersAtOnceEndInWhatEachSaidLast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"", "east", "east-2", "w"}
		k := &kernel{}
		c, _ := newCounting(t, control.Config{Clusters: names, EmptyServiceTimeout: 0}, k)
		defer c.Close()
		var want []string
		var wg sync.WaitGroup
		for i, name := range names {
			var says []discovery.Snapshot
			last := ""
			for range rapid.IntRange(1, 4).Draw(rt, "passes") {
				port := 10001 + 10*i + rapid.IntRange(0, 3).Draw(rt, "port")
				s := service("/a", port, 1)
				says, last = append(says, of(name, s)), haproxy.BackendName(discovery.Qualify(name, "/a"), port)
			}
			want = append(want, last)
			wg.Go(func() {
				for _, s := range says {
					c.Pass(t.Context(), s)
					c.Ended(t.Context(), map[string]string{"t": discovery.Qualify(name, "/a")})
					c.Failed(t.Context(), name, errors.New("away"))
				}
			})
		}
		wg.Wait()
		slices.Sort(want)
		got := strings.Fields(backends(k.text()))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			rt.Errorf("backends %v, want %v", got, want)
		}
	})
}

// What clusters say one after the other has the effect of one that says it all.
func TestSnapshotsOfClustersAreAsGoodAsOneOfAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		said := map[string]map[string]discovery.Service{"": {}, "east": {}}
		for i, cluster := range []string{"", "east"} {
			for j, id := range []string{"/a", "/b"} {
				app := discovery.Qualify(cluster, id)
				said[cluster][app] = hosted(service(app, 10001+2*i+j, 2), "www.example.com")
			}
		}
		one, other := &kernel{refuses: "nonsense"}, &kernel{refuses: "nonsense"}
		several, _ := newCounting(t, both(), one)
		whole, _ := newCounting(t, control.Config{EmptyServiceTimeout: time.Hour}, other)
		defer several.Close()
		defer whole.Close()
		pass := func(cluster string, some ...string) {
			s := everyOne(said[cluster])
			if len(some) > 0 {
				s = about(s, some...)
			}
			s.Cluster = cluster
			several.Pass(t.Context(), s)
		}
		pass("")
		pass("east")
		for range rapid.IntRange(1, 8).Draw(rt, "passes") {
			everything := maps.Clone(said[""])
			maps.Copy(everything, said["east"])
			whole.Pass(t.Context(), everyOne(everything))
			if diff := cmp.Diff(other.text(), one.text()); diff != "" {
				rt.Fatalf("text (-whole +several):\n%s", diff)
			}
			if diff := cmp.Diff(whole.Problems(), several.Problems()); diff != "" {
				rt.Fatalf("problems (-whole +several):\n%s", diff)
			}
			cluster := rapid.SampledFrom([]string{"", "east"}).Draw(rt, "cluster")
			app := discovery.Qualify(cluster, rapid.SampledFrom([]string{"/a", "/b"}).Draw(rt, "app"))
			said[cluster][app] = changedService(rt, said[cluster][app])
			if rapid.Bool().Draw(rt, "all") {
				pass(cluster)
			} else {
				pass(cluster, app)
			}
		}
	})
}
