package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// gonePoll is the pause between two looks at a process where the kernel offers no
// process descriptors (before Linux 5.3, or forbidden in a container).
const gonePoll = 50 * time.Millisecond

// identity is a process that is not mistaken for another with the same id later.
type identity struct {
	pid int
	// start is when the process began, in clock ticks since the machine started.
	// Executing another program does not change it.
	start uint64
	// name is the name of its program.
	name string
}

// stat is what is needed of /proc/PID/stat.
type stat struct {
	identity
	parent int
	ended  bool
}

// readStat returns the facts about a process, or an error when there is none.
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return parseStat(pid, b)
}

// parseStat reads "pid (name) state parent … start …". The name may contain blanks
// and brackets.
func parseStat(pid int, b []byte) (stat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("process %d: stat without a name", pid)
	}
	const state, parent, threads, start = 0, 1, 17, 19 // from the third field of proc(5) on
	fields := strings.Fields(string(b[end+1:]))
	if len(fields) <= start {
		return stat{}, fmt.Errorf("process %d: stat has %d fields", pid, len(fields))
	}
	ppid, errParent := strconv.Atoi(fields[parent])
	began, errStart := strconv.ParseUint(fields[start], 10, 64)
	if err := errors.Join(errParent, errStart); err != nil {
		return stat{}, fmt.Errorf("process %d: stat: %w", pid, err)
	}
	return stat{
		identity: identity{pid: pid, start: began, name: string(b[open+1 : end])},
		parent:   ppid,
		// The first thread may end before the others, which still hold the files.
		ended: (fields[state] == "Z" || fields[state] == "X") && (fields[threads] == "0" || fields[threads] == "1"),
	}, nil
}

// identify returns the identity of a living process.
func identify(pid int) (identity, bool) {
	s, err := readStat(pid)
	if err != nil || s.ended {
		return identity{}, false
	}
	return s.identity, true
}

// alive reports whether the process has not ended. The name is not compared: a
// shell wrapper becomes haproxy.
func (id identity) alive() bool {
	now, ok := identify(id.pid)
	return ok && now.start == id.start
}

// family returns a living master and its children: workers, old workers, programs.
func family(master int) []identity {
	m, ok := identify(master)
	if !ok {
		return nil
	}
	out := []identity{m}
	for _, pid := range children(master) {
		if s, err := readStat(pid); err == nil && !s.ended && s.parent == master {
			out = append(out, s.identity)
		}
	}
	return out
}

// children returns candidates for the children of a process: the kernel's own list,
// or all processes when it keeps none.
func children(pid int) []int {
	names := []string{}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)); err == nil {
		names = strings.Fields(string(b))
	} else if dirs, err := filepath.Glob("/proc/[0-9]*"); err == nil {
		for _, d := range dirs {
			names = append(names, filepath.Base(d))
		}
	}
	var pids []int
	for _, n := range names {
		if id, err := strconv.Atoi(n); err == nil {
			pids = append(pids, id)
		}
	}
	return pids
}

// signal sends a signal; a process that has ended, or whose id belongs to another
// one by now, gets none.
func (id identity) signal(sig os.Signal) error {
	p, err := os.FindProcess(id.pid)
	if err != nil {
		return nil //nolint:nilerr // there is no such process
	}
	defer p.Release() //nolint:errcheck // nothing can be done about it
	if !id.alive() {  // asked after the descriptor was opened, so it is the same process
		return nil
	}
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s to process %d: %w", sig, id.pid, err)
	}
	return nil
}

// wait blocks until the process has ended (a child of ours need not be reaped yet)
// or ctx ends; then it returns ctx's error.
func (id identity) wait(ctx context.Context) error {
	if err := id.waitDescriptor(ctx); err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	ticker := time.NewTicker(gonePoll)
	defer ticker.Stop()
	for id.alive() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// waitDescriptor waits until the process has ended, and fails when the kernel
// offers no descriptor for it or ctx ends.
func (id identity) waitDescriptor(ctx context.Context) error {
	fd, err := unix.PidfdOpen(id.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("descriptor of process %d: %w", id.pid, err)
	}
	if err = unix.SetNonblock(fd, true); err != nil {
		return errors.Join(fmt.Errorf("descriptor of process %d: %w", id.pid, err), unix.Close(fd))
	}
	// A non-blocking file is watched by the Go runtime, so no thread is blocked.
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close() //nolint:errcheck // nothing was written
	if !id.alive() {
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	conn, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch process %d: %w", id.pid, err)
	}
	err = conn.Read(func(fd uintptr) bool {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
		n, pollErr := unix.Poll(set, 0)
		for errors.Is(pollErr, unix.EINTR) {
			n, pollErr = unix.Poll(set, 0)
		}
		return pollErr == nil && n > 0
	})
	if err != nil {
		return fmt.Errorf("watch process %d: %w", id.pid, err)
	}
	return nil
}

// waitAll waits until all processes have ended; it reports whether they have.
func waitAll(ctx context.Context, ids []identity) bool {
	for _, id := range ids {
		if id.wait(ctx) != nil && id.alive() {
			return false
		}
	}
	return true
}
