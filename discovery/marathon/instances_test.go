package marathon_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// many is how many apps the cluster has that ten instances follow: make bench-instances
// asks for 1,000.
var many = flag.Int("apps", 60, "apps of the cluster that ten instances follow")

// counter stands before a master and counts requests. A stream begins when there have been
// so many lists: a watcher that is told of its stream before it asked for the first list
// has reason for one only.
type counter struct {
	mu            sync.Mutex
	listed        *sync.Cond
	lists, single int
	first         int
}

func newCounter(t *testing.T, master string) (c *counter, address string) {
	t.Helper()
	target, err := url.Parse(master)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // streams are cut in the end
	c = &counter{}
	c.listed = sync.NewCond(&c.mu)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		switch {
		case r.URL.Path == "/v2/apps":
			c.lists++
			c.listed.Broadcast()
		case r.URL.Path == "/v2/events":
			for c.lists < c.first {
				c.listed.Wait()
			}
		case strings.HasPrefix(r.URL.Path, "/v2/apps/"):
			c.single++
		}
		c.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return c, server.URL
}

// next has streams wait for one list more.
func (c *counter) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = c.lists + 1
}

// requests returns how many there were for the list and for single apps.
func (c *counter) requests() (lists, single int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists, c.single
}

// changes counts, from what Marathon tells, how often a route changed: an app has another
// definition, a task comes into rotation (when it runs or, if verdicts decide, when it is
// first healthy), or one that was there leaves.
type changes struct {
	gated bool

	mu    sync.Mutex
	in    map[string]bool
	count int
}

// begin takes in the tasks that are in rotation.
func (c *changes) begin(cluster *marathonsim.Cluster) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = 0
	for _, app := range cluster.Apps() {
		for _, task := range cluster.Ready(app) {
			c.in[instanceOf(task.ID)] = true
		}
	}
}

// instanceOf is the instance that a task of Marathon 1.9 is of.
func instanceOf(task string) string {
	id, _, _ := strings.Cut(task, "._app.")
	return id
}

// observe takes in an event.
func (c *changes) observe(kind string, document []byte) {
	var e struct {
		TaskID, InstanceID, TaskStatus string
		Alive                          bool
	}
	if json.Unmarshal(document, &e) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	instance := instanceOf(e.TaskID + e.InstanceID)
	switch {
	case kind == "api_post_event":
		c.count++
	case kind == "status_update_event" && e.TaskStatus == "TASK_RUNNING" && !c.gated, kind == "health_status_changed_event" && e.Alive && c.gated:
		if !c.in[instance] {
			c.in[instance] = true
			c.count++
		}
	case kind == "status_update_event" && e.TaskStatus != "TASK_RUNNING" && c.in[instance]:
		delete(c.in, instance)
		c.count++
	}
}

func (c *changes) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Ten instances that follow a rolling deployment ask Marathon hardly more often than a
// route of theirs changes, and never for all apps once they have begun: neither when many
// apps are deployed at once nor when each is by itself, so that no two changes of
// different apps are read together.
func TestTenInstancesAskMarathonOncePerChange(t *testing.T) {
	t.Parallel()
	for name, gated := range map[string]bool{"all tasks": false, "healthy tasks": true} {
		t.Run(name, func(t *testing.T) { // not beside each other: a Marathon that answers late is another story
			f := newFleet(t, gated)
			// With two more at once all would be read with the list, and the next one may come
			// while what is left to say of these has not been read.
			together := max(7, *many/25)
			f.roll(t, "at once", 0, together, func(i int) { simtest.Deploy(t, f.cluster, f.document(i, 1)) })
			f.roll(t, "one after the other", together, together+4, func(i int) {
				simtest.Deploy(t, f.cluster, f.document(i, 1))
				simtest.Idle(t, f.cluster)
			})
		})
	}
}

// fleet is many instances that follow one Marathon.
type fleet struct {
	cluster   *marathonsim.Cluster
	seen      *changes
	requests  *counter
	balancers []*balancer
}

const fleetSize = 10

