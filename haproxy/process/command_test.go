package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/haproxy/process"
	"mlb/test/haproxytest"
)

func shell(text string) []string { return []string{"/bin/sh", "-c", text} }

func TestCommandThatDoesNotEndWell(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		words []string
		says  []string
	}{
		"a program that is not there":        {[]string{"/nowhere/reload"}, []string{"no such file"}},
		"a status other than 0, with output": {shell("echo out; echo err >&2; exit 7"), []string{"exit status 7", `"out"`}},
		"one that does not end in time":      {shell("echo waiting; sleep 1000"), []string{"deadline exceeded", "waiting"}},
		"one that does not want to end":      {shell("trap '' TERM; while :; do sleep 1000; done"), []string{"deadline exceeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := process.NewCommand(process.CommandConfig{
				Words: tc.words, Runs: 5, Timeout: 300 * time.Millisecond, Names: []string{"no such name"},
			}, zap.NewNop())
			err := c.Run(t.Context())
			if failed, ok := errors.AsType[*process.CommandError](err); !ok {
				t.Fatalf("Run: %v, want a CommandError", err)
			} else if failed.Unwrap() == nil {
				t.Error("no reason")
			}
			for _, text := range tc.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("Run: %v, want %q in it", err, text)
				}
			}
		})
	}
}

func TestCommandEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, words := range map[string][]string{
		"while it runs":               shell("echo >begun; sleep 1000"),
		"while haproxy is looked for": shell("echo >begun"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := haproxytest.Dir(t)
			words[2] = "cd " + dir + "; " + words[2]
			c := process.NewCommand(process.CommandConfig{Words: words, Runs: -1, Interval: time.Hour, Names: []string{"no such name"}}, zap.NewNop())
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			haproxytest.Eventually(t, "the command runs", func() bool {
				_, err := os.Stat(filepath.Join(dir, "begun"))
				return err == nil
			})
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// What goes on in the background is neither waited for nor ended, and its output
// does no harm.
func TestD47CommandMayLeaveHAProxyInTheBackground(t *testing.T) {
	t.Parallel()
	dir := haproxytest.Dir(t)
	program := filepath.Join(dir, "hap"+filepath.Base(dir)[3:])
	if err := os.Symlink(haproxytest.Binary(t), program); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "haproxy.cfg")
	text := defaults + "listen l\n  bind " + haproxytest.FreeAddr(t) + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(dir, "pid")
	c := process.NewCommand(process.CommandConfig{
		// Only checking is no HAProxy, whatever its name. The command has ended long
		// before HAProxy writes.
		Words: shell("(sleep 1 && " + program + " -c -f " + config + " && setsid " + program + " -db -f " + config + ") & echo $! >" + pid),
		Runs:  1, Interval: haproxytest.Deadline, Names: []string{filepath.Base(program)},
	}, zap.NewNop())
	if err := c.Run(t.Context()); err != nil {
		t.Fatalf("Run: %v", err)
	}
	foreign := process.NewForeign(dir, []string{filepath.Base(program)})
	pids := foreign.PIDs()
	if len(pids) != 1 {
		t.Fatalf("processes %v, want one", pids)
	}
	p, err := os.FindProcess(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	haproxytest.Eventually(t, "it has ended", func() bool { return len(foreign.PIDs()) == 0 })
}

func TestInitCommandIsTheFirstThatIsThere(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script := filepath.Join(root, "etc/init.d/haproxy")
	if got := process.InitCommand(root); got != nil {
		t.Errorf("on a machine without: %v", got)
	}
	// From the last to the first.
	for _, c := range []struct {
		file string
		want []string
	}{
		{"etc/init.d/haproxy", []string{script, "reload"}},
		{"etc/systemd/system/haproxy.service", []string{"systemctl", "reload", "haproxy"}},
		{"lib/systemd/system/haproxy.service", []string{"systemctl", "reload", "haproxy"}},
		{"usr/lib/systemd/system/haproxy.service", []string{"systemctl", "reload", "haproxy"}},
		{"etc/init/haproxy.conf", []string{"reload", "haproxy"}},
	} {
		path := filepath.Join(root, c.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, process.InitCommand(root)); diff != "" {
			t.Errorf("with %s (-want +got):\n%s", c.file, diff)
		}
	}
}

func TestForeignHAProxyHasOneKeeper(t *testing.T) {
	t.Parallel()
	dir := haproxytest.Dir(t)
	one, other := process.NewForeign(dir, nil), process.NewForeign(dir, nil)
	if ok, err := one.Adopt(t.Context()); err != nil || !ok {
		t.Fatalf("Adopt: %v, %v", ok, err)
	}
	if _, err := other.Adopt(t.Context()); !errors.Is(err, process.ErrLocked) {
		t.Errorf("Adopt of the second: %v", err)
	}
	if err := one.Start(t.Context()); !errors.Is(err, process.ErrForeign) {
		t.Errorf("Start: %v", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := other.Adopt(t.Context()); err != nil || !ok {
		t.Errorf("Adopt after Close: %v, %v", ok, err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
}
