package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
)

// script writes a shell script into the balancer's folder, which it notes each run
// in, and returns its path.
func script(t *testing.T, b *balancer.Balancer, text string) string {
	t.Helper()
	return b.Script(t, "reload.sh", "echo run >>runs\n"+text)
}

// runs returns how often the script was run.
func runs(t *testing.T, b *balancer.Balancer) int {
	t.Helper()
	text, err := os.ReadFile(b.Path("runs"))
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
	b.Mode = "once"
	b.Args = append(b.Args, "--command", "/bin/sh "+script(t, b, balancer.ReloadScript))
	pass := func() {
		b.Start(t)
		if status := b.Wait(t); status != 0 {
			t.Fatalf("status %d\n%s", status, b.Log())
		}
	}
	pass()
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	pass()
	if n := runs(t, b); n != 1 {
		t.Errorf("%d runs for the same configuration twice, want 1", n)
	}
	scale(t, c, "/web", 3)
	balancer.Eventually(t, "three tasks are ready", func() error {
		if n := len(c.Ready("/web")); n != 3 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	pass()
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	if n := runs(t, b); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
}

// With --sse it stays; with a socket, servers need no command.
func TestRuntimeSocketOfAForeignHAProxy(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters(), "--dont-bind-http-https", "--sse")
	b.Mode = "once"
	b.Args = append(b.Args, "--command", script(t, b, balancer.ReloadScript), "--runtime-socket", b.Path("master.sock"))
	must(t, os.WriteFile(b.Path("haproxy.cfg"), []byte("listen first\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n  bind "+b.Host+":7\n"), 0o600))
	run := b.Prepare(t.Context())
	run.Path, run.Args = b.Path("reload.sh"), []string{"reload.sh"}
	must(t, run.Run())
	balancer.Eventually(t, "the first HAProxy runs", func() error {
		_, err := os.Stat(b.Path("master.sock"))
		return err
	})
	b.Start(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	balancer.Eventually(t, "the command has done its work", func() error {
		if metric(t, b, "mlb_config_in_sync", "") != 1 {
			return errors.New("not in sync")
		}
		return nil
	})
	n := runs(t, b)
	clients := newTraffic(t, b.Port(10001, "/"))
	scale(t, c, "/web", 4)
	exactly(t, c, "/web", 4, b.Port(10001, "/"))
	clients.lossless(t)
	if more := runs(t, b) - n; more != 0 {
		t.Errorf("%d runs for servers, want none", more)
	}
	b.Signal(t, syscall.SIGTERM)
	if status := b.Wait(t); status != 0 {
		t.Errorf("status %d", status)
	}
	// It is not mlb's to stop.
	exactly(t, c, "/web", 4, b.Port(10001, "/"))
}

// A user's command replaces the reload alone: the HAProxy of the container form is
// still mlb's.
func TestCommandInTheContainerForm(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters())
	b.Args = append(b.Args, "--command", script(t, b, `echo "$HAPROXY_MASTER_SOCKET" >socket
read master rest <state/haproxy.pids
exec kill -USR2 $master
`))
	b.Start(t)
	b.WaitReady(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	deploy(t, c, app{id: "/more", port: 10002, instances: 1})
	exactly(t, c, "/more", 1, b.Port(10002, "/"))
	if n := runs(t, b); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
	socket, err := os.ReadFile(b.Path("socket"))
	must(t, err)
	if got, want := strings.TrimSpace(string(socket)), filepath.Join(b.Dir, "run", "master.sock"); got != want {
		t.Errorf("socket %q, want %q", got, want)
	}
	pids := b.PIDs(t)
	kill(t, pids[0])
	exactly(t, c, "/more", 1, b.Port(10002, "/"))
}
