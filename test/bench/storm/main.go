// Command storm lets a storm of events pass over a real mlb with a real HAProxy and
// says whether it kept its promises: one pass at a time, one reload in an interval,
// three workers at most as long as no connection lasts for a second, and in the end
// exactly what Marathon says.
//
//	storm [-apps 1000] [-events 5000] [-length 10s] [-seed 1] [-clients 8] [-patience 3m]
//
// It prints what it saw. The exit status is 1 when a promise is broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mlb/test/storm"
)

// options are what the command line says.
type options struct {
	storm storm.Options
	// interval is the shortest time between two reloads, which mlb is told.
	interval time.Duration
	// clients is how many send requests meanwhile, each on a new connection.
	clients int
	// patience is how long the end may take to be as Marathon says.
	patience time.Duration
	// haproxy is the program, mlb the one that is looked at; empty means that it is
	// built.
	haproxy, mlb string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "storm:", err) // there is nowhere else to say it
		os.Exit(1)
	}
}

// run lets it blow and prints what it saw.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	r, err := blow(ctx, o, progress)
	if err != nil {
		return err
	}
	if err := report(out, r); err != nil {
		return err
	}
	return r.seen.Verdict(o.interval)
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("storm", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.IntVar(&o.storm.Apps, "apps", 1000, "apps at the beginning, with two tasks each")
	flags.IntVar(&o.storm.Events, "events", 5000, "events that Marathon sends")
	flags.DurationVar(&o.storm.Length, "length", 10*time.Second, "in what time it does")
	flags.Uint64Var(&o.storm.Seed, "seed", 1, "makes storms that differ")
	flags.DurationVar(&o.interval, "interval", time.Second, "shortest time between two reloads, which mlb is told")
	flags.IntVar(&o.clients, "clients", 8, "clients that send requests meanwhile")
	flags.DurationVar(&o.patience, "patience", 3*time.Minute, "how long it may take until all is as Marathon says")
	flags.StringVar(&o.haproxy, "haproxy", "haproxy", "HAProxy's program")
	flags.StringVar(&o.mlb, "mlb", "", "mlb's program; empty builds it")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if s := o.storm; s.Apps < 1 || s.Apps > mostApps || s.Events < 1 || s.Length <= 0 || o.interval <= 0 || o.clients < 0 || flags.NArg() > 0 {
		return o, fmt.Errorf("arguments %q: want 1 to %d apps, an event, times above zero, and no words", args, mostApps)
	}
	return o, nil
}
