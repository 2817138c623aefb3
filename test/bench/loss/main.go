// A listener for Multipath TCP, Go's default, takes no packet filter, see door.

//go:debug multipathtcp=0

// Command loss counts what is lost while tasks and apps come and go: requests, TCP and
// WebSocket sessions through a real mlb with its HAProxy.
//
//	loss [-haproxy PROGRAM,...] [-rates 200,600,2000] [-tasks 20] [-apps 50] [-clients 16] [-sessions 10]
//	     [-order 50ms] [-line TEXT] [-only PHASE,...] [-short] [-abrupt] [-log FILE]
//
// A simulated Marathon runs an app with a virtual host and an app for TCP; their tasks
// are servers in this process that behave as [tasks] says. At each rate the first app
// is scaled from 2 tasks to -tasks and back and replaced three times, and -apps new
// apps, one after the other, force as many reloads. Clients go on all the time; they
// repeat nothing. Each answer names the app and the task, and what was asked. Tasks
// note each POST, so that one that was sent to two of them, or twice to one, is seen.
//
// It prints tables. The exit status is 1 when a request failed, an answer was wrong, a
// session was cut, a POST was carried out twice, a task's change led to a reload, or a
// new app to none.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	// haproxy is the program.
	haproxy string
	// rates are the numbers of requests per second.
	rates []int
	// tasks is how many tasks the app has that is scaled, when they are many.
	tasks int
	// apps is how many new apps there are at each rate.
	apps int
	// clients is how many clients each kind of requests has, sessions how many
	// sessions each kind of sessions.
	clients, sessions int
	// order is how long Marathon's order to end a task is on its way.
	order time.Duration
	// line is one more line for the backend of the app that is scaled.
	line string
	// only are the names of the phases that are played; none means all.
	only []string
	// mlb is the program; inside says that this is the network of its own.
	mlb    string
	inside bool
	// abrupt is as in tasks.
	abrupt bool
	// log is where the balancer's log is left, with a line for each request; empty
	// for nowhere.
	log string
}

func main() {
	// The system ends mlb when the thread that started it ends.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		if _, told := errors.AsType[*exec.ExitError](err); !told {
			_, _ = fmt.Fprintln(os.Stderr, "loss:", err) // there is nowhere else to say it
		}
		os.Exit(1)
	}
}

// run builds mlb, and measures in a network of its own if it may have one.
func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, programs, err := parse(args, progress)
	if err != nil {
		return err
	}
	if o.inside {
		if err = raise(); err != nil {
			return err
		}
		return each(ctx, o, programs, out, progress)
	}
	dir, err := os.MkdirTemp("", "mlb-loss")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.mlb, err = build(ctx, dir); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		return isolate(ctx, o.mlb, args, out, progress)
	}
	if _, err = fmt.Fprintln(progress, "only root gets a network of its own; packet filters of this machine may drop connections"); err != nil {
		return err
	}
	return each(ctx, o, programs, out, progress)
}

// each measures with each program and prints.
func each(ctx context.Context, o options, programs []string, out, progress io.Writer) error {
	var errs []error
	for _, o.haproxy = range programs {
		if err := measure(ctx, o, out, progress); err != nil {
			errs = append(errs, fmt.Errorf("with HAProxy %s: %w", version(o.haproxy), err))
		}
	}
	return errors.Join(errs...)
}

// measure plays the story with one HAProxy and prints.
func measure(ctx context.Context, o options, out, progress io.Writer) error {
	r := result{book: newBook()}
	books := newLedger(func(nonce string) { r.book.double(kindOf(nonce), nonce) })
	s := &scene{options: o}
	err := s.setUp(ctx, tasks{ledger: books, abrupt: o.abrupt})
	if err == nil {
		r.played, err = play(ctx, s, &load{options: o, at: s.at, book: r.book, ledger: books}, progress)
	}
	err = errors.Join(err, s.close())
	if len(r.played) == 0 {
		return err
	}
	for _, n := range r.book.notes {
		if _, e := fmt.Fprintln(progress, n); e != nil {
			return errors.Join(err, e)
		}
	}
	return errors.Join(err, table(out, o, r), verdict(o, r))
}

// parse reads the command line. It returns the programs apart from the options of a
// single run.
func parse(args []string, usage io.Writer) (o options, programs []string, err error) {
	flags := flag.NewFlagSet("loss", flag.ContinueOnError)
	flags.SetOutput(usage)
	haproxy := flags.String("haproxy", "haproxy", "HAProxy's programs, one run for each")
	rates := flags.String("rates", "200,600,2000", "numbers of requests per second")
	flags.IntVar(&o.tasks, "tasks", 20, "tasks of the app that is scaled, when they are many")
	flags.IntVar(&o.apps, "apps", 50, "new apps, each of which forces a reload")
	flags.IntVar(&o.clients, "clients", 16, "clients of each kind of requests")
	flags.IntVar(&o.sessions, "sessions", 10, "sessions of each kind of sessions")
	flags.DurationVar(&o.order, "order", 50*time.Millisecond, "how long Marathon's order to end a task is on its way")
	flags.StringVar(&o.line, "line", "", "one more line for the backend of the app that is scaled, such as \"retries 3\"")
	flags.BoolVar(&o.abrupt, "abrupt", false, "tasks end without taking the connections that the system has accepted for them")
	flags.StringVar(&o.log, "log", "", "where to leave the balancer's log, with a line for each request, which takes /dev/log")
	flags.StringVar(&o.mlb, "mlb", "", "for this program itself: mlb, already built")
	flags.BoolVar(&o.inside, "inside", false, "for this program itself: the network is its own")
	only := flags.String("only", "", "the phases that are played, for looking into one; they begin with 2 tasks")
	short := flags.Bool("short", false, "a short run: one rate and few apps")
	if err := flags.Parse(args); err != nil {
		return o, nil, err
	}
	if *short {
		*rates, o.apps = "500", min(o.apps, 3)
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for word := range strings.SplitSeq(*rates, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return o, nil, fmt.Errorf("-rates %s: want numbers from 1 on", *rates)
		}
		o.rates = append(o.rates, n)
	}
	for _, name := range o.only {
		if !slices.Contains(names(phases()), name) {
			return o, nil, fmt.Errorf("-only %s: want some of %s", *only, strings.Join(names(phases()), ","))
		}
	}
	if o.order < 0 || o.tasks <= fewTasks || o.apps < 1 || o.clients < 1 || o.sessions < 1 || flags.NArg() > 0 {
		return o, nil, fmt.Errorf("arguments %q: want more than %d tasks, at least one app, client and session, no time below 0 and no words", args, fewTasks)
	}
	return o, strings.Split(*haproxy, ","), nil
}
