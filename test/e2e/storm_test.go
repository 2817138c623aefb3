package e2e_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/balancer"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
	"mlb/test/storm"
)

// In a storm of events passes run one at a time, there is one reload in an interval and
// there are three workers at most, and in the end all is as Marathon says. A larger one
// is test/bench/storm.
func TestStormEndsInWhatMarathonSays(t *testing.T) {
	t.Parallel()
	s := storm.New(storm.Options{Apps: 100, Events: 500, Length: 2 * time.Second})
	c := simtest.Start(t, marathonsim.Options{
		Launcher: launcher.InProcess{StopDelay: 100 * time.Millisecond}, Observer: s.Observe,
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*balancer.Deadline)
	defer cancel()
	must(t, s.Deploy(ctx, c))
	b := balancer.New(t, "storm", c.Masters())
	b.Start(t)
	b.WaitReady(t)
	target := storm.Balancer{
		Master: runtime.NewMasterSocket(b.Path("run/master.sock"), zap.NewNop()), Web: b.Host + ":8080", Config: b.Path("haproxy.cfg"),
	}
	must(t, s.Exact(ctx, target))
	w := storm.Watch(ctx, target.Master)
	stop := s.Visit(ctx, target.Web, 4)
	changes, err := s.Run(ctx)
	must(t, err)
	must(t, s.Exact(ctx, target))
	stop()
	seen := w.Stop()
	log, err := os.ReadFile(b.Path("log"))
	must(t, err)
	passes, err := storm.OneAtATime(string(log))
	must(t, err)
	t.Logf("%+v: %d passes, %+v", changes, passes, seen)
	if err := seen.Verdict(time.Second); err != nil { // mlb's --min-reload-interval
		t.Error(err)
	}
}
