package marathon_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// gate are options with --health-check.
func gate() marathon.Options {
	opts := external()
	opts.HealthCheck = true
	return opts
}

// taskIDs returns the tasks of the only service.
func taskIDs(t *testing.T, s discovery.Snapshot) []string {
	t.Helper()
	if len(s.Services) != 1 {
		t.Fatalf("routes %v, want one service", routes(s))
	}
	ids := []string{}
	for _, e := range s.Services[0].Endpoints {
		ids = append(ids, e.Task)
	}
	return ids
}

func TestK17TaskStates(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"TASK_RUNNING": true, "TASK_LOST": true, "TASK_UNREACHABLE": true, "": true, "TASK_OF_TOMORROW": true, // K17
		"TASK_STAGING": false, "TASK_STARTING": false, "TASK_KILLING": false, "TASK_FINISHED": false,
		"TASK_FAILED": false, "TASK_KILLED": false, "TASK_ERROR": false, "TASK_DROPPED": false, "TASK_GONE": false,
		"TASK_GONE_BY_OPERATOR": false, "TASK_UNKNOWN": false,
	}
	for word, want := range tests {
		t.Run("state "+word, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), app("/a", ports(1), task("t", "10.0.0.1", 31000), state(word), results(1, 0)))
			if served := len(taskIDs(t, got)) == 1; served != want || len(got.Problems) > 0 {
				t.Errorf("served = %t, want %t; problems %v", served, want, reasons(got))
			}
		})
	}
}

func TestD18TasksThatCannotBeServed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		task []appOption
		want string
	}{
		"no host (D18)":              {[]appOption{task("bad", "", 31000)}, "bad task"},
		"host that is no name":       {[]appOption{task("bad", "a b\n", 31000)}, "bad task"},
		"ID with a control char":     {[]appOption{task("bad\x00", "10.0.0.9", 31000)}, "bad task"},
		"host that does not resolve": {[]appOption{task("bad", "agent-9", 31000)}, "host name does not resolve"},
		"host that means any":        {[]appOption{task("bad", "0.0.0.0", 31000)}, "host name does not resolve"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), app("/a", append(tt.task, ports(10000), task("good", "10.0.0.1", 31000))...))
			if diff := cmp.Diff([]string{"/a#0:10000 -> 10.0.0.1:31000"}, routes(got)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"/a#-1: " + tt.want}, reasons(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("an overlay task without address is skipped, its host does not help", func(t *testing.T) {
		t.Parallel()
		got := derive(t, external(), app("/a", networks("container"), mapping(80, 10000), task("t", "10.0.0.1", 31000),
			task("u", "10.0.0.1", 31000), at("not-an-address")))
		if diff := cmp.Diff([]string{"/a#0:10000 ->"}, routes(got)); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"/a#-1: task without address", "/a#-1: task without address"}, reasons(got)); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
	t.Run("tasks on one agent that does not resolve are one problem", func(t *testing.T) {
		t.Parallel()
		got := derive(t, external(), app("/a", ports(1), task("t", "agent-9", 1), task("u", "agent-9", 2)))
		if diff := cmp.Diff([]string{"/a#-1: host name does not resolve"}, reasons(got)); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
}

func TestK15HealthGate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opts marathon.Options
		app  []appOption
		want bool
	}{
		"never seen, no result: not served": {gate(), []appOption{check("HTTP")}, false},
		"one result alive":                  {gate(), []appOption{check("HTTP"), results(1, 0)}, true},
		"one result failing":                {gate(), []appOption{check("HTTP"), results(0, 1)}, false},
		"one of two alive is enough (K15)":  {gate(), []appOption{check("HTTP"), check("TCP"), results(1, 1)}, true},
		"COMMAND gates like the others":     {gate(), []appOption{check("COMMAND"), results(0, 1)}, false},
		"an app without checks is served":   {gate(), nil, true},
		"without the flag all are served":   {external(), []appOption{check("HTTP"), results(0, 1)}, true},
		"a null among the checks is none": {
			gate(), []appOption{func(a *marathon.App) { a.HealthChecks = []*marathon.HealthCheck{nil} }}, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := append([]appOption{ports(10000), task("t", "10.0.0.1", 31000)}, tt.app...)
			if served := len(taskIDs(t, derive(t, tt.opts, app("/a", opts...)))) == 1; served != tt.want {
				t.Errorf("served = %t, want %t", served, tt.want)
			}
		})
	}
}

// checked is an app with a health check and the given tasks.
func checked(opts ...appOption) marathon.App {
	return app("/a", append([]appOption{ports(10000), check("HTTP")}, opts...)...)
}

