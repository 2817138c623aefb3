package main

import (
	"context"
	"fmt"
	"time"

	"mlb/test/bench/stage"
)

// round is how many changes one round makes: a task comes, a task goes, and one takes
// another's place.
const round = 4

// window is one step of a round, from the call that causes it until nothing happens any
// more.
type window struct {
	// changes is how many endpoints came and went.
	changes int
	// asked is what Marathon was asked, document the size of the app's document on the
	// same wire.
	asked    stage.Counts
	document int64
}

// filing is what writing the files cost.
type filing struct {
	writes, bytes float64
	// cpu is the processor time of the thread that wrote.
	cpu time.Duration
}

const (
	// late is longer than mlb waits for what an event has announced.
	late = 400 * time.Millisecond
	// writePause is above mlb's least time between two writes.
	writePause = 1500 * time.Millisecond
)

// changes lets endpoints come and go, one after the other.
func (a *arena) changes(ctx context.Context, r *result) error {
	if err := a.warmUp(ctx); err != nil {
		return err
	}
	before, err := a.filed(ctx)
	if err != nil {
		return err
	}
	asked, err := a.Counts(ctx, a.client)
	if err != nil {
		return err
	}
	began, cpu := stage.Now(), stage.CPUTime(a.Program.PID())
	for n := range a.o.changes / round {
		if stage.Now()-began > a.o.limit {
			break
		}
		if err = a.round(ctx, n, r); err != nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
	}
	r.took = stage.Now() - began // the file that follows the last one is left out, as that before the first is in
	r.total = stage.CPUTime(a.Program.PID()) - cpu
	after, err := a.filed(ctx)
	if err != nil {
		return err
	}
	r.written = filing{after.writes - before.writes, after.bytes - before.bytes, after.cpu - before.cpu}
	all, err := a.Counts(ctx, a.client)
	if err != nil {
		return err
	}
	r.lists = all.Minus(asked).Lists
	_, err = a.Quiet(ctx, writePause)
	return err
}

// warmUp makes the first changes, which fill caches.
func (a *arena) warmUp(ctx context.Context) error {
	if _, err := a.Quiet(ctx, writePause); err != nil {
		return err
	}
	return a.round(ctx, 0, &result{})
}

// round gives an app a task more, takes it away, and has the only task of another one
// replaced.
func (a *arena) round(ctx context.Context, n int, r *result) error {
	large, one := a.Subjects()
	app := large[n%len(large)]
	for _, instances := range []int{stage.TasksPerApp + 1, stage.TasksPerApp} {
		state := stage.StateRunning
		if instances == stage.TasksPerApp {
			state = stage.StateKilling
		}
		if err := a.window(ctx, app, 1, r, func() error {
			if err := a.Put(ctx, a.client, app, instances); err != nil {
				return err
			}
			_, err := a.Await(ctx, app, state)
			return err
		}); err != nil {
			return err
		}
	}
	app = one[n%len(one)]
	return a.window(ctx, app, 2, r, func() error {
		if err := a.Kill(ctx, a.client, app); err != nil {
			return err
		}
		_, err := a.Await(ctx, app, stage.StateRunning)
		return err
	})
}

// window measures what do causes.
func (a *arena) window(ctx context.Context, app, changes int, r *result, do func() error) error {
	asked, err := a.Counts(ctx, a.client)
	if err != nil {
		return err
	}
	w := window{changes: changes}
	if err = do(); err != nil {
		return err
	}
	if err = a.Idle(ctx, a.client); err != nil {
		return err
	}
	select {
	case <-time.After(late):
	case <-ctx.Done():
		return ctx.Err()
	}
	a.Settle(ctx)
	after, err := a.Counts(ctx, a.client)
	if err != nil {
		return err
	}
	w.asked = after.Minus(asked)
	if w.document, err = a.document(ctx, app); err != nil {
		return err
	}
	r.windows = append(r.windows, w)
	return nil
}

// document returns the size of an app's document as it goes over the wire to one who
// takes it compressed.
func (a *arena) document(ctx context.Context, app int) (int64, error) {
	before, err := a.Counts(ctx, a.client)
	if err != nil {
		return 0, err
	}
	if err = stage.Compressed(ctx, a.client, a.Master+"/v2/apps"+stage.AppID(app)+"?embed=apps.tasks"); err != nil {
		return 0, err
	}
	after, err := a.Counts(ctx, a.client)
	return after.Minus(before).AppBytes, err
}

// filed returns what writing the files has cost so far.
func (a *arena) filed(ctx context.Context) (f filing, err error) {
	text, err := stage.Get(ctx, a.client, "http://"+a.Host+":9090/_mlb/metrics")
	if err != nil {
		return f, err
	}
	var cpu float64
	for name, to := range map[string]*float64{
		"mlb_files_write_seconds_count": &f.writes, "mlb_files_written_bytes_total": &f.bytes, "mlb_files_write_cpu_seconds_total": &cpu,
	} {
		if *to, err = stage.Sum(string(text), name); err != nil {
			return f, err
		}
	}
	f.cpu = time.Duration(cpu * float64(time.Second))
	return f, nil
}
