package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// figures are what one side gave.
type figures struct {
	// first and last are how long it took from the event to the first answer of a
	// new task and to the last one of a task on its way out.
	first, last []time.Duration
	// windows are the times in which something changed.
	windows []window
	// total is the processor time of whole rounds, with the files that follow the
	// changes; changes is how many these were, writes how often the configuration was
	// found to have changed on disk.
	total           time.Duration
	changes, writes int
	// turns are how long it took until each task had had a request.
	turns []time.Duration
}

// window is the processor time that a number of changes took until nothing happened
// any more.
type window struct {
	cpu     time.Duration
	changes int
	// written says that the configuration was written meanwhile.
	written bool
}

// round makes pairs of changes on one side, less when the time is over.
func (a *arena) round(ctx context.Context, s *side, from, pairs int, end time.Duration, f *figures) error {
	large, one := a.changing()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.program.ended: // and no waiting helps
			cancel()
		case <-ctx.Done():
		}
	}()
	pid := s.program.pid()
	begin := cpuTime(pid)
	for i := from; i < from+pairs && (i == from || now() < end); i++ {
		var err error
		if i%4 == 3 {
			err = a.restart(ctx, s, one[i/4%len(one)], f)
		} else {
			err = a.scale(ctx, s, large[i%len(large)], f)
		}
		if err != nil {
			return fmt.Errorf("%s, pair %d: %w", s.name, i, errors.Join(err, s.program.failure()))
		}
		f.changes += 2
	}
	writes, err := s.quiet(ctx)
	f.writes += writes
	f.total += cpuTime(pid) - begin
	return err
}

// scale gives an app one task more, and takes it away.
func (a *arena) scale(ctx context.Context, s *side, app int, f *figures) error {
	seen := newSightings()
	stop := a.probe(ctx, s, app, seen)
	err := a.scaled(ctx, s, app, seen, f)
	return errors.Join(err, stop())
}

func (a *arena) scaled(ctx context.Context, s *side, app int, seen *sightings, f *figures) error {
	if err := seen.wait(ctx, "all tasks have answered", func() bool {
		tasks, requests := seen.count()
		return tasks >= tasksPerApp && requests >= 2*tasksPerApp
	}); err != nil {
		return err
	}
	window := s.window()
	if err := a.put(ctx, s, app, tasksPerApp+1); err != nil {
		return err
	}
	came, err := s.await(ctx, app, stateRunning)
	if err != nil {
		return err
	}
	if err = f.noteFirst(ctx, seen, came); err != nil {
		return err
	}
	if err = window.end(ctx, a, f, 1); err != nil {
		return err
	}
	// A client that stays with the task meets it with each request, to the last; the
	// others only when it is its turn.
	stop, err := a.stay(ctx, s, app, seen, came.Address)
	if err != nil {
		return err
	}
	err = a.shrink(ctx, s, app, seen, f)
	return errors.Join(err, stop())
}

// shrink takes a task away from an app with one more.
func (a *arena) shrink(ctx context.Context, s *side, app int, seen *sightings, f *figures) error {
	window := s.window()
	if err := a.put(ctx, s, app, tasksPerApp); err != nil {
		return err
	}
	goes, err := s.await(ctx, app, stateKilling)
	if err != nil {
		return err
	}
	if err := f.noteLast(ctx, seen, goes); err != nil {
		return err
	}
	f.noteTurn(seen, tasksPerApp+1)
	return window.end(ctx, a, f, 1)
}

// restart kills the only task of an app, whose place another one takes.
func (a *arena) restart(ctx context.Context, s *side, app int, f *figures) error {
	seen := newSightings()
	stop := a.probe(ctx, s, app, seen)
	err := a.restarted(ctx, s, app, seen, f)
	return errors.Join(err, stop())
}

func (a *arena) restarted(ctx context.Context, s *side, app int, seen *sightings, f *figures) error {
	if err := seen.wait(ctx, "the task has answered", func() bool { n, _ := seen.count(); return n > 0 }); err != nil {
		return err
	}
	window := s.window()
	if err := a.kill(ctx, s, app); err != nil {
		return err
	}
	goes, err := s.await(ctx, app, stateKilling)
	if err != nil {
		return err
	}
	came, err := s.await(ctx, app, stateRunning)
	if err != nil {
		return err
	}
	if err := f.noteFirst(ctx, seen, came); err != nil {
		return err
	}
	if err := f.noteLast(ctx, seen, goes); err != nil {
		return err
	}
	return window.end(ctx, a, f, 2)
}

// noteFirst waits until a task that came has answered.
func (f *figures) noteFirst(ctx context.Context, seen *sightings, came note) error {
	var t sighting
	if err := seen.wait(ctx, "task "+came.Task+" has answered", func() (ok bool) {
		t, _, ok = seen.look(came.Address)
		return ok
	}); err != nil {
		return err
	}
	f.first = append(f.first, t.first-came.At)
	return nil
}

// noteLast waits until a task that goes has not answered for so many requests and so
// long that it will not any more.
func (f *figures) noteLast(ctx context.Context, seen *sightings, goes note) error {
	const turns, silence = 6, 15 * time.Millisecond
	var t sighting
	if err := seen.wait(ctx, "task "+goes.Task+" has gone", func() bool {
		var since int
		t, since, _ = seen.look(goes.Address)
		return since > turns*(tasksPerApp+1) && now() > max(t.last, goes.At)+silence
	}); err != nil {
		return err
	}
	f.last = append(f.last, max(0, t.last-goes.At)) // none came after the event
	return nil
}

