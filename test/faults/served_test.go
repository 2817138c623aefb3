package faults_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
)

// watched is the loop, of which each text is looked at before it is applied.
type watched struct {
	*apply.Loop
	cluster *marathonsim.Cluster

	mu     sync.Mutex
	served map[string][]string // addresses by app that were served when the fault began
	lost   []string
	texts  int
}

// Apply implements what a controller wants of its loop.
func (w *watched) Apply(ctx context.Context, c haproxy.Config) (apply.Result, error) {
	w.look(c)
	return w.Loop.Apply(ctx, c)
}

// look notes the routes that a text lacks, of those that were served when the fault began
// and that the cluster still has.
func (w *watched) look(c haproxy.Config) {
	has := map[string][]string{}
	for _, s := range c.Sections.All() {
		if s.Kind != "backend" {
			continue
		}
		for _, server := range s.Servers {
			if !slices.ContainsFunc(server.Keywords, func(k haproxy.Keyword) bool { return k.Name == "disabled" }) {
				has[s.Name] = append(has[s.Name], server.Address)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts++
	for app, addresses := range w.served {
		name := haproxy.BackendName(app, ports()[app])
		for _, address := range addresses {
			if !slices.Contains(has[name], address) && runs(w.cluster, app, address) {
				w.lost = append(w.lost, fmt.Sprintf("text %d lacks %s of %s", w.texts, address, app))
			}
		}
	}
}

// runs reports whether the cluster has a task that may be served: one that runs, or that
// is cut off from its master, and is not known to be ill.
func runs(c *marathonsim.Cluster, app, address string) bool {
	return slices.ContainsFunc(c.Tasks(app), func(t marathonsim.TaskInfo) bool {
		lives := t.State == "TASK_RUNNING" || t.State == "TASK_UNREACHABLE"
		return t.Addr(0) == address && lives && (t.Healthy == nil || *t.Healthy)
	})
}

// guard begins to hold that what is served now stays.
func (w *watched) guard() {
	served := map[string][]string{}
	for app := range ports() {
		for _, task := range w.cluster.Ready(app) {
			served[app] = append(served[app], task.Addr(0))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.served, w.lost, w.texts = served, nil, 0
}

// unguard ends that and returns what was lost.
func (w *watched) unguard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.served = nil
	return w.lost
}

// visitors are clients that send requests to apps all the time.
type visitors struct {
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	served int
	failed []string
}

// visit sends requests to apps through HAProxy, each on a connection of its own.
func (g *rig) visit(t *testing.T, apps ...string) *visitors {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	v := &visitors{stop: cancel}
	transport := &http.Transport{DisableKeepAlives: true}
	for _, app := range apps {
		address := fmt.Sprintf("http://%s:%d/", g.host, ports()[app])
		v.wg.Go(func() {
			tick := time.NewTicker(30 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				v.note(app, visitOnce(ctx, transport, address, app))
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	t.Cleanup(v.leave)
	return v
}

func visitOnce(ctx context.Context, transport *http.Transport, address, app string) error {
	// A request under way when the visit ends is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.Header.Get(launcher.HeaderTask) == "" || !strings.Contains(string(body), "app: "+app+"\n")) {
		err = fmt.Errorf("status %d: %.200s", resp.StatusCode, body)
	}
	return err
}

func (v *visitors) note(app string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		v.served++
		return
	}
	v.failed = append(v.failed, fmt.Sprintf("%s: %v", app, err))
}

func (v *visitors) leave() {
	v.stop()
	v.wg.Wait()
}

// lossless ends the visit and fails the test if a request was not served.
func (v *visitors) lossless(t *testing.T) {
	t.Helper()
	v.leave()
	if len(v.failed) > 0 {
		t.Errorf("%d requests were served and %d not, the first one: %s", v.served, len(v.failed), v.failed[0])
	}
	if v.served == 0 {
		t.Error("no request was served")
	}
}
