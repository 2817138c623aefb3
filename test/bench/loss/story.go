package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// fewTasks is how many tasks the app has whose number changes, when they are few.
const fewTasks = 2

// settle is how long clients go on undisturbed before and after each change.
const settle = 1500 * time.Millisecond

// phase is a part of the story.
type phase struct {
	name string
	// endpoints says that nothing but tasks changes, so that there is no reload.
	endpoints bool
	// apps says that new apps force at least so many reloads.
	apps bool
	play func(ctx context.Context, s *scene, rate int) error
}

// phases are the story, which is played at each rate.
func phases() []phase {
	scale := func(n func(*scene) int) func(context.Context, *scene, int) error {
		return func(ctx context.Context, s *scene, _ int) error {
			if err := s.cluster.Scale(webApp, n(s)); err != nil {
				return err
			}
			return s.running(ctx, webApp, n(s))
		}
	}
	roll := func(ctx context.Context, s *scene, _ int) error { return s.roll(ctx) }
	few := func(*scene) int { return fewTasks }
	return []phase{
		{name: "scale up", endpoints: true, play: scale(func(s *scene) int { return s.tasks })},
		{name: "roll 1", endpoints: true, play: roll},
		{name: "scale down", endpoints: true, play: scale(few)},
		{name: "roll 2", endpoints: true, play: roll},
		{name: "roll 3", endpoints: true, play: roll},
		{name: "new apps", apps: true, play: func(ctx context.Context, s *scene, rate int) error { return s.addApps(ctx, rate) }},
		{name: "apps go", play: func(ctx context.Context, s *scene, _ int) error { return s.removeApps(ctx) }},
	}
}

// phases are those that are wanted.
func (o options) phases() []phase {
	return slices.DeleteFunc(phases(), func(p phase) bool { return len(o.only) > 0 && !slices.Contains(o.only, p.name) })
}

// roll replaces all tasks.
func (s *scene) roll(ctx context.Context) error {
	before := map[string]bool{}
	for _, t := range s.cluster.Tasks(webApp) {
		before[t.ID] = true
	}
	if err := s.cluster.Restart(webApp); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.cluster.WaitIdle(ctx); err != nil {
		return err
	}
	after := s.cluster.Ready(webApp)
	for _, t := range after {
		if before[t.ID] {
			return fmt.Errorf("task %s was not replaced", t.ID)
		}
	}
	if len(after) != len(before) {
		return fmt.Errorf("%d tasks after %d", len(after), len(before))
	}
	return nil
}

// newApp is the n-th of the apps that are new at a rate. Each has a port of its own, so
// that HAProxy has to be reloaded.
func newApp(rate, n int) app {
	name := fmt.Sprintf("at-%d-%d", rate, n)
	return app{id: "/new/" + name, host: name + ".example", ports: []int{newPort + n}, linesAt: -1, instances: 1}
}

// addApps adds one app after the other, each when the last one is served.
func (s *scene) addApps(ctx context.Context, rate int) error {
	for n := range s.apps {
		a := newApp(rate, n)
		if err := s.deploy(ctx, a); err != nil {
			return err
		}
		w := web{addr: s.at.port(a.ports[0]), host: a.host}
		err := s.until(ctx, a.id+" is served", func(ctx context.Context) error {
			r, err := w.send(ctx, http.MethodGet, workPath+"?nonce=new", nil)
			if want := answer(a.id, http.MethodGet, "new", nil); err == nil && (r.status != http.StatusOK || r.body != want) {
				err = fmt.Errorf("%d %.200q, want %q", r.status, r.body, want)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeApps removes all apps that are new and waits until their ports are closed.
func (s *scene) removeApps(ctx context.Context) error {
	if err := s.cluster.Delete("/new"); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.cluster.WaitIdle(wait); err != nil {
		return err
	}
	return s.until(ctx, "the ports of the apps that went are closed", func(ctx context.Context) error {
		for n := range s.apps {
			w := web{addr: s.at.port(newPort + n)}
			if w.open(ctx) == nil {
				return errors.Join(fmt.Errorf("%s is open", w.addr), w.close())
			}
		}
		return nil
	})
}

// play plays the story at each rate, while the clients go on.
func play(ctx context.Context, s *scene, l *load, progress io.Writer) ([]span, error) {
	var played []span
	w := &watch{scene: s}
	ctx, cancel := context.WithCancel(ctx)
	l.rate.Store(int64(s.rates[0]))
	l.book.turn(stage{s.rates[0], "begin"})
	l.start(ctx)
	l.wg.Go(func() { w.run(ctx) })
	defer l.wg.Wait()
	defer cancel()
	rest(ctx, settle)
	for _, rate := range s.rates {
		l.rate.Store(int64(rate))
		for _, p := range s.phases() {
			if _, err := fmt.Fprintf(progress, "%d requests/s: %s\n", rate, p.name); err != nil {
				return played, err
			}
			if _, err := w.since(ctx); err != nil {
				return played, err
			}
			this := span{stage: stage{rate, p.name}, begin: time.Now()}
			l.book.turn(this.stage)
			rest(ctx, settle)
			if err := p.play(ctx, s, rate); err != nil {
				return played, fmt.Errorf("%s at %d requests/s: %w", p.name, rate, err)
			}
			rest(ctx, settle)
			var err error
			if this.observed, err = w.since(ctx); err != nil {
				return played, err
			}
			this.end = time.Now()
			played = append(played, this)
			if ctx.Err() != nil {
				return played, ctx.Err()
			}
		}
	}
	l.book.turn(stage{s.rates[len(s.rates)-1], "end"})
	return played, nil
}
