package marathon

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery"
)

// mute is a Marathon without apps whose single answers fail, and whose lists do if down
// says so.
type mute struct{ down atomic.Bool }

func (m *mute) Apps(context.Context) (Answer, error) {
	if m.down.Load() {
		return Answer{}, errors.New("down")
	}
	return Answer{Master: "http://m1", Began: time.Now(), Received: time.Now()}, nil
}
func (m *mute) AppsElsewhere(ctx context.Context, _ string) (Answer, error) { return m.Apps(ctx) }
func (*mute) App(context.Context, string, uint64) (Answer, error)           { return Answer{}, errors.New("odd") }

func (*mute) Run(ctx context.Context, _ func(Hint)) error { <-ctx.Done(); return nil }

func (*mute) Status() StreamStatus { return StreamStatus{} }

// oneByOne is a deriver that finds nothing, and has each app read by itself.
type oneByOne struct{}

func (oneByOne) Covers([]string) bool         { return true }
func (oneByOne) Waiting() []string            { return nil }
func (oneByOne) Remember([]discovery.Service) {}
func (oneByOne) Derive(context.Context, []App) ([]discovery.Service, []discovery.Problem) {
	return nil, nil
}

func (oneByOne) Update(context.Context, []App) ([]discovery.Service, []discovery.Problem, bool) {
	return nil, nil, true
}

// wait lets time go by, and everything happen that then happens.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// inSilence runs a test in a bubble, with a Watcher that has read a list.
func inSilence(t *testing.T, test func(*Watcher, *mute)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &mute{}
		w := NewWatcher(WatcherConfig{}, m, m, oneByOne{}, func(context.Context, discovery.Snapshot) {},
			func(context.Context, error) {}, zap.NewNop(), NewMetrics(nil))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		wait(time.Second)
		test(w, m)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// remembered is how much a Watcher has noted of events and apps.
func (w *Watcher) remembered() map[string]int {
	p := w.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	return map[string]int{
		"announced": len(p.announced), "deployed": len(p.deployed), "ahead": len(p.ahead.apps), "batch": len(p.batch.apps),
		"reasons": len(w.fresh.apps) + len(w.fresh.tasks), "digests": len(w.digests), "looks": len(w.looks), "troubled": len(w.troubled),
	}
}

// tell hands a Watcher what Marathon says of a deployment of each of some apps.
func tell(w *Watcher, turn int) {
	for i := range 100 {
		app := fmt.Sprintf("/%d.%d", turn, i)
		w.pending.add(Hint{Type: "deployment_info", Apps: []string{app}, Deployment: true, Ahead: true}, false)
		w.pending.add(Hint{Type: "api_post_event", Apps: []string{app}, Ahead: true}, false)
		w.pending.add(Hint{Type: "status_update_event", Apps: []string{app}, Ends: fmt.Sprintf("%d.%d.1", turn, i), Gone: []string{app}}, false)
	}
	wait(10 * time.Second)
}

func TestAListSettlesWhatIsKnownOfEvents(t *testing.T) {
	t.Parallel()
	inSilence(t, func(w *Watcher, _ *mute) {
		for turn := range 3 {
			tell(w, turn)
		}
		w.Refresh("signal")
		wait(time.Second)
		w.pending.add(Hint{Type: "x", Apps: []string{"/a"}}, false) // one more, read by itself
		wait(w.cfg.Resync + time.Second)                            // a list that no event asks for
		for what, n := range w.remembered() {
			if n != 0 {
				t.Errorf("%d %s after a list", n, what)
			}
		}
	})
}

func TestListsThatFailLeaveNothingOfEvents(t *testing.T) {
	t.Parallel()
	inSilence(t, func(w *Watcher, m *mute) {
		m.down.Store(true)
		for turn := range 20 {
			tell(w, turn)
		}
		wait(2 * w.cfg.MaxRetry)
		for what, n := range w.remembered() {
			if n != 0 {
				t.Errorf("%d %s", n, what)
			}
		}
	})
}

// What is not served cannot be lacking.
func TestReasonsAreKeptOnlyAboutWhatIsServed(t *testing.T) {
	t.Parallel()
	services := []discovery.Service{{App: "/0.1"}, {App: "/g"}, {App: "/x"}}
	for i, id := range []string{"0.1.1", "2.4.0fe9fc8c-6f0f-11e9-8b8d-70b3d5800001", "x.1"} {
		services[i].Endpoints = []discovery.Endpoint{{Task: id}}
	}
	var r reasons
	for i := range 100 {
		r.note(Hint{Gone: []string{fmt.Sprintf("/%d.%d", i%5, i)}, Ends: fmt.Sprintf("0.%d.1", i)})
	}
	r.note(Hint{Gone: []string{"/2.4"}, Ends: "x.1"})
	want := reasons{apps: map[string]struct{}{"/2.4": {}}, tasks: map[string]struct{}{"0.1.1": {}, "x.1": {}}}
	if diff := cmp.Diff(want, r.about(services), cmp.AllowUnexported(reasons{})); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
