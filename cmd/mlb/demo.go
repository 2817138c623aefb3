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
	keep := flags.Bool("keep", false, "leave everything running until Ctrl-C, for your own commands")
	network := flags.String("network", "127.71.0", "first three numbers of the loopback addresses to use")
	verbose := flags.Bool("verbose", false, "show the balancers' logs")
	if done, err := parseWords(flags, "", args, stdout); done {
		return err
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
