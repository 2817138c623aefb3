package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mlb/test/balancer"
)

// observed is what was seen of the balancer in a stage.
type observed struct {
	// reloads are those that mlb did, refused those that failed.
	reloads, refused int
	// retries and moved are how often HAProxy connected again, and how often to
	// another server. A worker that ends between two looks takes its last ones along.
	retries, moved int
	// processes is the largest number of processes that HAProxy had.
	processes int
}

// counters are what the balancer has counted.
type counters struct{ reloads, refused, retries, moved float64 }

// watch looks at the balancer. It is safe for concurrent use.
type watch struct {
	scene *scene

	mu   sync.Mutex // guards what the looks of run and of since share
	last counters
	sum  observed
}

// run looks each second, until the context ends.
func (w *watch) run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = w.look(ctx) // since, which looks once more, says what is wrong
		case <-ctx.Done():
			return
		}
	}
}

// since returns what was seen since the last call.
func (w *watch) since(ctx context.Context) (observed, error) {
	err := w.look(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.sum
	w.sum = observed{}
	return o, err
}

// look looks once.
func (w *watch) look(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.processes = max(w.sum.processes, processes(w.scene.dir))
	own, err := w.scene.ask(ctx, "/_mlb/metrics")
	if err != nil {
		return err
	}
	theirs, err := w.scene.ask(ctx, "/metrics?scope=backend")
	if err != nil {
		return err
	}
	now, err := count(own, theirs)
	if err != nil {
		return err
	}
	w.sum.add(w.last, now)
	w.last = now
	return nil
}

// count reads the counters from mlb's metrics and from HAProxy's.
func count(own, theirs string) (counters, error) {
	var c counters
	for _, m := range []struct {
		text, name, labels string
		to                 *float64
	}{
		{own, "mlb_reloads_total", `result="ok"`, &c.reloads},
		{own, "mlb_reloads_total", "", &c.refused},
		{theirs, "haproxy_backend_retry_warnings_total", "", &c.retries},
		{theirs, "haproxy_backend_redispatch_warnings_total", "", &c.moved},
	} {
		var err error
		if *m.to, err = balancer.Sum(m.text, m.name, m.labels); err != nil {
			return c, err
		}
	}
	c.refused -= c.reloads
	return c, nil
}

// add adds what was counted from one look to the next. After a reload HAProxy counts
// from 0.
func (o *observed) add(before, now counters) {
	o.reloads += int(now.reloads - before.reloads)
	o.refused += int(now.refused - before.refused)
	if now.retries < before.retries || now.moved < before.moved || now.reloads > before.reloads {
		before.retries, before.moved = 0, 0
	}
	o.retries += int(now.retries - before.retries)
	o.moved += int(now.moved - before.moved)
}

// processes counts the HAProxys that have a folder on their command line: the master
// and its workers.
func processes(dir string) int {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0
	}
	n := 0
	for _, name := range lines {
		line, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(line, []byte(dir+"/")) {
			continue // it has ended, or is another program
		}
		if comm, err := os.ReadFile(filepath.Join(filepath.Dir(name), "comm")); err == nil && bytes.HasPrefix(comm, []byte("haproxy")) {
			n++
		}
	}
	return n
}
