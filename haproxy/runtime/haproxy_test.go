package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// config is a configuration with a frontend on addr and an empty backend b.
func config(addr string) string {
	return "global\n  maxconn 100\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n" +
		"frontend f\n  bind " + addr + "\n  default_backend b\nbackend b\n"
}

// sockets starts HAProxy and returns both of its sockets by name.
func sockets(t *testing.T) (*haproxytest.HAProxy, string, map[string]*runtime.Socket) {
	t.Helper()
	addr := haproxytest.FreeAddr(t)
	h := haproxytest.Start(t, config(addr))
	return h, addr, map[string]*runtime.Socket{
		"master socket": runtime.NewMasterSocket(h.MasterSocket, zap.NewNop()),
		"stats socket":  runtime.NewStatsSocket(h.StatsSocket, zap.NewNop()),
	}
}

func TestDynamicServerThroughItsLife(t *testing.T) {
	t.Parallel()
	_, addr, all := sockets(t)
	for name, s := range all {
		// One after the other: both change the same backend.
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			target := haproxytest.Listen(t)
			ctx := t.Context()
			accept := make(chan net.Conn, 8)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := target.Accept()
					if err != nil {
						return
					}
					accept <- c
				}
			}()
			answers, err := s.Execute(ctx, []string{
				"add server b/s " + target.Addr().String() + " check inter 100s weight 7",
				"enable health b/s", "set server b/s state ready",
			})
			if err != nil || runtime.Refused(answers) != nil {
				t.Fatal(err, runtime.Refused(answers))
			}
			servers, err := s.Servers(ctx, "b")
			if err != nil {
				t.Fatal(err)
			}
			host, port := target.Addr().(*net.TCPAddr).IP.String(), target.Addr().(*net.TCPAddr).Port
			want := []runtime.ServerState{{
				Backend: "b", Name: "s", ID: 1, Address: host, Port: port, Operational: runtime.Running,
				Weight: 7, InitialWeight: 7, CheckConfigured: true, CheckEnabled: true,
			}}
			if diff := cmp.Diff(want, servers); diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
			if !haproxytest.Connects(t, addr) {
				t.Fatal("no connection through HAProxy")
			}
			if err = (<-accept).Close(); err != nil {
				t.Error(err)
			}
			refused, err := s.Execute(ctx, []string{"del server b/s", "set server b/s state maint"})
			if err != nil {
				t.Fatal(err)
			}
			var refusal *runtime.CommandError
			if !errors.As(refused[0].Err(), &refusal) || refused[1].Err() != nil {
				t.Errorf("del before maint: %v, maint: %v", refused[0].Err(), refused[1].Err())
			}
			haproxytest.Eventually(t, "the server is deleted", func() bool {
				answers, err := s.Execute(ctx, []string{"del server b/s"})
				return err == nil && runtime.Refused(answers) == nil
			})
			if servers, err := s.Servers(ctx); err != nil || len(servers) != 0 {
				t.Errorf("servers after deletion: %v, %v", servers, err)
			}
			if err := target.Close(); err != nil {
				t.Error(err)
			}
			<-done
		})
	}
}

func TestCommandsThatWouldBreakTheLineAreNotSent(t *testing.T) {
	t.Parallel()
	_, addr, all := sockets(t)
	for name, s := range all {
		answers, err := s.Execute(t.Context(), []string{"show info", "add server b/s 127.0.0.1:1\ndisable frontend f"})
		if !errors.Is(err, runtime.ErrInvalidCommand) || answers != nil {
			t.Errorf("%s: Execute = %v, %v", name, answers, err)
		}
	}
	if !haproxytest.Connects(t, addr) {
		t.Error("the frontend was disabled")
	}
}

