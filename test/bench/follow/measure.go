package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"mlb/haproxy/process"
	"mlb/test/bench/stage"
)

// result is what one size gave.
type result struct {
	stage.Site
	// single are changes of one task at a time, together those of many at once.
	single, together phase
	// body is the size of the list of apps, resident and peak the memory of mlb after
	// the changes and the most that it had, all in bytes.
	body, resident, peak int
	// starts are the cold starts.
	starts []start
}

// arena is one size.
type arena struct {
	stage.Site
	*stage.Scene
	o      options
	dir    string
	client *http.Client
	stops  []func() error
}

// measure measures all sizes, one after the other.
func measure(ctx context.Context, o options, progress io.Writer) (results []result, err error) {
	dir, err := os.MkdirTemp("", "mlb-follow")
	if err != nil {
		return nil, err
	}
	if o.keep {
		_, _ = fmt.Fprintln(progress, "logs are in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err = os.Chmod(dir, 0o755); err != nil { // HAProxy may be another user
		return nil, err
	}
	if o.programs.MLB == "" {
		if o.programs.MLB, err = stage.Build(ctx, dir); err != nil {
			return nil, err
		}
	}
	for _, n := range o.sizes {
		r, err := measureSize(ctx, o, filepath.Join(dir, strconv.Itoa(n)), n, progress)
		if err != nil {
			return nil, fmt.Errorf("%d apps: %w", n, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func measureSize(ctx context.Context, o options, dir string, apps int, progress io.Writer) (r result, err error) {
	say := func(what string) { _, _ = fmt.Fprintf(progress, "%d apps: %s\n", apps, what) }
	say("starting Marathon")
	a, err := open(ctx, o, dir, apps)
	defer func() { err = errors.Join(err, a.close()) }()
	if err != nil {
		return r, err
	}
	r.Site = a.Site
	list, err := stage.Get(ctx, a.client, a.Master+listPath)
	if err != nil {
		return r, err
	}
	r.body = len(list)
	for n := range o.starts {
		say(fmt.Sprintf("cold start %d of %d", n+1, o.starts))
		var s start
		if s, err = a.start(ctx, n); err != nil {
			return r, err
		}
		r.starts = append(r.starts, s)
		if n+1 == o.starts {
			break // this one goes on
		}
		if err = a.again(ctx, &r.starts[n]); err != nil {
			return r, err
		}
	}
	say("changes")
	if err = a.changes(ctx, &r); err != nil {
		return r, errors.Join(err, a.Program.Failure())
	}
	if r.resident, err = stage.ResidentMemory(a.Program.PID()); err != nil {
		return r, err
	}
	if r.peak, err = stage.PeakMemory(a.Program.PID()); err != nil {
		return r, err
	}
	say("HAProxy by itself")
	return r, a.again(ctx, &r.starts[o.starts-1])
}

// open starts Marathon and the tasks. Close ends them, after an error, too.
func open(ctx context.Context, o options, dir string, apps int) (*arena, error) {
	a := &arena{o: o, dir: dir, client: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	_, files, err := process.FileLimit()
	if err != nil {
		return a, err
	}
	a.Site = stage.NewSite(apps, stage.FreePort(), files)
	if err = os.Mkdir(dir, 0o755); err != nil {
		return a, err
	}
	tasks, err := stage.StartTasks(ctx, o.programs, filepath.Join(dir, "tasks"), a.TaskPort)
	if tasks != nil {
		a.stops = append(a.stops, tasks.Stop)
	}
	if err != nil {
		return a, err
	}
	scenes, stop, err := stage.StartMarathon(ctx, stage.Cast{Site: a.Site, Clusters: 1, Counted: true}, filepath.Join(dir, "marathon"))
	if stop != nil {
		a.stops = append(a.stops, stop)
	}
	if err != nil {
		return a, err
	}
	a.Scene = scenes[0]
	a.Host = stage.Loopback(1)
	return a, nil
}

// close ends everything, the last first.
func (a *arena) close() error {
	var errs []error
	if a.Scene != nil && a.Program != nil {
		errs = append(errs, a.Program.Stop())
	}
	for _, stop := range slices.Backward(a.stops) {
		errs = append(errs, stop())
	}
	a.client.CloseIdleConnections()
	return errors.Join(errs...)
}
