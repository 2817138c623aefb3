package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// childVariable tells the program that it is the child of an init of its own.
const childVariable = "MLB_CHILD"

// isInit reports whether the program is the first process of a container and so
// has to reap processes that lost their parent, such as HAProxy's workers (D10).
func isInit(environ environment) bool { return os.Getpid() == 1 && environ.get(childVariable) == "" }

// runInit starts the program again as a child, hands signals on to it, reaps
// every process that ends, and returns the child's exit status.
func runInit(ctx context.Context) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return exitFailure, err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	defer signal.Stop(signals)
	child := exec.CommandContext(context.WithoutCancel(ctx), self, os.Args[1:]...) //nolint:gosec // this very program.
	child.Args[0] = os.Args[0]
	child.Env = append(os.Environ(), childVariable+"=1")
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		return exitFailure, err
	}
	for s := range signals {
		switch s {
		case syscall.SIGCHLD:
			if status, ended := reap(child.Process.Pid); ended {
				return status, nil
			}
		case syscall.SIGURG, syscall.SIGPIPE: // the Go runtime's own
		default:
			if err := child.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return exitFailure, err
			}
		}
	}
	return exitFailure, nil
}

// reap collects all ended processes and returns the exit status of the child if
// it is among them; a child ended by a signal counts as 128 plus its number.
func reap(child int) (status int, ended bool) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil || pid <= 0:
			return status, ended
		case pid == child && ws.Signaled():
			status, ended = 128+int(ws.Signal()), true
		case pid == child:
			status, ended = ws.ExitStatus(), true
		}
	}
}
