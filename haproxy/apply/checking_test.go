package apply_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// slowly returns a HAProxy program whose checks end only when release is called.
func slowly(t *testing.T, dir, binary string) (program string, begun func() bool, release func()) {
	t.Helper()
	program = filepath.Join(dir, "slow")
	mark, gate := filepath.Join(dir, "begun"), filepath.Join(dir, "gate")
	script := "#!/bin/sh\necho >> " + mark + "\ni=0\nwhile [ ! -e " + gate + " ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done\n" +
		"exec " + binary + " \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	return program, func() bool { return exists(mark) }, func() {
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// slow is a rig whose checks wait to be released.
func slow(t *testing.T, servers ...string) (r *rig, begun func() bool, release func()) {
	t.Helper()
	r = newRig(t)
	program, begun, release := slowly(t, r.dir, r.binary)
	r.run(t, func(c *apply.Config) {
		c.Binary, c.CheckPatience = program, time.Millisecond
	})
	t.Cleanup(release)
	r.apply(t, apply.MethodStart, proxy("s", r.bind, servers...))
	return r, begun, release
}

// One team's new app must not hold up the tasks of another.
func TestServersDoNotWaitForACheck(t *testing.T) {
	t.Parallel()
	a, b, c := target(t, "a"), target(t, "b"), target(t, "c")
	r, begun, release := slow(t, a)
	other := proxy("o", haproxytest.FreeAddr(t), a)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a), other)
	haproxytest.Eventually(t, "the check has begun", begun)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, b), other)
	r.awaitServers(t, "s/b ready")
	r.awaitAnswers(t, r.bind, "b")
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, b, c), other)
	r.awaitServers(t, "s/b ready", "s/c ready")
	release()
	haproxytest.Eventually(t, "the new app runs", func() bool { return r.Status().InSync })
	r.awaitServers(t, "o/a ready", "s/b ready", "s/c ready")
	if n := r.reloads(t); n != 1 {
		t.Errorf("%d reloads, want one, with the servers that came meanwhile", n)
	}
}

func TestServersDoNotWaitForATextThatIsRefused(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r, begun, release := slow(t, a)
	bad := "backend bad\n  nonsense\n"
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a), bad)
	haproxytest.Eventually(t, "the check has begun", begun)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, b), bad)
	r.awaitAnswers(t, r.bind, "b")
	release()
	haproxytest.Eventually(t, "the text is refused", func() bool { return r.Status().LastReloadError != "" })
	haproxytest.Eventually(t, "whoever makes texts is told", func() bool { return r.again.Load() > 0 })
	haproxytest.Eventually(t, "it is refused with the new servers, too", func() bool {
		result, err := r.Apply(t.Context(), text(proxy("s", r.bind, b), bad))
		return err != nil && len(result.Refused) == 1
	})
	r.awaitAnswers(t, r.bind, "b")
}

// Nor does it for a reload that somebody asked for.
func TestServersDoNotWaitForTheCheckOfTheFile(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r, begun, release := slow(t, a)
	r.Reload("test")
	haproxytest.Eventually(t, "the check has begun", begun)
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b))
	r.awaitServers(t, "s/b ready")
	r.awaitAnswers(t, r.bind, "b")
	release()
	haproxytest.Eventually(t, "it is reloaded", func() bool { return !r.Status().LastReload.IsZero() && r.Status().LastReloadError == "" })
	r.awaitServers(t, "s/b ready")
	r.awaitAnswers(t, r.bind, "b")
	if n := r.reloads(t); n != 1 {
		t.Errorf("%d reloads, want one", n)
	}
}

// What the check was about is not what is wanted when it ends.
func TestACheckOfWhatIsNotWantedAnyMoreLoadsTheNewest(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r, begun, release := slow(t, a)
	first, second := proxy("o", haproxytest.FreeAddr(t), a), proxy("p", haproxytest.FreeAddr(t), b)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a), first)
	haproxytest.Eventually(t, "the check has begun", begun)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a), second)
	release()
	r.awaitServers(t, "p/b ready", "s/a ready")
	haproxytest.Eventually(t, "the newest text runs", func() bool { return r.Status().InSync })
}

func TestHAProxyThatDiesDuringACheckIsStartedAgain(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r, begun, release := slow(t, a)
	other := proxy("o", haproxytest.FreeAddr(t), a)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a, b), other)
	haproxytest.Eventually(t, "the check has begun", begun)
	if err := syscall.Kill(r.process.PIDs()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswers(t, r.bind, "a", "b")
	release()
	r.awaitServers(t, "o/a ready", "s/a ready", "s/b ready")
	haproxytest.Eventually(t, "the newest text runs", func() bool { return r.Status().InSync })
}

func TestTheEndDoesNotWaitForACheck(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r, begun, _ := slow(t, a)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a), "backend new\n")
	haproxytest.Eventually(t, "the check has begun", begun)
	if err := r.end(); err != nil {
		t.Error(err)
	}
}
