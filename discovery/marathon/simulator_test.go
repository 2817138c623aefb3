package marathon_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// watching is everything of this package at work on a simulated cluster.
type watching struct {
	cluster *marathonsim.Cluster
	watcher *marathon.Watcher

	mu   sync.Mutex
	last discovery.Snapshot
	full int  // snapshots of all apps
	lost bool // a snapshot had no service after one had some
}

func watch(t *testing.T, o marathonsim.Options) *watching {
	t.Helper()
	return watchBoth(t, o, false)
}

// watchBoth watches pods too if they are wanted.
func watchBoth(t *testing.T, o marathonsim.Options, pods bool) *watching {
	t.Helper()
	return watchWith(t, o, func(c *marathon.ClientConfig, _ *marathon.Options) { c.Pods = pods })
}

// watchWith is watch with other settings.
func watchWith(t *testing.T, o marathonsim.Options, set func(*marathon.ClientConfig, *marathon.Options)) *watching {
	t.Helper()
	opts := everything()
	w := &watching{cluster: simtest.Start(t, o)}
	cfg := quick()
	cfg.HeaderTimeout = time.Second
	set(&cfg, &opts)
	if o.Username != "" {
		cfg.Credentials = marathon.NewBasic(o.Username, o.Password)
	}
	metrics := marathon.NewMetrics(nil)
	client, err := marathon.NewClient(cfg, newMasters(t, w.cluster.Masters()...), metrics)
	if err != nil {
		t.Fatal(err)
	}
	stream := marathon.NewStream(marathon.StreamConfig{
		MinBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		ConnectTimeout: time.Second, IdleTimeout: 2 * time.Second, AttachTimeout: 2 * time.Second,
	}, client, zap.NewNop(), metrics)
	deriver := marathon.NewDeriver(opts, agents(), zap.NewNop())
	w.watcher = marathon.NewWatcher(marathon.WatcherConfig{MinRetry: 50 * time.Millisecond, MaxRetry: 200 * time.Millisecond, Resync: time.Hour},
		client, stream, deriver, w.pass, func(context.Context, error) {}, zap.NewNop(), metrics)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		client.Close()
		if w.lost {
			t.Error("services vanished in between")
		}
	})
	return w
}

func (w *watching) pass(_ context.Context, s discovery.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Apps != nil { // all there is to say about these, nothing about others
		for _, service := range w.last.Services {
			if !slices.Contains(s.Apps, service.App) {
				s.Services = append(s.Services, service)
			}
		}
	}
	w.lost = w.lost || len(s.Services) == 0 && len(w.last.Services) > 0
	w.last = s
	if s.Apps == nil {
		w.full++
	}
}

// endpoints returns the addresses of the only service, sorted.
func (w *watching) endpoints() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, s := range w.last.Services {
		for _, e := range s.Endpoints {
			list = append(list, fmt.Sprintf("%s:%d", e.Address, e.Port))
		}
	}
	slices.Sort(list)
	return list
}

// converges waits for n ready tasks in the cluster and in the snapshot.
func (w *watching) converges(t *testing.T, n int) {
	t.Helper()
	var want []string
	for _, task := range simtest.Running(t, w.cluster, "/shop", n) {
		want = append(want, fmt.Sprintf("%s:%d", task.Address, task.Ports[0]))
	}
	w.reaches(t, want)
}

// reaches waits for the addresses in the snapshot.
func (w *watching) reaches(t *testing.T, want []string) {
	t.Helper()
	slices.Sort(want)
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got := w.endpoints()
		if slices.Equal(got, want) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("status %+v; endpoints (-want +got):\n%s", w.watcher.Status(), cmp.Diff(want, got))
		}
	}
}

const shop = `{"id": "/shop", "instances": 2, "cmd": "serve", "portDefinitions": [{"port": 10001}]}`

func scale(t *testing.T, w *watching, n int) {
	t.Helper()
	if err := w.cluster.Scale("/shop", n); err != nil {
		t.Fatal(err)
	}
}

func TestASimulatedClusterIsFollowedThroughItsTroubles(t *testing.T) {
	t.Parallel()
	for _, generation := range marathonsim.Generations() {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			w := watch(t, marathonsim.Options{Generation: generation, Masters: 3, Speed: 100, Username: "bob", Password: "hu:sh"})
			simtest.Deploy(t, w.cluster, shop)
			w.converges(t, 2)
			scale(t, w, 4)
			w.converges(t, 4)
			for i := range 3 {
				if err := w.cluster.ChangeLeader(); err != nil {
					t.Fatal(err)
				}
				eventually(t, "a leader", func() bool { return w.cluster.Leader() >= 0 })
				n := 2 + i%2
				scale(t, w, n)
				w.converges(t, n)
			}
			w.cluster.DropStreams()
			scale(t, w, 5)
			w.converges(t, 5)
		})
	}
}

func TestFaultsOfAllMastersAreSurvived(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]marathonsim.Fault{
		"hang":              {Kind: marathonsim.FaultHang},
		"reset":             {Kind: marathonsim.FaultReset},
		"truncated answers": {Kind: marathonsim.FaultTruncate, Path: "/v2/apps"},
		"empty answers":     {Kind: marathonsim.FaultEmpty, Path: "/v2/apps"},
		"status 503":        {Kind: marathonsim.FaultStatus, Status: http.StatusServiceUnavailable},
		"silent streams":    {Kind: marathonsim.FaultSilentStream},
		"closed streams":    {Kind: marathonsim.FaultCloseStream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, marathonsim.Options{Masters: 3, Speed: 100})
			simtest.Deploy(t, w.cluster, shop)
			w.converges(t, 2)
			w.cluster.SetFault(marathonsim.AllMasters, fault)
			w.cluster.DropStreams()
			// The change is made behind the masters' backs.
			for _, task := range w.cluster.Tasks("/shop") {
				if err := w.cluster.CrashTask(task.ID); err != nil {
					t.Fatal(err)
				}
			}
			simtest.Running(t, w.cluster, "/shop", 2)
			w.watcher.Refresh("signal")
			w.cluster.SetFault(marathonsim.AllMasters, marathonsim.Fault{})
			w.converges(t, 2)
			scale(t, w, 3)
			w.converges(t, 3)
		})
	}
}
