package marathon

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
func (*mute) Run(ctx context.Context, _ func(Hint)) error                   { <-ctx.Done(); return nil }
func (*mute) Status() StreamStatus                                          { return StreamStatus{} }

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
		time.Sleep(time.Second)
		synctest.Wait()
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
		"digests": len(w.digests), "looks": len(w.looks), "troubled": len(w.troubled),
	}
}

// tell hands a Watcher what Marathon says of a deployment of each of some apps.
func tell(w *Watcher, turn int) {
	for i := range 100 {
		app := fmt.Sprintf("/%d.%d", turn, i)
		w.pending.add(Hint{Type: "deployment_info", Apps: []string{app}, Deployment: true, Ahead: true}, false)
		w.pending.add(Hint{Type: "api_post_event", Apps: []string{app}, Ahead: true}, false)
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
}

func TestAListSettlesWhatIsKnownOfEvents(t *testing.T) {
	t.Parallel()
	inSilence(t, func(w *Watcher, _ *mute) {
		for turn := range 3 {
			tell(w, turn)
		}
		w.Refresh("signal")
		time.Sleep(time.Second)
		w.pending.add(Hint{Type: "x", Apps: []string{"/a"}}, false) // one more, read by itself
		time.Sleep(w.cfg.Resync + time.Second)                      // a list that no event asks for
		synctest.Wait()
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
		time.Sleep(2 * w.cfg.MaxRetry)
		synctest.Wait()
		for what, n := range w.remembered() {
			if n != 0 {
				t.Errorf("%d %s", n, what)
			}
		}
	})
}
