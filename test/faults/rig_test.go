package faults_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"mlb/control"
	"mlb/discovery/marathon"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/process"
	"mlb/haproxy/render"
	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// patience is how long each condition may take to come true.
const patience = time.Minute

// leaving is how long what mlb leaves may stay. It is less than the 25 s after which idle
// connections to Marathon go by themselves.
const leaving = 15 * time.Second

// heartbeatInterval is that of the masters; the deadlines of the stream fit to it.
const heartbeatInterval = 100 * time.Millisecond

// maxBody is the largest answer that mlb takes, maxEvent the largest event.
const (
	maxBody  = 4 << 20
	maxEvent = 1 << 20
)

// rig is a cluster, its gates, and everything of mlb at work on it.
type rig struct {
	cluster *marathonsim.Cluster
	gates   []*gate
	names   *names
	// stranger is a server that mlb was told nothing of, in rows that have one.
	stranger *gate
	host     string
	client   *marathon.Client
	watcher  *marathon.Watcher
	applier  *watched
	process  *process.Process
	failed   atomic.Int64 // how many readings have failed
	end      func() error // ends mlb and its HAProxy
}

// newRig starts a cluster with the first apps, and mlb.
func newRig(t *testing.T, r row) *rig {
	t.Helper()
	o := r.options
	o.Speed, o.HeartbeatInterval, o.EphemeralPorts = 20, heartbeatInterval, true
	o.HealthInterval = cmp.Or(o.HealthInterval, 50*time.Millisecond)
	o.Agents = simtest.Agents(t, 3)
	known := map[string]netip.Addr{}
	for i := range o.Agents {
		if r.named {
			o.Agents[i].Name = fmt.Sprintf("agent-%d.example", i)
			known[o.Agents[i].Name] = netip.MustParseAddr(o.Agents[i].Address)
		}
	}
	cluster := simtest.Start(t, o)
	for _, document := range first() {
		insist(t, func() error { return cluster.Deploy(document) })
	}
	settled(t, cluster, firstTasks())
	g := &rig{cluster: cluster, gates: newGates(t, cluster.Masters()), names: &names{known: known}, host: haproxytest.Host(t)}
	g.start(t, r)
	return g
}

// start wires mlb as its command does, with short deadlines, and runs it.
func (g *rig) start(t *testing.T, r row) {
	t.Helper()
	dir, binary, log := haproxytest.Dir(t), haproxytest.Binary(t), zap.NewNop()
	stdout, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdout.Close() })
	features, err := process.Probe(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	version := haproxy.Version{Major: features.Major, Minor: features.Minor}
	renderer, err := render.New(g.frame(dir, version), nil)
	if err != nil {
		t.Fatal(err)
	}
	g.process = process.New(process.Config{
		Binary: binary, ConfigFile: filepath.Join(dir, "haproxy.cfg"), MasterSocket: filepath.Join(dir, "master.sock"),
		StateDir: dir, Sockets: []string{filepath.Join(dir, "socket")}, Stdout: stdout,
	}, log)
	again := func() { g.watcher.Refresh("retry") }
	loop := apply.New(apply.Config{
		File: filepath.Join(dir, "haproxy.cfg"), StateDir: dir, ServerStateFile: filepath.Join(dir, "global"), Binary: binary,
		MinReloadInterval: 100 * time.Millisecond, StopTimeout: time.Millisecond, StopHAProxy: true, Again: again,
	}, g.process, g.process.Socket(), version, log, apply.NewMetrics(prometheus.NewRegistry()))
	g.applier = &watched{Loop: loop, cluster: g.cluster}
	controller := control.New(control.Config{
		Claims: haproxy.Claims{DefaultAddress: g.host}, EmptyServiceTimeout: time.Minute, Retry: again,
	}, renderer, g.applier, log, control.NewMetrics(prometheus.NewRegistry()))
	resolver := g.follow(t, r, controller, log)

	ctx, cancel := context.WithCancel(context.Background())
	applying, endApplying := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	// All goroutines that mlb starts inherit the label.
	pprof.Do(ctx, pprof.Labels(label, t.Name()), func(ctx context.Context) {
		go func() {
			var parts errgroup.Group
			parts.Go(func() error { return loop.Run(applying) })
			parts.Go(func() error { return resolver.Run(ctx) })
			parts.Go(func() error {
				defer endApplying()
				return g.watcher.Run(ctx)
			})
			ended <- parts.Wait()
		}()
	})
	g.end = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		controller.Close()
		g.client.Close()
		return err
	})
	t.Cleanup(func() { _ = g.end() }) // the test has looked at it, unless it has failed already
}

// label marks the goroutines of mlb with the row that they belong to.
const label = "row"

