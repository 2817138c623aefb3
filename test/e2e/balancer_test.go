package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlb/test/haproxytest"
)

// balancer is one mlb with its HAProxy, on a loopback address and in a folder of
// its own.
type balancer struct {
	host string
	dir  string
	mode string
	// args and env are what the test adds to the command line and environment.
	args, env []string

	masters []string
	group   string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the present process has ended
}

// newBalancer returns a balancer that is not running. Whatever it starts ends with
// the test.
func newBalancer(t *testing.T, group string, masters []string, args ...string) *balancer {
	t.Helper()
	haproxytest.Binary(t)
	b := &balancer{host: host(t, group), dir: haproxytest.Dir(t), mode: "sse", masters: masters, group: group, args: args}
	// HAProxy's worker may run as another user and has to reach the sockets.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.cleanUp(t) })
	return b
}

// started returns a balancer for the group "external" that runs and is ready.
func started(t *testing.T, masters []string) *balancer {
	t.Helper()
	b := newBalancer(t, "external", masters)
	b.start(t)
	b.waitReady(t)
	return b
}

// host returns a loopback address that belongs to this test and role alone.
func host(t *testing.T, role string) string {
	t.Helper()
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%d %s %s", os.Getpid(), t.Name(), role)
	n := h.Sum32()
	return fmt.Sprintf("127.%d.%d.%d", 16+n>>24%224, n>>16&0xff, 1+n>>8&0xff%254)
}

// command returns the command line. The ports are fixed inside the balancer's own
// address.
func (b *balancer) command() []string {
	line := []string{b.mode}
	for _, m := range b.masters {
		line = append(line, "-m", m)
	}
	line = append(
		line, "--health-check", "--group", b.group,
		"--http-bind", b.host+":8080", "--https-bind", b.host+":8443",
		"--appid-bind", b.host+":9091", "--stats-bind", b.host+":9090", "--bind-address", b.host,
		"--haproxy-config", b.path("haproxy.cfg"), "--state-dir", b.path("state"), "--server-state-dir", b.path("servers"),
		"--socket-dir", b.path("run"), "--ssl-dir", b.path("ssl"),
	)
	return append(line, b.args...)
}

func (b *balancer) path(name string) string { return filepath.Join(b.dir, name) }

// prepare returns a command of the program in the balancer's environment.
func (b *balancer) prepare(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVariable), args...)
	cmd.Dir = b.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + b.dir, "PORTS=9090", "GORACE=halt_on_error=1"}, b.env...)
	return cmd
}

// start starts mlb and does not wait.
func (b *balancer) start(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(b.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the process has its own copy
	// The test's context ends before its cleanups run.
	b.cmd = b.prepare(context.WithoutCancel(t.Context()), b.command()...)
	b.cmd.Stdout, b.cmd.Stderr = out, out
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, ended := b.cmd, make(chan struct{})
	b.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
}

// signal sends a signal to mlb alone.
func (b *balancer) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait waits for the end of mlb and returns its exit status.
func (b *balancer) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-b.ended:
	case <-time.After(deadline):
		t.Fatalf("mlb has not ended\n%s", b.log())
	}
	return b.cmd.ProcessState.ExitCode()
}

// cleanUp ends mlb and, if it was killed, the HAProxy it left.
func (b *balancer) cleanUp(t *testing.T) {
	t.Helper()
	if b.cmd != nil {
		b.signal(t, syscall.SIGTERM)
		if status := b.wait(t); status != 0 && status != -1 {
			t.Errorf("mlb ended with status %d", status)
		}
	}
	for _, pid := range b.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
	}
	eventually(t, "all processes have ended", func() error {
		if pids := b.processes(); len(pids) > 0 {
			return fmt.Errorf("left: %v", pids)
		}
		return nil
	})
	if t.Failed() {
		t.Logf("log of the balancer for %s:\n%s", b.group, b.log())
	}
	if strings.Contains(b.log(), "DATA RACE") {
		t.Errorf("data race:\n%s", b.log())
	}
}

// log returns the end of what mlb and HAProxy have written.
func (b *balancer) log() string {
	const most = 12000
	text, err := os.ReadFile(b.path("log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// processes returns the processes that have the balancer's folder on their command
// line or work below it: mlb, HAProxy's master and its workers, and databases.
func (b *balancer) processes() []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, d := range dirs {
		line, err := os.ReadFile(filepath.Join(d, "cmdline"))
		pid, numErr := strconv.Atoi(filepath.Base(d))
		if err != nil || numErr != nil {
			continue // it has ended
		}
		works, _ := os.Readlink(filepath.Join(d, "cwd")) // empty when it may not be seen
		if (bytes.Contains(line, []byte(b.dir+"/")) || strings.HasPrefix(works, b.dir)) && haproxytest.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ready asks mlb for its readiness as an operator does.
func (b *balancer) ready(t *testing.T) error {
	t.Helper()
	out, err := b.prepare(t.Context(), "health", "--ready", "--socket-dir", b.path("run")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("not ready: %w: %s", err, out)
	}
	return nil
}

// waitReady waits until mlb says that it is ready. It asks at the statistics port,
// which costs less than a process each time.
func (b *balancer) waitReady(t *testing.T) {
	t.Helper()
	eventually(t, "mlb is ready", func() error {
		select {
		case <-b.ended:
			t.Fatalf("mlb has ended:\n%s", b.log())
		default:
		}
		_, err := b.ask(t, "/_mlb/ready")
		return err
	})
}

// ask gets a path from the statistics port.
func (b *balancer) ask(t *testing.T, path string) (string, error) {
	t.Helper()
	a, err := get(t.Context(), "http://"+b.host+":9090"+path, "")
	if err != nil {
		return "", err
	}
	if a.code != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", path, a.status, a.body)
	}
	return a.body, nil
}

// metric returns the sum of a metric of mlb over the series that have the text in
// their labels.
func (b *balancer) metric(t *testing.T, name, labels string) float64 {
	t.Helper()
	text, err := b.ask(t, "/_mlb/metrics")
	must(t, err)
	return sum(t, text, name, labels)
}

// sum adds up the series of a metric that have the text in their labels.
func sum(t *testing.T, metrics, name, labels string) float64 {
	t.Helper()
	total := 0.0
	for line := range strings.Lines(metrics) {
		line = strings.TrimSpace(line)
		last := strings.LastIndexByte(line, ' ') // labels may have blanks
		if last < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		base, with, _ := strings.Cut(line[:last], "{")
		if base != name || !strings.Contains(with, labels) {
			continue
		}
		v, err := strconv.ParseFloat(line[last+1:], 64)
		must(t, err)
		total += v
	}
	return total
}

// reloads returns how often HAProxy has been reloaded.
func (b *balancer) reloads(t *testing.T) float64 {
	t.Helper()
	return b.metric(t, "mlb_reloads_total", `result="ok"`)
}

// pids returns HAProxy's processes, the master first.
func (b *balancer) pids(t *testing.T) []int {
	t.Helper()
	text, err := b.ask(t, "/_haproxy_getpids")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for word := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// eventually waits until check returns nil. The last error is what the test fails
// with.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			t.Fatalf("waited %s for: %s: %v", deadline, what, err)
		}
	}
}
