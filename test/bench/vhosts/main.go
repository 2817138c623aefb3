// Command vhosts measures what virtual hosts cost: requests per second and latency
// of a real HAProxy that runs mlb's own configuration, for several numbers of hosts.
//
//	vhosts [-sizes 10,1000,5000] [-rounds 41] [-round 300ms] [-clients 8] [-rules=true] [-least 0.9]
//
// Every HAProxy runs during the whole measurement, and each round asks all of them in
// turn, so what changes on the machine meanwhile changes all of them. A second
// HAProxy plays the tasks. Each answer is checked: it comes from the task of the
// app that the host and path belong to.
//
// It prints a table. The exit status is 1 when the largest number of hosts serves
// less than the share -least of the requests of the smallest, or an answer is wrong.
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
)

// options are what the command line says.
type options struct {
	// sizes are the numbers of virtual hosts, smallest first.
	sizes []int
	// rounds is how often each HAProxy is measured, round how long each time, after
	// as long a time of warming up.
	rounds int
	round  time.Duration
	// clients is how many connections send requests, one after the other.
	clients int
	// rules says that the same hosts are also measured as rules instead of maps.
	rules bool
	// least is the share of the requests that the largest size has to reach.
	least float64
	// haproxy is the program.
	haproxy string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "vhosts:", err) // there is nowhere else to say it
		os.Exit(1)
	}
}

// run measures and prints.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	sites, stop, err := start(ctx, o, progress)
	if err != nil {
		return errors.Join(err, stop())
	}
	results, err := measure(ctx, o, sites, progress)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	if err = table(out, o, results); err != nil {
		return err
	}
	return verdict(o, results)
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("vhosts", flag.ContinueOnError)
	flags.SetOutput(usage)
	sizes := flags.String("sizes", "10,1000,5000", "numbers of virtual hosts, smallest first")
	flags.IntVar(&o.rounds, "rounds", 41, "rounds")
	flags.DurationVar(&o.round, "round", 300*time.Millisecond, "how long each HAProxy is measured in a round")
	flags.IntVar(&o.clients, "clients", 8, "connections that send requests")
	flags.BoolVar(&o.rules, "rules", true, "measure rules, too")
	flags.Float64Var(&o.least, "least", 0.9, "share of the requests that the most hosts have to reach")
	flags.StringVar(&o.haproxy, "haproxy", "haproxy", "HAProxy's program")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for word := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > maxHosts || len(o.sizes) > 0 && n <= o.sizes[len(o.sizes)-1] {
			return o, fmt.Errorf("-sizes %s: want rising numbers from 1 to %d", *sizes, maxHosts)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.rounds < 1 || o.clients < 1 || o.round <= 0 || flags.NArg() > 0 {
		return o, fmt.Errorf("arguments %q: want at least one round, client and moment, and no words", args)
	}
	return o, nil
}
