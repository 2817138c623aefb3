package main

import (
	"context"
	"fmt"
	"time"

	"mlb/test/bench/stage"
)

const (
	// round is how many changes one round of single ones makes: a task comes, a task goes,
	// and one takes another's place.
	round = 4
	// many is how many tasks come, and go again, in one deployment.
	many = stage.TasksPerApp
)

// phase is what a number of rounds gave.
type phase struct {
	// windows are the changes.
	windows []window
	// total is the processor time of mlb during all of them with what follows, took how
	// long that was.
	total, took time.Duration
	// lists is how often all apps were read meanwhile.
	lists int
	// written is what the files cost meanwhile.
	written filing
}

// window is one step of a phase, from the call that causes it until nothing happens any
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

// changes lets endpoints come and go, one after the other, and then many at once.
func (a *arena) changes(ctx context.Context, r *result) (err error) {
	if _, err = a.Quiet(ctx, writePause); err != nil {
		return err
	}
	if err = a.round(ctx, 0, &phase{}); err != nil { // which fills caches
		return err
	}
	if r.single, err = a.phase(ctx, a.o.changes/round, a.round); err != nil {
		return err
	}
	if r.together, err = a.phase(ctx, max(1, a.o.changes/(4*many)), a.deployment); err != nil {
		return err
	}
	_, err = a.Quiet(ctx, writePause)
	return err
}

// phase makes rounds of changes.
func (a *arena) phase(ctx context.Context, rounds int, do func(ctx context.Context, n int, p *phase) error) (p phase, err error) {
	before, err := a.filed(ctx)
	if err != nil {
		return p, err
	}
	asked, err := a.Counts(ctx, a.client)
	if err != nil {
		return p, err
	}
	began, cpu := stage.Now(), stage.CPUTime(a.Program.PID())
	for n := range rounds {
		if stage.Now()-began > a.o.limit {
			break
		}
		if err = do(ctx, n, &p); err != nil {
			return p, fmt.Errorf("round %d: %w", n, err)
		}
	}
	p.took = stage.Now() - began // the file that follows the last one is left out, as that before the first is in
	p.total = stage.CPUTime(a.Program.PID()) - cpu
	after, err := a.filed(ctx)
	if err != nil {
		return p, err
	}
	p.written = filing{after.writes - before.writes, after.bytes - before.bytes, after.cpu - before.cpu}
	all, err := a.Counts(ctx, a.client)
	p.lists = all.Minus(asked).Lists
	return p, err
}

// round gives an app a task more, takes it away, and has the only task of another one
// replaced.
func (a *arena) round(ctx context.Context, n int, p *phase) error {
	large, one := a.Subjects()
	app := large[n%len(large)]
	if err := a.there(ctx, app, 1, p); err != nil {
		return err
	}
	app = one[n%len(one)]
	return a.window(ctx, app, 2, p, func() error {
		if err := a.Kill(ctx, a.client, app); err != nil {
			return err
		}
		_, err := a.Await(ctx, app, stage.StateRunning)
		return err
	})
}

// deployment gives an app many tasks more, and takes them away.
func (a *arena) deployment(ctx context.Context, n int, p *phase) error {
	large, _ := a.Subjects()
	return a.there(ctx, large[n%len(large)], many, p)
}

// there gives an app tasks more, and takes them away.
func (a *arena) there(ctx context.Context, app, tasks int, p *phase) error {
	for _, instances := range []int{stage.TasksPerApp + tasks, stage.TasksPerApp} {
		state := stage.StateRunning
		if instances == stage.TasksPerApp {
			state = stage.StateKilling
		}
		if err := a.window(ctx, app, tasks, p, func() error {
			if err := a.Put(ctx, a.client, app, instances); err != nil {
				return err
			}
			_, err := a.Await(ctx, app, state)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// window measures what do causes.
func (a *arena) window(ctx context.Context, app, changes int, p *phase, do func() error) error {
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
	p.windows = append(p.windows, w)
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
