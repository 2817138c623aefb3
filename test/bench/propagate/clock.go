package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// now is the time on the one clock that all processes of the machine share and that
// nobody sets.
func now() time.Duration { return clock(unix.CLOCK_MONOTONIC) }

// cpuTime is the processor time that a process has used so far, 0 when it has ended.
// The clock is finer than the figures in /proc, clock_getcpuclockid(3).
func cpuTime(pid int) time.Duration {
	const scheduled = 2 // what Linux calls CPUCLOCK_SCHED
	return clock(int32(^pid<<3 | scheduled))
}

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// peakMemory is the most memory in bytes that a process has had so far, VmHWM in
// proc(5).
func peakMemory(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := bytes.Cut(text, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("process %d has no VmHWM", pid)
	}
	kilobytes, err := strconv.Atoi(string(fields[0]))
	return kilobytes << 10, err
}