// noteTurn notes how long the tasks had to wait for their turn.
func (f *figures) noteTurn(seen *sightings, tasks int) {
	_, requests := seen.count()
	f.turns = append(f.turns, (now()-seen.began)*time.Duration(tasks)/time.Duration(max(1, requests)))
}

// probe sends requests to an app on several connections. The function that it returns
// ends them.
func (a *arena) probe(ctx context.Context, s *side, app int, seen *sightings) func() error {
	clients := make([]prober, a.o.clients)
	for i := range clients {
		clients[i] = newProber(s.address(app), "")
	}
	return seen.start(ctx, clients...)
}

// stay sends requests that HAProxy gives to one task as long as it is there. The
// function that it returns ends them.
func (a *arena) stay(ctx context.Context, s *side, app int, seen *sightings, task string) (func() error, error) {
	for range 10 * tasksPerApp { // the first request of each client is any task's
		a.visits++
		p := newProber(s.address(app), strconv.Itoa(a.visits))
		got, err := p.ask(ctx)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		if string(got) == task {
			return seen.start(ctx, p), nil
		}
		if err := p.close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("HAProxy leads nobody to %s", task)
}

// address is where HAProxy serves an app.
func (s *side) address(app int) string { return s.host + ":" + strconv.Itoa(firstService+app) }

// await returns what Marathon next says about an app's tasks that are in the state.
func (s *side) await(ctx context.Context, app int, state string) (note, error) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case n := <-s.notes:
			if n.App == appID(app) && n.State == state {
				return n, nil
			}
		case <-timeout.C:
			return note{}, fmt.Errorf("no task of %s is in state %s", appID(app), state)
		case <-ctx.Done():
			return note{}, ctx.Err()
		}
	}
}

// forget drops what Marathon has said so far.
func (s *side) forget() {
	for {
		select {
		case <-s.notes:
		default:
			return
		}
	}
}

func (a *arena) put(ctx context.Context, s *side, app, instances int) error {
	s.forget()
	_, err := ask(ctx, a.client, http.MethodPut, s.master+"/v2/apps"+appID(app)+"?force=true", fmt.Sprintf(`{"instances":%d}`, instances))
	return err
}

// kill lets Marathon kill the tasks of an app and replace them.
func (a *arena) kill(ctx context.Context, s *side, app int) error {
	s.forget()
	_, err := ask(ctx, a.client, http.MethodDelete, s.master+"/v2/apps"+appID(app)+"/tasks", "")
	return err
}

// idle waits until Marathon has done everything.
func (a *arena) idle(ctx context.Context, s *side) error {
	return eventually(ctx, "no deployment is running", func() error {
		text, err := get(ctx, a.client, s.master+"/v2/deployments")
		if err != nil {
			return final{err}
		}
		var all []any
		if err := json.Unmarshal(text, &all); err != nil {
			return final{err}
		}
		if len(all) > 0 {
			return fmt.Errorf("%d are", len(all))
		}
		return nil
	})
}

// stopwatch measures a window.
type stopwatch struct {
	s      *side
	begin  time.Duration
	before string
}

func (s *side) window() stopwatch {
	return stopwatch{s: s, begin: cpuTime(s.program.pid()), before: s.written()}
}

// end waits until the side is idle and notes what it used.
func (w stopwatch) end(ctx context.Context, a *arena, f *figures, changes int) error {
	if err := a.idle(ctx, w.s); err != nil {
		return err
	}
	w.s.settle(ctx)
	written := w.s.written() != w.before
	if written {
		f.writes++
	}
	f.windows = append(f.windows, window{cpu: cpuTime(w.s.program.pid()) - w.begin, changes: changes, written: written})
	return nil
}

// settle waits until the program has done nothing for a moment.
func (s *side) settle(ctx context.Context) {
	const moments, nothing = 4, 200 * time.Microsecond
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	calm, last := 0, cpuTime(s.program.pid())
	for begin := now(); calm < moments && now()-begin < patience; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		used := cpuTime(s.program.pid())
		if calm++; used-last > nothing {
			calm = 0
		}
		last = used
	}
}

// quiet waits until the program has written all that it has to write. It returns how
// often the file changed meanwhile.
func (s *side) quiet(ctx context.Context) (writes int, err error) {
	const pause = 1500 * time.Millisecond // above mlb's least time between two writes
	before, since := s.written(), now()
	err = eventually(ctx, "nothing is written", func() error {
		if after := s.written(); after != before {
			before, since = after, now()
			writes++
		}
		if s.name == sideName(sideMLB) && now()-since < pause {
			return errors.New("something was")
		}
		return nil
	})
	s.settle(ctx)
	return writes, err
}

// written identifies the configuration as it is on disk, and what is on its way
// there.
func (s *side) written() string {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".map" || e.IsDir() || e.Name() == "log" || e.Name() == "bare" {
			continue
		}
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(&out, "%s %d %s\n", e.Name(), info.Size(), info.ModTime())
		}
	}
	return out.String()
}
