package marathon_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// lists is a Marathon whose list a test writes. It tells no events by itself.
type lists struct {
	mu     sync.Mutex
	apps   []marathon.App
	asked  []string // for lists: the address that was to be asked last
	answer string   // the master that answers the next list
	hint   func(marathon.Hint)
}

func (l *lists) Apps(ctx context.Context) (marathon.Answer, error) { return l.AppsElsewhere(ctx, "") }

func (l *lists) AppsElsewhere(_ context.Context, last string) (marathon.Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, last)
	return marathon.Answer{Apps: slices.Clone(l.apps), Master: l.answer, Began: time.Now(), Received: time.Now()}, nil
}

func (l *lists) App(_ context.Context, id string, _ uint64) (marathon.Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.apps {
		if a.ID == id {
			return marathon.Answer{Apps: []marathon.App{a}, Master: l.answer, Began: time.Now(), Received: time.Now(), Digest: 1}, nil
		}
	}
	return marathon.Answer{}, marathon.ErrNotFound
}

func (l *lists) Run(ctx context.Context, hint func(marathon.Hint)) error {
	l.mu.Lock()
	l.hint = hint
	l.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (*lists) Status() marathon.StreamStatus { return marathon.StreamStatus{} }

// set writes the list.
func (l *lists) set(apps ...marathon.App) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apps = apps
}

// wanting is an app that wants so many instances and runs those of the given numbers.
func wanting(id string, instances int, numbers ...int) marathon.App {
	a := app(id, ports(10000))
	a.Instances = instances
	for _, n := range numbers {
		task(fmt.Sprintf("%s.%d", id[1:], n), "10.0.0.1", 1000+n)(&a)
	}
	return a
}

// three are three apps of two tasks each.
func three() []marathon.App {
	return []marathon.App{wanting("/a", 2, 1, 2), wanting("/b", 2, 3, 4), wanting("/c", 2, 5, 6)}
}

// brakeScene is a Watcher that follows lists.
type brakeScene struct {
	*lists
	t       *testing.T
	watcher *marathon.Watcher
	served  discovery.Catalog // of all that was handed on
	last    discovery.Snapshot
}

// inBrake runs a test in a bubble in which three apps have been read.
func inBrake(t *testing.T, cfg marathon.WatcherConfig, opts marathon.Options, test func(*brakeScene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &brakeScene{t: t, lists: &lists{apps: three(), answer: "http://m1"}}
		pass := func(_ context.Context, snapshot discovery.Snapshot) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.served.Take(snapshot)
			s.last = snapshot
		}
		failure := func(_ context.Context, err error) { t.Errorf("reading failed: %v", err) }
		s.watcher = marathon.NewWatcher(cfg, s.lists, s.lists, marathon.NewDeriver(opts, agents(), zap.NewNop()), pass, failure, zap.NewNop(), marathon.NewMetrics(nil))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.watcher.Run(ctx) }()
		let(time.Second)
		test(s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// tasks returns the tasks that are served.
func (s *brakeScene) tasks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tasks := []string{}
	for _, service := range s.served.View() {
		for _, e := range service.Endpoints {
			tasks = append(tasks, e.Task)
		}
	}
	return tasks
}