// newFleet starts a cluster with all apps, and the instances, which have read them all.
func newFleet(t *testing.T, gated bool) *fleet {
	t.Helper()
	f := &fleet{seen: &changes{gated: gated, in: map[string]bool{}}}
	f.cluster = simtest.Start(t, marathonsim.Options{
		Unserved: true, ServicePortMax: 1 << 16, Observer: f.seen.observe,
		LaunchDelay: 300 * time.Millisecond, KillDelay: 50 * time.Millisecond, HealthInterval: 500 * time.Millisecond,
	})
	var documents []string
	for i := range *many {
		documents = append(documents, f.document(i, 0))
	}
	simtest.Deploy(t, f.cluster, `{"id": "/many", "apps": [`+strings.Join(documents, ",")+`]}`)
	simtest.Idle(t, f.cluster)
	f.seen.begin(f.cluster)
	var address string
	f.requests, address = newCounter(t, f.cluster.Masters()[0])
	for range fleetSize {
		f.requests.next()
		b := newBalancer(t, address, gated)
		eventually(t, "two lists", func() bool { return len(b.lists()) >= 2 })
		f.balancers = append(f.balancers, b)
	}
	return f
}

// document is an app with two tasks, and a health check if verdicts matter.
func (f *fleet) document(i, version int) string {
	check := ""
	if f.seen.gated {
		check = `"healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0}],`
	}
	return fmt.Sprintf(`{"id": "/many/app-%d", "cmd": "serve", "instances": 2, %s "portDefinitions": [{"port": %d}],
		"labels": {"HAPROXY_0_VHOST": "v%d.app-%d.example.com"}}`, i, check, 10000+i, version, i)
}

// roll deploys some apps and counts.
func (f *fleet) roll(t *testing.T, how string, from, to int, deploy func(i int)) {
	t.Helper()
	const most = 1.2
	lists, single := f.requests.requests()
	before := f.seen.total()
	for i := from; i < to; i++ {
		deploy(i)
	}
	simtest.Idle(t, f.cluster)
	for _, b := range f.balancers {
		eventually(t, "the new tasks of all apps", func() bool { return b.serves(f.cluster, to) })
	}
	listsAfter, singleAfter := f.requests.requests()
	lists, single = listsAfter-lists, singleAfter-single
	n := f.seen.total() - before
	ratio := float64(single) / float64(n*fleetSize)
	t.Logf("%s: %d changes, %d requests of %d instances for single apps, %.2f for each change, and %d for all", how, n, single, fleetSize, ratio, lists)
	if want := 5 * (to - from); n != want { // the definition, two tasks that come, two that go
		t.Errorf("%d changes, want %d", n, want)
	}
	if ratio > most || lists > 0 {
		t.Errorf("%s: %.2f requests for each change, want at most %.1f; %d for all apps", how, ratio, most, lists)
		for _, b := range f.balancers {
			t.Logf("lists: %q", b.lists())
		}
	}
}

// balancer is what one mlb has to follow Marathon, and what it knows.
type balancer struct {
	mu      sync.Mutex
	present discovery.Snapshot
	whole   []string // the triggers of snapshots of all apps
}

func newBalancer(t *testing.T, address string, gated bool) *balancer {
	t.Helper()
	i := &balancer{}
	metrics := marathon.NewMetrics(nil)
	client, err := marathon.NewClient(marathon.ClientConfig{Proxy: direct}, newMasters(t, address), metrics)
	if err != nil {
		t.Fatal(err)
	}
	opts := everything()
	opts.HealthCheck = gated
	stream := marathon.NewStream(marathon.StreamConfig{MinBackoff: 20 * time.Millisecond}, client, zap.NewNop(), metrics)
	w := marathon.NewWatcher(marathon.WatcherConfig{Resync: time.Hour, IgnoreHealth: !gated, Ended: func(context.Context, map[string]string) {}}, client, stream,
		marathon.NewDeriver(opts, agents(), zap.NewNop()), i.pass, func(_ context.Context, err error) { t.Errorf("reading failed: %v", err) },
		zap.NewNop(), metrics)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		client.Close()
	})
	return i
}

func (i *balancer) pass(_ context.Context, s discovery.Snapshot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s.Apps == nil {
		i.present = s
		i.whole = append(i.whole, s.Trace.Trigger)
		return
	}
	i.present = together(i.present, s)
}

func (i *balancer) lists() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.whole)
}

// serves reports whether the first apps are served by their tasks of now.
func (i *balancer) serves(c *marathonsim.Cluster, apps int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	endpoints := map[string]bool{}
	n := 0
	for _, s := range i.present.Services {
		for _, e := range s.Endpoints {
			endpoints[e.Task] = true
			n++
		}
	}
	want := 0
	for k := range apps {
		for _, task := range c.Ready(fmt.Sprintf("/many/app-%d", k)) {
			want++
			if !endpoints[task.ID] {
				return false
			}
		}
	}
	return want == 2*apps && n == 2*len(c.Apps())
}
