package apply_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// dieAfter applies texts one after the other and is killed right after the last,
// before it could have done anything else.
func dieAfter(dir, binary string, texts []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	p := newProcess(dir, binary, null)
	l := apply.New(loopConfig(dir, binary), p, p.Socket(), haproxy.Version{Major: 2, Minor: 6}, zap.NewNop(),
		apply.NewMetrics(prometheus.NewRegistry()))
	go func() { _ = l.Run(context.Background()) }()
	for _, t := range texts {
		if r, err := l.Apply(context.Background(), haproxy.Parse(t)); err != nil {
			return fmt.Errorf("apply: %+v, %w", r, err)
		}
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// die runs dieAfter in a process of its own. What it started goes on.
func (r *rig) die(t *testing.T, texts ...haproxy.Config) {
	t.Helper()
	args := []string{helperArgument, r.dir, r.binary}
	for _, d := range texts {
		args = append(args, d.Text())
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL { //nolint:forcetypeassert // Linux
		t.Fatalf("helper: %v: %s", err, out)
	}
}

func TestLiveHAProxyIsAdopted(t *testing.T) {
	t.Parallel()
	a, b, c := target(t, "a"), target(t, "b"), target(t, "c")
	for name, tc := range map[string]struct {
		// before are the servers of the texts applied before the death.
		before [][]string
		// meanwhile changes what is found.
		meanwhile func(*rig, *testing.T)
		method    string
		now       []string
	}{
		"nothing to do for the same text":              {[][]string{{a, b}}, nil, apply.MethodNone, []string{a, b}},
		"endpoints that changed meanwhile are steps":   {[][]string{{a, b}}, nil, apply.MethodRuntime, []string{b, c}},
		"death before the file followed a drain":       {[][]string{{a, b}, {a, b + " disabled"}}, nil, apply.MethodNone, []string{a, b + " disabled"}},
		"death before the file followed an addition":   {[][]string{{a}, {a, b}}, nil, apply.MethodNone, []string{a, b}},
		"the same, and more servers are wanted":        {[][]string{{a}, {a, b}}, nil, apply.MethodRuntime, []string{a, b, c}},
		"death between the rename and the reload":      {[][]string{{a}}, (*rig).renameOnly, apply.MethodReload, []string{a, b}},
		"death after the reload, and back again":       {[][]string{{a}}, (*rig).reloadOnly, apply.MethodReload, []string{a}},
		"a note that cannot be written is no obstacle": {[][]string{{a}}, (*rig).blockNote, apply.MethodRuntime, []string{b}},
		"a reload when the file is gone":               {[][]string{{a}}, (*rig).removeFile, apply.MethodReload, []string{a}},
		"endpoints follow when the file is no file":    {[][]string{{a}}, (*rig).spoilFile, apply.MethodRuntime, []string{b}},
		"a reload when it is not known what it runs":   {[][]string{{a}}, (*rig).forget, apply.MethodReload, []string{a}},
		"a reload when what is known of it is damaged": {[][]string{{a}}, (*rig).damage, apply.MethodReload, []string{a}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var texts []haproxy.Config
			for _, servers := range tc.before {
				texts = append(texts, text(proxy("s", r.bind, servers...)))
			}
			r.die(t, texts...)
			if tc.meanwhile != nil {
				tc.meanwhile(r, t)
			}
			r.run(t, nil)
			before := r.reloads(t)
			sections := []string{proxy("s", r.bind, tc.now...)}
			if name == "death between the rename and the reload" {
				sections = append(sections, "backend new\n")
			}
			r.apply(t, tc.method, sections...)
			if !r.process.Adopted() {
				t.Error("haproxy was started, not adopted")
			}
			var want []string
			for _, s := range tc.now {
				if !strings.HasSuffix(s, " disabled") {
					want = append(want, s[:1])
				}
			}
			r.awaitAnswers(t, r.bind, want...)
			reloads := 0
			if tc.method == apply.MethodReload {
				reloads = 1
			}
			if n := r.reloads(t) - before; n != reloads {
				t.Errorf("%d reloads, want %d", n, reloads)
			}
		})
	}
}

// blockNote keeps the note of HAProxy's processes from being written, as a full disk does.
func (r *rig) blockNote(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(r.dir, "haproxy.pids.new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// renameOnly leaves what a death between the rename and the reload leaves.
func (r *rig) renameOnly(t *testing.T) {
	t.Helper()
	next := strings.Replace(r.disk(t), "backend s\n", "backend new\nbackend s\n", 1)
	if err := os.WriteFile(r.file, []byte(next), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reloadOnly leaves what a death between the reload and its note leaves.
func (r *rig) reloadOnly(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte(r.disk(t)+"\nbackend new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newProcess(r.dir, r.binary, r.stdout).Socket().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) removeFile(t *testing.T) {
	t.Helper()
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) spoilFile(t *testing.T) {
	t.Helper()
	r.removeFile(t)
	if err := os.Mkdir(r.file, 0o700); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(r.dir, "loaded.cfg")); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) damage(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "loaded.cfg"), []byte("backend 'x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServerThatNoTextKnowsLeavesAnAdoptedHAProxy(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.die(t, text(proxy("s", r.bind, a)), text(proxy("s", r.bind, a, b)))
	for _, note := range []string{"added.cfg", "added.1.cfg"} {
		if err := os.Remove(filepath.Join(r.dir, note)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	r.run(t, nil)
	// Before it died, the loop may have written the file with b.
	if result, err := r.Apply(t.Context(), text(proxy("s", r.bind, a))); err != nil || result.Method == apply.MethodReload {
		t.Fatalf("Apply: %+v, %v", result, err)
	}
	r.awaitServers(t, "s/a ready")
	r.awaitAnswers(t, r.bind, "a")
}

func TestDeadHAProxyIsStartedAgain(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]int{"master": 0, "worker": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := target(t, "a"), target(t, "b")
			r := serving(t, a)
			r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b)) // the file may be behind
			held := open(t, r.bind)
			for range 2 {
				before := r.process.PIDs()
				if err := syscall.Kill(before[victim], syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				haproxytest.Eventually(t, "another haproxy runs", func() bool {
					now := r.process.PIDs()
					return len(now) > 1 && now[0] != before[0] && r.Status().Running
				})
				r.awaitAnswers(t, r.bind, "b")
			}
			r.apply(t, apply.MethodNone, proxy("s", r.bind, b))
			r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
			_ = held.Close()
		})
	}
}

func TestPortTakenWhileHAProxyWasDeadIsReported(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.run(t, nil)
	other := haproxytest.FreeAddr(t)
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a), proxy("other", other, a))
	shareListen(t, other)
	if err := syscall.Kill(r.process.PIDs()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	haproxytest.Eventually(t, "another text is asked for", func() bool { return r.again.Load() > 0 })
	result := r.fail(t, proxy("s", r.bind, a), proxy("other", other, a))
	if diff := cmp.Diff([]string{other}, result.Taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	r.awaitAnswers(t, r.bind, "a")
}

// shareListen listens on an address that HAProxy holds, as another HAProxy could.
func shareListen(t *testing.T, addr string) {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }), err)
	}}
	l, err := lc.Listen(t.Context(), "tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

func TestStartLast(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	t.Run("without any configuration nothing starts", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.run(t, nil)
		if ok, err := r.StartLast(t.Context()); ok || err != nil {
			t.Errorf("StartLast: %t, %v", ok, err)
		}
		r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	})
	t.Run("the file serves again", func(t *testing.T) {
		t.Parallel()
		r := stopped(t, a)
		if ok, err := r.StartLast(t.Context()); !ok || err != nil {
			t.Fatalf("StartLast: %t, %v", ok, err)
		}
		r.awaitAnswers(t, r.bind, "a")
		if ok, err := r.StartLast(t.Context()); !ok || err != nil {
			t.Errorf("again: %t, %v", ok, err)
		}
		r.apply(t, apply.MethodNone, proxy("s", r.bind, a))
	})
	t.Run("the text that ran last replaces a damaged file", func(t *testing.T) {
		t.Parallel()
		r := stopped(t, a)
		if err := os.WriteFile(r.file, []byte("nonsense\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if ok, err := r.StartLast(t.Context()); !ok || err != nil {
			t.Fatalf("StartLast: %t, %v", ok, err)
		}
		r.awaitAnswers(t, r.bind, "a")
		if strings.Contains(r.disk(t), "nonsense") {
			t.Error("the damaged file is still there")
		}
	})
}

// stopped returns a rig whose HAProxy has served and been stopped, with a new loop.
func stopped(t *testing.T, servers ...string) *rig {
	t.Helper()
	r := serving(t, servers...)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	r.run(t, nil)
	return r
}

func TestColdStartWithATextThatHAProxyRefuses(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	bad := "backend bad\n  balance nonsense\n"
	want := []string{"backend bad"}
	t.Run("the first text ever is named and nothing runs", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.run(t, nil)
		if diff := cmp.Diff(want, sectionsOf(r.fail(t, proxy("s", r.bind, a), bad).Refused)); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
		if r.Status().Running {
			t.Error("haproxy runs")
		}
		r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	})
	t.Run("the last good text serves", func(t *testing.T) {
		t.Parallel()
		r := stopped(t, a)
		if diff := cmp.Diff(want, sectionsOf(r.fail(t, proxy("s", r.bind, a), bad).Refused)); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
		r.awaitAnswers(t, r.bind, "a")
		if r.Status().InSync {
			t.Error("said to be in sync")
		}
		r.apply(t, apply.MethodNone, proxy("s", r.bind, a))
	})
}

