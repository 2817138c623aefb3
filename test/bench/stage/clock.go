package stage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time on the one clock that all processes of the machine share and that
// nobody sets.
func Now() time.Duration { return clock(unix.CLOCK_MONOTONIC) }

// CPUTime is the processor time that a process has used so far, 0 when it has ended.
// The clock is finer than the figures in /proc, clock_getcpuclockid(3).
func CPUTime(pid int) time.Duration {
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

// PeakMemory is the most memory in bytes that a process has had resident so far.
func PeakMemory(pid int) (int, error) { return memory(pid, "VmHWM:") }

// ResidentMemory is the memory in bytes that a process has resident.
func ResidentMemory(pid int) (int, error) { return memory(pid, "VmRSS:") }

// memory is a size of a process as proc(5) tells it.
func memory(pid int, name string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := bytes.Cut(text, []byte(name))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("process %d has no %s", pid, name)
	}
	kilobytes, err := strconv.Atoi(string(fields[0]))
	return kilobytes << 10, err
}
