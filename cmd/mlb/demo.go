package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/pflag"
)

// demo shows mlb at work on this machine: simulated masters, an internal and an
// external balancer with a HAProxy each, and the two groups of the tutorial with a
// real Redis and MariaDB. It needs no privileges and leaves nothing behind. An
// interrupt ends it early, which is no error.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := pflag.NewFlagSet("mlb demo", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	keep := flags.Bool("keep", false, "leave everything running until Ctrl-C, for your own commands")
	network := flags.String("network", "127.71.0", "first three numbers of the loopback addresses to use")
	verbose := flags.Bool("verbose", false, "show the balancers' logs")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return usageError(err)
	}
	if flags.NArg() > 0 {
		return usageError(fmt.Errorf("demo takes no words: %q", flags.Arg(0)))
	}
	if a, err := netip.ParseAddr(*network + ".0"); err != nil || !a.IsLoopback() {
		return usageError(fmt.Errorf("--network %q: want the beginning of a loopback address, such as 127.71.0", *network))
	}
	// The kernel ends the balancers when the thread that started them ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := &scene{out: stdout, network: *network}
	if *verbose {
		s.log = stderr
	}
	err := s.play(ctx, *keep)
	interrupted := ctx.Err() != nil
	stop() // a second interrupt ends the clean-up
	s.say("Ending: tasks, balancers and HAProxys are stopped.")
	if closed := s.close(); closed != nil {
		return errors.Join(err, closed)
	}
	if interrupted {
		return nil
	}
	return err
}
