package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mlb/test/balancer"
)

// nobody is an ordinary user that every system has.
const nobody = 65534

// demo is one run of "mlb demo".
type demo struct {
	folder *balancer.Balancer // of which only the folder is used
	cmd    *exec.Cmd
	ended  chan struct{}

	mu     sync.Mutex // guards output, which the process writes while the test reads
	output bytes.Buffer
}

// Write takes in what the demo says.
func (d *demo) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.output.Write(p)
}

func (d *demo) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.output.String()
}

// play starts the demo, with a folder of its own for all its files.
func play(t *testing.T, uid int, args ...string) *demo {
	t.Helper()
	d := &demo{folder: newBalancer(t, "demo", nil), ended: make(chan struct{})}
	must(t, os.Chown(d.folder.Dir, uid, uid))
	d.cmd = d.folder.Prepare(context.WithoutCancel(t.Context()), append([]string{"demo"}, args...)...)
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid != os.Getuid() {
		d.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	must(t, d.cmd.Start())
	go func() {
		defer close(d.ended)
		_ = d.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-d.ended
		if t.Failed() {
			t.Logf("the demo said:\n%s", d.said())
		}
	})
	return d
}

// ends waits for the end.
func (d *demo) ends(t *testing.T) {
	t.Helper()
	select {
	case <-d.ended:
	case <-time.After(2 * balancer.Deadline):
		_ = d.cmd.Process.Kill()
		t.Fatal("the demo does not end")
	}
}

// finishes waits for a good end and checks that nothing is left.
func (d *demo) finishes(t *testing.T) {
	t.Helper()
	d.ends(t)
	if status := d.cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("status %d", status)
	}
	d.leavesNothing(t)
}

// leavesNothing checks that no process and no file is left.
func (d *demo) leavesNothing(t *testing.T) {
	t.Helper()
	if pids := d.folder.Processes(); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
	left, err := os.ReadDir(d.folder.Dir)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// network returns the beginning of loopback addresses that belong to this test alone.
func network(t *testing.T) string {
	t.Helper()
	address := balancer.Host(t, "network")
	return address[:strings.LastIndexByte(address, '.')]
}

func TestDemo(t *testing.T) {
	t.Parallel()
	needs(t, "haproxy", "redis-server", "redis-cli", "mariadbd", "mariadb", "mariadb-install-db", "curl")

	t.Run("an ordinary user sees it to its end", func(t *testing.T) {
		t.Parallel()
		uid := os.Getuid()
		if uid == 0 {
			uid = nobody
		}
		d := play(t, uid, "--network", network(t))
		d.finishes(t)
		for _, words := range []string{
			"curl ", "-H 'Content-Type: application/json' -d @keys-and-values.json", "-d @wordpress.json", vhost,
			"redis-cli ", " -P 10000", "haproxy?stats",
		} {
			if !strings.Contains(d.said(), words) {
				t.Errorf("%q was not said", words)
			}
		}
	})
	for name, words := range map[string]string{
		"an interrupt at the first word":           "",
		"an interrupt while balancers start":       "--group",
		"an interrupt while the databases start":   "-d @wordpress.json",
		"an interrupt after everything, with keep": "until Ctrl-C",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := play(t, os.Getuid(), "--keep", "--network", network(t))
			balancer.Eventually(t, fmt.Sprintf("the demo says %q", words), func() error {
				select {
				case <-d.ended:
					t.Fatal("the demo has ended")
				default:
				}
				if said := d.said(); said == "" || !strings.Contains(said, words) {
					return errors.New("not yet")
				}
				return nil
			})
			must(t, d.cmd.Process.Signal(syscall.SIGINT))
			d.finishes(t)
		})
	}
	t.Run("an address that is taken is named", func(t *testing.T) {
		t.Parallel()
		taken := network(t) + ".168:9000"
		var lc net.ListenConfig
		holder, err := lc.Listen(t.Context(), "tcp4", taken)
		must(t, err)
		defer holder.Close() //nolint:errcheck // nothing was sent
		d := play(t, os.Getuid(), "--network", network(t))
		d.ends(t)
		if status := d.cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(d.said(), taken) {
			t.Errorf("status %d", status)
		}
		d.leavesNothing(t)
	})
}
