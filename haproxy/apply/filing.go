package apply

import (
	"os"
	"runtime"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"mlb/haproxy"
)

// filing brings the files on disk up to what HAProxy runs, beside the loop: no change
// waits for a disk.
type filing struct {
	dirty bool // the files are behind
	// unsure says that an mlb that was killed may have left files or notes behind what
	// HAProxy runs.
	unsure bool
	// busy says that the files are being written; done then has the outcome.
	busy  bool
	done  chan filed
	timer *time.Timer
	// began is when files were last written, took how long that was.
	began time.Time
	took  time.Duration
}

// filed is the outcome of writing files.
type filed struct {
	took, cpu time.Duration
	bytes     int // of the files that were replaced
	err       error
}

// file writes the files of a configuration and keeps what they were.
func (l *Loop) file(d haproxy.Config) filed {
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	begin, cpu := time.Now(), threadTime()
	previous, err := l.store(d)
	l.keep(previous)
	f := filed{took: time.Since(begin), cpu: threadTime() - cpu, err: err}
	for _, p := range previous {
		if info, err := os.Stat(p.path); err == nil {
			f.bytes += int(info.Size())
		}
	}
	return f
}

// threadTime is the processor time that the present thread has used.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func newFiling() filing { return filing{done: make(chan filed, 1), timer: stopped()} }

// flushLater lets the files follow a runtime change, at most once in an interval and
// for a small part of the time.
func (l *Loop) flushLater() {
	if l.filing.dirty {
		return
	}
	l.filing.dirty = true
	if !l.filing.busy {
		l.armFlush()
	}
}

func (l *Loop) armFlush() {
	interval := max(flushInterval, flushShare*l.filing.took)
	l.filing.timer.Reset(max(0, time.Until(l.filing.began.Add(interval))))
}

// flush begins to write the files.
func (l *Loop) flush() {
	if !l.filing.dirty || l.filing.busy || l.command.ahead || l.running.Empty() || l.checking.now != nil { // which reads files
		return
	}
	l.filing.dirty, l.filing.busy, l.filing.began = false, true, time.Now()
	l.shelveAdded()
	d := l.runningFiles()
	go func() { l.filing.done <- l.file(d) }()
}

// flushed takes in the outcome of a flush.
func (l *Loop) flushed(f filed) {
	l.filing.busy, l.filing.took = false, f.took
	l.metrics.filing.Observe(f.took.Seconds())
	l.metrics.filingCPU.Add(f.cpu.Seconds())
	l.metrics.written.Add(float64(f.bytes))
	if f.err != nil {
		l.log.Error("configuration not written, trying again", zap.Error(f.err))
		l.filing.dirty = true
	} else {
		l.forgetShelved()
	}
	if l.filing.dirty {
		l.armFlush()
	}
}

// awaitFlush waits until nothing else writes files.
func (l *Loop) awaitFlush() {
	if l.filing.busy {
		l.flushed(<-l.filing.done)
	}
}

// writeRunning brings the files up to what HAProxy runs, and returns when they are.
func (l *Loop) writeRunning() {
	l.awaitFlush()
	l.filing.timer.Stop()
	if !l.filing.dirty || l.command.ahead || l.running.Empty() {
		return
	}
	l.filing.dirty, l.filing.began = false, time.Now()
	l.shelveAdded()
	if c := l.checking.now; c != nil {
		c.stale = true
	}
	l.flushed(l.file(l.runningFiles()))
}

// runningFiles is what the files should hold.
func (l *Loop) runningFiles() haproxy.Config {
	if haproxy.Diff(l.running, l.desired, l.version).Empty() {
		return l.desired
	}
	return l.running
}
