package runtime_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// replaced starts HAProxy and reloads it while a session goes on in its worker, which
// is returned.
func replaced(t *testing.T) (master *runtime.Socket, old int) {
	t.Helper()
	addr, target := haproxytest.FreeAddr(t), haproxytest.Listen(t)
	h := haproxytest.Start(t, config(addr)+"  server s "+target.Addr().String()+"\n")
	master = runtime.NewMasterSocket(h.MasterSocket, zap.NewNop())
	before, err := master.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []func() (net.Conn, error){
		func() (net.Conn, error) { return (&net.Dialer{}).DialContext(t.Context(), "tcp", addr) },
		target.Accept,
	} {
		c, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	if _, err := master.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return master, before.PID
}

// numbers returns the values of a roster's metrics by name and kind.
func numbers(t *testing.T, r *runtime.Roster) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := reg.Register(r); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				name = append(name, l.GetValue())
			}
			out[strings.Join(name, " ")] = m.GetGauge().GetValue()
		}
	}
	return out
}

func TestK18OldWorkersAreShownWithTheirConnections(t *testing.T) {
	t.Parallel()
	master, old := replaced(t)
	r := runtime.NewRoster(master)
	var got []runtime.WorkerReport
	haproxytest.Eventually(t, "both workers have an age", func() bool {
		var err error
		if got, err = r.Read(t.Context()); err != nil || len(got) != 2 {
			t.Fatalf("workers %+v, %v", got, err)
		}
		return got[0].Age > 0 && got[1].Age > 0
	})
	if !got[0].Answered || got[0].Old || got[0].PID == old || got[0].Reloads != 0 {
		t.Errorf("serving worker %+v", got[0])
	}
	if !got[1].Answered || !got[1].Old || got[1].PID != old || got[1].Reloads != 1 || got[1].Connections != 1 {
		t.Errorf("old worker %+v, want process %d with one connection", got[1], old)
	}
	values := numbers(t, r)
	if age := values["mlb_haproxy_old_worker_age_seconds"]; age < got[1].Age.Seconds() {
		t.Errorf("age %v, the worker's was %s", age, got[1].Age)
	}
	delete(values, "mlb_haproxy_old_worker_age_seconds")
	if diff := cmp.Diff(map[string]float64{"mlb_haproxy_workers current": 1, "mlb_haproxy_workers old": 1}, values); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// A question to a worker that does not answer takes one of the master's ten
// connections for good; nobody could change HAProxy any more.
func TestWorkerThatDoesNotAnswerLeavesTheMasterUsable(t *testing.T) {
	t.Parallel()
	master, old := replaced(t)
	if err := syscall.Kill(old, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(old, syscall.SIGCONT) //nolint:errcheck // lets the calls given up end
	r := runtime.NewRoster(master)
	for range 20 {
		got, err := r.Read(t.Context())
		if err != nil || len(got) != 2 || !got[0].Answered || got[1].Answered || got[1].PID != old || !got[1].Old {
			t.Fatalf("workers %+v, %v, want old worker %d without an answer", got, err, old)
		}
	}
	if _, err := master.Info(t.Context()); err != nil {
		t.Errorf("the serving worker: %v", err)
	}
	if _, err := master.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
}

func TestRosterWithoutAMaster(t *testing.T) {
	t.Parallel()
	none := filepath.Join(haproxytest.Dir(t), "none.sock")
	for name, s := range map[string]*runtime.Socket{"no socket": nil, "a stats socket": runtime.NewStatsSocket(none, zap.NewNop())} {
		r := runtime.NewRoster(s)
		if got, err := r.Read(t.Context()); !errors.Is(err, runtime.ErrNoMaster) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got := numbers(t, r); len(got) > 0 {
			t.Errorf("%s: metrics %v", name, got)
		}
	}
	r := runtime.NewRoster(runtime.NewMasterSocket(none, zap.NewNop()))
	if got, err := r.Read(t.Context()); err == nil {
		t.Errorf("nobody is there: %+v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := r.Read(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %+v, %v", got, err)
	}
}
