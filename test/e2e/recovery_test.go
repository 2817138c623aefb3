package e2e_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
)

// serving starts a cluster with one app of two tasks and a balancer that serves it.
func serving(t *testing.T) (*marathonsim.Cluster, *balancer.Balancer) {
	t.Helper()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := started(t, c.Masters())
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	return c, b
}

func kill(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}

func TestDeadHAProxyIsReplacedWithoutHelp(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]int{"its master is killed": 0, "its worker is killed": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, b := serving(t)
			scale(t, c, "/web", 3) // known to the running HAProxy by runtime steps only
			exactly(t, c, "/web", 3, b.Port(10001, "/"))
			before := b.PIDs(t)
			kill(t, before[victim])
			balancer.Eventually(t, "another HAProxy serves", func() error {
				text, err := b.Ask(t.Context(), "/_haproxy_getpids")
				if err == nil && strings.HasPrefix(text, strconv.Itoa(before[0])) {
					err = fmt.Errorf("processes %s", text)
				}
				return err
			})
			exactly(t, c, "/web", 3, b.Port(10001, "/"))
			scale(t, c, "/web", 1)
			exactly(t, c, "/web", 1, b.Port(10001, "/"))
			b.WaitReady(t)
		})
	}
}

func TestDeadHAProxyIsReplacedWhileMarathonIsAway(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	stopMasters(t, c)
	kill(t, b.PIDs(t)[0])
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
}

func TestEverythingDeadAtOnceIsNoObstacleToTheNextStart(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	scale(t, c, "/web", 3)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	for _, pid := range b.Processes() { // as when the machine fails; sockets are left
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	b.Wait(t)
	scale(t, c, "/web", 2)
	b.Start(t)
	b.WaitReady(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
}

func TestRefusedTextCostsItsAppAlone(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	clients := newTraffic(t, b.Port(10001, "/"))
	bad := app{id: "/bad", port: 10002, instances: 1, labels: map[string]string{
		"HAPROXY_0_BACKEND_SERVER_OPTIONS": "  server {serverName} {host_ipv4}:{port} no-such-keyword",
	}}
	deploy(t, c, bad, app{id: "/new", port: 10003, instances: 2})
	exactly(t, c, "/new", 2, b.Port(10003, "/"))
	closed(t, b.Port(10002, "/"))
	problem(t, b, "/bad")
	exactly(t, c, "/web", 2, b.Port(10001, "/"))

	bad.labels = nil
	deploy(t, c, bad)
	exactly(t, c, "/bad", 1, b.Port(10002, "/"))
	clients.lossless(t)
}

// problem waits until mlb reports a problem of an app.
func problem(t *testing.T, b *balancer.Balancer, id string) {
	t.Helper()
	balancer.Eventually(t, "a problem of "+id, func() error {
		text, err := b.Ask(t.Context(), "/_mlb/problems")
		if err == nil && !strings.Contains(text, `"`+id+`"`) {
			err = fmt.Errorf("problems: %s", text)
		}
		return err
	})
}

func TestPortThatIsHeldCostsItsAppAloneUntilItIsFree(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	var lc net.ListenConfig
	holder, err := lc.Listen(t.Context(), "tcp4", b.Host+":10002")
	must(t, err)
	defer holder.Close() //nolint:errcheck // usually closed already
	clients := newTraffic(t, b.Port(10001, "/"))
	deploy(t, c, app{id: "/held", port: 10002, instances: 2}, app{id: "/new", port: 10003, instances: 2})
	exactly(t, c, "/new", 2, b.Port(10003, "/"))
	problem(t, b, "/held")
	must(t, holder.Close())
	exactly(t, c, "/held", 2, b.Port(10002, "/"))
	clients.lossless(t)
}

func TestKilledMlbIsReplacedByOneThatAdoptsHAProxy(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	clients := newTraffic(t, b.Port(10001, "/"))
	scale(t, c, "/web", 3) // by runtime steps, so that the file may be behind
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	before := b.PIDs(t)
	b.Signal(t, syscall.SIGKILL)
	b.Wait(t)
	served := clients.served()
	balancer.Eventually(t, "traffic goes on", func() error {
		if now := clients.served(); now < served+20 {
			return fmt.Errorf("%d requests", now-served)
		}
		return nil
	})
	scale(t, c, "/web", 4) // nobody follows now
	b.Start(t)
	b.WaitReady(t)
	exactly(t, c, "/web", 4, b.Port(10001, "/"))
	if after := b.PIDs(t); !slices.Equal(after, before) {
		t.Errorf("processes %v, %v before: want the same", after, before)
	}
	if n := b.Reloads(t); n != 0 {
		t.Errorf("%v reloads, want none", n)
	}
	clients.lossless(t)
}

func TestEndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			c, b := serving(t)
			scale(t, c, "/web", 3)
			exactly(t, c, "/web", 3, b.Port(10001, "/"))
			b.Signal(t, sig)
			if status := b.Wait(t); status != 0 {
				t.Errorf("status %d, want 0", status)
			}
			if pids := b.Processes(); len(pids) > 0 {
				t.Errorf("processes %v are left", pids)
			}
			for _, file := range remains(t, b.Dir) {
				t.Errorf("%s is left", file)
			}
		})
	}
}

