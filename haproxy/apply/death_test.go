package apply_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// mortal is the configuration of loops that are killed.
func mortal(c *apply.Config) {
	c.StopHAProxy = false
	c.ServerStateFile = filepath.Join(c.StateDir, "servers.state")
}

// order is what dieAtStep applies.
type order struct {
	Text  string
	Files []haproxy.File
}

// dieAtStep applies what is ordered in a file and is killed right before the n-th step.
// If there are fewer, it ends when everything has been done.
func dieAtStep(dir, binary, orderFile, nth string) error {
	b, err := os.ReadFile(orderFile)
	if err != nil {
		return err
	}
	var o order
	if err = json.Unmarshal(b, &o); err != nil {
		return err
	}
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	cfg := loopConfig(dir, binary)
	mortal(&cfg)
	p := newProcess(dir, binary, null)
	l := apply.New(cfg, p, p.Socket(), haproxy.Version{Major: 2, Minor: 6}, zap.NewNop(), apply.NewMetrics(prometheus.NewRegistry()))
	var steps atomic.Int64
	apply.Before(l, func(step string) {
		switch now := steps.Add(1); {
		case now == n:
			_, _ = fmt.Fprintln(os.Stdout, step)
			if path, ok := strings.CutPrefix(step, "write "); ok {
				halfWrite(path)
			}
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case now > n: // another goroutine's, while this process dies
			select {}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	d := haproxy.Parse(o.Text).WithFiles(o.Files)
	if r, err := l.Apply(ctx, d); err != nil {
		return fmt.Errorf("apply: %+v, %w", r, err)
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); !settled(l, dir, d); <-ticker.C {
		if time.Since(begin) > haproxytest.Deadline {
			return fmt.Errorf("not done: %+v", l.Status())
		}
	}
	cancel()
	return <-ended
}

// halfWrite leaves what a death in the midst of replacing a file leaves beside it.
func halfWrite(path string) {
	_ = os.WriteFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"4711"), []byte("half"), 0o600) // nobody listens to an error
}

// settled reports whether all that there is to be done for a configuration is done.
func settled(l *apply.Loop, dir string, d haproxy.Config) bool {
	s := l.Status()
	if !s.InSync || s.Leaving+s.Arriving > 0 {
		return false
	}
	for _, note := range []string{"added.cfg", "added.1.cfg"} {
		if _, err := os.Lstat(filepath.Join(dir, note)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	for _, f := range append(slices.Clone(d.Files), haproxy.File{Name: "haproxy.cfg", Text: d.Text()}) {
		b, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || string(b) != f.Text {
			return false
		}
	}
	return true
}

// dieAt runs dieAtStep in a process of its own. It returns the step before which that
// was killed, or nothing when everything was done.
func (r *rig) dieAt(t *testing.T, d haproxy.Config, n int) string {
	t.Helper()
	b, err := json.Marshal(order{d.Text(), d.Files})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "order")
	if err = os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], stepArgument, r.dir, r.binary, file, strconv.Itoa(n)).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL: //nolint:forcetypeassert // Linux
		t.Fatalf("helper: %v: %s", err, out)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(out)), r.dir+"/", "")
}

