package lastgood_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/lastgood"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full is a state in which every member says something.
func full() discovery.LastGood {
	return discovery.LastGood{
		Read: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Source: "http://m1:8080", Terms: "groups [a]",
		Services: []discovery.Service{{
			App: "/a", PortIndex: 1, ServicePort: 10000, BindAddress: "127.0.0.1", Mode: discovery.ModeHTTP, Balance: "roundrobin",
			Hosts: []string{"a.example.com"}, Path: "-i /x", Weight: 3, BindOptions: "tfo", Certificate: "/etc/ssl/a.pem",
			Sticky: true, RedirectToHTTPS: true, HSTS: true, Auth: discovery.Auth{Realm: "r\"x", User: "u", Password: "$6$a"},
			AllowedNetworks: []string{"10.0.0.0/8"}, ProxyPassPath: "/p", ReverseProxyPath: "/q", RootRedirect: "/r",
			HealthCheck:   discovery.HealthCheck{Protocol: "HTTP", Path: "/", PortIndex: -1, Port: 4, IntervalSeconds: 5, JSON: `{"a":"<&>"}`},
			CheckPortFrom: true, Overrides: []discovery.Override{{Template: "BACKEND_HEAD", Text: "a\nb\u2028"}},
			Endpoints: []discovery.Endpoint{
				{Task: "a.1", Agent: "agent", Address: netip.MustParseAddr("10.0.0.1"), Port: 31000, State: discovery.Ready, CheckPort: 7},
				{Task: "a.2", Agent: "agent", Address: netip.MustParseAddr("fd00::1"), Port: 31001, State: discovery.Draining},
			},
		}},
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	t.Parallel()
	path := lastgood.Path(t.TempDir(), "east")
	if err := lastgood.Write(path, full()); err != nil {
		t.Fatal(err)
	}
	got, err := lastgood.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600: labels hold passwords", info.Mode().Perm())
	}
}

func TestWithoutAFileThereIsNoState(t *testing.T) {
	t.Parallel()
	got, err := lastgood.Read(lastgood.Path(t.TempDir(), ""))
	if err != nil || !got.Read.IsZero() || got.Services != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAFileOfAnotherVersionIsNoState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, []byte(`{"version":99,"what":7}`+"\nand more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := lastgood.Read(path); err != nil || got.Services != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// What is no regular file may never end, or never begin.
func TestOnlyARegularFileIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, link} {
		if got, err := lastgood.Read(path); err == nil || got.Services != nil {
			t.Errorf("%s: got %+v", path, got)
		}
	}
}

func TestADamagedFileIsNeverTakenForAState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	if err := lastgood.Write(path, full()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, []byte("{}"), whole[:len(whole)/2], whole[:len(whole)-3], bytes.Replace(whole, []byte("10.0.0.1"), []byte("10.0.0.2"), 1), append(bytes.Clone(whole), 'x')}
	for i, text := range damaged {
		if err = os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, readErr := lastgood.Read(path); !errors.Is(readErr, lastgood.ErrDamaged) || got.Services != nil {
			t.Errorf("damage %d: got %d services, %v", i, len(got.Services), readErr)
		}
	}
}

func TestTheKeeperWritesWhatHasChanged(t *testing.T) {
	t.Parallel()
	path := lastgood.Path(t.TempDir(), "")
	var revision atomic.Uint64
	state := func() (discovery.LastGood, uint64) {
		s := full()
		s.Services[0].ServicePort = int(revision.Load())
		return s, revision.Load()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	k := lastgood.NewKeeper(path, "terms", time.Millisecond, state, zap.NewNop())
	go func() {
		defer close(ended)
		k.Run(ctx)
	}()
	revision.Store(1)
	for {
		got, err := lastgood.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Services) == 1 && got.Services[0].ServicePort == 1 && got.Terms == "terms" {
			break
		}
		<-time.After(time.Millisecond)
	}
	cancel()
	<-ended
}

func TestTheKeeperWritesAtItsEnd(t *testing.T) {
	t.Parallel()
	path := lastgood.Path(t.TempDir(), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lastgood.NewKeeper(path, "", time.Hour, func() (discovery.LastGood, uint64) { return full(), 1 }, zap.NewNop()).Run(ctx)
	if got, err := lastgood.Read(path); err != nil || len(got.Services) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheKeeperRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	path := lastgood.Path(t.TempDir(), "")
	left := filepath.Join(filepath.Dir(path), ".last-good.json123")
	others := filepath.Join(filepath.Dir(path), ".last-good.json.bak")
	for _, name := range []string{left, others} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lastgood.NewKeeper(path, "", time.Hour, func() (discovery.LastGood, uint64) { return full(), 0 }, zap.NewNop()).Run(ctx)
	if _, err := os.Stat(left); err == nil {
		t.Error("the temporary file is left")
	}
	if _, err := os.Stat(others); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	if err := lastgood.Write(path, full()); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := lastgood.Read(path)
		if err != nil || got.Read.IsZero() {
			return
		}
		again := filepath.Join(t.TempDir(), "state")
		if err = lastgood.Write(again, got); err != nil {
			t.Fatal(err)
		}
		if twice, err := lastgood.Read(again); err != nil || !cmp.Equal(got, twice, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("read %+v, written and read again %+v, %v", got, twice, err)
		}
	})
}
