package balancer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlb/test/haproxytest"
)

// Balancer is one mlb with its HAProxy. Its methods are for one goroutine, except
// for those that only ask.
type Balancer struct {
	// Host is the loopback address of all its listeners: 8080 for HTTP, 8443 for
	// HTTPS, 9090 and 9091, and the service ports.
	Host string
	// Dir is its folder: haproxy.cfg with the maps, state, servers, run, ssl. It is
	// mlb's working directory.
	Dir string
	// Mode is the first word of the command line; [New] sets "sse".
	Mode string
	// Masters are the addresses for -m.
	Masters []string
	// Groups are the names for --group; [New] sets "external".
	Groups []string
	// Args and Env are added to the command line and to the environment.
	Args, Env []string

	cmd   *exec.Cmd
	ended chan struct{} // closed when the present process has ended
}

// New returns a balancer that does not run. Without haproxy the test is skipped, or
// fails when CI is set. role tells the balancers of one test apart.
func New(tb testing.TB, role string, masters []string) *Balancer {
	tb.Helper()
	haproxytest.Binary(tb)
	b := &Balancer{Host: Host(tb, role), Dir: haproxytest.Dir(tb), Mode: "sse", Masters: masters, Groups: []string{"external"}}
	// HAProxy's worker may run as another user and has to reach the sockets.
	if err := os.Chmod(b.Dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { b.cleanUp(tb) })
	return b
}

// Host returns the loopback address that belongs to this test and role alone. It is
// the Host of the balancer that [New] returns for the role.
func Host(tb testing.TB, role string) string {
	tb.Helper()
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%d %s %s", os.Getpid(), tb.Name(), role)
	n := h.Sum32()
	return fmt.Sprintf("127.%d.%d.%d", 16+n>>24%224, n>>16&0xff, 1+n>>8&0xff%254)
}

// Path returns the path of a file in the balancer's folder.
func (b *Balancer) Path(name string) string { return filepath.Join(b.Dir, name) }

// Line returns the command line without the program's name.
func (b *Balancer) Line() []string {
	line := []string{b.Mode}
	for _, m := range b.Masters {
		line = append(line, "-m", m)
	}
	for _, g := range b.Groups {
		line = append(line, "--group", g)
	}
	line = append(line, b.places()...)
	return append(line, b.Args...)
}

// places are the flags that keep the balancer in its address and folder.
func (b *Balancer) places() []string {
	return []string{
		"--http-bind", b.Host + ":8080", "--https-bind", b.Host + ":8443",
		"--appid-bind", b.Host + ":9091", "--stats-bind", b.Host + ":9090", "--bind-address", b.Host,
		"--haproxy-config", b.Path("haproxy.cfg"), "--state-dir", b.Path("state"), "--server-state-dir", b.Path("servers"),
		"--socket-dir", b.Path("run"), "--ssl-dir", b.Path("ssl"),
	}
}

// Prepare returns a command of the program in the balancer's folder and
// environment, not started.
func (b *Balancer) Prepare(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVariable), args...)
	cmd.Dir = b.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + b.Dir, "PORTS=9090", "GORACE=halt_on_error=1"}, b.Env...)
	return cmd
}

// Start starts mlb and does not wait.
func (b *Balancer) Start(tb testing.TB) {
	tb.Helper()
	out, err := os.OpenFile(b.Path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the process has its own copy
	// The test's context ends before its cleanups run.
	b.cmd = b.Prepare(context.WithoutCancel(tb.Context()), b.Line()...)
	b.cmd.Stdout, b.cmd.Stderr = out, out
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	cmd, ended := b.cmd, make(chan struct{})
	b.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
}

// Signal sends a signal to mlb alone.
func (b *Balancer) Signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Fatal(err)
	}
}

// Wait waits for the end of mlb and returns its exit status, -1 after a signal.
func (b *Balancer) Wait(tb testing.TB) int {
	tb.Helper()
	select {
	case <-b.ended:
	case <-time.After(Deadline):
		tb.Fatalf("mlb has not ended\n%s", b.Log())
	}
	return b.cmd.ProcessState.ExitCode()
}

// WaitReady waits until mlb says that it is ready.
func (b *Balancer) WaitReady(tb testing.TB) {
	tb.Helper()
	Eventually(tb, "mlb is ready", func() error {
		select {
		case <-b.ended:
			tb.Fatalf("mlb has ended:\n%s", b.Log())
		default:
		}
		_, err := b.Ask(tb.Context(), "/_mlb/ready")
		return err
	})
}

// Ask gets a path from the statistics port; an answer that is not 200 is an error.
func (b *Balancer) Ask(ctx context.Context, path string) (string, error) {
	a, err := b.Stats(path).Send(ctx)
	if err != nil {
		return "", err
	}
	if a.Code != http.StatusOK {
		return "", fmt.Errorf("%s: %d: %s", path, a.Code, a.Body)
	}
	return a.Body, nil
}

// Log returns the end of what mlb and HAProxy have written.
func (b *Balancer) Log() string {
	const most = 12000
	text, err := os.ReadFile(b.Path("log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// cleanUp ends mlb and, if it was killed, the HAProxy it left.
func (b *Balancer) cleanUp(tb testing.TB) {
	tb.Helper()
	if b.cmd != nil {
		b.Signal(tb, syscall.SIGTERM)
		if status := b.Wait(tb); status > 0 {
			tb.Errorf("mlb ended with status %d", status)
		}
	}
	for _, pid := range b.Processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
	}
	Eventually(tb, "all processes have ended", func() error {
		if pids := b.Processes(); len(pids) > 0 {
			return fmt.Errorf("left: %v", pids)
		}
		return nil
	})
	if tb.Failed() {
		tb.Logf("log of the balancer for %v:\n%s", b.Groups, b.Log())
	}
	if strings.Contains(b.Log(), "DATA RACE") {
		tb.Errorf("data race:\n%s", b.Log())
	}
}