func (s *brakeScene) want(when string, tasks ...string) {
	s.t.Helper()
	if diff := cmp.Diff(append([]string{}, tasks...), s.tasks()); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func all() []string { return []string{"a.1", "a.2", "b.3", "b.4", "c.5", "c.6"} }

// TestWhatAnAnswerMayRemove is the table of docs/operations.md.
func TestWhatAnAnswerMayRemove(t *testing.T) {
	t.Parallel()
	health := everything()
	health.HealthCheck = true
	unhealthy := func(a marathon.App) marathon.App {
		check("HTTP")(&a)
		for i := range a.Tasks {
			a.Tasks[i].Results = marathon.Results{Failing: 1}
		}
		return a
	}
	for name, tt := range map[string]struct {
		opts  marathon.Options
		event *marathon.Hint
		then  []marathon.App
		want  []string
	}{
		"no apps at all":                          {everything(), nil, nil, all()},
		"two of three apps":                       {everything(), nil, three()[:1], all()},
		"one of three apps, which is a third":     {everything(), nil, three()[:2], []string{"a.1", "a.2", "b.3", "b.4"}},
		"all tasks, and the apps want them":       {everything(), nil, []marathon.App{wanting("/a", 2), wanting("/b", 2), wanting("/c", 2)}, all()},
		"two tasks out of three apps":             {everything(), nil, []marathon.App{wanting("/a", 2, 1), wanting("/b", 2, 3), wanting("/c", 2, 5, 6)}, []string{"a.1", "b.3", "c.5", "c.6"}},
		"all tasks, as the apps are suspended":    {everything(), nil, []marathon.App{wanting("/a", 0), wanting("/b", 0), wanting("/c", 0)}, []string{}},
		"four tasks, as the apps are scaled down": {everything(), nil, []marathon.App{wanting("/a", 0), wanting("/b", 1, 3), wanting("/c", 1, 5)}, []string{"b.3", "c.5"}},
		"all tasks, by verdict":                   {health, nil, []marathon.App{unhealthy(three()[0]), unhealthy(three()[1]), unhealthy(three()[2])}, []string{}},
		"all tasks, by label": {everything(), nil, []marathon.App{
			app("/a", unlabelled(), ports(10000), task("a.1", "10.0.0.1", 1001), task("a.2", "10.0.0.1", 1002)),
			app("/b", label("HAPROXY_0_VHOST", "bad\"host"), ports(10000), task("b.3", "10.0.0.1", 1001), task("b.4", "10.0.0.1", 1002)),
			app("/c", ports(), task("c.5", "10.0.0.1", 1001), task("c.6", "10.0.0.1", 1002)),
		}, []string{"a.1", "a.2"}},
		"two apps that are being deleted": {
			everything(), &marathon.Hint{Type: "deployment_success", Apps: []string{"/b", "/c"}, Gone: []string{"/b", "/c"}, Deployment: true}, three()[:1], []string{"a.1", "a.2"},
		},
		"two apps that events were about": {
			everything(), &marathon.Hint{Type: "deployment_success", Apps: []string{"/b", "/c"}, Deployment: true}, three()[:1], all(),
		},
		"the tasks of listed apps of which tasks begin": {
			everything(), &marathon.Hint{Type: "status_update_event", Apps: []string{"/b", "/c"}, All: true}, []marathon.App{three()[0], wanting("/b", 2), wanting("/c", 2)}, all(),
		},
		"all tasks, of which one has ended": {
			everything(), &marathon.Hint{Type: "status_update_event", Apps: []string{"/a"}, Ends: "a.1", All: true},
			[]marathon.App{wanting("/a", 2), wanting("/b", 2), wanting("/c", 2)},
			all()[1:],
		},
		"three tasks, of which one has ended": {
			everything(), &marathon.Hint{Type: "status_update_event", Apps: []string{"/b"}, Ends: "b.4", All: true}, []marathon.App{wanting("/a", 2, 1), wanting("/b", 2, 3), wanting("/c", 2, 5)}, []string{"a.1", "b.3", "c.5"},
		},
		"documents that cannot be read": {everything(), nil, []marathon.App{{ID: "/a", Fault: "odd"}, {ID: "/b", Fault: "odd"}, three()[2]}, all()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBrake(t, marathon.WatcherConfig{}, tt.opts, func(s *brakeScene) {
				if tt.opts.HealthCheck {
					s.want("before", all()...)
				}
				s.set(tt.then...)
				if tt.event != nil {
					s.hint(*tt.event)
				} else {
					s.watcher.Refresh("signal")
				}
				let(2 * time.Second)
				s.want("after the answer", tt.want...)
				held := s.watcher.Status().Held
				if stays := len(tt.want) >= len(all())-1; stays != !held.Since.IsZero() {
					t.Errorf("held %+v", held)
				}
				if held.Since.IsZero() != !slices.ContainsFunc(s.last.Problems, func(p discovery.Problem) bool { return p.Reason == "answer held back" }) {
					t.Errorf("problems %+v", s.last.Problems)
				}
			})
		})
	}
}

func TestWhatIsHeldGoesWhenTheSourceRepeatsItOftenEnough(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]marathon.Mode{"follow": marathon.Follow, "poll": marathon.Poll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBrake(t, marathon.WatcherConfig{Mode: mode, PollInterval: time.Minute}, everything(), func(s *brakeScene) {
				s.set()
				s.watcher.Refresh("signal")
				let(time.Second)
				for range 20 { // haste confirms nothing
					s.watcher.Refresh("signal")
					let(100 * time.Millisecond)
				}
				s.want("after many answers at once", all()...)
				let(25 * time.Second)
				s.want("before the third confirmation", all()...)
				let(10 * time.Second)
				s.want("after the third confirmation")
				if held := s.watcher.Status().Held; !held.Since.IsZero() {
					t.Errorf("held %+v", held)
				}
			})
		})
	}
}

