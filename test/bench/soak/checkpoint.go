package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"mlb/test/balancer"
	"mlb/test/haproxytest"
	"mlb/test/storm"
)

// mostGone is how many of the virtual hosts that nobody has any more are asked.
const mostGone = 50

// checkpoint ends all troubles, waits until HAProxy has exactly what Marathon says, and
// looks at mlb.
func (l *life) checkpoint(ctx context.Context) error {
	for _, t := range l.troubles {
		if err := t.end(ctx, l); err != nil {
			return err
		}
	}
	for _, id := range l.sick {
		_ = l.site.cluster.RecoverTask(id) // it may have been replaced
	}
	l.sick = nil
	took, err := l.exact(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint after %s: %w", time.Since(l.begin).Round(time.Second), err)
	}
	l.result.exact = append(l.result.exact, took)
	s, err := l.look(ctx)
	if err != nil {
		return err
	}
	l.result.samples = append(l.result.samples, s)
	l.say("exact after %s, %d goroutines, %d files open", took.Round(10*time.Millisecond), s.goroutines, s.files)
	return nil
}

// exact waits until Marathon is at rest and HAProxy has exactly what it says, and returns
// how long HAProxy took.
func (l *life) exact(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.patience)
	defer cancel()
	if err := l.site.cluster.WaitIdle(ctx); err != nil {
		return 0, fmt.Errorf("marathon is not at rest: %w", err)
	}
	begin := time.Now()
	err := storm.Eventually(ctx, func() error {
		for _, check := range []func(context.Context) error{l.servers, l.file, l.hosts} {
			if err := check(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(begin), err
}

// servers compares Marathon with what HAProxy runs.
func (l *life) servers(ctx context.Context) error {
	got, err := l.target.Servers(ctx, backendPrefix)
	if err != nil {
		return err
	}
	return storm.Differences(l.site.wanted(), got)
}

// file compares Marathon with what is on disk. A backend may be kept empty for its app.
func (l *life) file(context.Context) error {
	got, err := l.target.Written(backendPrefix)
	if err != nil {
		return err
	}
	maps.DeleteFunc(got, func(_ string, servers []string) bool { return len(servers) == 0 })
	return storm.Differences(l.site.wanted(), got)
}

// hosts asks for the virtual hosts of all apps, and for some that are gone.
func (l *life) hosts(ctx context.Context) error {
	for i, a := range l.site.apps {
		var ready []string
		if a.present {
			for _, t := range l.site.cluster.Ready(a.id) {
				ready = append(ready, t.ID)
			}
		}
		if err := l.answers(ctx, l.site.host(i), ready); err != nil {
			return err
		}
	}
	for _, host := range l.site.gone[max(0, len(l.site.gone)-mostGone):] {
		if err := l.answers(ctx, host, nil); err != nil {
			return err
		}
	}
	return nil
}

// answers is an error unless one of the tasks answers for a host, or nobody if there are
// none.
func (l *life) answers(ctx context.Context, host string, tasks []string) error {
	a, err := l.program.visit(ctx, host, "/")
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", host, err)
	case len(tasks) == 0 && a.status != http.StatusServiceUnavailable, len(tasks) > 0 && !slices.Contains(tasks, a.task):
		return fmt.Errorf("%s: status %d of task %q, want one of %q", host, a.status, a.task, tasks)
	}
	return nil
}

// look asks mlb what it uses.
func (l *life) look(ctx context.Context) (sample, error) {
	text, err := l.program.ask(ctx, "/_mlb/metrics")
	if err != nil {
		return sample{}, err
	}
	s := sample{at: time.Now()}
	for name, value := range map[string]*int{"go_goroutines": &s.goroutines, "process_open_fds": &s.files} {
		n, err := balancer.Sum(text, name, "")
		if err != nil || n == 0 {
			return s, fmt.Errorf("metric %s is %v: %w", name, n, err)
		}
		*value = int(n)
	}
	return s, nil
}

// gone is an error while a process is alive.
func gone(pid int) error {
	if haproxytest.Alive(pid) {
		return fmt.Errorf("process %d is alive", pid)
	}
	return nil
}
