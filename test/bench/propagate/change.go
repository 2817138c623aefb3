package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"mlb/test/bench/stage"
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

// writePause is above mlb's least time between two writes.
const writePause = 1500 * time.Millisecond

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
	large, one := a.Subjects()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.Program.Ended: // and no waiting helps
			cancel()
		case <-ctx.Done():
		}
	}()
	pid := s.Program.PID()
	begin := stage.CPUTime(pid)
	for i := from; i < from+pairs && (i == from || stage.Now() < end); i++ {
		var err error
		if i%4 == 3 {
			err = a.restart(ctx, s, one[i/4%len(one)], f)
		} else {
			err = a.scale(ctx, s, large[i%len(large)], f)
		}
		if err != nil {
			return fmt.Errorf("%s, pair %d: %w", s.name, i, errors.Join(err, s.Program.Failure()))
		}
		f.changes += 2
	}
	pause := time.Duration(0)
	if s.name == sideName(sideMLB) {
		pause = writePause
	}
	writes, err := s.Quiet(ctx, pause)
	f.writes += writes
	f.total += stage.CPUTime(pid) - begin
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
		return tasks >= stage.TasksPerApp && requests >= 2*stage.TasksPerApp
	}); err != nil {
		return err
	}
	window := s.window()
	if err := s.Put(ctx, a.client, app, stage.TasksPerApp+1); err != nil {
		return err
	}
	came, err := s.Await(ctx, app, stage.StateRunning)
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
	if err := s.Put(ctx, a.client, app, stage.TasksPerApp); err != nil {
		return err
	}
	goes, err := s.Await(ctx, app, stage.StateKilling)
	if err != nil {
		return err
	}
	if err := f.noteLast(ctx, seen, goes); err != nil {
		return err
	}
	f.noteTurn(seen, stage.TasksPerApp+1)
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
	if err := s.Kill(ctx, a.client, app); err != nil {
		return err
	}
	goes, err := s.Await(ctx, app, stage.StateKilling)
	if err != nil {
		return err
	}
	came, err := s.Await(ctx, app, stage.StateRunning)
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
func (f *figures) noteFirst(ctx context.Context, seen *sightings, came stage.Note) error {
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
func (f *figures) noteLast(ctx context.Context, seen *sightings, goes stage.Note) error {
	const turns, silence = 6, 15 * time.Millisecond
	var t sighting
	if err := seen.wait(ctx, "task "+goes.Task+" has gone", func() bool {
		var since int
		t, since, _ = seen.look(goes.Address)
		return since > turns*(stage.TasksPerApp+1) && stage.Now() > max(t.last, goes.At)+silence
	}); err != nil {
		return err
	}
	f.last = append(f.last, max(0, t.last-goes.At)) // none came after the event
	return nil
}

// noteTurn notes how long the tasks had to wait for their turn.
func (f *figures) noteTurn(seen *sightings, tasks int) {
	_, requests := seen.count()
	f.turns = append(f.turns, (stage.Now()-seen.began)*time.Duration(tasks)/time.Duration(max(1, requests)))
}

// probe sends requests to an app on several connections. The function that it returns
// ends them.
func (a *arena) probe(ctx context.Context, s *side, app int, seen *sightings) func() error {
	clients := make([]prober, a.o.clients)
	for i := range clients {
		clients[i] = newProber(s.Address(app), "")
	}
	return seen.start(ctx, clients...)
}

// stay sends requests that HAProxy gives to one task as long as it is there. The
// function that it returns ends them.
func (a *arena) stay(ctx context.Context, s *side, app int, seen *sightings, task string) (func() error, error) {
	for range 10 * stage.TasksPerApp { // the first request of each client is any task's
		a.visits++
		p := newProber(s.Address(app), strconv.Itoa(a.visits))
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

// stopwatch measures a window.
type stopwatch struct {
	s      *side
	begin  time.Duration
	before string
}

func (s *side) window() stopwatch {
	return stopwatch{s: s, begin: stage.CPUTime(s.Program.PID()), before: s.Written()}
}

// end waits until the side is idle and notes what it used.
func (w stopwatch) end(ctx context.Context, a *arena, f *figures, changes int) error {
	if err := w.s.Idle(ctx, a.client); err != nil {
		return err
	}
	w.s.Settle(ctx)
	written := w.s.Written() != w.before
	if written {
		f.writes++
	}
	f.windows = append(f.windows, window{cpu: stage.CPUTime(w.s.Program.PID()) - w.begin, changes: changes, written: written})
	return nil
}
