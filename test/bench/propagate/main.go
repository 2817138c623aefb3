// Command propagate measures how long a change in Marathon takes until clients of
// HAProxy notice: from the event to the first request that a new task serves, and to
// the last one that goes to a task on its way out.
//
//	propagate [-sizes 10,1000,10000] [-changes 100] [-rounds 10] [-time 75s]
//
// The measure is a floor in the same run: a bare program that does what nobody can do
// without, one GET of the app and one batch of commands to HAProxy. Both have a
// simulated Marathon with the same apps and a HAProxy with the same configuration of
// their own, and take turns: while one is measured nothing happens to the other.
//
// It prints two tables. The exit status is 1 when mlb takes more than -p50 times the
// floor in the median or -p99 times in the worst percent, uses more processor time
// for a change than -cpu, grows from the smallest to the largest size by more than
// -growth, or reloads HAProxy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mlb/test/bench/stage"
)

// options are what the command line says.
type options struct {
	// sizes are the numbers of apps, smallest first.
	sizes []int
	// changes is how many pairs of changes are made of each size: a task comes and
	// a task goes. They are shared out among the rounds.
	changes, rounds int
	// limit is how long the rounds of one size may take: no further one begins.
	limit time.Duration
	// clients is how many connections send requests to the app that changes.
	clients int
	// p50 and p99 are how many times the floor mlb may take, cpu what it may use of
	// a processor for each change, growth how much more of both the largest size may
	// cost than the smallest.
	p50, p99, growth float64
	cpu              time.Duration
	// programs are those to start; without an mlb it is built.
	programs stage.Programs
	// keep says that the folder with the logs stays.
	keep bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "propagate:", err) // there is nowhere else to say it
		os.Exit(1)
	}
}

// run measures and prints, or is one of the processes that this takes.
func run(ctx context.Context, args []string, in io.Reader, out, progress io.Writer) error {
	if len(args) == 2 && args[0] == stage.RoleMarathon {
		return stage.Marathon(ctx, args[1], in, out)
	}
	if len(args) == 2 && args[0] == roleBare {
		return bare(ctx, args[1], in, out)
	}
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	results, err := measure(ctx, o, progress)
	if err != nil {
		return err
	}
	if err = table(out, o, results); err != nil {
		return err
	}
	return verdict(o, results)
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("propagate", flag.ContinueOnError)
	flags.SetOutput(usage)
	sizes := flags.String("sizes", "10,1000,10000", "numbers of apps, smallest first")
	flags.IntVar(&o.changes, "changes", 100, "pairs of changes of each size: a task comes, a task goes")
	flags.IntVar(&o.rounds, "rounds", 10, "rounds among which the changes are shared out")
	flags.DurationVar(&o.limit, "time", 75*time.Second, "how long the rounds of one size may take: then no other begins")
	flags.IntVar(&o.clients, "clients", 2, "connections that send requests")
	flags.Float64Var(&o.p50, "p50", 2, "how many times the floor the median may be")
	flags.Float64Var(&o.p99, "p99", 5, "how many times the floor the 99th percentile may be")
	flags.DurationVar(&o.cpu, "cpu", 15*time.Millisecond, "processor time that a change may take")
	flags.Float64Var(&o.growth, "growth", 2, "how many times the smallest size the largest may cost")
	flags.StringVar(&o.programs.HAProxy, "haproxy", "haproxy", "HAProxy's program")
	flags.StringVar(&o.programs.MLB, "mlb", "", "mlb's program; empty builds it")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with the logs, and say where")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for word := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < stage.LeastApps || n > stage.MostApps || len(o.sizes) > 0 && n <= o.sizes[len(o.sizes)-1] {
			return o, fmt.Errorf("-sizes %s: want rising numbers from %d to %d", *sizes, stage.LeastApps, stage.MostApps)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.rounds < 1 || o.changes < o.rounds || o.clients < 1 || o.limit <= 0 || flags.NArg() > 0 {
		return o, fmt.Errorf("arguments %q: want at least one round, a change in each, a client and a moment, and no words", args)
	}
	return o, nil
}
