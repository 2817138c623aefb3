package faults_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Rows mostly wait: more of them may run than there are processors.
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// row is one fault.
type row struct {
	// name says what goes wrong.
	name string
	// options are those of the cluster; nothing means one master of generation 1.9.
	options marathonsim.Options
	// knows is how many of the masters mlb knows, the last ones; 0 means all.
	knows int
	// resync is the time between two readings of everything. 0 means never: then mlb has
	// to learn of all that happens by itself.
	resync time.Duration
	// begin begins the fault and returns what ends it.
	begin func(t *testing.T, g *rig) (end func())
	// life is what happens in the cluster during the fault; nil means life. It returns how
	// many tasks each app has at last.
	life func(t *testing.T, g *rig) map[string]int
	// noticed reports whether the fault has met with mlb; nil means that a gate says so.
	noticed func(g *rig) bool
	// meanwhile says that HAProxy has to be exact during the fault, too: there is a way
	// around it.
	meanwhile bool
	// named gives the agents names, which have to be resolved.
	named bool
	// visits are the apps that are sent requests; nil means those that lose no task.
	visits []string
}

// ports returns the service ports of all apps that there ever are.
func ports() map[string]int {
	return map[string]int{"/web": 10001, "/api": 10002, "/db": 10003, "/old": 10004, "/new": 10005, "/shop/cart": 10006, "/shop/pay": 10007}
}

// document defines an app.
func document(app string, instances int, more string) string {
	return fmt.Sprintf(`{"id": %q, "cmd": "serve", "instances": %d, "portDefinitions": [{"port": %d}],
		"labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_MODE": "http"},
		"unreachableStrategy": {"inactiveAfterSeconds": 3000, "expungeAfterSeconds": 6000}%s}`, app, instances, ports()[app], more)
}

// checked is what more there is to an app with a health check.
const checked = `, "healthChecks": [{"protocol": "TCP", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1, "maxConsecutiveFailures": 0}]`

// first are the documents of the apps that there are at first, and firstTasks how many
// tasks they have.
func first() []string {
	return []string{
		document("/web", 3, ""), document("/api", 2, ""), document("/db", 1, checked), document("/old", 1, ""),
	}
}

func firstTasks() map[string]int { return map[string]int{"/web": 3, "/api": 2, "/db": 1, "/old": 1} }

// life is what usually happens in the cluster: tasks come, one goes, an app appears, one
// disappears.
func life(t *testing.T, g *rig) map[string]int {
	t.Helper()
	insist(t, func() error { return g.cluster.Scale("/web", 4) })
	insist(t, func() error { return g.cluster.Scale("/api", 1) })
	insist(t, func() error { return g.cluster.Deploy(document("/new", 2, "")) })
	insist(t, func() error { return g.cluster.Delete("/old") })
	tasks := map[string]int{"/web": 4, "/api": 1, "/db": 1, "/old": 0, "/new": 2}
	settled(t, g.cluster, tasks)
	return tasks
}

// settled waits until the apps have so many tasks, all of them ready.
func settled(t *testing.T, c *marathonsim.Cluster, tasks map[string]int) {
	t.Helper()
	for app, n := range tasks {
		simtest.Running(t, c, app, n)
	}
}

// insist does something until it succeeds: nobody takes orders while nobody leads.
func insist(t *testing.T, do func() error) {
	t.Helper()
	eventually(t, "the order is taken", do)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r row) run(t *testing.T) {
	t.Helper()
	g := newRig(t, r)
	exactly := func(when string) {
		t.Helper()
		eventually(t, "haproxy is exact "+when, func() error { return g.exact(t) })
	}
	exactly("at first")
	eventually(t, "mlb follows the events", func() error {
		if s := g.watcher.Status(); !s.Stream.Connected || !s.LastGood.After(s.Stream.LastEvent) {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	g.applier.guard()
	g.failed.Store(0)
	visits := r.visits
	if visits == nil {
		visits = []string{"/web", "/db"}
	}
	visitors := g.visit(t, visits...)
	end := r.begin(t, g)
	happens, noticed := r.life, r.noticed
	if happens == nil {
		happens = life
	}
	if noticed == nil {
		noticed = spoilt
	}
	tasks := happens(t, g)
	eventually(t, "mlb meets with the fault", func() error {
		if !noticed(g) {
			return errors.New("it has not so far")
		}
		return nil
	})
	if r.meanwhile {
		exactly("during the fault")
	}
	end()
	settled(t, g.cluster, tasks)
	exactly("after the fault")
	if lost := g.applier.unguard(); len(lost) > 0 {
		t.Errorf("what was served was lost %d times, first: %s", len(lost), lost[0])
	}
	visitors.lossless(t)
	insist(t, func() error { return g.cluster.Scale("/web", 2) }) // and everything is followed as ever
	settled(t, g.cluster, map[string]int{"/web": 2})
	exactly("at last")
	g.leavesNothing(t)
}

// leavesNothing ends mlb and fails the test if something of it is left.
func (g *rig) leavesNothing(t *testing.T) {
	t.Helper()
	if len(goroutines(t)) == 0 {
		t.Error("no goroutine has the label of the row: nothing would be found afterwards")
	}
	if err := g.end(); err != nil {
		t.Errorf("mlb ended with %v", err)
	}
	within(t, leaving, "nothing is left of mlb", func() error { return g.leaks(t) })
}

// at is the fault of all gates.
func at(f fault) func(t *testing.T, g *rig) (end func()) {
	return func(t *testing.T, g *rig) func() {
		t.Helper()
		for i := range g.gates {
			g.gates[i].set(t, f)
		}
		return func() {
			for i := range g.gates {
				g.gates[i].set(t, fault{})
			}
		}
	}
}

// answering is the fault of all gates that they deal with requests about some paths so.
// Streams are cut, so that mlb has to begin anew.
func answering(about func(path string) bool, how func(x *exchange)) func(t *testing.T, g *rig) (end func()) {
	return at(fault{cut: true, about: about, answer: how})
}

// framing is the fault of all gates that they deal with frames of streams so.
func framing(how func(f *following, frame string)) func(t *testing.T, g *rig) (end func()) {
	return at(fault{frame: how})
}

// spoilt reports whether a gate has spoilt something.
func spoilt(g *rig) bool {
	return slices.ContainsFunc(g.gates, func(g *gate) bool { return g.hits() > 0 })
}

// failing reports whether a reading has failed since the fault began.
func failing(g *rig) bool { return g.failed.Load() > 0 }

// deaf reports whether mlb knows that it hears nothing.
func deaf(g *rig) bool { return !g.watcher.Status().Stream.Connected }

// TestNoFaultOfMarathonTakesWhatIsServed is the table of all faults.
func TestNoFaultOfMarathonTakesWhatIsServed(t *testing.T) {
	if testing.Short() {
		t.Skip("each row runs haproxy")
	}
	t.Parallel()
	rows := slices.Concat(connecting(), heads(), bodyRows(), streams(), between(), masters(), sudden(), lives(), simulated())
	if len(rows) < 40 {
		t.Errorf("%d faults", len(rows))
	}
	names := map[string]bool{}
	for _, r := range rows {
		if names[r.name] {
			t.Errorf("two rows are called %q", r.name)
		}
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.run(t)
		})
	}
}
