// Command soak lets a day of a cluster's life pass in a quarter of an hour, in front of a
// real mlb with a real HAProxy and of clients that ask all the while, and says whether mlb
// kept its promises.
//
//	soak [-duration 15m] [-seed 0] [-apps 20] [-groups 3] [-generation 1.9] …
//
// Apps come, go, are scaled, replaced, renamed and killed, alone and in groups; masters
// stop, hang, lie and hand over; agents are lost; HAProxy and mlb are killed. At
// checkpoints all troubles end, and then HAProxy has to have exactly what Marathon says.
// It prints what it saw. The exit status is 1 when a promise is broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mlb/test/marathonsim"
)

// options are what the command line says.
type options struct {
	// duration is how long it lasts, without the last checkpoint.
	duration time.Duration
	// seed makes lives that differ; what is drawn depends on it alone, what it meets
	// depends on the machine too.
	seed uint64
	// apps and groups are how many there may be at a time, apps outside of the groups.
	apps, groups int
	// pause, trouble and checkpoint are the times between two operations, two troubles
	// of a kind, on average, and two checkpoints.
	pause, trouble, checkpoint time.Duration
	// clients is how many send requests meanwhile, each on a new connection.
	clients int
	// patience is how long anything may take to be right again.
	patience time.Duration
	// workers is how many HAProxy may have at a time.
	workers int
	// generation is that of the simulated Marathon.
	generation marathonsim.Generation
	// haproxy is the program, mlb the one that is looked at; empty means that it is
	// built.
	haproxy, mlb string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "soak:", err) // there is nowhere else to say it
		os.Exit(1)
	}
}

// run lets the day pass and prints what was seen, also of one that ends early.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	r, err := live(ctx, o, progress)
	if r != nil {
		err = errors.Join(err, r.report(out), r.verdict())
	}
	return err
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{}
	generation := ""
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.DurationVar(&o.duration, "duration", 15*time.Minute, "how long it lasts")
	flags.Uint64Var(&o.seed, "seed", 0, "makes lives that differ; 0 takes one at random")
	flags.IntVar(&o.apps, "apps", 20, "apps that come and go by themselves")
	flags.IntVar(&o.groups, "groups", 3, "groups, of three apps each")
	flags.DurationVar(&o.pause, "pause", 330*time.Millisecond, "time between two operations")
	flags.DurationVar(&o.trouble, "trouble", 5*time.Second, "time between two troubles of a kind, on average")
	flags.DurationVar(&o.checkpoint, "checkpoint", 40*time.Second, "time between two checkpoints")
	flags.IntVar(&o.clients, "clients", 4, "clients that send requests meanwhile")
	flags.DurationVar(&o.patience, "patience", time.Minute, "how long anything may take to be right again")
	flags.IntVar(&o.workers, "workers", 4, "most workers that HAProxy may have at a time")
	flags.StringVar(&generation, "generation", string(marathonsim.V1_9), "generation of Marathon")
	flags.StringVar(&o.haproxy, "haproxy", "haproxy", "HAProxy's program")
	flags.StringVar(&o.mlb, "mlb", "", "mlb's program; empty builds it")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.generation = marathonsim.Generation(generation)
	for o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	if min(o.duration, o.pause, o.trouble, o.checkpoint, o.patience) <= 0 || min(o.apps, o.workers) < 1 || min(o.groups, o.clients) < 0 || flags.NArg() > 0 {
		return o, fmt.Errorf("arguments %q: want an app, a worker, times above zero, and no words", args)
	}
	return o, nil
}
