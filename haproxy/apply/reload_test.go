package apply_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

func TestK18NewSectionReloadsAndKeepsSessions(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := serving(t, a)
	s := open(t, r.bind)
	more := haproxytest.FreeAddr(t)
	result := r.apply(t, apply.MethodReload, proxy("s", r.bind, a), proxy("more", more, a))
	if len(result.Reasons) != 2 || result.Adds != 1 {
		t.Errorf("result %+v", result)
	}
	r.awaitAnswers(t, more, "a")
	if !s.works() {
		t.Error("the session was cut")
	}
	if got := r.Status(); !got.InSync || got.Loaded.Text() != r.disk(t) {
		t.Errorf("status %+v", got)
	}
}

func TestTextThatHAProxyRefuses(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for name, c := range map[string]struct {
		bad  string
		want []string
	}{
		"a word it does not know":         {"backend bad\n  balance nonsense\n", []string{"backend bad"}},
		"a section that is not there":     {"frontend bad\n  bind " + haproxytest.FreeAddr(t) + "\n  default_backend none\n", []string{"frontend bad"}},
		"two at once":                     {"backend bad\n  balance nonsense\nbackend worse\n  nonsense\n", []string{"backend bad", "backend worse"}},
		"a quote that is not closed":      {"backend bad\n  option httpchk GET '/\n", []string{"backend bad"}},
		"several errors are several apps": {"backend bad\n  nonsense\n  nonsense\n", []string{"backend bad", "backend bad"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serving(t, a)
			good := r.disk(t)
			result := r.fail(t, proxy("s", r.bind, a), c.bad)
			if diff := cmp.Diff(c.want, sectionsOf(result.Refused)); diff != "" {
				t.Errorf("sections (-want +got):\n%s", diff)
			}
			lines := strings.Split(text(proxy("s", r.bind, a), c.bad).Text(), "\n")
			for _, f := range result.Refused {
				if f.Line > 0 && !strings.Contains(lines[f.Line-1], "nonsense") && !strings.Contains(lines[f.Line-1], "'/") {
					t.Errorf("line %d is %q", f.Line, lines[f.Line-1])
				}
				if f.Message == "" || strings.Contains(f.Message, r.dir) {
					t.Errorf("message %q", f.Message)
				}
			}
			if r.disk(t) != good {
				t.Error("the file was changed")
			}
			if r.Status().InSync {
				t.Error("said to be in sync")
			}
			// Endpoints go on meanwhile.
			r.fail(t, proxy("s", r.bind, b), "backend bad\n  balance nonsense\n")
			r.awaitAnswers(t, r.bind, "b")
			r.apply(t, apply.MethodNone, proxy("s", r.bind, b))
			if n := r.reloads(t); n != 0 {
				t.Errorf("%d reloads, want none", n)
			}
		})
	}
}

func TestRefusedTextIsNotCheckedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	counted := filepath.Join(r.dir, "checks")
	script := "#!/bin/sh\ncase $1 in -c) echo >>" + counted + ";; esac\nexec " + r.binary + " \"$@\"\n"
	r.binary = filepath.Join(r.dir, "haproxy.sh")
	if err := os.WriteFile(r.binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r.run(t, nil)
	a := target(t, "a")
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	for range 3 {
		r.fail(t, proxy("s", r.bind, a), "backend bad\n  nonsense\n")
	}
	b, err := os.ReadFile(counted)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 1 {
		t.Errorf("%d checks, want 1", len(b))
	}
}

func TestD48VerdictAgainstATextIsNotForEver(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.run(t, func(c *apply.Config) { c.VerdictLife = time.Nanosecond })
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	missing := filepath.Join(r.dir, "networks")
	section := proxy("n", haproxytest.FreeAddr(t)+"\n  tcp-request connection reject if { src -f "+missing+" }", a)
	r.fail(t, proxy("s", r.bind, a), section)
	if err := os.WriteFile(missing, []byte("192.0.2.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.apply(t, apply.MethodReload, proxy("s", r.bind, a), section)
}

func TestCheckChangesNothing(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := serving(t, a)
	before := r.disk(t)
	if refused, err := r.Check(t.Context(), text("backend bad\n  nonsense\n")); err != nil || len(refused) != 1 || refused[0].Section != "backend bad" {
		t.Errorf("Check of a bad text: %+v, %v", refused, err)
	}
	if refused, err := r.Check(t.Context(), text(proxy("s", r.bind, a), "backend n\n")); err != nil || len(refused) != 0 {
		t.Errorf("Check of a good text: %+v, %v", refused, err)
	}
	if !r.Status().InSync || r.disk(t) != before || len(r.archived(t)) > 0 {
		t.Errorf("status %+v, archive %v", r.Status(), r.archived(t))
	}
}

func TestNobodyHasToWaitForAHungCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	checking := filepath.Join(r.dir, "checking")
	script := "#!/bin/sh\ncase $1 in -c) echo >" + checking + "; exec sleep 1000;; esac\nexec " + r.binary + " \"$@\"\n"
	r.binary = filepath.Join(r.dir, "haproxy.sh")
	if err := os.WriteFile(r.binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r.run(t, nil)
	a := target(t, "a")
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Apply(ctx, text(proxy("s", r.bind, a), "backend new\n"))
		ended <- err
	}()
	haproxytest.Eventually(t, "a check", func() bool { _, err := os.Stat(checking); return err == nil })
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Apply = %v, want it cancelled", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Apply still waits for the check")
	}
}

