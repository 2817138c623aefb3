package process_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// fixture is a directory with a configuration that has one listener.
type fixture struct {
	dir, addr string
	target    net.Listener
	stdout    *os.File
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{dir: haproxytest.Dir(t), addr: haproxytest.FreeAddr(t), target: haproxytest.Listen(t)}
	f.write(t, f.config())
	var err error
	if f.stdout, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.stdout.Close() })
	return f
}

func (f *fixture) config() string {
	return "global\n  maxconn 100\n  stats socket " + filepath.Join(f.dir, "stats.sock") + " mode 600 level admin\n" +
		"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n" +
		"listen l\n  bind " + f.addr + "\n  server s " + f.target.Addr().String() + "\n"
}

func (f *fixture) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "haproxy.cfg"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// process returns a Process that is stopped after the test.
func (f *fixture) process(t *testing.T) *process.Process {
	t.Helper()
	return f.processOf(t, haproxytest.Binary(t))
}

func (f *fixture) processOf(t *testing.T, binary string) *process.Process {
	t.Helper()
	p := process.New(processConfig(binary, f.dir, f.stdout), zap.NewNop())
	t.Cleanup(func() {
		if err := p.Stop(context.Background(), 0); err != nil { // the test's context has ended
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// started returns a Process whose HAProxy serves.
func (f *fixture) started(t *testing.T) *process.Process {
	t.Helper()
	p := f.process(t)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !haproxytest.Connects(t, f.addr) {
		t.Fatal("haproxy does not serve after Start")
	}
	// The session of that connection must not keep HAProxy from stopping.
	c, err := f.target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err = c.Close(); err != nil {
		t.Error(err)
	}
	return p
}

// session opens a session through HAProxy that stays open until the test ends.
func (f *fixture) session(t *testing.T) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	held, err := f.target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
	return c
}

func exited(t *testing.T, p *process.Process) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(haproxytest.Deadline):
		t.Fatal("Exited does not fire")
	}
	if p.Running() {
		t.Error("still running")
	}
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// gone checks that processes and sockets have gone.
func (f *fixture) gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if haproxytest.Alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	for _, s := range []string{"master.sock", "stats.sock", "haproxy.pids"} {
		if _, err := os.Lstat(filepath.Join(f.dir, s)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", s, err)
		}
	}
	if haproxytest.Connects(t, f.addr) {
		t.Error("somebody still serves")
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	pids := p.PIDs()
	if len(pids) != 2 || p.Adopted() {
		t.Errorf("processes %v, adopted %t, want master and worker of our own", pids, p.Adopted())
	}
	begin := time.Now()
	if err := p.Stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("an idle HAProxy took %s to stop", took)
	}
	f.gone(t, pids)
	if p.Exited() != nil {
		t.Error("Exited after Stop is not nil")
	}
	if err := p.Start(t.Context()); err != nil {
		t.Errorf("start after stop: %v", err)
	}
}

func TestStopEndsOldWorkersWhenGraceIsOver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	f.session(t)
	if _, err := p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := p.PIDs()
	if len(pids) != 3 {
		t.Fatalf("processes %v, want an old worker", pids)
	}
	const grace = 300 * time.Millisecond
	begin := time.Now()
	if err := p.Stop(t.Context(), grace); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < grace {
		t.Errorf("stopped after %s, before the grace of %s was over", took, grace)
		b, _ := os.ReadFile(filepath.Join(f.dir, "haproxy.messages"))
		t.Logf("%s", b)
	}
	f.gone(t, pids)
}

func TestStopKillsHungProcesses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	pids := p.PIDs()
	for _, pid := range pids {
		kill(t, pid, syscall.SIGSTOP)
	}
	if err := p.Stop(t.Context(), 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	f.gone(t, pids)
}

func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	before := p.PIDs()
	if _, err := p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.write(t, f.config()+"  garbage\n")
	result, err := p.Reload(t.Context())
	if !errors.Is(err, runtime.ErrReloadFailed) {
		t.Fatalf("reload of a bad file: %v", err)
	}
	messages := process.ParseMessages(result.Log)
	if !slices.ContainsFunc(messages, func(m process.Message) bool {
		return m.Line == strings.Count(f.config(), "\n")+1 && strings.Contains(m.Text, "garbage") && filepath.Base(m.File) == "haproxy.cfg"
	}) {
		t.Errorf("the log does not name the bad line: %q", result.Log)
	}
	if after := p.PIDs(); after[0] != before[0] || slices.Equal(after, before) {
		t.Errorf("processes %v after, %v before: the master stays, the worker changes", after, before)
	}
	if !haproxytest.Connects(t, f.addr) {
		t.Error("the old worker does not serve after a failed reload")
	}
}

func TestPortThatIsTakenFailsTheReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	taken := haproxytest.Listen(t).Addr().String()
	f.write(t, f.config()+"listen other\n  bind "+taken+"\n")
	result, err := p.Reload(t.Context())
	if !errors.Is(err, runtime.ErrReloadFailed) || !strings.Contains(result.Log, taken) {
		t.Errorf("reload with a taken port: %v, log %q", err, result.Log)
	}
	t.Logf("verdict after %s", result.Took)
	haproxytest.Eventually(t, "the old worker serves again", func() bool { return haproxytest.Connects(t, f.addr) })
	if err := process.BindTest(taken, p.PIDs()...); err == nil {
		t.Error("BindTest does not find the taken port")
	}
	if err := process.BindTest(f.addr, p.PIDs()...); err != nil {
		t.Errorf("BindTest of HAProxy's own port: %v", err)
	}
	var taker *process.PortError
	if err := process.BindTest(f.addr); !errors.As(err, &taker) || !strings.Contains(strings.Join(taker.Holders, " "), "haproxy (process ") {
		t.Errorf("BindTest of a port that a foreign HAProxy holds: %v", err)
	}
}

func TestStartReportsWhatHAProxySays(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, f *fixture) string{
		"a bad line": func(t *testing.T, f *fixture) string {
			t.Helper()
			f.write(t, f.config()+"  garbage\n")
			return "garbage"
		},
		"a port that is taken": func(t *testing.T, f *fixture) string {
			t.Helper()
			taken := haproxytest.Listen(t).Addr().String()
			f.write(t, f.config()+"  bind "+taken+"\n")
			return taken
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			want := change(t, f)
			p := f.process(t)
			err := p.Start(t.Context())
			var failed *process.StartError
			if !errors.As(err, &failed) || !strings.Contains(failed.Output, want) || !strings.Contains(err.Error(), want) {
				t.Errorf("Start = %v, want %q in it", err, want)
			}
			if p.Running() {
				t.Error("running after a failed start")
			}
			f.gone(t, nil)
			f.write(t, f.config())
			if err := p.Start(t.Context()); err != nil {
				t.Errorf("start with a good file: %v", err)
			}
		})
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	// A binary that never opens the master socket.
	binary := script(t, f.dir, "exec sleep 1000")
	p := f.processOf(t, binary)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start = %v", err)
	}
	if p.Running() {
		t.Error("running after a start that was given up")
	}
}

func TestWrapperThatExecutesHAProxy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	extra := filepath.Join(f.dir, "extra.cfg")
	extraAddr := haproxytest.FreeAddr(t)
	if err := os.WriteFile(extra, []byte("listen extra\n  bind "+extraAddr+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := f.processOf(t, script(t, f.dir, "exec "+haproxytest.Binary(t)+` "$@" -f `+extra))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !haproxytest.Connects(t, extraAddr) {
		t.Error("the wrapper's file is not in effect")
	}
	if _, err := p.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	pids := p.PIDs()
	if err := p.Stop(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
	f.gone(t, pids)
}

func TestFileInPlaceOfTheSocketIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := process.New(processConfig(haproxytest.Binary(t), f.dir, f.stdout), zap.NewNop())
	t.Cleanup(func() { _ = p.Close() })
	path := filepath.Join(f.dir, "master.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("Start = %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestHAProxyHasItsOwnSessionAndTheHardFileLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	_, hard, err := process.FileLimit()
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range p.PIDs() {
		if sid, sidErr := getsid(pid); sidErr != nil || sid != p.PIDs()[0] {
			t.Errorf("session of %d is %d, %v, want the master's", pid, sid, sidErr)
		}
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PIDs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "Max open files") && fields[4] != strconv.FormatUint(hard, 10) {
			t.Errorf("%q, want the hard limit %d", line, hard)
		}
	}
}

func getsid(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	var name, state string
	var id, parent, group, session int
	_, err = fmt.Sscan(string(b), &id, &name, &state, &parent, &group, &session)
	return session, err
}

// script writes an executable shell script.
func script(t *testing.T, dir, body string) string {
	t.Helper()
	path := filepath.Join(dir, "haproxy.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
