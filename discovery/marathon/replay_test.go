package marathon_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// A recorded life of a cluster of four generations (deploy, health, scaling, a failing
// check, replacement, delete, another leader), byte for byte and cut anywhere, leads
// after each event to what its answer of that moment says, and to nothing else on the
// way. With --health-check the answer is read with what was known before: Marathon that
// has forgotten a verdict has not changed it (D17).
func TestRecordedLivesAreFollowedFrameByFrame(t *testing.T) {
	t.Parallel()
	gated := everything()
	gated.HealthCheck = true
	for _, generation := range []string{"0.11", "1.3", "1.4", "1.9"} {
		for name, opts := range map[string]marathon.Options{"all tasks": everything(), "healthy tasks": gated} {
			for seed := range uint64(3) {
				t.Run(fmt.Sprintf("%s %s seed %d", generation, name, seed), func(t *testing.T) {
					t.Parallel()
					replay(t, recording(t, generation), opts, seed)
				})
			}
		}
	}
}

// replay plays frames to everything of this package. From seed 1 on some frames follow
// at once, so that readings are under way when the next event comes.
func replay(t *testing.T, frames []frame, opts marathon.Options, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	p := newPlayer(t, frames[0])
	o := oracle{gated: opts.HealthCheck, alive: map[string]bool{}}
	l := newListener(t, p, opts, o.state(t, frames[0].apps))
	for i, f := range frames {
		l.expect(o.state(t, f.apps))
		p.play(t, f, random)
		// Nothing says that a frame of another kind is there, and what comes with it is
		// told by one that follows.
		last := i == len(frames)-1
		if last || (f.Event == "event_stream_attached" && f.Length > 0) || slices.Contains(telling(), f.Event) && (seed == 0 || random.IntN(3) > 0) {
			l.settled(t, fmt.Sprintf("frame %d, %s with %s", i, f.Event, f.APINow))
		}
	}
	if n := metric(t, l.registry, "mlb_events_unreadable_total", ""); n != 0 {
		t.Errorf("%v unreadable events", n)
	}
}

// oracle says what an answer means.
type oracle struct {
	gated bool
	// alive has the last verdict on each task, of all answers so far.
	alive map[string]bool
}

// state is what a deriver that remembers nothing makes of the answer, without the tasks
// whose last verdict is bad or that never had one, if verdicts matter.
func (o oracle) state(t *testing.T, apps []marathon.App) discovery.Snapshot {
	t.Helper()
	s := derive(t, everything(), apps...)
	for _, a := range apps {
		for _, task := range a.Tasks {
			if task.Results.Known() || len(a.HealthChecks) == 0 {
				o.alive[task.ID] = task.Results.Alive > 0 || len(a.HealthChecks) == 0
			}
		}
	}
	for i := range s.Services {
		s.Services[i].Endpoints = slices.DeleteFunc(s.Services[i].Endpoints, func(e discovery.Endpoint) bool { return o.gated && !o.alive[e.Task] })
	}
	return s
}

// telling are the types of events after which a changed answer is to be noticed.
func telling() []string {
	return []string{
		"api_post_event", "health_status_changed_event", "status_update_event", "group_change_success", "app_terminated_event",
		"deployment_info", "deployment_success", "deployment_failed", "instance_changed_event", "instance_health_changed_event",
	}
}

// listener is everything of this package at work, and what it has said.
type listener struct {
	registry *prometheus.Registry

	mu sync.Mutex
	// present is what all snapshots so far say together.
	present discovery.Snapshot
	// allowed are the states that a reading may have found: what the last settled frame
	// led to, and those since. The last is the present one.
	allowed []discovery.Snapshot
	strange []string
}

func newListener(t *testing.T, p *player, opts marathon.Options, first discovery.Snapshot) *listener {
	t.Helper()
	l := &listener{registry: prometheus.NewRegistry(), allowed: []discovery.Snapshot{first}}
	metrics := marathon.NewMetrics(l.registry)
	client, err := marathon.NewClient(quick(), newMasters(t, p.masters[0].url, p.masters[1].url), metrics)
	if err != nil {
		t.Fatal(err)
	}
	stream := marathon.NewStream(marathon.StreamConfig{MinBackoff: 20 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}, client, zap.NewNop(), metrics)
	w := marathon.NewWatcher(marathon.WatcherConfig{Resync: time.Hour, MaxRemoval: 100, Ended: l.ended}, client, stream,
		marathon.NewDeriver(opts, agents(), zap.NewNop()), l.pass, l.failure, zap.NewNop(), metrics)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		client.Close()
		for _, s := range l.strange {
			t.Error(s)
		}
	})
	return l
}

// expect adds a state that a reading may find from now on.
func (l *listener) expect(s discovery.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.allowed = append(l.allowed, s)
}

// settled waits for the state expected last.
func (l *listener) settled(t *testing.T, at string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Errorf("at %s (-want +got):\n%s", at, l.difference())
		}
	}()
	eventually(t, at, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.present.Equal(l.allowed[len(l.allowed)-1]) {
			return false
		}
		l.allowed = l.allowed[len(l.allowed)-1:]
		return true
	})
}

func (l *listener) difference() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Diff(l.allowed[len(l.allowed)-1], l.present,
		cmpopts.EquateEmpty(), cmpopts.EquateComparable(discovery.Endpoint{}), cmpopts.IgnoreFields(discovery.Snapshot{}, "Source", "Trace"))
}

// pass takes in a snapshot as the controller does.
func (l *listener) pass(_ context.Context, s discovery.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Apps != nil {
		s = together(l.present, s)
	}
	s.Source, s.Trace = "", discovery.Trace{}
	l.present = s
	if !slices.ContainsFunc(l.allowed, s.Equal) {
		l.strange = append(l.strange, fmt.Sprintf("a state that no answer led to: %v", routes(s)))
	}
}

// together is a snapshot of all apps with what one of some apps says.
func together(all, some discovery.Snapshot) discovery.Snapshot {
	looked := func(app string) bool { return slices.Contains(some.Apps, app) }
	return discovery.NewSnapshot(
		slices.Concat(some.Services, slices.DeleteFunc(slices.Clone(all.Services), func(s discovery.Service) bool { return looked(s.App) })),
		slices.Concat(some.Problems, slices.DeleteFunc(slices.Clone(all.Problems), func(p discovery.Problem) bool { return looked(p.App) })))
}

// ended is told of tasks that end before the answer is read; none may be served by it.
func (l *listener) ended(_ context.Context, tasks map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.allowed[len(l.allowed)-1].Services {
		for _, e := range s.Endpoints {
			if tasks[e.Task] == s.App {
				l.strange = append(l.strange, "taken out early, but served by the answer: task "+e.Task)
			}
		}
	}
}

// failure notes failed readings: there is always a master that answers.
func (l *listener) failure(_ context.Context, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strange = append(l.strange, "reading failed: "+err.Error())
}
