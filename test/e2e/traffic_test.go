package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
)

// answerers returns who answers n requests, sorted and each once: task ids, and for
// answers of nobody the status or the error.
func answerers(ctx context.Context, r balancer.Request, n int) []string {
	var found []string
	for range n {
		found = append(found, answerer(ctx, r))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// answerer is answerers for one request.
func answerer(ctx context.Context, r balancer.Request) string {
	a, err := r.Send(ctx)
	if err != nil {
		return "error: " + err.Error()
	}
	return cmp.Or(a.Task, status(a))
}

// status is an answer's status with its text.
func status(a balancer.Answer) string {
	return fmt.Sprintf("%d %s", a.Code, http.StatusText(a.Code))
}

// exactly waits until those that answer the request are exactly the tasks that
// Marathon calls ready, n of them.
func exactly(t *testing.T, c *marathonsim.Cluster, app string, n int, r balancer.Request) {
	t.Helper()
	begin := time.Now()
	balancer.Eventually(t, fmt.Sprintf("exactly the %d tasks of %s answer at %s %s", n, app, r.URL, r.Host), func() error {
		var want []string
		for _, task := range c.Ready(app) {
			want = append(want, task.ID)
		}
		slices.Sort(want)
		if len(want) != n {
			return fmt.Errorf("%d tasks are ready", len(want))
		}
		got := answerers(t.Context(), r, 3*n)
		if diff := gocmp.Diff(want, got); diff != "" {
			return fmt.Errorf("tasks (-want +got):\n%s", diff)
		}
		return nil
	})
	t.Logf("%d tasks of %s after %s", n, app, time.Since(begin).Round(time.Millisecond))
}

// closed waits until nobody answers the request: the port is closed, or HAProxy itself
// answers 503.
func closed(t *testing.T, r balancer.Request) {
	t.Helper()
	balancer.Eventually(t, "nobody answers at "+r.URL+" "+r.Host, func() error {
		got := answerer(t.Context(), r)
		if strings.HasPrefix(got, "503 ") || strings.Contains(got, "connection refused") {
			return nil
		}
		return errors.New(got)
	})
}

// traffic is clients that send one request after the other and count.
type traffic struct {
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex // guards what several clients count
	requests int
	failures []string
	slowest  time.Duration
}

// newTraffic starts two clients, one that keeps its connection and one that does not.
// They end with the test at the latest.
func newTraffic(t *testing.T, r balancer.Request) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	f := &traffic{stop: stop}
	for _, once := range []bool{true, false} {
		client := &http.Transport{DisableKeepAlives: once, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
		f.wg.Go(func() {
			defer client.CloseIdleConnections()
			f.run(ctx, client, r)
		})
	}
	t.Cleanup(func() {
		stop()
		f.wg.Wait()
	})
	return f
}

func (f *traffic) run(ctx context.Context, client *http.Transport, r balancer.Request) {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		begin := time.Now()
		// A request that was begun is finished.
		a, err := r.SendBy(context.WithoutCancel(ctx), client)
		f.note(begin, a, err)
	}
}

func (f *traffic) note(begin time.Time, a balancer.Answer, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	f.slowest = max(f.slowest, time.Since(begin))
	switch {
	case err != nil:
		f.failures = append(f.failures, fmt.Sprintf("%s after %s: %v", begin.Format("15:04:05.000"), time.Since(begin), err))
	case a.Code != http.StatusOK:
		f.failures = append(f.failures, fmt.Sprintf("%s: %s %.100q", begin.Format("15:04:05.000"), status(a), a.Body))
	}
}

// served returns how many requests have been answered so far.
func (f *traffic) served() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests - len(f.failures)
}

// lossless ends the clients and fails the test if one request failed.
func (f *traffic) lossless(t *testing.T) {
	t.Helper()
	f.stop()
	f.wg.Wait()
	t.Logf("%d requests, %d failed, slowest %s", f.requests, len(f.failures), f.slowest.Round(time.Millisecond))
	if len(f.failures) > 0 {
		t.Errorf("%d of %d requests failed: %q", len(f.failures), f.requests, f.failures[:min(5, len(f.failures))])
	}
	if f.requests == 0 {
		t.Error("no request was sent")
	}
}
