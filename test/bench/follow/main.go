// Command follow measures what it costs to follow Marathon: questions to Marathon and
// processor time for each change of an endpoint, memory, and a cold start.
//
//	follow [-sizes 10,1000,10000] [-changes 60] [-starts 3]
//
// Marathon, mlb, HAProxy and the tasks are processes of their own. A cold start is
// measured against a floor in the same run: HAProxy's own start with the finished
// configuration, and a bare program that fetches and decodes the list of apps.
//
// It prints tables. The exit status is 1 when a limit is missed; each is a flag.
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
	// changes is how many changes of endpoints are measured of each size, starts how
	// many cold starts.
	changes, starts int
	// limit is how long the changes of one size may take: no further one begins.
	limit time.Duration
	// read is how many times the app's document a change may cost at Marathon, cpu what
	// it may use of a processor, growth how much more of it the largest size may take
	// than the smallest.
	read, growth float64
	cpu          time.Duration
	// memory is how many times the list of apps mlb may have resident, start how many
	// times the floor a cold start may take, both at the largest size.
	memory, start float64
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
		_, _ = fmt.Fprintln(os.Stderr, "follow:", err) // there is nowhere else to say it
		os.Exit(1)
	}
}

// run measures and prints, or is one of the processes that this takes.
func run(ctx context.Context, args []string, in io.Reader, out, progress io.Writer) error {
	if len(args) == 2 && args[0] == stage.RoleMarathon {
		return stage.Marathon(ctx, args[1], in, out)
	}
	if len(args) == 2 && args[0] == roleReader {
		return read(ctx, args[1], out)
	}
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	results, err := measure(ctx, o, progress)
	if err != nil {
		return err
	}
	if err = table(out, results); err != nil {
		return err
	}
	return verdict(o, results)
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("follow", flag.ContinueOnError)
	flags.SetOutput(usage)
	sizes := flags.String("sizes", "10,1000,10000", "numbers of apps, smallest first")
	flags.IntVar(&o.changes, "changes", 60, "changes of endpoints of each size")
	flags.IntVar(&o.starts, "starts", 3, "cold starts of each size, the median of which counts")
	flags.DurationVar(&o.limit, "time", 90*time.Second, "how long the changes of one size may take: then no other begins")
	flags.Float64Var(&o.read, "read", 1.1, "how many times the app's document may be read for a change")
	flags.DurationVar(&o.cpu, "cpu", 2*time.Millisecond, "processor time that a change may take at the largest size, without the file")
	flags.Float64Var(&o.growth, "growth", 2, "how many times the processor time at the smallest size that may be")
	flags.Float64Var(&o.memory, "memory", 3, "how many times the list of apps may be resident at the largest size")
	flags.Float64Var(&o.start, "start", 2, "how many times the floor a cold start may take at the largest size")
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
	if o.changes < round || o.starts < 1 || o.limit <= 0 || flags.NArg() > 0 {
		return o, fmt.Errorf("arguments %q: want at least %d changes, a start and a moment, and no words", args, round)
	}
	return o, nil
}