func TestPortThatAnotherProcessHoldsIsReportedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := serving(t, a)
	held := haproxytest.Listen(t)
	more := haproxytest.FreeAddr(t)
	s := proxy("s", r.bind, a)
	result := r.fail(t, s, proxy("held", held.Addr().String(), a), proxy("more", more, a))
	if diff := cmp.Diff([]string{held.Addr().String()}, result.Taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}
	r.apply(t, apply.MethodReload, s, proxy("more", more, a))
	r.awaitAnswers(t, more, "a")
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	r.apply(t, apply.MethodReload, s, proxy("held", held.Addr().String(), a), proxy("more", more, a))
	r.awaitAnswers(t, held.Addr().String(), "a")
}

func TestStormOfTextsReloadsOnceAnInterval(t *testing.T) {
	t.Parallel()
	const interval = 700 * time.Millisecond
	a := target(t, "a")
	r := newRig(t)
	r.run(t, func(c *apply.Config) { c.MinReloadInterval = interval })
	s := proxy("s", r.bind, a)
	r.apply(t, apply.MethodStart, s)
	begin := time.Now()
	r.apply(t, apply.MethodReload, s, "backend n\n")
	var last haproxy.Config
	names := "n"
	for range 30 {
		names += "n"
		last = text(s, "backend "+names+"\n")
		if result, err := r.Apply(t.Context(), last); err != nil || result.Method != apply.MethodDeferred && result.Method != apply.MethodReload {
			t.Fatalf("Apply: %+v, %v", result, err)
		}
	}
	haproxytest.Eventually(t, "the newest text runs", func() bool { return r.Status().Loaded.Equal(last) && r.Status().InSync })
	most := 1 + int(time.Since(begin)/interval)
	if n := r.reloads(t); n > most || n < 2 {
		t.Errorf("%d reloads in %s, want 2 to %d", n, time.Since(begin), most)
	}
}

func TestDeferredReloadThatIsRefusedAsksForAnotherText(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.run(t, func(c *apply.Config) { c.MinReloadInterval = 300 * time.Millisecond })
	s := proxy("s", r.bind, a)
	r.apply(t, apply.MethodStart, s)
	r.apply(t, apply.MethodReload, s, "backend n\n")
	r.apply(t, apply.MethodDeferred, s, "backend n\n", "backend bad\n  nonsense\n")
	haproxytest.Eventually(t, "another text is asked for", func() bool { return r.again.Load() > 0 })
	if diff := cmp.Diff([]string{"backend bad"}, sectionsOf(r.fail(t, s, "backend n\n", "backend bad\n  nonsense\n").Refused)); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestStepsNeverWaitForADeferredReload(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, func(c *apply.Config) { c.MinReloadInterval = time.Hour })
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	r.apply(t, apply.MethodReload, proxy("s", r.bind, a), "backend n\n")
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, b), "backend n\n", "backend o\n")
	r.awaitAnswers(t, r.bind, "b")
	if r.Status().InSync {
		t.Error("said to be in sync")
	}
	r.apply(t, apply.MethodNone, proxy("s", r.bind, b), "backend n\n")
	if !r.Status().InSync {
		t.Error("not in sync although the reload is not needed any more")
	}
}

func TestReloadOnRequest(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	t.Run("loads the file, runtime changes included", func(t *testing.T) {
		t.Parallel()
		r := serving(t, a)
		r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b))
		r.Reload("test")
		haproxytest.Eventually(t, "a reload", func() bool { return r.reloads(t) == 1 })
		r.awaitAnswers(t, r.bind, "b")
		r.awaitServers(t, "s/b ready")
	})
	t.Run("does not need the newest text to be good", func(t *testing.T) {
		t.Parallel()
		r := serving(t, a)
		r.fail(t, proxy("s", r.bind, a), "backend bad\n  nonsense\n")
		r.Reload("test")
		haproxytest.Eventually(t, "a reload", func() bool { return r.reloads(t) == 1 })
	})
	t.Run("refuses a damaged file and keeps serving", func(t *testing.T) {
		t.Parallel()
		r := serving(t, a)
		if err := os.WriteFile(r.file, []byte("nonsense\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := r.Status().LastReload
		r.Reload("test")
		haproxytest.Eventually(t, "an attempt", func() bool { return r.Status().LastReload != before })
		if n := r.reloads(t); n != 0 {
			t.Errorf("%d reloads, want none", n)
		}
		r.awaitAnswers(t, r.bind, "a")
		r.apply(t, apply.MethodReload, proxy("s", r.bind, a), "backend n\n")
	})
	t.Run("one that cannot be done is done later", func(t *testing.T) {
		t.Parallel()
		r := serving(t, a)
		inTheWay := filepath.Join(r.file+".candidate", "in the way")
		if err := os.MkdirAll(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		r.Reload("test")
		haproxytest.Eventually(t, "an attempt that failed", func() bool { return r.Status().LastReloadError != "" })
		// A text that changes nothing does not make it forgotten.
		r.apply(t, apply.MethodNone, proxy("s", r.bind, a))
		if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
			t.Fatal(err)
		}
		haproxytest.Eventually(t, "a reload", func() bool { return r.reloads(t) == 1 })
		haproxytest.Eventually(t, "a status without an error", func() bool { return r.Status().LastReloadError == "" })
	})
	t.Run("many at once are few, and none is lost", func(t *testing.T) {
		t.Parallel()
		const interval = 500 * time.Millisecond
		r := newRig(t)
		r.run(t, func(c *apply.Config) { c.MinReloadInterval = interval })
		r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { r.Reload("test") })
		}
		all.Wait()
		haproxytest.Eventually(t, "a reload", func() bool { return r.reloads(t) >= 1 })
		r.Reload("once more")
		begin := time.Now()
		haproxytest.Eventually(t, "one more reload", func() bool { return r.reloads(t) >= 2 })
		if took := time.Since(begin); r.reloads(t) > 2+int(took/interval) {
			t.Errorf("%d reloads", r.reloads(t))
		}
	})
}
