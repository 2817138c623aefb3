package apply_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// helperArgument makes the test binary apply texts and die, see dieAfter;
// foreignArgument makes it die by its own reload command, see dieByCommand.
const (
	helperArgument  = "apply-and-die"
	foreignArgument = "apply-and-be-killed"
	stepArgument    = "apply-and-die-at-a-step" // see dieAtStep
)

func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == helperArgument {
		if err := dieAfter(os.Args[2], os.Args[3], os.Args[4:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 6 && os.Args[1] == foreignArgument {
		dieByCommand(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
		os.Exit(1)
	}
	if len(os.Args) == 6 && os.Args[1] == stepArgument {
		if err := dieAtStep(os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// rig is a loop with a HAProxy of its own.
type rig struct {
	*apply.Loop
	dir, file, bind string
	// between is another path to the master's socket, on which commands are sent.
	between string
	process *process.Process
	again   *atomic.Int32
	stdout  *os.File
	binary  string
	end     func() error
}

// newRig makes a rig whose loop does not run yet.
func newRig(t *testing.T) *rig {
	t.Helper()
	dir := haproxytest.Dir(t)
	stdout, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdout.Close() })
	return &rig{
		dir: dir, file: filepath.Join(dir, "haproxy.cfg"), bind: haproxytest.FreeAddr(t),
		again: new(atomic.Int32), stdout: stdout, binary: haproxytest.Binary(t),
	}
}

func loopConfig(dir, binary string) apply.Config {
	return apply.Config{
		File: filepath.Join(dir, "haproxy.cfg"), StateDir: dir, Binary: binary,
		MinReloadInterval: time.Millisecond, StopTimeout: time.Millisecond, StopHAProxy: true,
		CheckPatience: time.Minute,
	}
}

func newProcess(dir, binary string, stdout *os.File) *process.Process {
	return process.New(process.Config{
		Binary: binary, ConfigFile: filepath.Join(dir, "haproxy.cfg"),
		MasterSocket: filepath.Join(dir, "master.sock"), StateDir: dir, Stdout: stdout,
	}, zap.NewNop())
}

// run starts a loop that ends before the test does; change adapts its Config.
func (r *rig) run(t *testing.T, change func(*apply.Config)) {
	t.Helper()
	cfg := loopConfig(r.dir, r.binary)
	cfg.Again = func() { r.again.Add(1) }
	if change != nil {
		change(&cfg)
	}
	r.process = newProcess(r.dir, r.binary, r.stdout)
	socket := r.process.Socket()
	if r.between != "" {
		socket = runtime.NewMasterSocket(r.between, zap.NewNop())
	}
	r.Loop = apply.New(cfg, r.process, socket, haproxy.Version{Major: 2, Minor: 6}, zap.NewNop(),
		apply.NewMetrics(prometheus.NewRegistry()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.end = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	end := r.end
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// text is a configuration with the given sections.
func text(sections ...string) haproxy.Config {
	return haproxy.Parse("global\n  maxconn 200\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n" +
		"  timeout server 1m\n  option redispatch\n  retries 3\n" + strings.Join(sections, ""))
}

// proxy is a frontend with its backend.
func proxy(name, bind string, servers ...string) string {
	var s strings.Builder
	s.WriteString("frontend " + name + "\n  bind " + bind + "\n  default_backend " + name + "\nbackend " + name + "\n")
	for _, l := range servers {
		s.WriteString("  server " + l + "\n")
	}
	return s.String()
}

// apply brings sections into effect and checks by which method.
func (r *rig) apply(t *testing.T, method string, sections ...string) apply.Result {
	t.Helper()
	result, err := r.Apply(t.Context(), text(sections...))
	if err != nil || result.Method != method {
		t.Fatalf("Apply: %+v, %v, want method %s", result, err, method)
	}
	return result
}

// fail applies sections that cannot be brought into effect.
func (r *rig) fail(t *testing.T, sections ...string) apply.Result {
	t.Helper()
	result, err := r.Apply(t.Context(), text(sections...))
	if err == nil || result.Method != apply.MethodFailed {
		t.Fatalf("Apply: %+v, %v, want method %s and an error", result, err, apply.MethodFailed)
	}
	return result
}

// reloads returns how often HAProxy was reloaded.
func (r *rig) reloads(t *testing.T) int {
	t.Helper()
	n := 0
	// While it reloads, the master refuses connections.
	haproxytest.Eventually(t, "the master answers", func() bool {
		p, err := r.process.Socket().Processes(t.Context())
		n = p.Reloads
		return err == nil
	})
	return n
}

// servers returns what HAProxy has as "backend/name state", sorted.
func (r *rig) servers(t *testing.T) []string {
	t.Helper()
	out, err := r.readServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (r *rig) readServers(ctx context.Context) ([]string, error) {
	states, err := r.process.Socket().Servers(ctx)
	var out []string
	for _, s := range states {
		state := "ready"
		if s.Admin.Maintenance() {
			state = "maint"
		}
		out = append(out, s.Backend+"/"+s.Name+" "+state)
	}
	slices.Sort(out)
	return out, err
}

func (r *rig) awaitServers(t *testing.T, want ...string) {
	t.Helper()
	haproxytest.Eventually(t, strings.Join(want, ", "), func() bool {
		got, err := r.readServers(t.Context())
		return err == nil && slices.Equal(got, want) // there is no answer during a reload
	})
}

// disk returns the configuration file.
func (r *rig) disk(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// target is a TCP server that says its name and then returns what it gets. It
// returns a server line of that name.
func target(t *testing.T, name string) string {
	t.Helper()
	return targetAt(t, name, haproxytest.Listen(t))
}

// targetAt is a target on a listener.
func targetAt(t *testing.T, name string, l net.Listener) string {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex // guards open, which the cleanup reads
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				echo(c, name)
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return name + " " + l.Addr().String()
}

func echo(c net.Conn, name string) {
	defer c.Close() //nolint:errcheck // the peer may have closed it
	if _, err := fmt.Fprintln(c, name); err != nil {
		return
	}
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if _, err := fmt.Fprintln(c, lines.Text()); err != nil {
			return
		}
	}
}

// session is one connection through HAProxy.
type session struct {
	net.Conn
	lines *bufio.Scanner
	// server is the name of the target it has reached.
	server string
}

func dial(ctx context.Context, addr string) (*session, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(haproxytest.Deadline)); err != nil {
		return nil, err
	}
	s := &session{Conn: c, lines: bufio.NewScanner(c)}
	if !s.lines.Scan() {
		_ = c.Close()
		return nil, fmt.Errorf("%s says nothing: %w", addr, s.lines.Err())
	}
	s.server = s.lines.Text()
	return s, nil
}

// open opens a session that is closed after the test at the latest.
func open(t *testing.T, addr string) *session {
	t.Helper()
	s, err := dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// works reports whether the session still carries data.
func (s *session) works() bool {
	if _, err := fmt.Fprintln(s, "ping"); err != nil {
		return false
	}
	return s.lines.Scan() && s.lines.Text() == "ping"
}

// answering returns the names of the targets that answer at addr, sorted.
func answering(t *testing.T, addr string) []string {
	t.Helper()
	var out []string
	for range 12 {
		s, err := dial(t.Context(), addr)
		if err != nil {
			return []string{"nobody"}
		}
		_ = s.Close()
		out = append(out, s.server)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *rig) awaitAnswers(t *testing.T, addr string, want ...string) {
	t.Helper()
	haproxytest.Eventually(t, "answers of "+strings.Join(want, ", "), func() bool { return slices.Equal(answering(t, addr), want) })
}
