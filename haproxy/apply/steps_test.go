package apply_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

func TestServersComeDrainAndGoWithoutReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(t, nil)
	a, b := target(t, "a"), target(t, "b")
	for _, c := range []struct {
		what            string
		method          string
		servers         []string
		adds, removes   int
		want, answering []string
	}{
		{"start", apply.MethodStart, []string{a}, 0, 0, []string{"s/a ready"}, []string{"a"}},
		{"add", apply.MethodRuntime, []string{a, b}, 1, 0, []string{"s/a ready", "s/b ready"}, []string{"a", "b"}},
		{"drain", apply.MethodRuntime, []string{a, b + " disabled"}, 0, 1, []string{"s/a ready", "s/b maint"}, []string{"a"}},
		{"nothing new", apply.MethodNone, []string{a, b + " disabled"}, 0, 0, []string{"s/a ready", "s/b maint"}, []string{"a"}},
		{"enable", apply.MethodRuntime, []string{a, b}, 1, 0, []string{"s/a ready", "s/b ready"}, []string{"a", "b"}},
		{"remove", apply.MethodRuntime, []string{b}, 0, 1, []string{"s/b ready"}, []string{"b"}},
		{"replace", apply.MethodRuntime, []string{a}, 1, 1, []string{"s/a ready"}, []string{"a"}},
		{"remove the last", apply.MethodRuntime, nil, 0, 1, nil, []string{"nobody"}},
	} {
		result := r.apply(t, c.method, proxy("s", r.bind, c.servers...))
		if result.Adds != c.adds || result.Removes != c.removes {
			t.Errorf("%s: %d adds, %d removes, want %d and %d", c.what, result.Adds, result.Removes, c.adds, c.removes)
		}
		if diff := cmp.Diff(c.answering, answering(t, r.bind)); diff != "" {
			t.Errorf("%s: who answers (-want +got):\n%s", c.what, diff)
		}
		r.awaitServers(t, c.want...)
	}
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}
}

func TestRemovedServerStaysUntilItsSessionEnds(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, nil)
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	s := open(t, r.bind)
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b))
	if diff := cmp.Diff([]string{"b"}, answering(t, r.bind)); diff != "" {
		t.Errorf("who answers (-want +got):\n%s", diff)
	}
	r.awaitServers(t, "s/a maint", "s/b ready")
	if !s.works() {
		t.Error("the session of the removed server was cut")
	}
	if n := r.Status().Leaving; n != 1 {
		t.Errorf("%d servers are leaving, want 1", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r.awaitServers(t, "s/b ready")
	haproxytest.Eventually(t, "nobody is leaving", func() bool { return r.Status().Leaving == 0 })
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}
}

func TestDrainTimeoutCutsTheSessionsOfARemovedServer(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, func(c *apply.Config) { c.DrainTimeout = 50 * time.Millisecond })
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	s := open(t, r.bind)
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b))
	r.awaitServers(t, "s/b ready")
	if s.works() {
		t.Error("the session goes on")
	}
}

func TestServerThatComesBackWhileItLeaves(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for name, c := range map[string]struct {
		back   string
		method string
	}{
		"the same one cancels its removal":                 {a, apply.MethodRuntime},
		"the same one draining cancels its removal":        {a + " disabled", apply.MethodRuntime},
		"another target under its name takes a reload":     {"a " + b[2:], apply.MethodReload},
		"its target with other options is another server":  {a + " weight 7", apply.MethodReload},
		"another id alone does not make it another server": {a + " id 77", apply.MethodRuntime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serving(t, a, b)
			s := open(t, r.bind)
			for s.server != "a" {
				s = open(t, r.bind)
			}
			r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b))
			result := r.apply(t, c.method, proxy("s", r.bind, c.back, b))
			if c.method == apply.MethodReload && !slices.ContainsFunc(result.Reasons, func(r haproxy.Reason) bool { return r.Code == haproxy.ReasonServerName }) {
				t.Errorf("reasons %+v", result.Reasons)
			}
			if !s.works() {
				t.Error("the session was cut")
			}
			if n := r.Status().Leaving; n != 0 {
				t.Errorf("%d servers are leaving, want none", n)
			}
		})
	}
}

// serving returns a rig that serves two servers.
func serving(t *testing.T, servers ...string) *rig {
	t.Helper()
	r := newRig(t)
	r.run(t, nil)
	r.apply(t, apply.MethodStart, proxy("s", r.bind, servers...))
	return r
}

func TestWeightAndAddressChangeWithoutReload(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := serving(t, "x "+a[2:]+" weight 10")
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, "x "+a[2:]+" weight 20"))
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, "x "+b[2:]+" weight 20"))
	r.awaitAnswers(t, r.bind, "b")
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}
}

func TestServersThatOnlyTheFileCanDescribeAreLeftAlone(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.run(t, nil)
	other := "backend u\n  server sock unix@" + filepath.Join(r.dir, "none.sock") + "\n" +
		"backend n\n  server host localhost:9999\n" +
		"backend r\n  server nores unknown.invalid:80 init-addr none\n" +
		"backend t\n  server-template slot 2 127.0.0.1:80\n"
	want := []string{"n/host ready", "r/nores maint", "s/a ready", "t/slot1 ready", "t/slot2 ready", "u/sock ready"}
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a), other)
	if diff := cmp.Diff(want, r.servers(t)); diff != "" {
		t.Errorf("after the start (-want +got):\n%s", diff)
	}
	r.apply(t, apply.MethodReload, proxy("s", r.bind, a), other, "backend more\n")
	r.apply(t, apply.MethodNone, proxy("s", r.bind, a), other, "backend more\n")
	haproxytest.Eventually(t, "the table is empty", func() bool { return r.Status().Leaving == 0 })
	if diff := cmp.Diff(want, r.servers(t)); diff != "" {
		t.Errorf("after a reload (-want +got):\n%s", diff)
	}
}

func TestStepThatHAProxyDoesNotShowBecomesAReload(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := serving(t, a)
	// Somebody else has taken the name for another address.
	if _, err := r.process.Socket().Execute(t.Context(), []string{"add server s/b 127.0.0.1:1", "set server s/b state ready"}); err != nil {
		t.Fatal(err)
	}
	result := r.apply(t, apply.MethodReload, proxy("s", r.bind, a, b))
	if len(result.Reasons) != 1 || result.Reasons[0].Code != "runtime_unconfirmed" {
		t.Errorf("reasons %+v", result.Reasons)
	}
	r.awaitAnswers(t, r.bind, "a", "b")
}
