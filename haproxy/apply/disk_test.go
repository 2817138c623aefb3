package apply_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// mountsArgument tells a test that it has a mount namespace of its own.
const mountsArgument = "own-mounts"

// ownMounts reports whether this process has a mount namespace of its own. If not, it
// runs the test in one that has, so that no mount is left whatever happens.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if flag.Arg(0) == mountsArgument {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("only root may mount a disk that is full")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.count=1", "-test.run=^"+t.Name()+"$", "-test.v", mountsArgument)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM):
		t.Skipf("no right to mount a disk that is full: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()) || strings.Contains(string(out), "--- SKIP"):
		t.Skipf("not run in a mount namespace:\n%s", out)
	}
	return false
}

// seesMounts skips the test when HAProxy, run in a root of its own, does not see what is
// mounted in this one.
func (r *rig) seesMounts(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte("global\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), r.binary, "-c", "-f", r.file).CombinedOutput() // it may have warnings
	if strings.Contains(string(out), "No such file") {
		t.Skip("this HAProxy does not see new mounts")
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
}

// readOnly makes what is in a folder read-only.
func readOnly(t *testing.T, dir string) (mend func()) {
	t.Helper()
	if err := errors.Join(
		unix.Mount(dir, dir, "", unix.MS_BIND, ""),
		unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""),
	); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}
}

// full fills the disk of a folder.
func full(t *testing.T, dir string) (mend func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for page := make([]byte, os.Getpagesize()); err == nil; {
		_, err = f.Write(page)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

func TestDiskThatTakesNothingHoldsUpNoServer(t *testing.T) {
	t.Parallel()
	if !ownMounts(t) {
		return
	}
	a, b, c := target(t, "a"), target(t, "b"), target(t, "c")
	for name, spoil := range map[string]func(*testing.T, string) func(){"read-only": readOnly, "full": full} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			second := haproxytest.FreeAddr(t)
			if err := unix.Mount("test", r.dir, "tmpfs", 0, "size=2m"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := unix.Unmount(r.dir, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			r.seesMounts(t)
			side := func(chosen, sections string, servers ...string) state {
				d := r.mapped(chosen, a, b)
				s := state{config: haproxy.Parse(d.Text() + proxy("s", second, servers...) + sections).WithFiles(d.Files), entries: "key " + chosen + "\n"}
				s.has = []string{"a/a ready", "b/b ready"}
				for _, l := range servers {
					s.has = append(s.has, "s/"+l[:1]+" ready")
				}
				return s
			}
			r.run(t, mortal)
			r.applyAs(t, apply.MethodStart, side("a", "", a, b).config)
			master := r.process.PIDs()[0]
			traffic := newClients(t, r.bind, second)
			mend := spoil(t, r.dir)

			next := side("b", "", a, c)
			r.applyAs(t, apply.MethodRuntime, next.config)
			r.shows(t, "servers and maps", next)
			next = side("a", "backend new\n", c) // which no file knows
			if result, err := r.Apply(t.Context(), next.config); err == nil {
				t.Errorf("a new section: %+v", result)
			}
			r.awaitServers(t, next.has...)

			if err := r.end(); err != nil {
				t.Errorf("the end: %v", err)
			}
			r.run(t, mortal)
			next = side("b", "", c)
			result, err := r.Apply(t.Context(), next.config)
			t.Logf("after a restart of mlb: %+v, %v", result, err)
			r.shows(t, "after a restart of mlb", next)
			next = side("b", "", a, c)
			r.applyAs(t, apply.MethodRuntime, next.config)

			mend()
			r.reaches(t, "the disk is back", next)
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			r.run(t, mortal)
			r.applyAs(t, apply.MethodNone, next.config)
			r.reaches(t, "after another restart", next)
			traffic.lossless(t)
			traffic.stop()
			if found := masters(t, r.dir); len(found) != 1 || found[0] != master {
				t.Errorf("masters %v, want %d alone", found, master)
			}
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			r.run(t, nil) // ends HAProxy
		})
	}
}