func TestWhatIsHeldIsAskedOfAnotherMaster(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		s.set()
		s.watcher.Refresh("signal")
		let(15 * time.Second)
		if diff := cmp.Diff([]string{"", "", "http://m1"}, s.asked); diff != "" {
			t.Errorf("addresses to ask last (-want +got):\n%s", diff)
		}
	})
}

func TestAHoldEndsWhenTheAppsAreBack(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		s.set()
		s.watcher.Refresh("signal")
		let(time.Second)
		s.set(three()...)
		let(15 * time.Second)
		s.want("afterwards", all()...)
		if held := s.watcher.Status().Held; !held.Since.IsZero() {
			t.Errorf("held %+v", held)
		}
		s.set()
		s.watcher.Refresh("signal")
		let(25 * time.Second)
		s.want("in a new hold, which counts anew", all()...)
	})
}

func TestASourceThatSaysSomethingElseEachTimeConfirmsNothing(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		for i := range 12 {
			s.set(three()[i%3])
			s.watcher.Refresh("signal")
			let(11 * time.Second)
			s.want("while apps come and go", all()...)
		}
	})
}

func TestWhatAHeldAnswerAddsCounts(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		moved := wanting("/c", 3, 7)
		task("c.8", "10.0.0.1", 1005)(&moved) // at the address of c.5
		s.set(moved, wanting("/d", 1, 9))
		s.watcher.Refresh("signal")
		let(time.Second)
		s.want("while held", "a.1", "a.2", "b.3", "b.4", "c.8", "c.6", "c.7", "d.9")
		s.set(wanting("/c", 1, 7), wanting("/d", 1, 9))
		s.hint(updated("/c"))
		let(time.Second)
		s.want("after an event about one of them", "a.1", "a.2", "b.3", "b.4", "c.7", "d.9")
	})
}

func TestAnOperatorReleasesWhatIsHeld(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		if s.watcher.Release() {
			t.Error("something was released without a hold")
		}
		s.set(three()[0])
		s.watcher.Refresh("signal")
		let(time.Second)
		s.set()
		if !s.watcher.Release() {
			t.Error("nothing to release")
		}
		let(time.Second)
		s.want("more is missing than was seen by whom released it", all()...)
		s.watcher.Release()
		let(time.Second)
		s.want("after a release of that")
	})
}

func TestTheFirstAnswerIsComparedWithTheLastGoodState(t *testing.T) {
	t.Parallel()
	d := marathon.NewDeriver(everything(), agents(), zap.NewNop())
	services, _ := d.Derive(t.Context(), three())
	for i := range services { // an app that is there no more
		services[i].App += "x"
		for k := range services[i].Endpoints {
			services[i].Endpoints[k].Task = "x" + services[i].Endpoints[k].Task
			services[i].Endpoints[k].Port += 100
		}
	}
	cfg := marathon.WatcherConfig{LastGood: discovery.LastGood{Read: time.Now(), Source: "http://m9", Services: services}}
	inBrake(t, cfg, everything(), func(s *brakeScene) {
		s.want("after the first answer", "a.1", "a.2", "xa.1", "xa.2", "b.3", "b.4", "xb.3", "xb.4", "c.5", "c.6", "xc.5", "xc.6")
		let(40 * time.Second)
		s.want("after the confirmations", all()...)
	})
}

func TestNoBrakeForTheOnlyReading(t *testing.T) {
	t.Parallel()
	l := &lists{answer: "http://m1"}
	var got discovery.Snapshot
	services, _ := marathon.NewDeriver(everything(), agents(), zap.NewNop()).Derive(t.Context(), three())
	cfg := marathon.WatcherConfig{Mode: marathon.Once, LastGood: discovery.LastGood{Read: time.Now(), Services: services}}
	w := marathon.NewWatcher(cfg, l, nil, marathon.NewDeriver(everything(), agents(), zap.NewNop()),
		func(_ context.Context, s discovery.Snapshot) { got = s }, nil, zap.NewNop(), marathon.NewMetrics(nil))
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got.Services) != 0 {
		t.Errorf("services %+v", got.Services)
	}
}
