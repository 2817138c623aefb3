package process_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"mlb/haproxy/process"
	"mlb/test/haproxytest"
)

// takeSocket removes the master's socket.
func (f *fixture) takeSocket(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(f.dir, "master.sock")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// left returns the HAProxy of a supervisor that is there no more, and a session of it.
func (f *fixture) left(t *testing.T) (pids []int, works func() bool) {
	t.Helper()
	first := process.New(processConfig(haproxytest.Binary(t), f.dir, f.stdout), zap.NewNop())
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids = first.PIDs()
	s := f.session(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	return pids, func() bool {
		_, err := s.Write([]byte("x"))
		return err == nil && haproxytest.Alive(pids[0])
	}
}

func TestMasterThatHasLostItsSocketMakesAnother(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func(*testing.T, *process.Process) error{
		"when it is adopted": func(t *testing.T, p *process.Process) error {
			t.Helper()
			ok, err := p.Adopt(t.Context())
			if !ok {
				t.Error("not adopted")
			}
			return err
		},
		"and no second one is started": func(t *testing.T, p *process.Process) error {
			t.Helper()
			if err := p.Start(t.Context()); !errors.Is(err, process.ErrRunning) {
				t.Errorf("Start = %v, want ErrRunning", err)
			}
			_, err := p.Adopt(t.Context())
			return err
		},
		"when it is to reload": func(t *testing.T, p *process.Process) error {
			t.Helper()
			if ok, err := p.Adopt(t.Context()); !ok || err != nil {
				return err
			}
			if err := os.Remove(p.Socket().Path()); err != nil {
				t.Fatal(err)
			}
			_, err := p.Reload(t.Context())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			pids, works := f.left(t)
			p := f.process(t)
			f.takeSocket(t)
			if err := try(t, p); err != nil {
				t.Error(err)
			}
			if !works() || p.PIDs()[0] != pids[0] {
				t.Errorf("processes %v are now %v, or the session was cut", pids, p.PIDs())
			}
			if _, err := p.Socket().Info(t.Context()); err != nil || !haproxytest.Connects(t, f.addr) {
				t.Errorf("it does not serve, or does not answer: %v", err)
			}
		})
	}
}

// A HAProxy that loads its configuration and finds something else in the place of its
// socket ends.
func TestMasterThatCannotMakeASocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ spoil, mend func(path string) error }{
		"a folder is in its place": {
			spoil: func(path string) error { return os.Mkdir(path, 0o700) },
			mend:  os.Remove,
		},
		"a file is in its place": {
			spoil: func(path string) error { return os.WriteFile(path, nil, 0o600) },
			mend:  os.Remove,
		},
		"its folder is gone": {
			spoil: func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+".moved") },
			mend:  func(path string) error { return os.Rename(filepath.Dir(path)+".moved", filepath.Dir(path)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			run := filepath.Join(f.dir, "run")
			if err := os.Mkdir(run, 0o700); err != nil {
				t.Fatal(err)
			}
			cfg := processConfig(haproxytest.Binary(t), f.dir, f.stdout)
			cfg.MasterSocket = filepath.Join(run, "master.sock")
			p := process.New(cfg, zap.NewNop())
			t.Cleanup(func() {
				if err := errors.Join(p.Stop(t.Context(), 0), p.Close()); err != nil {
					t.Error(err)
				}
			})
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			pids := p.PIDs()
			if err := errors.Join(os.Remove(cfg.MasterSocket), tc.spoil(cfg.MasterSocket)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Reload(t.Context()); !errors.Is(err, process.ErrSocketPlace) {
				t.Errorf("Reload = %v, want ErrSocketPlace", err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			p = process.New(cfg, zap.NewNop())
			if ok, err := p.Adopt(t.Context()); ok || !errors.Is(err, process.ErrSocketPlace) {
				t.Errorf("Adopt = %t, %v, want ErrSocketPlace", ok, err)
			}
			if err := p.Start(t.Context()); !errors.Is(err, process.ErrSocketPlace) {
				t.Errorf("Start = %v, want ErrSocketPlace", err)
			}
			if !haproxytest.Alive(pids[0]) || !haproxytest.Connects(t, f.addr) {
				t.Error("haproxy serves no more")
			}
			if err := tc.mend(cfg.MasterSocket); err != nil {
				t.Fatal(err)
			}
			if ok, err := p.Adopt(t.Context()); !ok || err != nil || p.PIDs()[0] != pids[0] {
				t.Errorf("Adopt = %t, %v, processes %v were %v", ok, err, p.PIDs(), pids)
			}
		})
	}
}

// Nobody listens at the socket while HAProxy reads its configuration, which may take a
// while. Whoever comes then must not start a second one.
func TestHAProxyThatStartsWhenItsSupervisorDiesIsAdopted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	file := filepath.Join(f.dir, "haproxy.cfg")
	config := f.config()
	if err := errors.Join(os.Remove(file), unix.Mkfifo(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	first := exec.CommandContext(t.Context(), os.Args[0], helperArgument, haproxytest.Binary(t), f.dir)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	noted := 0
	haproxytest.Eventually(t, "haproxy is noted before it answers", func() bool {
		b, err := os.ReadFile(filepath.Join(f.dir, "haproxy.pids"))
		pid, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.Atoi(pid) // 0 if there is none
		noted = n
		return err == nil && n > 0
	})
	kill(t, first.Process.Pid, syscall.SIGKILL)
	_ = first.Wait() // it was killed
	p := f.process(t)
	adopted := make(chan error, 1)
	go func() {
		ok, err := p.Adopt(t.Context())
		if !ok {
			err = errors.Join(err, errors.New("not adopted"))
		}
		adopted <- err
	}()
	w, err := os.OpenFile(file, os.O_WRONLY, 0) // once haproxy reads it
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString(config); err != nil {
		t.Error(err)
	}
	// It is a file for whoever reads it again.
	f.replace(t, file, config)
	if err := errors.Join(w.Close(), <-adopted); err != nil {
		t.Error(err)
	}
	if pids := p.PIDs(); len(pids) == 0 || pids[0] != noted {
		t.Errorf("processes %v, want %d first", pids, noted)
	}
	haproxytest.Eventually(t, "haproxy serves", func() bool { return haproxytest.Connects(t, f.addr) })
}

// replace puts a file in the place of another.
func (f *fixture) replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