// leftovers returns the files that nobody needs any more.
func (r *rig) leftovers(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		name := filepath.Base(path)
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".candidate") || strings.HasPrefix(name, "added.") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// entries returns what HAProxy's map has, as the lines of its file, sorted.
func (r *rig) entries(t *testing.T, name string) string {
	t.Helper()
	entries, err := r.process.Socket().Map(t.Context(), filepath.Join(r.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Key+" "+e.Value+"\n")
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// Wherever mlb is killed, HAProxy serves on, and the next mlb takes it to what is wanted.
func TestDeathBeforeAnyStepOfAChangeLosesNothing(t *testing.T) {
	t.Parallel()
	a, b, c := target(t, "a"), target(t, "b"), target(t, "c")
	for name, tc := range map[string]struct {
		reload, runtime bool
	}{
		"servers and entries of maps that change": {runtime: true},
		"a new section": {reload: true},
		"both at once":  {reload: true, runtime: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			second := haproxytest.FreeAddr(t)
			// side is one of two configurations that take turns.
			side := func(here bool) state {
				s := state{servers: []string{a, b}, entries: "key a\nmoves a\nold b\n"}
				if here && tc.runtime {
					s = state{servers: []string{a, c}, entries: "key a\nmoves b\nnew b\n"}
				}
				d := withFile(r.mapped("a", a, b), "hosts.map", s.entries)
				text := d.Text() + proxy("s", second, s.servers...)
				s.has = []string{"a/a ready", "b/b ready"}
				if tc.reload {
					name := map[bool]string{true: "more", false: "else"}[here]
					text += proxy(name, haproxytest.FreeAddr(t), a)
					s.has = append(s.has, name+"/a ready")
				}
				for _, l := range s.servers {
					s.has = append(s.has, "s/"+l[:1]+" ready")
				}
				slices.Sort(s.has)
				s.config = haproxy.Parse(text).WithFiles(d.Files)
				return s
			}
			now, next := side(false), side(true)
			r.run(t, mortal)
			r.applyAs(t, apply.MethodStart, now.config)
			master := r.process.PIDs()[0]
			traffic := newClients(t, r.bind, second)
			for n, step := 1, "?"; step != "" && !t.Failed(); n++ {
				if err := r.end(); err != nil {
					t.Fatal(err)
				}
				step = r.dieAt(t, next.config, n)
				r.run(t, mortal)
				reloads := r.reloads(t)
				result, err := r.Apply(t.Context(), next.config)
				if err != nil {
					t.Fatalf("killed before step %d, %q: Apply: %+v, %v", n, step, result, err)
				}
				r.reaches(t, fmt.Sprintf("killed before step %d, %q", n, step), next)
				if did := r.reloads(t) - reloads; did > 1 || did > 0 && !tc.reload {
					t.Errorf("killed before step %d, %q: %d reloads, reasons %+v", n, step, did, result.Reasons)
				}
				if pids := r.process.PIDs(); pids[0] != master {
					t.Errorf("killed before step %d, %q: another HAProxy", n, step)
				}
				now, next = next, now
			}
			traffic.lossless(t)
			traffic.stop()
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			r.run(t, nil) // ends HAProxy
		})
	}
}

// Neither a second HAProxy nor none comes of a death during a start.
func TestDeathBeforeAnyStepOfAStartLosesNothing(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for n, step := 1, "?"; step != "" && !t.Failed(); n++ {
		r := newRig(t)
		d := r.mapped("a", a, b)
		step = r.dieAt(t, d, n)
		what := fmt.Sprintf("killed before step %d, %q", n, step)
		found := masters(t, r.dir)
		r.run(t, func(c *apply.Config) { mortal(c); c.StopHAProxy = true })
		result, err := r.Apply(t.Context(), d)
		if err != nil {
			t.Fatalf("%s: Apply: %+v, %v", what, result, err)
		}
		r.reaches(t, what, state{config: d, has: []string{"a/a ready", "b/b ready"}, entries: "key a\n"})
		if now := masters(t, r.dir); len(now) != 1 || len(found) > 0 && now[0] != found[0] {
			t.Errorf("%s: masters %v, after the death %v", what, now, found)
		}
		if did := r.reloads(t); did > 1 || did > 0 && len(found) == 0 {
			t.Errorf("%s: %d reloads, reasons %+v", what, did, result.Reasons)
		}
		r.awaitAnswers(t, r.bind, "a")
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	}
}

// masters returns the HAProxys that have their master socket in a folder.
func masters(t *testing.T, dir string) []int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[int]int{}
	for _, l := range lines {
		line, err := os.ReadFile(l)
		if err != nil || !strings.Contains(string(line), dir+"/master.sock,") {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(l), "stat"))
		var pid, parent int
		var name, state string
		if err == nil {
			_, err = fmt.Sscan(string(stat), &pid, &name, &state, &parent)
		}
		if err == nil && state != "Z" {
			parents[pid] = parent
		}
	}
	var out []int
	for pid, parent := range parents {
		if _, worker := parents[parent]; !worker {
			out = append(out, pid)
		}
	}
	return out
}

// state is what HAProxy has with a configuration.
type state struct {
	config       haproxy.Config
	servers, has []string
	entries      string
}

// reaches waits until everything is as a state says, and nothing else is left.
func (r *rig) reaches(t *testing.T, what string, s state) {
	t.Helper()
	haproxytest.Eventually(t, what+": everything is as wanted", func() bool { return settled(r.Loop, r.dir, s.config) })
	r.shows(t, what, s)
	// The archive is written last.
	haproxytest.Eventually(t, what+": nothing is left", func() bool { return len(r.leftovers(t)) == 0 })
}

// shows waits until HAProxy has what a state says, and nothing else.
func (r *rig) shows(t *testing.T, what string, s state) {
	t.Helper()
	haproxytest.Eventually(t, what+": it is settled", func() bool { now := r.Status(); return now.InSync && now.Leaving == 0 })
	if diff := cmp.Diff(s.has, r.servers(t)); diff != "" {
		t.Errorf("%s: servers (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(s.entries, r.entries(t, "hosts.map")); diff != "" {
		t.Errorf("%s: entries (-want +got):\n%s", what, diff)
	}
}
