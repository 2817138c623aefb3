package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

func TestKilledHAProxyIsNoticedAndReplaced(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]int{"master": 0, "worker": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			p := f.started(t)
			f.session(t)
			pids := p.PIDs()
			begin := time.Now()
			kill(t, pids[victim], syscall.SIGKILL)
			exited(t, p)
			t.Logf("noticed after %s", time.Since(begin))
			if _, err := p.Reload(t.Context()); !errors.Is(err, process.ErrNotRunning) {
				t.Errorf("reload of a dead HAProxy: %v", err)
			}
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, pid := range pids {
				if haproxytest.Alive(pid) {
					t.Errorf("process %d of the dead HAProxy lives", pid)
				}
			}
			if !haproxytest.Connects(t, f.addr) {
				t.Error("the new HAProxy does not serve")
			}
		})
	}
}

func TestStartEndsAWorkerThatOutlivesItsMaster(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.started(t)
	pids := p.PIDs()
	kill(t, pids[1], syscall.SIGSTOP) // it cannot notice
	kill(t, pids[0], syscall.SIGKILL)
	exited(t, p)
	if got := p.PIDs(); !slices.Contains(got, pids[1]) {
		t.Errorf("processes %v, want the worker %d among them", got, pids[1])
	}
	if !haproxytest.Alive(pids[1]) {
		t.Fatal("the stopped worker has ended")
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if haproxytest.Alive(pids[1]) {
		t.Error("the old worker still holds the port")
	}
}

func TestHAProxyOfADeadSupervisorIsAdopted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	out, err := exec.CommandContext(t.Context(), os.Args[0], helperArgument, haproxytest.Binary(t), f.dir).CombinedOutput()
	if err != nil {
		t.Fatalf("helper: %v: %s", err, out)
	}
	session := f.session(t)
	p := f.process(t)
	if err := p.Start(t.Context()); !errors.Is(err, process.ErrRunning) {
		t.Fatalf("start beside a live HAProxy: %v", err)
	}
	if ok, err := p.Adopt(t.Context()); err != nil || !ok || !p.Adopted() {
		t.Fatalf("Adopt = %t, %v", ok, err)
	}
	other := process.New(processConfig(haproxytest.Binary(t), f.dir, f.stdout), zap.NewNop())
	if _, err := other.Adopt(t.Context()); !errors.Is(err, process.ErrLocked) {
		t.Errorf("a second supervisor: %v", err)
	}
	f.write(t, f.config()+"  garbage\n")
	if result, err := p.Reload(t.Context()); !errors.Is(err, runtime.ErrReloadFailed) || !strings.Contains(result.Log, "garbage") {
		t.Errorf("reload of an adopted HAProxy: %v, %q", err, result.Log)
	}
	if _, err := session.Write([]byte("x")); err != nil {
		t.Errorf("the session did not survive: %v", err)
	}
	pids := p.PIDs()
	kill(t, pids[1], syscall.SIGKILL)
	exited(t, p)
	f.write(t, f.config())
	if err := p.Start(t.Context()); err != nil || p.Adopted() {
		t.Errorf("start after an adopted HAProxy has died: %v", err)
	}
}

func TestCloseLeavesHAProxyToTheNext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := process.New(processConfig(haproxytest.Binary(t), f.dir, f.stdout), zap.NewNop())
	if ok, err := first.Adopt(t.Context()); ok || err != nil {
		t.Fatalf("Adopt without HAProxy = %t, %v", ok, err)
	}
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := first.PIDs()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := f.process(t)
	if ok, err := second.Adopt(t.Context()); !ok || err != nil {
		t.Fatalf("Adopt = %t, %v", ok, err)
	}
	if !slices.Equal(pids, second.PIDs()) {
		t.Errorf("processes %v, want %v", second.PIDs(), pids)
	}
	if err := second.Stop(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	f.gone(t, pids)
}

func TestHungMasterIsNotAdopted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := process.New(processConfig(haproxytest.Binary(t), f.dir, f.stdout), zap.NewNop())
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := first.PIDs()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	kill(t, pids[0], syscall.SIGSTOP)
	second := f.process(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if ok, err := second.Adopt(ctx); ok || !errors.Is(err, process.ErrHung) {
		t.Errorf("Adopt = %t, %v", ok, err)
	}
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if haproxytest.Alive(pid) {
			t.Errorf("process %d of the hung HAProxy lives", pid)
		}
	}
}
