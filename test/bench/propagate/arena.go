package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"mlb/haproxy/process"
)

// The two sides: the bare program and mlb.
const (
	sideBare = iota
	sideMLB
	sides
)

func sideName(n int) string { return [sides]string{"bare", "mlb"}[n] }

// side is one that is measured, with a Marathon and a HAProxy of its own.
type side struct {
	name, dir, host, master string
	// program is what is between the two.
	program *child
	// notes is what Marathon says.
	notes chan note
}

// arena is one size.
type arena struct {
	site
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
	a := &arena{site: newSite(apps, taskPort(), files), o: o, client: &http.Client{Transport: &http.Transport{}}}
	if err = os.Mkdir(dir, 0o755); err != nil {
		return a, err
	}
	say := func(format string, words ...any) { _, _ = fmt.Fprintf(progress, format+"\n", words...) }
	say("%d apps, %d with checks: starting Marathon", a.Apps, a.Checked)
	tasks, err := startTasks(ctx, o, filepath.Join(dir, "tasks"), a.TaskPort)
	if tasks != nil {
		a.stops = append(a.stops, tasks.stop)
	}
	if err != nil {
		return a, err
	}
	masters, err := a.startMarathon(ctx, filepath.Join(dir, "marathon"))
	if err != nil {
		return a, err
	}
	say("starting mlb and HAProxy")
	for i := range a.sides {
		s := a.sides[i]
		s.dir, s.master = filepath.Join(dir, s.name), masters[i]
		if s.program, err = startMLB(ctx, o, s.dir, s.host, s.master); err != nil {
			return a, err
		}
		a.stops = append(a.stops, s.program.stop)
	}
	for _, s := range a.sides {
		if err := s.program.ready(ctx, a.client, s.host); err != nil {
			return a, err
		}
	}
	return a, a.replaceByBare(ctx, a.sides[sideBare])
}

// taskPort is a port that the system gives nobody, and for each process another one.
func taskPort() int { return 20000 + os.Getpid()%10000 }

// close ends everything, the last first.
func (a *arena) close() error {
	var errs []error
	for _, stop := range slices.Backward(a.stops) {
		errs = append(errs, stop())
	}
	a.client.CloseIdleConnections()
	return errors.Join(errs...)
}

// startMarathon starts the simulator and hands on what it says.
func (a *arena) startMarathon(ctx context.Context, log string) ([]string, error) {
	c, out, err := role(ctx, roleMarathon, a.site, log)
	if err != nil {
		return nil, err
	}
	read := make(chan struct{})
	a.stops = append(a.stops, func() error {
		err := c.stop()
		<-read
		return errors.Join(err, out.Close())
	})
	lines := json.NewDecoder(bufio.NewReader(out))
	var masters []string
	if err := lines.Decode(&masters); err != nil {
		close(read)
		return nil, errors.Join(err, c.failure())
	}
	for i := range a.sides {
		a.sides[i] = &side{name: sideName(i), host: loopback(1 + i), notes: make(chan note, 1024)}
	}
	go func() {
		defer close(read)
		for {
			var n note
			if lines.Decode(&n) != nil {
				return // it has ended, or will be found not to answer
			}
			select {
			case a.sides[n.Side].notes <- n:
			default: // nobody waits for one of so many
			}
		}
	}()
	return masters, nil
}

// replaceByBare takes mlb away from its HAProxy, which goes on, and puts the bare
// program there.
func (a *arena) replaceByBare(ctx context.Context, s *side) error {
	pids, err := processes(ctx, a.client, s.host)
	if err != nil {
		return err
	}
	if err = s.program.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.program.ended
	a.stops = append(a.stops, func() error { return endProcess(pids[0]) })
	socket := filepath.Join(s.dir, masterSocket)
	c, out, err := role(ctx, roleBare, job{
		Master: s.master, Socket: socket, Config: filepath.Join(s.dir, configFile), Port: a.TaskPort,
	}, filepath.Join(s.dir, "bare"))
	if err != nil {
		return err
	}
	s.program = c
	a.stops = append(a.stops, func() error { return errors.Join(c.stop(), out.Close()) })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		<-c.ended
		return errors.Join(err, c.failure())
	}
	return nil
}

// endProcess ends a process that is not a child and waits for it.
func endProcess(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end process %s: %w", strconv.Itoa(pid), err)
	}
	return eventually(context.Background(), "HAProxy has ended", func() error {
		if err := syscall.Kill(pid, 0); err == nil {
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
}
