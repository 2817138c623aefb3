package storm

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"mlb/test/marathonsim"
)

// firstService is the service port of the first app; the others follow.
const firstService = 10000

// backendPrefix begins the names of the backends of all apps.
const backendPrefix = "storm_"

// Options says how hard it blows.
type Options struct {
	// Apps is how many apps there are at first; each has a service port and a
	// virtual host.
	Apps int
	// Events is how many events Marathon sends, Length in what time.
	Events int
	Length time.Duration
	// Seed makes storms that differ.
	Seed uint64
}

// Storm is one storm. Its methods are for one goroutine, except for Observe.
type Storm struct {
	o       Options
	cluster *marathonsim.Cluster
	random  *rand.Rand
	events  atomic.Int64
	apps    []app
	gone    []string // virtual hosts that nobody has any more
	done    Changes
}

// app is what a storm knows of one of its apps.
type app struct {
	present bool
	version int // counts its virtual hosts
}

// Changes counts what a storm did.
type Changes struct {
	// Scaled, Killed, Renamed, Created and Deleted count orders: another number of
	// tasks, one task killed, another virtual host, an app that comes or goes.
	Scaled, Killed, Renamed, Created, Deleted int
	// Events is how many events these led to while the storm lasted, Took how long
	// it did.
	Events int
	Took   time.Duration
}

// New returns a storm that has not begun.
func New(o Options) *Storm {
	return &Storm{o: o, random: rand.New(rand.NewPCG(o.Seed, 1)), apps: make([]app, o.Apps)}
}

// Observe counts an event; it is the Observer of the cluster's options.
func (s *Storm) Observe(string, []byte) { s.events.Add(1) }

// Deploy deploys all apps with two tasks each and waits until they run.
func (s *Storm) Deploy(ctx context.Context, c *marathonsim.Cluster) error {
	s.cluster = c
	var documents []json.RawMessage
	for i := range s.apps {
		s.apps[i].present = true
		documents = append(documents, s.document(i, 2))
	}
	group, err := json.Marshal(map[string]any{"id": "/storm", "apps": documents})
	if err != nil {
		return err
	}
	if err := c.Deploy(string(group)); err != nil {
		return err
	}
	return c.WaitIdle(ctx)
}

func appID(i int) string { return fmt.Sprintf("/storm/app-%d", i) }

// host is the virtual host of an app now.
func (s *Storm) host(i int) string { return fmt.Sprintf("v%d.app-%d.example", s.apps[i].version, i) }

func (s *Storm) document(i, instances int) json.RawMessage {
	return fmt.Appendf(nil, `{"id": %q, "cmd": "serve", "instances": %d, "cpus": 0.1, "mem": 32,
		"portDefinitions": [{"port": %d, "protocol": "tcp"}],
		"labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_MODE": "http", "HAPROXY_0_VHOST": %q}}`,
		appID(i), instances, firstService+i, s.host(i))
}

// Run changes apps until there were as many events as wanted, evenly over the time, and
// waits until Marathon has done everything. The events of the last changes follow.
func (s *Storm) Run(ctx context.Context) (Changes, error) {
	begin, before := time.Now(), s.events.Load()
	sent := func() int { return int(s.events.Load() - before) }
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for sent() < s.o.Events {
		due := float64(s.o.Events) * float64(time.Since(begin)) / float64(s.o.Length)
		if float64(sent()) < due {
			if err := s.change(); err != nil {
				return s.done, err
			}
			continue
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return s.done, ctx.Err()
		}
	}
	s.done.Events, s.done.Took = sent(), time.Since(begin)
	return s.done, s.cluster.WaitIdle(ctx)
}

// change does one thing to one app. Most are changes of tasks, some of virtual hosts,
// few are such that HAProxy has to be reloaded.
func (s *Storm) change() error {
	i := s.random.IntN(len(s.apps))
	a := &s.apps[i]
	dice := s.random.IntN(100)
	switch {
	case !a.present:
		a.present = true
		s.done.Created++
		return s.cluster.Deploy(string(s.document(i, 2)))
	case dice < 50:
		s.done.Scaled++
		return s.cluster.Scale(appID(i), 1+s.random.IntN(4))
	case dice < 75:
		tasks := s.cluster.Ready(appID(i))
		if len(tasks) == 0 {
			return nil
		}
		s.done.Killed++
		_ = s.cluster.KillTask(tasks[s.random.IntN(len(tasks))].ID) // it may have gone by itself
		return nil
	case dice < 88:
		s.gone = append(s.gone, s.host(i))
		a.version++
		s.done.Renamed++
		return s.cluster.Deploy(string(s.document(i, 2)))
	default:
		s.gone = append(s.gone, s.host(i))
		a.version++
		a.present = false
		s.done.Deleted++
		return s.cluster.Delete(appID(i))
	}
}
