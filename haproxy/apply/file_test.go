package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

func TestFileFollowsRuntimeSteps(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := serving(t, a)
	want := text(proxy("s", r.bind, a, b)).Text()
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
	haproxytest.Eventually(t, "the file follows", func() bool { return r.disk(t) == want })
	// What is refused never gets into the file, what runs does.
	r.fail(t, proxy("s", r.bind, b), "backend bad\n  nonsense\n")
	want = text(proxy("s", r.bind, b)).Text()
	haproxytest.Eventually(t, "the file follows", func() bool { return r.disk(t) == want })
}

func TestFileFollowsAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := serving(t, a, b)
	seen, last := 0, r.disk(t)
	begin := time.Now()
	for i := 0; time.Since(begin) < 1500*time.Millisecond; i++ {
		r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b+[]string{" disabled", ""}[i%2]))
		if now := r.disk(t); now != last {
			seen, last = seen+1, now
		}
	}
	if most := 1 + int(time.Since(begin)/time.Second); seen > most {
		t.Errorf("%d writes in %s, want at most %d", seen, time.Since(begin), most)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
}

func TestFileModeIsKept(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := serving(t, a)
	mode := func() string {
		info, err := os.Lstat(r.file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().String()
	}
	if diff := cmp.Diff("-rw-r-----", mode()); diff != "" {
		t.Errorf("mode of a new file (-want +got):\n%s", diff)
	}
	if err := os.Chmod(r.file, 0o604); err != nil {
		t.Fatal(err)
	}
	r.apply(t, apply.MethodReload, proxy("s", r.bind, a), "backend n\n")
	if diff := cmp.Diff("-rw----r--", mode()); diff != "" {
		t.Errorf("mode of a replaced file (-want +got):\n%s", diff)
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for name, spoil := range map[string]func(t *testing.T, file string){
		"a link is not followed": func(t *testing.T, file string) {
			t.Helper()
			if err := os.Rename(file, file+".real"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(file+".real", file); err != nil {
				t.Fatal(err)
			}
		},
		"a folder is in the way": func(t *testing.T, file string) {
			t.Helper()
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a folder is in the way of the checked file": func(t *testing.T, file string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Join(file+".candidate", "in the way"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serving(t, a)
			spoil(t, r.file)
			result := r.fail(t, proxy("s", r.bind, a), "backend n\n")
			if len(result.Refused)+len(result.Taken) > 0 {
				t.Errorf("result %+v", result)
			}
			// Endpoints go on, and the retry brings the rest when it is possible again.
			r.apply(t, apply.MethodDeferred, proxy("s", r.bind, b), "backend n\n")
			r.awaitAnswers(t, r.bind, "b")
			for _, path := range []string{r.file, r.file + ".candidate"} {
				if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
					if err := os.RemoveAll(path); err != nil {
						t.Fatal(err)
					}
				}
			}
			haproxytest.Eventually(t, "the newest text runs", func() bool { return r.Status().InSync })
			if !strings.Contains(r.disk(t), "backend n\n") {
				t.Errorf("the file is %s", r.disk(t))
			}
			if n := r.reloads(t); n != 1 {
				t.Errorf("%d reloads, want 1", n)
			}
		})
	}
}

func TestStateThatCannotBeWrittenStopsNothing(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := serving(t, a)
	for _, name := range []string{"loaded.cfg", "haproxy.pids.new"} {
		path := filepath.Join(r.dir, name)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.apply(t, apply.MethodReload, proxy("s", r.bind, a), "backend n\n")
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, b), "backend n\n")
	r.awaitAnswers(t, r.bind, "b")
	if n := r.reloads(t); n != 1 {
		t.Errorf("%d reloads, want 1", n)
	}
}

// What is not known must not be written over what serves.
func TestFileStaysWhenItIsNotKnownWhatRuns(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := newRig(t)
	r.die(t, text(proxy("s", r.bind, a)))
	before := r.disk(t)
	r.forget(t)
	r.run(t, nil)
	r.fail(t, proxy("s", r.bind, a), "backend bad\n  nonsense\n")
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if r.disk(t) != before {
		t.Errorf("the file has become\n%s", r.disk(t))
	}
}