// remains returns the sockets and the files below a folder that have no business
// there after the end: all but the configuration with its maps and states of servers,
// the state with copies, the log and the certificate.
func remains(t *testing.T, dir string) []string {
	t.Helper()
	kept := []string{
		"haproxy.cfg", "domain2backend.map", "app2backend.map", "state/loaded.cfg", "state/haproxy.lock",
		"state/haproxy.messages", "state/last-good.json", "ssl/cert.pem", "log",
	}
	copies := []string{"state/archive", "state/loaded.files", "servers"}
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case relErr != nil:
			return relErr
		case !d.IsDir() && !slices.Contains(kept, name) && !slices.Contains(copies, filepath.Dir(name)):
			out = append(out, name)
		}
		return nil
	}))
	return out
}

// Whoever finds that it is not alone, or cannot start for another reason, leaves the
// HAProxy that serves as it is.
func TestStartThatFailsTouchesNoHAProxy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args, env []string
		killed    bool // the first mlb was, its HAProxy serves on
		says      string
	}{
		"the sockets are another mlb's":    {args: []string{"--state-dir", "other"}, says: "another process answers there"},
		"the administration port is taken": {args: []string{"--admin-listen", "HOST:9090"}, killed: true, says: "address already in use"},
		"a certificate has no key":         {env: []string{"HAPROXY_SSL_CERT=-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"}, killed: true, says: "HAPROXY_SSL_CERT"},
		"a certificate is no certificate":  {env: []string{"HAPROXY_SSL_CERT=nonsense"}, killed: true, says: "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, b := serving(t)
			before := b.PIDs(t)
			if tt.killed {
				b.Signal(t, syscall.SIGKILL)
				b.Wait(t)
			}
			second := b.Prepare(t.Context(), append(b.Line(), tt.args...)...)
			for i, a := range second.Args {
				second.Args[i] = strings.ReplaceAll(a, "HOST", b.Host)
			}
			second.Env = append(second.Env, tt.env...)
			out, err := second.CombinedOutput()
			if err == nil || second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v, want status 1 and %q\n%s", err, tt.says, out)
			}
			exactly(t, c, "/web", 2, b.Port(10001, "/"))
			if tt.killed {
				b.Start(t)
				b.WaitReady(t)
				exactly(t, c, "/web", 2, b.Port(10001, "/"))
			}
			if after := b.PIDs(t); !slices.Equal(after, before) {
				t.Errorf("processes %v, %v before: want the same", after, before)
			}
		})
	}
}

func TestSecondMlbOnTheSameFoldersDisturbsNobody(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	clients := newTraffic(t, b.Port(10001, "/"))
	second := b.Prepare(t.Context(), b.Line()...)
	out, err := second.CombinedOutput()
	if err == nil || second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "another process answers there") {
		t.Errorf("second mlb: %v\n%s", err, out)
	}
	if _, err := os.Stat(b.Path("run/master.sock")); err != nil {
		t.Errorf("the master's socket: %v", err)
	}
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	if err := ready(t, b); err != nil {
		t.Errorf("the first one's interface: %v", err)
	}
	clients.lossless(t)
}

// A master that takes connections and says nothing is given up after many seconds; what
// was served before is there earlier.
func TestStartDoesNotWaitForASilentMarathon(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	var lc net.ListenConfig
	silent, err := lc.Listen(t.Context(), "tcp4", balancer.Host(t, "marathon")+":0")
	must(t, err)
	defer silent.Close() //nolint:errcheck // nobody has accepted anything
	b.Masters = []string{"http://" + silent.Addr().String()}
	b.Start(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	if n := metric(t, b, "mlb_fetch_failures_total", ""); n != 0 {
		t.Errorf("served after %v failures only", n)
	}
	if ready(t, b) == nil {
		t.Error("mlb is ready without an answer of Marathon")
	}
}