// follow makes what reads from Marathon.
func (g *rig) follow(t *testing.T, r row, c *control.Controller, log *zap.Logger) *marathon.Resolver {
	t.Helper()
	var urls []string
	for _, gate := range g.gates {
		urls = append(urls, gate.url)
	}
	if r.knows > 0 {
		urls = urls[len(urls)-r.knows:]
	}
	masters, err := marathon.NewMasters(urls)
	if err != nil {
		t.Fatal(err)
	}
	metrics := marathon.NewMetrics(nil)
	cfg := marathon.ClientConfig{
		ConnectTimeout: 500 * time.Millisecond, HeaderTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond,
		ReadTimeout: time.Second, MaxBody: maxBody, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}
	if r.options.Username != "" {
		cfg.Credentials = marathon.NewBasic(r.options.Username, r.options.Password)
	}
	if g.client, err = marathon.NewClient(cfg, masters, metrics); err != nil {
		t.Fatal(err)
	}
	stream := marathon.NewStream(marathon.StreamConfig{
		ConnectTimeout: 500 * time.Millisecond, IdleTimeout: 6 * heartbeatInterval, AttachTimeout: 6 * heartbeatInterval,
		MinBackoff: 20 * time.Millisecond, MaxBackoff: 100 * time.Millisecond, MaxEvent: maxEvent,
	}, g.client, log, metrics)
	resolver := marathon.NewResolver(g.names, marathon.ResolverOptions{
		Capacity: 100, Refresh: 50 * time.Millisecond, Retry: 50 * time.Millisecond,
	}, func() { g.watcher.Refresh("address changed") }, log)
	deriver := marathon.NewDeriver(marathon.Options{Groups: []string{"external"}, HealthCheck: true, VerdictCapacity: 100}, resolver, log)
	resync := r.resync
	if resync == 0 {
		resync = time.Hour // what is missed stays missed
	}
	g.watcher = marathon.NewWatcher(marathon.WatcherConfig{
		Resync: resync, MinRetry: 20 * time.Millisecond, MaxRetry: 100 * time.Millisecond, Ended: c.Ended,
		ConfirmInterval: 200 * time.Millisecond,
	}, g.client, stream, deriver, c.Pass, func(ctx context.Context, err error) {
		g.failed.Add(1)
		c.Failed(ctx, "", err)
	}, log, metrics)
	return resolver
}

func (g *rig) frame(dir string, v haproxy.Version) render.Frame {
	return render.Frame{
		NoHTTP: true, AppIDBind: g.host + ":9091", StatsBind: g.host + ":9090", MaxConn: 200, Version: v, MapDir: dir,
		StatsSocket: filepath.Join(dir, "socket"), AdminSocket: filepath.Join(dir, "mlb.sock"),
		ServerStateFile: filepath.Join(dir, "global"),
	}
}

// names resolves the invented names of agents, unless it is told to fail.
type names struct {
	mu      sync.Mutex
	known   map[string]netip.Addr
	failing bool
	failed  int
}

// LookupNetIP implements [marathon.Lookup].
func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr, ok := n.known[host]
	if n.failing || !ok {
		n.failed++
		return nil, fmt.Errorf("look up %s: server misbehaving", host)
	}
	return []netip.Addr{addr}, nil
}

// fail makes look-ups fail from now on, or succeed.
func (n *names) fail(failing bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failing, n.failed = failing, 0
}

// failures returns how many look-ups have failed since the last call of fail.
func (n *names) failures() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failed
}

// leaks returns what mlb has left of itself after its end: goroutines and connections.
func (g *rig) leaks(t *testing.T) error {
	t.Helper()
	for i, gate := range g.gates {
		if n := gate.connections(); n > 0 {
			return fmt.Errorf("%d connections to master %d", n, i)
		}
	}
	if stacks := goroutines(t); len(stacks) > 0 {
		return fmt.Errorf("%d goroutines, among them\n%s", len(stacks), stacks[0])
	}
	return nil
}

// goroutines returns the stacks of the goroutines that have the label of the test.
func goroutines(t *testing.T) []string {
	t.Helper()
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	mine := fmt.Sprintf("%q:%q", label, t.Name())
	var stacks []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, mine) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// eventually waits until check returns nil. The last error is what the test fails with.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	within(t, patience, what, check)
}

// within is eventually with a deadline of its own.
func within(t *testing.T, deadline time.Duration, what string, check func() error) {
	t.Helper()
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("waited %s for: %s: %v", deadline, what, err)
		}
	}
}

// exact compares what HAProxy has in rotation with the ready tasks of the cluster.
func (g *rig) exact(t *testing.T) error {
	t.Helper()
	servers, err := g.process.Socket().Servers(t.Context())
	if err != nil {
		return err
	}
	want := map[string][]string{}
	for app := range ports() {
		for _, task := range g.cluster.Ready(app) {
			want[app] = append(want[app], task.Addr(0))
		}
	}
	return differences(want, rotating(servers))
}

// rotating returns the addresses in rotation by app.
func rotating(servers []runtime.ServerState) map[string][]string {
	names := map[string]string{}
	for app, port := range ports() {
		names[haproxy.BackendName(app, port)] = app
	}
	got := map[string][]string{}
	for _, s := range servers {
		if app, ok := names[s.Backend]; ok && s.InRotation() {
			got[app] = append(got[app], s.Address+":"+strconv.Itoa(s.Port))
		}
	}
	return got
}

func differences(want, got map[string][]string) error {
	for app := range ports() {
		slices.Sort(want[app])
		slices.Sort(got[app])
		if !slices.Equal(want[app], got[app]) {
			return fmt.Errorf("%s: haproxy has %v, marathon %v", app, got[app], want[app])
		}
	}
	return nil
}
