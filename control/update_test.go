package control_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"mlb/control"
	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
)

// counting is a renderer that counts how often it renders everything.
type counting struct {
	*render.Renderer
	whole int
}

func (c *counting) Render(proxies []haproxy.Proxy) render.Text {
	c.whole++
	return c.Renderer.Render(proxies)
}

// applier is what a controller gives its texts to.
type applier interface {
	Apply(ctx context.Context, c haproxy.Config) (apply.Result, error)
	Check(ctx context.Context, c haproxy.Config) ([]apply.Refusal, error)
	StartLast(ctx context.Context) (bool, error)
}

func newCounting(tb testing.TB, cfg control.Config, k applier) (*control.Controller, *counting) {
	tb.Helper()
	r, err := render.New(render.Frame{
		HTTPBind: "*:80", HTTPSBind: "*:443", AppIDBind: "*:9091", StatsBind: "*:9090", MaxConn: 100,
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := &counting{Renderer: r}
	return control.New(cfg, c, k, zap.NewNop(), control.NewMetrics(prometheus.NewRegistry())), c
}

// about limits a snapshot to some apps.
func about(s discovery.Snapshot, apps ...string) discovery.Snapshot {
	mine := func(app string) bool { return slices.Contains(apps, app) }
	services, problems := slices.Clone(s.Services), slices.Clone(s.Problems)
	some := discovery.NewSnapshot(
		slices.DeleteFunc(services, func(s discovery.Service) bool { return !mine(s.App) }),
		slices.DeleteFunc(problems, func(p discovery.Problem) bool { return !mine(p.App) }))
	slices.Sort(apps)
	some.Apps = apps
	return some
}

// A snapshot of some apps has the effect of one of all apps, whatever has changed.
func TestASnapshotOfSomeAppsIsAsGoodAsOneOfAll(t *testing.T) {
	t.Parallel()
	names := []string{"/a", "/b", "/c", "/d"}
	rapid.Check(t, func(rt *rapid.T) {
		// Two names that clean to one, a port that is taken, a template that HAProxy refuses.
		services := map[string]discovery.Service{}
		for i, n := range names {
			services[n] = hosted(service(n, 10001+i, 2), "www.example.com")
		}
		one, other := &kernel{refuses: "nonsense"}, &kernel{refuses: "nonsense"}
		some, _ := newCounting(t, control.Config{EmptyServiceTimeout: time.Hour}, one)
		all, _ := newCounting(t, control.Config{EmptyServiceTimeout: time.Hour}, other)
		defer some.Close()
		defer all.Close()
		some.Pass(t.Context(), everyOne(services))
		all.Pass(t.Context(), everyOne(services))
		for range rapid.IntRange(1, 8).Draw(rt, "passes") {
			changed := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 2, rapid.ID[string]).Draw(rt, "apps")
			for _, n := range changed {
				services[n] = changedService(rt, services[n])
			}
			some.Pass(t.Context(), about(everyOne(services), changed...))
			all.Pass(t.Context(), everyOne(services))
			if diff := cmp.Diff(other.text(), one.text()); diff != "" {
				rt.Fatalf("text (-all +some):\n%s", diff)
			}
			if diff := cmp.Diff(all.Problems(), some.Problems()); diff != "" {
				rt.Fatalf("problems (-all +some):\n%s", diff)
			}
			got, _ := some.Last()
			want, _ := all.Last()
			if got.Services != want.Services || got.Endpoints != want.Endpoints || got.Method != want.Method || got.Error != want.Error {
				rt.Fatalf("record %+v, want %+v", got, want)
			}
		}
	})
}

func everyOne(services map[string]discovery.Service) discovery.Snapshot {
	var list []discovery.Service
	var problems []discovery.Problem
	for app, s := range services {
		if s.Path == "/problem" {
			problems = append(problems, discovery.Problem{App: app, PortIndex: -1, Reason: "odd"})
		}
		s.Endpoints = slices.Clone(s.Endpoints)
		if s.App != "" {
			list = append(list, s)
		}
	}
	return discovery.NewSnapshot(list, problems)
}

func hosted(s discovery.Service, host string) discovery.Service {
	s.Mode, s.Hosts = discovery.ModeHTTP, []string{host}
	return s
}

// changedService is a service after a change as apps see it.
func changedService(t *rapid.T, s discovery.Service) discovery.Service {
	switch rapid.SampledFrom([]string{"tasks", "tasks", "tasks", "none", "path", "port", "template", "good template"}).Draw(t, "change") {
	case "tasks":
		s.Endpoints = nil
		for i := range rapid.IntRange(0, 3).Draw(t, "tasks") {
			s.Endpoints = append(s.Endpoints, discovery.Endpoint{
				Task: "t", Agent: "10.0.0.1", Address: netip.MustParseAddr("10.0.0.1"), Port: 31000 + i,
				State: rapid.SampledFrom([]discovery.EndpointState{discovery.Ready, discovery.Draining}).Draw(t, "state"),
			})
		}
	case "none":
		s.Endpoints = nil
	case "path":
		s.Path = rapid.SampledFrom([]string{"", "/x", "/problem"}).Draw(t, "path")
	case "port":
		s.ServicePort = rapid.SampledFrom([]int{10001, 10002, 10009}).Draw(t, "port")
	case "template":
		s.Overrides = []discovery.Override{{Template: "BACKEND_HEAD", Text: "backend {backend}\n  balance roundrobin\n  option nonsense\n"}}
	case "good template":
		s.Overrides = []discovery.Override{{Template: "BACKEND_HEAD", Text: "backend {backend}\n  balance leastconn\n  mode {mode}\n"}}
	}
	return s
}

// The cost of one change must not grow with the cluster.
func TestTasksThatComeAndGoRenderTheirServiceAlone(t *testing.T) {
	t.Parallel()
	k := &kernel{}
	c, r := newCounting(t, control.Config{EmptyServiceTimeout: time.Hour}, k)
	defer c.Close()
	c.Pass(t.Context(), snapshot(service("/a", 10001, 1), service("/b", 10002, 1)))
	for _, tasks := range []int{2, 1, 0, 3} { // also the last task, and the first one after it
		c.Pass(t.Context(), about(snapshot(service("/a", 10001, tasks)), "/a"))
		if last, _ := c.Last(); last.Endpoints != tasks+1 || last.Services != 2 {
			t.Errorf("record %+v, want %d endpoints", last, tasks+1)
		}
	}
	if r.whole != 1 {
		t.Errorf("everything was rendered %d times", r.whole)
	}
	c.Pass(t.Context(), about(snapshot(service("/a", 10003, 1)), "/a"))
	c.Pass(t.Context(), about(discovery.NewSnapshot(nil, nil), "/b"))
	if last, _ := c.Last(); last.Services != 1 || r.whole != 3 {
		t.Errorf("record %+v, rendered %d times, want 1 service and 3 times", last, r.whole)
	}
}

// A task that ends must not wait for Marathon's answer; the answer has the last word.
func TestATaskThatEndsIsOutOfServiceUntilMarathonSaysOtherwise(t *testing.T) {
	t.Parallel()
	k := &kernel{}
	c, r := newCounting(t, control.Config{EmptyServiceTimeout: time.Hour}, k)
	defer c.Close()
	two := func() discovery.Service {
		s := service("/a", 10001, 2)
		s.Endpoints[0].Task, s.Endpoints[1].Task = "a.1", "a.2"
		return s
	}
	c.Pass(t.Context(), snapshot(two(), service("/b", 10002, 1)))
	servers := func() int { return strings.Count(k.text(), "server 10_0_0_1_") }
	if n := servers(); n != 3 {
		t.Fatalf("%d servers", n)
	}
	c.Ended(t.Context(), map[string]string{"a.1": "/a"})
	if last, _ := c.Last(); servers() != 2 || last.Endpoints != 2 {
		t.Errorf("%d servers, record %+v", servers(), last)
	}
	applied := len(k.texts)
	c.Ended(t.Context(), map[string]string{"a.1": "/a", "a.2": "/b", "t": "/none"})
	if len(k.texts) != applied {
		t.Error("tasks that are not served, or are another app's, change something")
	}
	c.Pass(t.Context(), about(snapshot(two()), "/a"))
	if servers() != 3 || r.whole != 1 {
		t.Errorf("%d servers after Marathon has listed the task again, want 3; rendered %d times", servers(), r.whole)
	}
	c.Ended(t.Context(), map[string]string{"a.1": "/a", "a.2": "/a"})
	if servers() != 3 {
		t.Errorf("%d servers, want 3: the last tasks stay until it is known what takes their place", servers())
	}
}

// Looks at all apps are rare when events name them; the time since the last one is not
// the time without tasks.
func TestD62TheTimeoutOfAnEmptyServiceBeginsWithItsLastTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{}
		c, _ := newCounting(t, control.Config{EmptyServiceTimeout: time.Minute}, k)
		defer c.Close()
		full, empty := snapshot(service("/a", 10001, 1)), snapshot(service("/a", 10001, 0))
		c.Pass(t.Context(), full)
		<-time.After(2 * time.Minute)
		c.Pass(t.Context(), empty)
		if !strings.Contains(k.text(), "backend a_10001") {
			t.Error("removed with its last task")
		}
		<-time.After(2 * time.Minute)
		c.Pass(t.Context(), empty)
		if strings.Contains(k.text(), "backend a_10001") {
			t.Error("never removed")
		}
	})
}
