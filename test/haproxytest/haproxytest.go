// Package haproxytest starts real HAProxy processes for tests. Each test gets a
// loopback address and a directory of its own, so tests run in parallel, and
// whatever was started has ended when the test has.
package haproxytest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Deadline is how long a test waits for a condition before it fails. It is
// generous: tests also run on slow machines.
const Deadline = 20 * time.Second

// Binary returns the path of haproxy. Without one the test is skipped, or fails
// when the environment variable CI is set.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("haproxy")
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		tb.Fatal("haproxy is not installed")
	}
	tb.Skip("haproxy is not installed")
	return ""
}

// Dir returns a new directory that is removed after the test. Its path is short:
// the path of a Unix socket is limited to about 100 bytes.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "mlb") //nolint:usetesting // the paths of TempDir are too long
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// Host returns a loopback address that belongs to this test alone: it is derived
// from the names of the test and of the process.
func Host(tb testing.TB) string {
	tb.Helper()
	h := fnv.New32a()
	if _, err := fmt.Fprintf(h, "%d %s", os.Getpid(), tb.Name()); err != nil {
		tb.Fatal(err)
	}
	n := h.Sum32()
	return fmt.Sprintf("127.%d.%d.%d", 16+n>>24%224, n>>16&0xff, 1+n>>8&0xff%254)
}

// Listen opens a listener on a free port of the test's own address and closes it
// after the test.
func Listen(tb testing.TB) net.Listener {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp4", net.JoinHostPort(Host(tb), "0"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Error(err)
		}
	})
	return l
}

// FreeAddr returns an address with a port that was free a moment ago. As the host is
// the test's own and the port none that the kernel gives to outgoing connections
// (ip(7), ip_local_port_range), nobody else will take it.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	var lc net.ListenConfig
	for {
		addr := net.JoinHostPort(Host(tb), strconv.Itoa(20000+rand.IntN(10000)))
		l, err := lc.Listen(tb.Context(), "tcp4", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			tb.Fatal(err)
		}
		return addr
	}
}

// Eventually waits until ok returns true and fails the test after [Deadline].
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	timeout := time.NewTimer(Deadline)
	defer timeout.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-timeout.C:
			tb.Fatalf("waited %s for: %s", Deadline, what)
		}
	}
}

// Connects reports whether a TCP connection to addr can be opened.
func Connects(tb testing.TB, addr string) bool {
	tb.Helper()
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		return false
	}
	if err := c.Close(); err != nil {
		tb.Error(err)
	}
	return true
}

// Alive reports whether a process exists and has not ended.
func Alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// State, 16 more fields, number of threads: the first thread may end before the
	// others, which still hold the files.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, threads = 0, 17
	return len(f) > threads && (f[state] != "Z" && f[state] != "X" || f[threads] != "0" && f[threads] != "1")
}

// HAProxy is a running HAProxy in master-worker mode.
type HAProxy struct {
	// Dir is a directory of its own.
	Dir string
	// ConfigFile is the configuration in Dir.
	ConfigFile string
	// MasterSocket and StatsSocket are Unix sockets in Dir.
	MasterSocket, StatsSocket string
	// PID is the master's process id.
	PID int

	cmd *exec.Cmd
	log string
}

// Start runs HAProxy with the given configuration, in which a stats socket is
// added to the first section "global" (or in front when there is none), waits
// until it serves, and ends it after the test.
func Start(tb testing.TB, config string) *HAProxy {
	tb.Helper()
	dir := Dir(tb)
	h := &HAProxy{
		Dir: dir, ConfigFile: filepath.Join(dir, "haproxy.cfg"), log: filepath.Join(dir, "log"),
		MasterSocket: filepath.Join(dir, "master.sock"), StatsSocket: filepath.Join(dir, "stats.sock"),
	}
	h.Configure(tb, config)
	out, err := os.Create(h.log)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the child has its own copy
	// Not CommandContext: the test's context ends before its cleanups run.
	h.cmd = exec.Command(Binary(tb), "-W", "-S", h.MasterSocket+",level,admin,mode,600", "-f", h.ConfigFile) //nolint:noctx // see above
	h.cmd.Stdout, h.cmd.Stderr = out, out
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := h.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	h.PID = h.cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.cmd.Wait() // how it ended is for the test to say
	}()
	tb.Cleanup(func() { h.stop(tb, ended) })
	Eventually(tb, "haproxy serves", func() bool {
		select {
		case <-ended:
			tb.Fatalf("haproxy ended: %s", h.Log(tb))
		default:
		}
		return h.serves(tb)
	})
	return h
}

// Configure writes the configuration file; HAProxy takes it with its next reload.
func (h *HAProxy) Configure(tb testing.TB, config string) {
	tb.Helper()
	stats := "global\n  stats socket " + h.StatsSocket + " mode 600 level admin\n"
	if strings.Contains(config, "global\n") {
		config = strings.Replace(config, "global\n", stats, 1)
	} else {
		config = stats + config
	}
	if err := os.WriteFile(h.ConfigFile, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Log returns what HAProxy has written so far.
func (h *HAProxy) Log(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile(h.log)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// Signal sends a signal to the master and all its workers.
func (h *HAProxy) Signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if err := syscall.Kill(-h.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		tb.Fatal(err)
	}
}

// stop ends the whole process group; a stopped process is woken first.
func (h *HAProxy) stop(tb testing.TB, ended <-chan struct{}) {
	tb.Helper()
	h.Signal(tb, syscall.SIGCONT)
	h.Signal(tb, syscall.SIGKILL)
	<-ended
	Eventually(tb, "haproxy's processes have ended", func() bool { return !groupAlive(h.PID) })
}

// groupAlive reports whether a process group has a member that has not ended.
func groupAlive(group int) bool {
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return false
	}
	for _, d := range dirs {
		stat, err := os.ReadFile(d)
		if err != nil {
			continue
		}
		_, rest, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
		f := strings.Fields(rest) // state, parent, process group
		if ok && len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(group) {
			return true
		}
	}
	return false
}

// patience is how long serves waits for an answer. A question that the master drops
// is never answered; the next one is.
const patience = 300 * time.Millisecond

// serves reports whether a worker answers through the master. While HAProxy starts,
// the master drops connections (it executes itself anew), and from 3.1 on it knows
// a worker for a while that cannot be asked yet.
func (h *HAProxy) serves(tb testing.TB) bool {
	tb.Helper()
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(tb.Context(), "unix", h.MasterSocket)
	if err != nil {
		return false
	}
	defer c.Close() //nolint:errcheck // everything has been read
	if _, err = io.WriteString(c, "@1 show info;quit\n"); err != nil {
		return false
	}
	if err = c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Error(err)
	}
	answer, err := io.ReadAll(c)
	return err == nil && strings.Contains(string(answer), "\nPid: ")
}
