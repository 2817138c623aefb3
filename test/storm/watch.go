package storm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"mlb/haproxy/runtime"
)

// Seen is what was seen of HAProxy's processes.
type Seen struct {
	// Workers is the most there were at one time.
	Workers int
	// Reloads is how often the master loaded its configuration, Took the time in
	// which it did, Gap the shortest time between two reloads, 0 when there were
	// less.
	Reloads   int
	Took, Gap time.Duration
}

// Watcher looks at HAProxy's processes.
type Watcher struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
	seen Seen // of the goroutine until it has ended
}

// Watch begins to ask HAProxy's master for its processes, twenty times a second.
func Watch(ctx context.Context, master *runtime.Socket) *Watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{stop: cancel}
	w.wg.Go(func() { w.watch(ctx, master) })
	return w
}

// Stop ends that and returns what was seen.
func (w *Watcher) Stop() Seen {
	w.stop()
	w.wg.Wait()
	return w.seen
}

func (w *Watcher) watch(ctx context.Context, master *runtime.Socket) {
	begin := time.Now()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	first, last := -1, 0
	var reloaded time.Time
	for {
		p, err := master.Processes(ctx)
		now := time.Now()
		switch {
		case err != nil: // a master that loads its configuration answers later
		case first < 0:
			first, last = p.Reloads, p.Reloads
		case p.Reloads != last:
			// When more than one was missed, they share the time.
			gap := now.Sub(reloaded) / time.Duration(max(1, p.Reloads-last))
			if !reloaded.IsZero() && (w.seen.Gap == 0 || gap < w.seen.Gap) {
				w.seen.Gap = gap
			}
			last, reloaded = p.Reloads, now
			w.seen.Reloads = last - first
		}
		w.seen.Took = now.Sub(begin)
		w.seen.Workers = max(w.seen.Workers, len(p.Workers)+len(p.OldWorkers))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Verdict is an error when there were more reloads than one in an interval, or more
// workers than three. It does not depend on how fast the machine is.
func (s Seen) Verdict(interval time.Duration) error {
	if most := 1 + int(s.Took/interval); s.Reloads > most {
		return fmt.Errorf("%d reloads in %s, want at most one in %s", s.Reloads, s.Took, interval)
	}
	if s.Workers > 3 {
		return fmt.Errorf("%d workers at one time, want at most 3", s.Workers)
	}
	return nil
}

// Visit sends requests to apps, on connections of their own that last for a moment,
// until the function that it returns is called. What is answered does not matter:
// workers are to have connections when they are replaced.
func (s *Storm) Visit(ctx context.Context, address string, clients int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	transport := &http.Transport{DisableKeepAlives: true}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for n := i; ctx.Err() == nil; n += clients {
				_, _, _ = ask(ctx, transport, address, fmt.Sprintf("v0.app-%d.example", n%s.o.Apps), "/?sleep=300ms")
				select {
				case <-time.After(20 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
		transport.CloseIdleConnections()
	}
}

// ask sends a request for a virtual host and returns the status and the task that
// answered.
func ask(ctx context.Context, transport *http.Transport, address, host, path string) (status int, task string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	request.Host = host
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("X-Task"), err
}
