package marathon_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"mlb/discovery/marathon"
)

// TestTheWaitBetweenConnections counts connections over a long time, which passes
// only while nothing is on the wire.
func TestTheWaitBetweenConnections(t *testing.T) {
	t.Parallel()
	empty, err := os.ReadFile(filepath.Join("testdata", "events", "accepted-then-closed-v1.9.raw"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name          string
		answer        wire
		maxBackoff    time.Duration
		over          time.Duration
		least, utmost int
	}{
		// Ten waits that grow to 75 s on average take about 2 minutes, the other
		// 58 minutes hold about 23 of 150 s.
		{"grows while Marathon accepts and closes", says(string(empty)), 0, time.Hour, 20, 70},
		{"grows while Marathon refuses", answers(http.StatusServiceUnavailable, "", ""), 0, time.Hour, 20, 70},
		{"grows no further than it may", answers(http.StatusServiceUnavailable, "", ""), 10 * time.Second, time.Hour, 500, 1000},
		{"may not even reach its first limit", answers(http.StatusServiceUnavailable, "", ""), 200 * time.Millisecond, time.Minute, 400, 900},
		{"is short after a connection that was alive", says(streamHead + attached()), 0, 5 * time.Minute, 130, 300},
		{"is short after a heartbeat", says(streamHead + "\r\n"), 0, 5 * time.Minute, 130, 300},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, tt.answer)
			synctest.Test(t, func(t *testing.T) {
				metrics := marathon.NewMetrics(nil)
				c, err := marathon.NewClient(marathon.ClientConfig{Proxy: direct}, newMasters(t, m.url), metrics)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), tt.over)
				defer cancel()
				s := marathon.NewStream(marathon.StreamConfig{MaxBackoff: tt.maxBackoff}, c, zap.NewNop(), metrics)
				if err := s.Run(ctx, func(marathon.Hint) {}); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
			if n := m.count("/v2/events"); n < tt.least || n > tt.utmost {
				t.Errorf("%d connections in %v, want %d to %d", n, tt.over, tt.least, tt.utmost)
			}
		})
	}
}

// Every instance reads everything when it is attached again, and all lose their streams at
// the same moment when the leader changes. They come back over three seconds, and none
// waits any longer.
func TestInstancesComeBackOneByOneAfterACommonLoss(t *testing.T) {
	t.Parallel()
	const instances = 60
	m := newMaster(t, says(streamHead+attached()))
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		second := make(chan time.Duration, instances) // when each was attached the second time
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var running sync.WaitGroup
		for range instances {
			metrics := marathon.NewMetrics(nil)
			c, err := marathon.NewClient(marathon.ClientConfig{Proxy: direct}, newMasters(t, m.url), metrics)
			if err != nil {
				t.Fatal(err)
			}
			s := marathon.NewStream(marathon.StreamConfig{}, c, zap.NewNop(), metrics)
			running.Go(func() {
				defer c.Close()
				times := 0
				_ = s.Run(ctx, func(h marathon.Hint) {
					if times++; times == 2 {
						second <- time.Since(began)
					}
				})
			})
		}
		running.Wait()
		if len(second) != instances {
			t.Errorf("%d of %d instances came back within three seconds", len(second), instances)
		}
		var thirds [3]int
		for range len(second) {
			thirds[int((<-second)/time.Second)]++
		}
		for i, n := range thirds {
			if n < 4 {
				t.Errorf("%d instances came back in second %d, want a third of %d", n, i+1, instances)
			}
		}
	})
}