func sectionsOf(refused []apply.Refusal) []string {
	var out []string
	for _, r := range refused {
		out = append(out, r.Section)
	}
	return out
}

func TestColdStartWithAPortThatAnotherProcessHolds(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.run(t, nil)
	held := haproxytest.Listen(t)
	result := r.fail(t, proxy("s", r.bind, a), proxy("held", held.Addr().String(), a))
	if diff := cmp.Diff([]string{held.Addr().String()}, result.Taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	r.awaitAnswers(t, r.bind, "a")
}

func TestEndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := serving(t, target(t, "a"))
	pids := r.process.PIDs()
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	for _, p := range pids {
		if haproxytest.Alive(p) {
			t.Errorf("process %d lives", p)
		}
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"haproxy.cfg", "haproxy.lock", "haproxy.messages", "loaded.cfg"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
	if _, err := r.Apply(t.Context(), text()); !errors.Is(err, apply.ErrEnded) {
		t.Errorf("Apply afterwards: %v", err)
	}
}

func TestHAProxyGoesOnWhenItIsNotToBeStopped(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.run(t, func(c *apply.Config) { c.StopHAProxy = false })
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	pids := r.process.PIDs()
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswers(t, r.bind, "a")
	r.run(t, nil)
	r.apply(t, apply.MethodNone, proxy("s", r.bind, a))
	if !slices.Equal(pids, r.process.PIDs()) {
		t.Errorf("processes %v became %v", pids, r.process.PIDs())
	}
}

func TestDeathBeforeTheFileFollowedARemoval(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.die(t, text(proxy("s", r.bind, a, b)), text(proxy("s", r.bind, a)))
	r.run(t, nil)
	// What is left to do depends on whether the server was deleted already.
	if result, err := r.Apply(t.Context(), text(proxy("s", r.bind, a))); err != nil || len(result.Reasons) > 0 {
		t.Fatalf("Apply: %+v, %v", result, err)
	}
	r.awaitServers(t, "s/a ready")
	r.awaitAnswers(t, r.bind, "a")
}
