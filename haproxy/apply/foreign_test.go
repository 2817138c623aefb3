package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// foreign is a rig whose HAProxy is run by a script, which is the reload command. Its
// program has a name of its own, so that no other test's HAProxy is taken for it.
type foreign struct {
	*rig
	script, name string
	command      process.CommandConfig
	socket       *runtime.Socket
}

// start and reload are what the script does when HAProxy does not run and when it does.
const reloadScript = `#!/bin/sh
cd %[1]s
echo run >>runs
%[3]s
if [ -f pid ]; then exec kill -USR2 $(cat pid); fi
setsid %[1]s/%[2]s -W -S %[1]s/master.sock -f %[1]s/haproxy.cfg </dev/null >/dev/null 2>&1 &
echo $! >pid
`

// newForeign makes a rig whose script does special, a piece of shell, at each run.
func newForeign(t *testing.T, special string) *foreign {
	t.Helper()
	f := &foreign{rig: newRig(t)}
	f.name = "hap" + strings.TrimPrefix(filepath.Base(f.dir), "mlb")
	if err := os.Symlink(f.binary, filepath.Join(f.dir, f.name)); err != nil {
		t.Fatal(err)
	}
	f.script = filepath.Join(f.dir, "reload.sh")
	if err := os.WriteFile(f.script, fmt.Appendf(nil, reloadScript, f.dir, f.name, special), 0o700); err != nil {
		t.Fatal(err)
	}
	f.command = process.CommandConfig{Words: []string{f.script, "two words"}, Runs: 10, Interval: haproxytest.Deadline, Names: []string{f.name}}
	t.Cleanup(func() { f.stop(t) })
	return f
}

// stop ends what the script has started.
func (f *foreign) stop(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "pid"))
	if os.IsNotExist(err) {
		return
	}
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || convErr != nil {
		t.Fatal(err, convErr)
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	haproxytest.Eventually(t, "haproxy has ended", func() bool { return !haproxytest.Alive(pid) })
}

// run starts a loop that ends before the test does.
func (f *foreign) run(t *testing.T) {
	t.Helper()
	cfg := loopConfig(f.dir, f.binary)
	cfg.Command = process.NewCommand(f.command, zap.NewNop())
	cfg.Again = func() { f.again.Add(1) }
	f.Loop = apply.NewForeign(cfg, process.NewForeign(f.dir, f.command.Names), f.socket, haproxy.Version{Major: 2, Minor: 6}, zap.NewNop(),
		apply.NewMetrics(prometheus.NewRegistry()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	f.end = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	end := f.end
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// runs returns how often the script was run.
func (f *foreign) runs(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "runs"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(b), "run")
}

func (f *foreign) awaitSync(t *testing.T) {
	t.Helper()
	haproxytest.Eventually(t, "haproxy runs what was asked for", func() bool { return f.Status().InSync })
}

// touch makes a file that the script looks for.
func (f *foreign) touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *foreign) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestForeignHAProxyIsReloadedByTheCommand(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	f := newForeign(t, `[ "$1" = "two words" ] || exit 9`)
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "a")
	f.apply(t, apply.MethodNone, proxy("s", f.bind, a))
	// Without a socket each change of servers is one of the file.
	result := f.apply(t, apply.MethodDeferred, proxy("s", f.bind, b))
	if diff := cmp.Diff([]string{"no_runtime_socket"}, reasonCodes(result.Reasons)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "b")
	if n := f.runs(t); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
	// HAProxy is left alone at the end.
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	f.awaitAnswers(t, f.bind, "b")
	// What is loaded is known over a restart.
	f.run(t)
	f.apply(t, apply.MethodNone, proxy("s", f.bind, b))
}

func TestForeignHAProxyNeverSeesARefusedText(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	f := newForeign(t, "")
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	f.awaitSync(t)
	good := f.disk(t)
	if result := f.fail(t, proxy("s", f.bind, a), "backend bad\n  nonsense\n"); len(result.Refused) == 0 {
		t.Errorf("result %+v", result)
	}
	if f.disk(t) != good || f.runs(t) != 1 {
		t.Errorf("%d runs, file %s", f.runs(t), f.disk(t))
	}
}

func TestWithoutACommandTheFileIsWritten(t *testing.T) {
	t.Parallel()
	f := newForeign(t, "")
	f.command.Words = nil
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, "a 127.0.0.1:1"))
	f.awaitSync(t)
	if want := text(proxy("s", f.bind, "a 127.0.0.1:1")).Text(); f.disk(t) != want {
		t.Errorf("file %s", f.disk(t))
	}
}

func TestD47CommandRunsUntilANewHAProxyIsSeen(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	f := newForeign(t, "[ $(wc -l <runs) -lt 3 ] && exit 0")
	f.command.Runs, f.command.Interval = 3, time.Second
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	if err := f.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "a")
	if n := f.runs(t); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
}

func TestD47RunsOfTheCommandAreBounded(t *testing.T) {
	t.Parallel()
	for runs, want := range map[int]int{0: 1, 1: 1, 2: 2} {
		t.Run(strconv.Itoa(runs), func(t *testing.T) {
			t.Parallel()
			f := newForeign(t, "exit 0")
			f.command.Runs, f.command.Interval = runs, 0
			f.run(t)
			f.apply(t, apply.MethodDeferred, proxy("s", f.bind, "a 127.0.0.1:1"))
			if err := f.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := f.runs(t); n != want {
				t.Errorf("%d runs, want %d", n, want)
			}
			haproxytest.Eventually(t, "the status tells", func() bool {
				return strings.Contains(f.Status().LastReloadError, process.ErrNotSeen.Error())
			})
			if f.Status().InSync {
				t.Error("said to be in sync")
			}
		})
	}
}

