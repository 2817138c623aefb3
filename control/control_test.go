package control_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"mlb/control"
	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kernel stands for HAProxy and the kernel: it takes every text but those that
// hold a line it refuses or a bind that somebody else has.
type kernel struct {
	refuses string
	taken   string
	down    error
	last    bool // there is a last good configuration
	mute    bool // refusals name no line
	checks  int
	texts   []string
	started int
	method  string
	// runtime, reload and waits are how long the parts of an Apply take.
	runtime, reload, waits time.Duration
}

// Check gives the verdict alone.
func (k *kernel) Check(_ context.Context, d haproxy.Config) ([]apply.Refusal, error) {
	k.checks++
	return k.refusals(d), k.down
}

func (k *kernel) refusals(d haproxy.Config) []apply.Refusal {
	var out []apply.Refusal
	for i, line := range strings.Split(d.Text(), "\n") {
		if k.refuses == "" || !strings.Contains(line, k.refuses) {
			continue
		}
		r := apply.Refusal{Line: i + 1, Message: "unknown keyword"}
		if k.mute {
			r.Line = 0
		}
		out = append(out, r)
	}
	return out
}

func (k *kernel) Apply(_ context.Context, d haproxy.Config) (apply.Result, error) {
	k.texts = append(k.texts, d.Text())
	if k.down != nil {
		return apply.Result{Method: apply.MethodFailed}, k.down
	}
	r := apply.Result{Method: k.methodOrReload(), Refused: k.refusals(d), Runtime: k.runtime, Reload: k.reload}
	<-time.After(k.runtime + k.reload + k.waits)
	for line := range strings.Lines(d.Text()) {
		if k.taken != "" && strings.Contains(line, "bind "+k.taken) {
			r.Taken = append(r.Taken, k.taken)
		}
	}
	if len(r.Refused)+len(r.Taken) > 0 {
		r.Method = apply.MethodFailed
		return r, errors.New("refused or taken")
	}
	return r, nil
}

func (k *kernel) methodOrReload() string {
	if k.method != "" {
		return k.method
	}
	return apply.MethodReload
}

func (k *kernel) StartLast(context.Context) (bool, error) {
	k.started++
	return k.last, k.down
}

func (k *kernel) text() string { return k.texts[len(k.texts)-1] }

func service(app string, port, tasks int) discovery.Service {
	s := discovery.Service{App: app, ServicePort: port, Mode: discovery.ModeTCP, Balance: "roundrobin"}
	for i := range tasks {
		s.Endpoints = append(s.Endpoints, discovery.Endpoint{
			Task: "t", Agent: "10.0.0.1", Address: netip.MustParseAddr("10.0.0.1"), Port: 31000 + i, State: discovery.Ready,
		})
	}
	return s
}

func snapshot(services ...discovery.Service) discovery.Snapshot {
	return discovery.NewSnapshot(services, nil)
}

func newController(t *testing.T, cfg control.Config, k *kernel) *control.Controller {
	t.Helper()
	c, _ := newMeasured(t, cfg, k)
	return c
}

// newMeasured is newController with the registry of its metrics.
func newMeasured(t *testing.T, cfg control.Config, k *kernel) (*control.Controller, *prometheus.Registry) {
	t.Helper()
	r, err := render.New(render.Frame{
		HTTPBind: "*:80", HTTPSBind: "*:443", AppIDBind: "*:9091", StatsBind: "*:9090", MaxConn: 100,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	c := control.New(cfg, r, k, zap.NewNop(), control.NewMetrics(reg))
	t.Cleanup(c.Close)
	return c, reg
}

func apps(problems []discovery.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.App+": "+p.Reason)
	}
	return out
}

func TestARefusedLineCostsItsAppAlone(t *testing.T) {
	t.Parallel()
	k := &kernel{refuses: "bad_10002"}
	c := newController(t, control.Config{}, k)
	c.Pass(t.Context(), snapshot(service("/a", 10001, 1), service("/bad", 10002, 1), service("/c", 10003, 1)))
	if text := k.text(); strings.Contains(text, "bad_10002") || !strings.Contains(text, "a_10001") || !strings.Contains(text, "c_10003") {
		t.Errorf("text of the last round:\n%s", text)
	}
	if diff := cmp.Diff([]string{"/bad: refused by haproxy"}, apps(c.Problems())); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}

	// The verdict stands while the app changes in its tasks only, and needs no
	// further attempt; it is lifted when the app changes.
	before := len(k.texts)
	c.Pass(t.Context(), snapshot(service("/a", 10001, 2), service("/bad", 10002, 3)))
	if got := len(k.texts) - before; got != 1 {
		t.Errorf("%d attempts for a pass with a known verdict, want 1", got)
	}
	c.Pass(t.Context(), snapshot(service("/bad", 10005, 1)))
	if !strings.Contains(k.text(), "bad_10005") || len(c.Problems()) != 0 {
		t.Errorf("app is still set aside after it changed: %v", c.Problems())
	}
}