func TestHealthResultsVanishAtLeaderChange(t *testing.T) {
	t.Parallel()
	before := checked(task("up", "10.0.0.1", 1), results(1, 0), task("down", "10.0.0.1", 2), results(0, 1))
	after := checked(task("up", "10.0.0.1", 1), task("down", "10.0.0.1", 2), task("new", "10.0.0.1", 3))
	d := marathon.NewDeriver(gate(), agents(), zap.NewNop())
	for pass, a := range []marathon.App{before, after, after} {
		if diff := cmp.Diff([]string{"up"}, taskIDs(t, snapshot(t, d, a))); diff != "" {
			t.Errorf("pass %d (-want +got):\n%s", pass, diff)
		}
	}
	recovered := checked(task("up", "10.0.0.1", 1), results(0, 1), task("down", "10.0.0.1", 2), results(1, 0))
	if diff := cmp.Diff([]string{"down"}, taskIDs(t, snapshot(t, d, recovered))); diff != "" {
		t.Errorf("a new result beats the memory (-want +got):\n%s", diff)
	}
}

// TestD17EmptyResultsAreUnknown is D17: Marathon 1.6 and later say "not known yet"
// with an empty list.
func TestD17EmptyResultsAreUnknown(t *testing.T) {
	t.Parallel()
	known := readApps(t, "task-states/v1.8.json")
	known = slices.DeleteFunc(known, func(a marathon.App) bool { return a.ID != "/case/running-healthy" })
	opts := gate()
	opts.Groups = []string{"*"}
	d := marathon.NewDeriver(opts, agents(), zap.NewNop())
	want := taskIDs(t, snapshot(t, d, known...))
	known[0].Tasks[0].Results = marathon.Results{}
	if diff := cmp.Diff(want, taskIDs(t, snapshot(t, d, known...))); diff != "" || len(want) != 1 {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}

func TestVerdictMemory(t *testing.T) {
	t.Parallel()
	alive := func(ids ...string) marathon.App {
		a := checked()
		for _, id := range ids {
			task(id, "10.0.0.1", 1)(&a)
			results(1, 0)(&a)
		}
		return a
	}
	t.Run("the least recently listed task is forgotten first", func(t *testing.T) {
		t.Parallel()
		opts := gate()
		opts.VerdictCapacity = 3
		d := marathon.NewDeriver(opts, agents(), zap.NewNop())
		for _, pass := range []marathon.App{alive("a", "b"), alive("b"), alive("c", "d")} {
			snapshot(t, d, pass)
		}
		silent := checked(task("a", "10.0.0.1", 1), task("b", "10.0.0.1", 2), task("c", "10.0.0.1", 3), task("d", "10.0.0.1", 4))
		if diff := cmp.Diff([]string{"b", "c", "d"}, taskIDs(t, snapshot(t, d, silent))); diff != "" {
			t.Errorf("tasks (-want +got):\n%s", diff)
		}
	})
	t.Run("a listed task is never forgotten, whatever the capacity", func(t *testing.T) {
		t.Parallel()
		opts := gate()
		opts.VerdictCapacity = 0
		d := marathon.NewDeriver(opts, agents(), zap.NewNop())
		snapshot(t, d, alive("a", "b", "c"))
		silent := checked(task("a", "10.0.0.1", 1), task("b", "10.0.0.1", 2), task("c", "10.0.0.1", 3))
		if diff := cmp.Diff([]string{"a", "b", "c"}, taskIDs(t, snapshot(t, d, silent))); diff != "" {
			t.Errorf("tasks (-want +got):\n%s", diff)
		}
		snapshot(t, d)
		if diff := cmp.Diff([]string{}, taskIDs(t, snapshot(t, d, silent))); diff != "" {
			t.Errorf("remembered (-want +got):\n%s", diff)
		}
	})
	t.Run("verdicts survive a restart, and new ones beat them", func(t *testing.T) {
		t.Parallel()
		served := snapshot(t, marathon.NewDeriver(gate(), agents(), zap.NewNop()), alive("a", "b")).Services
		d := marathon.NewDeriver(gate(), agents(), zap.NewNop())
		d.Remember(served)
		pass := checked(task("a", "10.0.0.1", 1), task("b", "10.0.0.1", 2), results(0, 1))
		if diff := cmp.Diff([]string{"a"}, taskIDs(t, snapshot(t, d, pass))); diff != "" {
			t.Errorf("tasks (-want +got):\n%s", diff)
		}
		d.Remember(served)
		if diff := cmp.Diff([]string{"a"}, taskIDs(t, snapshot(t, d, pass))); diff != "" {
			t.Errorf("tasks after a late restore (-want +got):\n%s", diff)
		}
	})
}

func TestOwnHealthCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		checks []appOption
		want   []string // protocol of the check of port 0 and port 1
	}{
		"no checks":                           {nil, []string{"", ""}},
		"by port index":                       {[]appOption{check("TCP", portIndex(1))}, []string{"", "TCP"}},
		"a fixed port applies to every port":  {[]appOption{check("HTTP", fixedPort(99))}, []string{"HTTP", "HTTP"}},
		"the first that applies":              {[]appOption{check("TCP", portIndex(0)), check("HTTP", fixedPort(9))}, []string{"TCP", "HTTP"}},
		"port wins over an index of another":  {[]appOption{check("HTTP", fixedPort(9), portIndex(1))}, []string{"HTTP", "HTTP"}},
		"COMMAND has neither":                 {[]appOption{check("COMMAND")}, []string{"", ""}},
		"an index out of range is nobody's":   {[]appOption{check("HTTP", portIndex(7))}, []string{"", ""}},
		"MESOS_HTTP is kept under its name":   {[]appOption{check("MESOS_HTTP", portIndex(0))}, []string{"MESOS_HTTP", ""}},
		"two checks, one for each":            {[]appOption{check("HTTP", portIndex(0)), check("TCP", portIndex(1))}, []string{"HTTP", "TCP"}},
		"a fixed port of 0 is no fixed port ": {[]appOption{check("HTTP", fixedPort(0))}, []string{"", ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), app("/a", append(tt.checks, ports(10000, 10001))...))
			protocols := []string{got.Services[0].HealthCheck.Protocol, got.Services[1].HealthCheck.Protocol}
			if diff := cmp.Diff(tt.want, protocols); diff != "" {
				t.Errorf("protocols (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHealthCheckFields(t *testing.T) {
	t.Parallel()
	got := derive(t, external(), app("/a", ports(10000), check("HTTP", portIndex(0), func(h *marathon.HealthCheck) {
		h.Path, h.GracePeriodSeconds, h.IntervalSeconds, h.TimeoutSeconds, h.MaxConsecutiveFailures = "/h?x={1}&é", 1, 2, 3, 0
	})))
	want := discovery.HealthCheck{
		Protocol: "HTTP", Path: "/h?x={1}&é", GracePeriodSeconds: 1, IntervalSeconds: 2, TimeoutSeconds: 3,
	}
	if diff := cmp.Diff(want, got.Services[0].HealthCheck); diff != "" {
		t.Errorf("check (-want +got):\n%s", diff)
	}
	got = derive(t, external(), app("/a", ports(10000), check("TCP", fixedPort(9)), check("HTTP", portIndex(0))))
	if c := got.Services[0].HealthCheck; c.PortIndex != -1 || c.Port != 9 {
		t.Errorf("check %+v, want port 9 without index", c)
	}
	got = derive(t, external(), app("/a", ports(10000), check("TCP", portIndex(0), func(h *marathon.HealthCheck) { h.Path = "" })))
	if c := got.Services[0].HealthCheck; c.Path != "/" {
		t.Errorf("path %q, want /", c.Path)
	}
}

func TestAHealthCheckThatHAProxyCannotRepeatCostsTheService(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*marathon.HealthCheck){
		"path with line break":    func(h *marathon.HealthCheck) { h.Path = "/\nglobal" },
		"path with blank":         func(h *marathon.HealthCheck) { h.Path = "/a b" },
		"path with comment":       func(h *marathon.HealthCheck) { h.Path = "/#" },
		"path with quote":         func(h *marathon.HealthCheck) { h.Path = `/"` },
		"path with U+2028":        func(h *marathon.HealthCheck) { h.Path = "/\u2028" },
		"protocol that is a text": func(h *marathon.HealthCheck) { h.Protocol = "HTTP\n" },
		"no time between checks":  func(h *marathon.HealthCheck) { h.IntervalSeconds = 0 },
		"time beyond HAProxy's":   func(h *marathon.HealthCheck) { h.TimeoutSeconds = 1 << 31 },
		"negative grace period":   func(h *marathon.HealthCheck) { h.GracePeriodSeconds = -1 },
		"negative failures":       func(h *marathon.HealthCheck) { h.MaxConsecutiveFailures = -1 },
		"port out of range":       func(h *marathon.HealthCheck) { h.Port = 65536 },
		"negative port":           func(h *marathon.HealthCheck) { h.Port = -9 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), app("/a", ports(10000, 10001), check("HTTP", portIndex(1), change)), app("/b", ports(1)))
			want := []string{"/a#0:10000 ->", "/b#0:1 ->"}
			if name == "port out of range" || name == "negative port" { // it is every port's check
				want = want[1:]
			}
			if diff := cmp.Diff(want, routes(got)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if got.Problems[len(got.Problems)-1].Reason != "bad health check" {
				t.Errorf("problems %v", reasons(got))
			}
		})
	}
}
