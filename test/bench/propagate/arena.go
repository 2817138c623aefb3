package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"mlb/haproxy/process"
	"mlb/test/bench/stage"
)

// The two sides: the bare program and mlb.
const (
	sideBare = iota
	sideMLB
	sides
)

func sideName(n int) string { return [sides]string{"bare", "mlb"}[n] }

// stickHeader is the header by whose value clients stay with a task.
const stickHeader = "x-client"

// side is one that is measured, with a Marathon and a HAProxy of its own. Its program
// is what is between the two.
type side struct {
	*stage.Scene
	name string
}

// arena is one size.
type arena struct {
	stage.Site
	o      options
	sides  [sides]*side
	client *http.Client
	stops  []func() error
	visits int // numbers clients
}

// open starts everything that a size takes. Close ends it, after an error, too.
func open(ctx context.Context, o options, dir string, apps int, progress io.Writer) (*arena, error) {
	_, files, err := process.FileLimit()
	if err != nil {
		return nil, err
	}
	a := &arena{Site: stage.NewSite(apps, stage.FreePort(), files), o: o, client: &http.Client{Transport: &http.Transport{}}}
	a.StickHeader = stickHeader
	if err = os.Mkdir(dir, 0o755); err != nil {
		return a, err
	}
	say := func(format string, words ...any) { _, _ = fmt.Fprintf(progress, format+"\n", words...) }
	say("%d apps, %d with checks: starting Marathon", a.Apps, a.Checked)
	tasks, err := stage.StartTasks(ctx, o.programs, filepath.Join(dir, "tasks"), a.TaskPort)
	if tasks != nil {
		a.stops = append(a.stops, tasks.Stop)
	}
	if err != nil {
		return a, err
	}
	scenes, stop, err := stage.StartMarathon(ctx, stage.Cast{Site: a.Site, Clusters: sides}, filepath.Join(dir, "marathon"))
	if stop != nil {
		a.stops = append(a.stops, stop)
	}
	if err != nil {
		return a, err
	}
	say("starting mlb and HAProxy")
	for i := range a.sides {
		s := &side{scenes[i], sideName(i)}
		s.Dir, s.Host = filepath.Join(dir, s.name), stage.Loopback(1+i)
		if err = stage.StartMLB(ctx, o.programs, s.Scene); err != nil {
			return a, err
		}
		a.sides[i] = s
		a.stops = append(a.stops, s.Program.Stop)
	}
	for _, s := range a.sides {
		if err := s.Ready(ctx, a.client); err != nil {
			return a, err
		}
	}
	return a, a.replaceByBare(ctx, a.sides[sideBare])
}

// close ends everything, the last first.
func (a *arena) close() error {
	var errs []error
	for _, stop := range slices.Backward(a.stops) {
		errs = append(errs, stop())
	}
	a.client.CloseIdleConnections()
	return errors.Join(errs...)
}

// replaceByBare takes mlb away from its HAProxy, which goes on, and puts the bare
// program there.
func (a *arena) replaceByBare(ctx context.Context, s *side) error {
	pids, err := stage.Processes(ctx, a.client, s.Host)
	if err != nil {
		return err
	}
	if err = s.Program.Kill(); err != nil {
		return err
	}
	<-s.Program.Ended
	a.stops = append(a.stops, func() error { return stage.EndProcess(context.WithoutCancel(ctx), pids[0]) })
	socket := filepath.Join(s.Dir, stage.MasterSocket)
	c, out, err := stage.Role(ctx, roleBare, job{
		Master: s.Master, Socket: socket, Config: filepath.Join(s.Dir, stage.ConfigFile), Port: a.TaskPort,
	}, filepath.Join(s.Dir, "bare"))
	if err != nil {
		return err
	}
	s.Program = c
	a.stops = append(a.stops, func() error { return errors.Join(c.Stop(), out.Close()) })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		<-c.Ended
		return errors.Join(err, c.Failure())
	}
	return nil
}