func TestARefusalThatNamesNoAppKeepsTheLastState(t *testing.T) {
	t.Parallel()
	k := &kernel{refuses: "maxconn"}
	c := newController(t, control.Config{}, k)
	c.Pass(t.Context(), snapshot(service("/a", 10001, 1)))
	if last, ok := c.Last(); !ok || last.Error == "" {
		t.Errorf("record %+v, want an error", last)
	}
	if len(k.texts) != 1 {
		t.Errorf("%d attempts, want 1", len(k.texts))
	}
}

func TestD48AnAppIsFoundWithoutBeingNamed(t *testing.T) {
	t.Parallel()
	k := &kernel{refuses: "backend bad", mute: true}
	c := newController(t, control.Config{}, k)
	var services []discovery.Service
	for i := range 100 {
		services = append(services, service(fmt.Sprintf("/app-%d", i), 10001+i, 1))
	}
	services = append(services, service("/bad", 11000, 1), service("/bad-too", 11001, 1))
	c.Pass(t.Context(), snapshot(services...))
	if diff := cmp.Diff([]string{"/bad: refused by haproxy", "/bad-too: refused by haproxy"}, apps(c.Problems())); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if last, _ := c.Last(); last.Error != "" || !strings.Contains(k.text(), "app-99") {
		t.Errorf("record %+v", last)
	}
	if k.checks > 2*9 { // 2 and the digits of 102, for each of two
		t.Errorf("%d checks", k.checks)
	}
}

func TestD48VerdictIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{refuses: "bad_10002"}
		retries := 0
		c := newController(t, control.Config{Retry: func() { retries++ }}, k)
		s := snapshot(service("/a", 10001, 1), service("/bad", 10002, 1))
		c.Pass(t.Context(), s)
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if retries != 1 {
			t.Fatalf("%d retries asked for, want 1", retries)
		}
		c.Pass(t.Context(), s)
		if diff := cmp.Diff([]string{"/bad: refused by haproxy"}, apps(c.Problems())); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
		k.refuses = "" // what was missing is there
		<-time.After(10 * time.Minute)
		c.Pass(t.Context(), s)
		if !strings.Contains(k.text(), "bad_10002") || len(c.Problems()) != 0 {
			t.Errorf("app is still set aside: %v", c.Problems())
		}
	})
}

func TestWithoutCleanupARefusedTextIsDroppedAsAWhole(t *testing.T) {
	t.Parallel()
	k := &kernel{refuses: "bad_10002"}
	c := newController(t, control.Config{SkipCleanup: true}, k)
	c.Pass(t.Context(), snapshot(service("/a", 10001, 1), service("/bad", 10002, 1)))
	if last, ok := c.Last(); !ok || last.Error == "" || len(c.Problems()) != 0 || len(k.texts) != 1 {
		t.Errorf("record %+v, problems %v, %d attempts", last, c.Problems(), len(k.texts))
	}
}

func TestAHeldPortCostsTheFrontendAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{taken: "*:10001"}
		retries := 0
		c := newController(t, control.Config{Retry: func() { retries++ }}, k)
		s := snapshot(service("/a", 10001, 1), service("/b", 10002, 1))
		c.Pass(t.Context(), s)
		text := k.text()
		if strings.Contains(text, "bind *:10001") || !strings.Contains(text, "backend a_10001") || !strings.Contains(text, "bind *:10002") {
			t.Errorf("text of the last round:\n%s", text)
		}
		if diff := cmp.Diff([]string{"/a: service port taken"}, apps(c.Problems())); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
		// It is tried again by itself.
		k.taken = ""
		<-time.After(time.Minute)
		synctest.Wait()
		if retries != 1 {
			t.Fatalf("%d retries asked for, want 1", retries)
		}
		c.Pass(t.Context(), s)
		if !strings.Contains(k.text(), "bind *:10001") || len(c.Problems()) != 0 {
			t.Errorf("port is not bound after it became free: %v", c.Problems())
		}
	})
}

// D62: the last task's end and the first one's start are no reload.
func TestD62AServiceKeepsItsSectionForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{}
		c := newController(t, control.Config{EmptyServiceTimeout: 10 * time.Minute}, k)
		served := func() bool { return strings.Contains(k.text(), "backend a_10001") }
		c.Pass(t.Context(), snapshot(service("/a", 10001, 0)))
		if served() {
			t.Error("a service that never had a task is rendered")
		}
		c.Pass(t.Context(), snapshot(service("/a", 10001, 1)))
		<-time.After(9 * time.Minute)
		c.Pass(t.Context(), snapshot(service("/a", 10001, 0)))
		if !served() {
			t.Error("the section went with the last task")
		}
		<-time.After(10 * time.Minute)
		c.Pass(t.Context(), snapshot(service("/a", 10001, 0)))
		if served() {
			t.Error("the section is still there after the time")
		}
		c.Pass(t.Context(), snapshot(service("/a", 10001, 1)))
		c.Pass(t.Context(), snapshot())
		if served() {
			t.Error("the section outlived its app")
		}
	})
}