func TestD47FailedCommandIsRunAgain(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	f := newForeign(t, `if [ -f broken ]; then echo "it is broken"; exit 3; fi`)
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	f.awaitSync(t)
	f.touch(t, "broken")
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, b))
	haproxytest.Eventually(t, "the status tells", func() bool {
		return strings.Contains(f.Status().LastReloadError, `exit status 3: "it is broken"`)
	})
	if f.Status().InSync || f.disk(t) != text(proxy("s", f.bind, b)).Text() {
		t.Errorf("status %+v, file %s", f.Status(), f.disk(t))
	}
	f.remove(t, "broken")
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "b")
}

func TestD47PassesGoOnWhileTheCommandHangs(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	f := newForeign(t, `if [ -f hang ]; then echo $$ >hanging; sleep 1000; fi`)
	f.touch(t, "hang")
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	haproxytest.Eventually(t, "the command hangs", func() bool {
		b, err := os.ReadFile(filepath.Join(f.dir, "hanging"))
		return err == nil && len(b) > 0
	})
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, b))
	if f.disk(t) != text(proxy("s", f.bind, b)).Text() {
		t.Errorf("file %s", f.disk(t))
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "hanging"))
	if err != nil {
		t.Fatal(err)
	}
	group, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	haproxytest.Eventually(t, "the command has ended with its children", func() bool {
		return syscall.Kill(-group, 0) != nil
	})
	// The next one knows that the file is not loaded.
	f.remove(t, "hang")
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, b))
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "b")
}

// dieByCommand applies a text with a command that kills the one who runs it.
func dieByCommand(dir, binary, script, text string) {
	cfg := loopConfig(dir, binary)
	cfg.Command = process.NewCommand(process.CommandConfig{Words: []string{script, "two words"}}, zap.NewNop())
	l := apply.NewForeign(cfg, process.NewForeign(dir, nil), nil, haproxy.Version{Major: 2, Minor: 6}, zap.NewNop(),
		apply.NewMetrics(prometheus.NewRegistry()))
	go func() { _ = l.Run(context.Background()) }()
	_, _ = l.Apply(context.Background(), haproxy.Parse(text))
	_ = l.Settle(context.Background())
}

func TestD47DeathBetweenTheFileAndTheReload(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	f := newForeign(t, `if [ -f kill ]; then rm kill; kill -9 $PPID; exit 0; fi`)
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "a")
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	// Only a server differs: without a socket that is a reload too.
	f.touch(t, "kill")
	wanted := text(proxy("s", f.bind, b)).Text()
	out, err := exec.CommandContext(t.Context(), os.Args[0], foreignArgument, f.dir, f.binary, f.script, wanted).CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL { //nolint:forcetypeassert // Linux
		t.Fatalf("helper: %v: %s", err, out)
	}
	if f.disk(t) != wanted {
		t.Fatalf("file %s", f.disk(t))
	}
	f.awaitAnswers(t, f.bind, "a")
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, b))
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "b")
}

func TestD47HungCommandIsGivenUp(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	f := newForeign(t, `[ $(wc -l <runs) -lt 2 ] && sleep 1000`)
	f.command.Timeout = 4 * time.Second // the good runs must end in it
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	f.awaitSync(t)
	f.awaitAnswers(t, f.bind, "a")
}

func TestD47ReloadOnRequestIsNotLost(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	f := newForeign(t, `[ -f broken ] && exit 1`)
	f.run(t)
	f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a))
	f.awaitSync(t)
	f.touch(t, "broken")
	f.Reload("test")
	f.apply(t, apply.MethodNone, proxy("s", f.bind, a))
	haproxytest.Eventually(t, "the command fails", func() bool { return f.Status().LastReloadError != "" })
	f.remove(t, "broken")
	haproxytest.Eventually(t, "the command does well", func() bool { return f.Status().LastReloadError == "" })
	f.awaitAnswers(t, f.bind, "a")
}

// With a socket, servers change at run time as they do in one's own HAProxy.
func TestRuntimeSocketSparesTheCommand(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for name, socket := range map[string]func(dir string) *runtime.Socket{
		"stats socket": func(dir string) *runtime.Socket {
			return runtime.NewStatsSocket(filepath.Join(dir, "stats.sock"), zap.NewNop())
		},
		"master socket": func(dir string) *runtime.Socket {
			return runtime.NewMasterSocket(filepath.Join(dir, "master.sock"), zap.NewNop())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForeign(t, "")
			f.socket = socket(f.dir)
			f.run(t)
			global := "global\n  stats socket " + f.dir + "/stats.sock mode 600 level admin\n"
			f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a), global)
			f.awaitSync(t)
			f.awaitAnswers(t, f.bind, "a")
			f.apply(t, apply.MethodRuntime, proxy("s", f.bind, b), global)
			f.awaitAnswers(t, f.bind, "b")
			want := text(proxy("s", f.bind, b), global).Text()
			haproxytest.Eventually(t, "the file follows", func() bool { return f.disk(t) == want })
			// A new section needs the command; servers do not wait for it.
			f.apply(t, apply.MethodDeferred, proxy("s", f.bind, a, b), global, "backend n\n")
			haproxytest.Eventually(t, "both answer", func() bool { return slices.Equal(answering(t, f.bind), []string{"a", "b"}) })
			f.awaitSync(t)
			if n := f.runs(t); n != 2 {
				t.Errorf("%d runs, want 2", n)
			}
		})
	}
}
