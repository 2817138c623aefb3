package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isolate runs this program once more in a network of its own, which only root may
// make, with mlb already built. Thousands of new connections a second fill the table in
// which a machine with packet filters keeps track of connections; a full table drops
// packets, which looks like a loss that the balancer has caused. A new network has no
// packet filters.
func isolate(ctx context.Context, mlb string, args []string, out, progress io.Writer) error {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(args, "-inside", "-mlb", mlb)...)
	cmd.Stdout, cmd.Stderr = out, progress
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = limit + time.Minute
	return cmd.Run()
}

// raise makes the loopback interface of a new network usable.
func raise() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("raise the loopback interface: %w", err)
	}
	return nil
}

// build builds mlb in a folder and returns its path.
func build(ctx context.Context, dir string) (string, error) {
	path := dir + "/mlb"
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "mlb/cmd/mlb")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mlb: %w\n%s", err, out)
	}
	return path, nil
}
