package marathon_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

var errDown = errors.New("all masters down")

// puppet is the source, the stream and the deriver of a Watcher in a bubble of its
// own time.
type puppet struct {
	takes time.Duration // of a fetch
	// covers are the apps that may be read one by one, exists those that are there,
	// updates says whether that does.
	covers, exists []string
	broken         []string // cannot be read by themselves
	updates        bool
	listed         int             // how many apps a list has, at least one
	tasks          []marathon.Task // of each app that is read by itself

	mu      sync.Mutex
	fails   int // so many fetches from now on fail
	master  string
	starts  []time.Duration // when each fetch began
	epoch   time.Time
	hint    func(marathon.Hint)
	running bool
	singles []string // that were read
	digest  uint64   // of all that is read one by one, from 1
}

// readSingly returns the apps that were read one by one so far.
func (p *puppet) readSingly() (ids []string) {
	p.set(func() { ids = slices.Clone(p.singles) })
	return ids
}

// change makes the next answer about one app another one.
func (p *puppet) change() { p.set(func() { p.digest++ }) }

func (p *puppet) set(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

func (p *puppet) Covers(apps []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(apps, func(id string) bool { return !slices.Contains(p.covers, id) })
}

func (p *puppet) Update(_ context.Context, apps []marathon.App) ([]discovery.Service, []discovery.Problem, bool) {
	var services []discovery.Service
	for _, a := range apps {
		services = append(services, discovery.Service{App: a.ID})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return services, nil, p.updates
}

func (p *puppet) App(ctx context.Context, id string, known uint64) (marathon.Answer, error) {
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(p.takes / 10):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.singles = append(p.singles, id)
	switch {
	case ctx.Err() != nil:
		return marathon.Answer{}, ctx.Err()
	case p.fails > 0:
		p.fails--
		return marathon.Answer{}, errDown
	case slices.Contains(p.broken, id):
		return marathon.Answer{}, errDown
	case !slices.Contains(p.exists, id):
		return marathon.Answer{}, marathon.ErrNotFound
	}
	a := marathon.Answer{Apps: []marathon.App{{ID: id, Tasks: p.tasks}}, Master: p.master, Began: began, Received: time.Now(), Digest: p.digest}
	if known == p.digest {
		a.Apps = nil
	}
	return a, nil
}

func (p *puppet) Waiting() []string { return nil }

func (p *puppet) Remember([]discovery.Service) {}

func (p *puppet) AppsElsewhere(ctx context.Context, _ string) (marathon.Answer, error) {
	return p.Apps(ctx)
}

func (p *puppet) Apps(ctx context.Context) (marathon.Answer, error) {
	p.mu.Lock()
	if p.running {
		panic("two readings at a time")
	}
	p.running = true
	began := time.Now()
	p.starts = append(p.starts, began.Sub(p.epoch))
	p.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(p.takes):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
	switch {
	case ctx.Err() != nil:
		return marathon.Answer{}, ctx.Err()
	case p.fails > 0:
		p.fails--
		return marathon.Answer{}, errDown
	}
	apps := make([]marathon.App, max(1, p.listed))
	apps[0].ID = "/a"
	for _, id := range p.exists {
		apps = append(apps, marathon.App{ID: id})
	}
	return marathon.Answer{Apps: apps, Master: p.master, Began: began, Received: time.Now()}, nil
}

func (p *puppet) Run(ctx context.Context, hint func(marathon.Hint)) error {
	p.mu.Lock()
	p.hint = hint
	p.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (p *puppet) Status() marathon.StreamStatus {
	return marathon.StreamStatus{Master: "http://leader"}
}

func (p *puppet) Derive(_ context.Context, apps []marathon.App) ([]discovery.Service, []discovery.Problem) {
	return []discovery.Service{{App: apps[0].ID}}, []discovery.Problem{{App: "/bad"}}
}

func (p *puppet) fail(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails = n
}

// began returns when the fetches began, since the start of the test.
func (p *puppet) began() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Duration(nil), p.starts...)
}

// show is a Watcher that runs on a puppet, and what came of it.
type show struct {
	*puppet
	t         *testing.T // of the bubble
	watcher   *marathon.Watcher
	snapshots []discovery.Snapshot // of finished passes; read it after synctest.Wait
	failures  []error
	logs      *observer.ObservedLogs
	passTakes time.Duration
}

// inShow runs a test in a bubble, with a Watcher whose fetches take 100 ms.
func inShow(t *testing.T, cfg marathon.WatcherConfig, prepare, test func(*show)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		s := &show{t: t, puppet: &puppet{digest: 1, takes: 100 * time.Millisecond, master: "http://m1", epoch: time.Now()}, logs: logs}
		if prepare != nil {
			prepare(s)
		}
		pass := func(ctx context.Context, snapshot discovery.Snapshot) {
			select {
			case <-ctx.Done():
			case <-time.After(s.passTakes):
			}
			s.snapshots = append(s.snapshots, snapshot)
		}
		failure := func(_ context.Context, err error) { s.failures = append(s.failures, err) }
		s.watcher = marathon.NewWatcher(cfg, s.puppet, s.puppet, s.puppet, pass, failure, zap.New(core), marathon.NewMetrics(prometheus.NewRegistry()))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.watcher.Run(ctx) }()
		test(s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// let lets time go by, and everything happen that then happens.
func let(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (s *show) triggers() []string {
	var triggers []string
	for _, snapshot := range s.snapshots {
		triggers = append(triggers, snapshot.Trace.Trigger)
	}
	return triggers
}

func TestD12AWatcherReadsAtStartAndAgainWhenTheStreamIsAttached(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, nil, func(s *show) {
		t := s.t
		let(time.Second)
		s.hint(marathon.Hint{Type: "reconnect", All: true})
		let(time.Second)
		if diff := cmp.Diff([]string{"start", "reconnect"}, s.triggers()); diff != "" {
			t.Errorf("passes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Second}, s.began()); diff != "" {
			t.Errorf("fetches (-want +got):\n%s", diff)
		}
	})
}

func TestASnapshotSaysWhereItIsFromAndWhatItTook(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, nil, func(s *show) {
		t := s.t
		let(time.Second)
		hinted := time.Now()
		s.hint(updated("/a"))
		let(time.Second)
		want := discovery.NewSnapshot([]discovery.Service{{App: "/a"}}, []discovery.Problem{{App: "/bad"}})
		want.Source = "http://m1"
		fetched := hinted.Add(100 * time.Millisecond)
		want.Trace = discovery.Trace{Trigger: "status_update_event", Hinted: hinted, Fetched: fetched, Derived: fetched}
		if diff := cmp.Diff(want, s.snapshots[1]); diff != "" {
			t.Errorf("snapshot (-want +got):\n%s", diff)
		}
		status := marathon.Status{Stream: marathon.StreamStatus{Master: "http://leader"}, LastGood: fetched, LastList: fetched, Source: "http://m1"}
		if diff := cmp.Diff(status, s.watcher.Status()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

func TestD15TheFirstHintAfterQuietActsAtOnce(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, nil, func(s *show) {
		t := s.t
		let(time.Second)
		s.hint(updated("/a"))
		synctest.Wait()
		if n := len(s.began()); n != 2 {
			t.Errorf("%d fetches, want the second one without any wait", n)
		}
	})
}

func TestHintsDuringAPassMakeExactlyOneMore(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]time.Duration{"while fetching": 50 * time.Millisecond, "while applying": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inShow(t, marathon.WatcherConfig{}, func(s *show) { s.passTakes = 400 * time.Millisecond }, func(s *show) {
				t := s.t
				let(when)
				for range 1000 {
					s.hint(updated("/a"))
				}
				let(time.Minute)
				// The pass took longer than the rest after its fetch.
				if diff := cmp.Diff([]time.Duration{0, 500 * time.Millisecond}, s.began()); diff != "" {
					t.Errorf("fetches (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAStormOfEventsMakesFewPasses(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, nil, func(s *show) {
		t := s.t
		let(time.Second)
		for range 1000 {
			s.hint(updated("/a"))
			let(time.Millisecond)
		}
		let(10 * time.Second)
		// A fetch of 100 ms and a rest of 100 ms, six times within the second.
		if n := len(s.began()) - 1; n < 2 || n > 7 {
			t.Errorf("%d fetches in a storm of a second", n)
		}
		if last := s.began()[len(s.began())-1]; last < 1999*time.Millisecond {
			t.Errorf("last fetch at %v, before the last event", last)
		}
	})
}

func TestAPassNeverWaitsLongerThanTwoSeconds(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, func(s *show) { s.takes = 10 * time.Second }, func(s *show) {
		t := s.t
		let(5 * time.Second)
		s.hint(updated("/a"))
		let(time.Minute)
		if diff := cmp.Diff([]time.Duration{0, 12 * time.Second}, s.began()); diff != "" {
			t.Errorf("fetches (-want +got):\n%s", diff)
		}
	})
}

func TestEverythingIsReadFromTimeToTime(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{Resync: 300 * time.Second}, nil, func(s *show) {
		t := s.t
		let(100 * time.Second)
		s.hint(updated("/a"))
		let(601 * time.Second)
		if diff := cmp.Diff([]string{"start", "status_update_event", "resync", "resync"}, s.triggers()); diff != "" {
			t.Errorf("passes (-want +got):\n%s", diff)
		}
		at := s.began()
		for i, gap := range []time.Duration{at[2] - at[1], at[3] - at[2]} {
			if gap < 240*time.Second || gap > 300*time.Second {
				t.Errorf("%v until reading %d, want four to five minutes", gap, i)
			}
		}
	})
}

// After a change of the leader many instances read within seconds.
func TestTheTimeBetweenListsVaries(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{Resync: 300 * time.Second}, nil, func(s *show) {
		t := s.t
		let(24 * time.Hour)
		at := s.began()
		shortest, longest := 300*time.Second, time.Duration(0)
		for i := 1; i < len(at); i++ {
			shortest, longest = min(shortest, at[i]-at[i-1]), max(longest, at[i]-at[i-1])
		}
		// Of about 320 lists some come near each end.
		if shortest < 240*time.Second || shortest > 250*time.Second || longest < 290*time.Second || longest > 300*time.Second {
			t.Errorf("from %v to %v between lists, want 240 to 300 s", shortest, longest)
		}
	})
}

func TestAFailedReadingIsTriedAgainLaterAndLater(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, func(s *show) { s.fails = 8 }, func(s *show) {
		t := s.t
		let(10 * time.Minute)
		at := s.began()
		wait := time.Second
		for i := 1; i <= 8; i++ {
			gap := at[i] - at[i-1] - s.takes
			if gap < wait*3/4 || gap > wait*5/4 {
				t.Errorf("wait %d is %v, want about %v", i, gap, wait)
			}
			wait = min(2*wait, 30*time.Second)
		}
		if len(s.failures) != 8 || !errors.Is(s.failures[0], errDown) {
			t.Errorf("failures %v, want 8", s.failures)
		}
		if s.triggers()[0] != "retry" || !s.snapshots[0].Trace.Hinted.Equal(s.epoch) {
			t.Errorf("trace %+v, want a retry of the start", s.snapshots[0].Trace)
		}
		var lines []string
		for _, entry := range s.logs.All() {
			lines = append(lines, entry.Message)
		}
		if diff := cmp.Diff([]string{"apps not read", "apps read again"}, lines); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestWhileReadingsFail(t *testing.T) {
	t.Parallel()
	failing := func(s *show) { s.fails = 100 }
	// After ten minutes the wait has its full length.
	const settled = 10 * time.Minute
	next := func(s *show, act func()) (again bool) {
		let(settled)
		for n := len(s.began()); n == len(s.began()); {
			let(time.Second)
		}
		let(2 * s.takes) // until that one has ended
		n := len(s.began())
		act()
		let(time.Second)
		return len(s.began()) > n
	}
	t.Run("an event waits for the next try", func(t *testing.T) {
		t.Parallel()
		inShow(t, marathon.WatcherConfig{}, failing, func(s *show) {
			t := s.t
			if next(s, func() { s.hint(updated("/a")) }) {
				t.Error("tried at once")
			}
		})
	})
	t.Run("a new connection does not", func(t *testing.T) {
		t.Parallel()
		inShow(t, marathon.WatcherConfig{}, failing, func(s *show) {
			t := s.t
			if !next(s, func() { s.hint(marathon.Hint{Type: "reconnect", All: true}) }) {
				t.Error("not tried at once")
			}
			n := len(s.began())
			let(10 * time.Second)
			if got := len(s.began()); got != n {
				t.Errorf("%d more tries within the wait", got-n)
			}
		})
	})
	t.Run("a signal does not", func(t *testing.T) {
		t.Parallel()
		inShow(t, marathon.WatcherConfig{}, failing, func(s *show) {
			t := s.t
			if !next(s, func() { s.fail(0); s.watcher.Refresh("signal") }) {
				t.Error("not tried at once")
			}
			if got := s.triggers(); len(got) != 1 || got[0] != "signal" {
				t.Errorf("passes %q, want one by the signal", got)
			}
		})
	})
	t.Run("the status says since when and why", func(t *testing.T) {
		t.Parallel()
		inShow(t, marathon.WatcherConfig{}, nil, func(s *show) {
			t := s.t
			let(time.Second)
			s.fail(1)
			s.watcher.Refresh("signal")
			let(500 * time.Millisecond)
			got := s.watcher.Status()
			if !got.Failing || got.Error != errDown.Error() || !got.LastGood.Equal(s.epoch.Add(100*time.Millisecond)) || got.Source != "http://m1" {
				t.Errorf("status %+v", got)
			}
			let(time.Minute)
			if got = s.watcher.Status(); got.Failing || got.Error != "" {
				t.Errorf("status after recovery %+v", got)
			}
		})
	})
}

func TestD20PollingPausesAfterEachPass(t *testing.T) {
	t.Parallel()
	cfg := marathon.WatcherConfig{Mode: marathon.Poll, PollInterval: time.Minute}
	inShow(t, cfg, func(s *show) { s.passTakes, s.fails = 5*time.Second, 1 }, func(s *show) {
		t := s.t
		let(4 * time.Minute)
		s.watcher.Refresh("signal")
		let(time.Second)
		// The first one fails, which does not shorten the pause.
		want := []time.Duration{
			0, 60100 * time.Millisecond, 125200 * time.Millisecond, 190300 * time.Millisecond, 240 * time.Second,
		}
		if diff := cmp.Diff(want, s.began()); diff != "" {
			t.Errorf("fetches (-want +got):\n%s", diff)
		}
		if len(s.failures) != 1 || s.hint != nil {
			t.Errorf("failures %v, want one; a stream was followed: %v", s.failures, s.hint != nil)
		}
	})
}

func TestOnceReadsOnce(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]int{"good": 0, "failed": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &puppet{takes: time.Second, fails: fails, epoch: time.Now()}
				passes := 0
				w := marathon.NewWatcher(marathon.WatcherConfig{Mode: marathon.Once}, p, nil, p,
					func(context.Context, discovery.Snapshot) { passes++ },
					func(context.Context, error) { t.Error("Failure was called") },
					zap.NewNop(), marathon.NewMetrics(nil))
				err := w.Run(t.Context())
				if passes != 1-fails || (fails == 1) != errors.Is(err, errDown) || len(p.began()) != 1 {
					t.Errorf("%d passes in %d fetches, error %v", passes, len(p.began()), err)
				}
			})
		})
	}
}

func TestAWatcherEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]time.Duration{"while fetching": 50 * time.Millisecond, "while applying": 300 * time.Millisecond, "while waiting": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var after *show
			inShow(t, marathon.WatcherConfig{}, func(s *show) { s.passTakes = 400 * time.Millisecond }, func(s *show) {
				after = s
				let(when)
			})
			// What was cut off is no failure.
			if len(after.failures) != 0 || after.logs.FilterLevelExact(zapcore.WarnLevel).Len() != 0 {
				t.Errorf("failures %v", after.failures)
			}
		})
	}
}