func TestRefusalsLeaveOtherCommandsAlone(t *testing.T) {
	t.Parallel()
	_, _, all := sockets(t)
	for name, s := range all {
		answers, err := s.Execute(t.Context(), []string{
			"disable server b/none", "add server b/x 127.0.0.1:1", "nonsense", "set server b/x state maint", "del server b/x",
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []bool
		for _, a := range answers {
			got = append(got, a.Err() == nil)
		}
		if diff := cmp.Diff([]bool{false, true, false, true, true}, got); diff != "" {
			t.Errorf("%s: which commands worked (-want +got):\n%s\n%v", name, diff, answers)
		}
		if _, err := s.Servers(t.Context(), "none"); err == nil || !strings.Contains(err.Error(), "find backend") {
			t.Errorf("%s: servers of a missing backend: %v", name, err)
		}
	}
}

func TestManyServersInBatches(t *testing.T) {
	t.Parallel()
	const n = 2000
	_, _, all := sockets(t)
	s := all["master socket"]
	var commands []string
	for i := range n {
		commands = append(commands, fmt.Sprintf("add server b/s%d 127.0.0.1:%d weight 3", i, 1+i))
	}
	begin := time.Now()
	answers, err := s.Execute(t.Context(), commands)
	if err != nil || runtime.Refused(answers) != nil {
		t.Fatal(err, runtime.Refused(answers))
	}
	t.Logf("%d servers added in %s", n, time.Since(begin))
	servers, err := s.Servers(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if len(servers) != n || servers[0].Name == servers[n-1].Name {
		t.Errorf("%d servers, want %d", len(servers), n)
	}
}

func TestInfoAndStats(t *testing.T) {
	t.Parallel()
	h, _, all := sockets(t)
	p, err := all["master socket"].Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Master != h.PID || len(p.Workers) != 1 {
		t.Fatalf("processes %+v, want master %d and one worker", p, h.PID)
	}
	for name, s := range all {
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.PID != p.Workers[0].PID || info.Version != p.Version || info.Stopping || info.MaxConnections != 100 {
			t.Errorf("%s: info %+v, processes %+v", name, info, p)
		}
		stats, err := s.Stats(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		want := []runtime.Stat{{Proxy: "f", Server: "FRONTEND", Status: "OPEN"}}
		if diff := cmp.Diff(want, stats); diff != "" {
			t.Errorf("%s: statistics (-want +got):\n%s", name, diff)
		}
		if stats, err := s.Stats(t.Context(), ""); err != nil || len(stats) != 2 {
			t.Errorf("%s: all statistics: %v, %v", name, stats, err)
		}
	}
	if _, err := all["stats socket"].Processes(t.Context()); !errors.Is(err, runtime.ErrNoMaster) {
		t.Errorf("processes of a stats socket: %v", err)
	}
}

func TestGoodReloadIsVerified(t *testing.T) {
	t.Parallel()
	h, addr, all := sockets(t)
	s := all["master socket"]
	old := haproxytest.FreeAddr(t)
	h.Configure(t, config(addr)+"frontend g\n  bind "+old+"\n  default_backend b\n")
	before, err := s.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("reload took %s, log %q", result.Took, result.Log)
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.PID != result.Worker || info.PID == before.Workers[0].PID {
		t.Errorf("worker %d answers, reload reported %d, before %d", info.PID, result.Worker, before.Workers[0].PID)
	}
	if !haproxytest.Connects(t, old) {
		t.Error("the new frontend does not accept connections")
	}
}

func TestFailedReloadKeepsTheOldWorkerServing(t *testing.T) {
	t.Parallel()
	h, addr, all := sockets(t)
	s := all["master socket"]
	if answers, err := s.Execute(t.Context(), []string{"add server b/kept 127.0.0.1:1"}); err != nil || runtime.Refused(answers) != nil {
		t.Fatal(err, runtime.Refused(answers))
	}
	before, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the counters grow, the verdict stays
		h.Configure(t, config(addr)+"  garbage\n")
		if _, err = s.Reload(t.Context()); !errors.Is(err, runtime.ErrReloadFailed) {
			t.Fatalf("reload of a bad file: %v", err)
		}
	}
	after, err := s.Info(t.Context())
	if err != nil || after.PID != before.PID {
		t.Errorf("worker %d after, %d before, %v", after.PID, before.PID, err)
	}
	if servers, err := s.Servers(t.Context(), "b"); err != nil || len(servers) != 1 {
		t.Errorf("servers after a failed reload: %v, %v", servers, err)
	}
	if !haproxytest.Connects(t, addr) {
		t.Error("the old worker does not serve")
	}
	h.Configure(t, config(addr))
	if _, err := s.Reload(t.Context()); err != nil {
		t.Errorf("good reload after bad ones: %v", err)
	}
}

func TestReloadsOfOneSocketRunOneByOne(t *testing.T) {
	t.Parallel()
	_, _, all := sockets(t)
	s := all["master socket"]
	const n = 3
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := s.Reload(t.Context())
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	p, err := s.Processes(t.Context())
	if err != nil || p.Reloads != n {
		t.Errorf("%d reloads, want %d, %v", p.Reloads, n, err)
	}
}

func TestOldWorkerWithASessionAnswers(t *testing.T) {
	t.Parallel()
	_, addr, all := sockets(t)
	s := all["master socket"]
	target := haproxytest.Listen(t)
	if answers, err := s.Execute(t.Context(), []string{"add server b/s " + target.Addr().String(), "set server b/s state ready"}); err != nil || runtime.Refused(answers) != nil {
		t.Fatal(err, runtime.Refused(answers))
	}
	before, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only held open
	held, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() //nolint:errcheck // only held open
	if _, err = s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	haproxytest.Eventually(t, "the old worker is stopping", func() bool {
		info, infoErr := s.OldWorkerInfo(t.Context(), before.PID)
		return infoErr == nil && info.Stopping && info.PID == before.PID
	})
	p, err := s.Processes(t.Context())
	if err != nil || len(p.OldWorkers) != 1 || p.OldWorkers[0].PID != before.PID {
		t.Errorf("processes %+v, %v, want old worker %d", p, err, before.PID)
	}
}

func TestHungHAProxyEndsInATimeout(t *testing.T) {
	t.Parallel()
	h, _, all := sockets(t)
	h.Signal(t, syscall.SIGSTOP)
	defer h.Signal(t, syscall.SIGCONT) // lets the calls given up end
	for name, s := range all {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := s.Info(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s with a context that ends: %v", name, err)
		}
		cancel()
	}
	if _, err := all["master socket"].Info(t.Context()); !errors.Is(err, runtime.ErrTimeout) {
		t.Errorf("without a deadline: %v", err)
	}
}

func TestNobodyAtTheSocketIsAnError(t *testing.T) {
	t.Parallel()
	s := runtime.NewMasterSocket(filepath.Join(haproxytest.Dir(t), "none.sock"), zap.NewNop())
	if _, err := s.Processes(t.Context()); err == nil {
		t.Error("no error")
	}
	if _, err := s.Reload(t.Context()); err == nil {
		t.Error("no error")
	}
}