func TestWithoutMarathonTheLastGoodConfigurationIsStarted(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]bool{"there is one": true, "there is none": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &kernel{last: last}
			c := newController(t, control.Config{}, k)
			c.Failed(t.Context(), "", errors.New("no master"))
			c.Failed(t.Context(), "", errors.New("no master"))
			want := 1 // heads only
			if last {
				want = 0
			}
			if k.started != 1 || len(k.texts) != want {
				t.Errorf("started %d times, %d texts; want once, %d", k.started, len(k.texts), want)
			}
		})
	}
}

func TestOperationalErrorsAreRecorded(t *testing.T) {
	t.Parallel()
	k := &kernel{down: errors.New("disk full")}
	c := newController(t, control.Config{}, k)
	c.Pass(t.Context(), snapshot(service("/a", 10001, 1)))
	if last, _ := c.Last(); last.Error != "disk full" {
		t.Errorf("error %q, want that of the disk", last.Error)
	}
	k.down = nil
	c.Pass(t.Context(), snapshot(service("/a", 10001, 1)))
	if last, _ := c.Last(); last.Error != "" || last.Services != 1 || last.Endpoints != 1 {
		t.Errorf("record %+v, want a good one", last)
	}
	if n := len(c.Records()); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

// The hops of a pass add up to its lag.
func TestHopsOfAPassAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{runtime: 300 * time.Millisecond, reload: 4 * time.Second, waits: 50 * time.Millisecond}
		c, reg := newMeasured(t, control.Config{}, k)
		s := snapshot(service("/a", 10001, 1))
		hinted := time.Now()
		<-time.After(90 * time.Millisecond)
		s.Trace = discovery.Trace{
			Trigger: "status_update_event", Hinted: hinted,
			Fetched: hinted.Add(70 * time.Millisecond), Derived: hinted.Add(90 * time.Millisecond),
		}
		c.Pass(t.Context(), s)
		want := map[string]float64{
			"mlb_pass_hop_seconds fetch": 0.07, "mlb_pass_hop_seconds derive": 0.02, "mlb_pass_hop_seconds render": 0,
			"mlb_pass_hop_seconds diff": 0.05, "mlb_pass_hop_seconds runtime": 0.3, "mlb_pass_hop_seconds reload": 4,
			"mlb_apply_lag_seconds": 4.44, "mlb_passes_total reload status_update_event": 1,
		}
		same := cmpopts.EquateApprox(0, 1e-9)
		if diff := cmp.Diff(want, figures(t, reg), same); diff != "" {
			t.Errorf("figures (-want +got):\n%s", diff)
		}

		// A start is not a comparison.
		k.method, k.runtime, k.reload, k.waits = apply.MethodStart, 0, 0, time.Second
		s.Trace = discovery.Trace{Trigger: "start"}
		c.Pass(t.Context(), s)
		want["mlb_pass_hop_seconds start"], want["mlb_passes_total start start"] = 1, 1
		if diff := cmp.Diff(want, figures(t, reg), same); diff != "" {
			t.Errorf("figures after a start (-want +got):\n%s", diff)
		}

		// A failed pass counts, has no lag, and hops that did not take place have no time.
		k.down, k.waits = errors.New("disk full"), 0
		s.Trace = discovery.Trace{Trigger: "retry"}
		c.Pass(t.Context(), s)
		want["mlb_passes_total failed retry"] = 1
		if diff := cmp.Diff(want, figures(t, reg), same); diff != "" {
			t.Errorf("figures after a failure (-want +got):\n%s", diff)
		}
	})
}

// figures returns the sums of the histograms and the values of the counters of passes,
// by name and labels.
func figures(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				name = append(name, l.GetValue())
			}
			switch {
			case m.GetHistogram() != nil:
				out[strings.Join(name, " ")] = m.GetHistogram().GetSampleSum()
			case m.GetCounter() != nil:
				out[strings.Join(name, " ")] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

func TestOldRecordsAreForgotten(t *testing.T) {
	t.Parallel()
	c := newController(t, control.Config{Claims: haproxy.Claims{}}, &kernel{})
	for range 150 {
		c.Pass(t.Context(), snapshot())
	}
	if n := len(c.Records()); n > 100 {
		t.Errorf("%d records kept", n)
	}
	if !slices.IsSortedFunc(c.Records(), func(a, b control.Record) int { return a.Applied.Compare(b.Applied) }) {
		t.Error("records are not in order")
	}
}
