package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	shared "mlb/test/balancer"
)

// script writes a shell script into the balancer's folder, which it notes each run
// in, and returns its path.
func (b *balancer) script(t *testing.T, text string) string {
	t.Helper()
	path := b.path("reload.sh")
	must(t, os.WriteFile(path, []byte("#!/bin/sh\ncd "+b.dir+"\necho run >>runs\n"+text), 0o700))
	return path
}

// runs returns how often the script was run.
func (b *balancer) runs(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(b.path("runs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "run")
}

// Flags without a mode are one pass for an HAProxy that somebody else runs
// (contract 1.1).
func TestOnePassReloadsByCommand(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters(), "--dont-bind-http-https")
	b.mode = "once"
	b.args = append(b.args, "--command", "/bin/sh "+b.script(t, shared.ReloadScript))
	pass := func() {
		b.start(t)
		if status := b.wait(t); status != 0 {
			t.Fatalf("status %d\n%s", status, b.log())
		}
	}
	pass()
	exactly(t, c, "/web", 2, b.port(10001))
	pass()
	if n := b.runs(t); n != 1 {
		t.Errorf("%d runs for the same configuration twice, want 1", n)
	}
	scale(t, c, "/web", 3)
	eventually(t, "three tasks are ready", func() error {
		if n := len(c.Ready("/web")); n != 3 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	pass()
	exactly(t, c, "/web", 3, b.port(10001))
	if n := b.runs(t); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
}

// With --sse it stays; with a socket, servers need no command.
func TestRuntimeSocketOfAForeignHAProxy(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters(), "--dont-bind-http-https", "--sse")
	b.mode = "once"
	b.args = append(b.args, "--command", b.script(t, shared.ReloadScript), "--runtime-socket", b.path("master.sock"))
	must(t, os.WriteFile(b.path("haproxy.cfg"), []byte("listen first\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n  bind "+b.host+":7\n"), 0o600))
	run := b.prepare(t.Context())
	run.Path, run.Args = b.path("reload.sh"), []string{"reload.sh"}
	must(t, run.Run())
	eventually(t, "the first HAProxy runs", func() error {
		_, err := os.Stat(b.path("master.sock"))
		return err
	})
	b.start(t)
	exactly(t, c, "/web", 2, b.port(10001))
	eventually(t, "the command has done its work", func() error {
		if b.metric(t, "mlb_config_in_sync", "") != 1 {
			return errors.New("not in sync")
		}
		return nil
	})
	n := b.runs(t)
	clients := b.port(10001).begin(t)
	scale(t, c, "/web", 4)
	exactly(t, c, "/web", 4, b.port(10001))
	clients.lossless(t)
	if more := b.runs(t) - n; more != 0 {
		t.Errorf("%d runs for servers, want none", more)
	}
	b.signal(t, syscall.SIGTERM)
	if status := b.wait(t); status != 0 {
		t.Errorf("status %d", status)
	}
	// It is not mlb's to stop.
	exactly(t, c, "/web", 4, b.port(10001))
}

// A user's command replaces the reload alone: the HAProxy of the container form is
// still mlb's.
func TestCommandInTheContainerForm(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters())
	b.args = append(b.args, "--command", b.script(t, `echo "$HAPROXY_MASTER_SOCKET" >socket
read master rest <state/haproxy.pids
exec kill -USR2 $master
`))
	b.start(t)
	b.waitReady(t)
	exactly(t, c, "/web", 2, b.port(10001))
	deploy(t, c, app{id: "/more", port: 10002, instances: 1})
	exactly(t, c, "/more", 1, b.port(10002))
	if n := b.runs(t); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
	socket, err := os.ReadFile(b.path("socket"))
	must(t, err)
	if got, want := strings.TrimSpace(string(socket)), filepath.Join(b.dir, "run", "master.sock"); got != want {
		t.Errorf("socket %q, want %q", got, want)
	}
	pids := b.pids(t)
	kill(t, pids[0])
	exactly(t, c, "/more", 1, b.port(10002))
}
