package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// clients ask all the while.
type clients struct {
	program *program
	stop    context.CancelFunc
	running sync.WaitGroup

	// serving is held for reading while the steady app is asked, and for writing while
	// HAProxy is dead, when nobody can answer.
	serving sync.RWMutex

	// mu guards what follows.
	mu    sync.Mutex
	hosts []string // those that are asked
	seen  traffic
}

// traffic counts requests.
type traffic struct {
	// Served are those that a task answered, Refused those that HAProxy did, as it must
	// when there is no task, Lost those without an answer.
	Served, Refused, Lost int
	// Steady are the requests to the app that nothing is done to, Missed those of them
	// that none of its tasks answered, Why the first of these.
	Steady, Missed int
	Why            string
}

// newClients starts so many clients, and one that asks the steady app.
func newClients(ctx context.Context, p *program, many int, seed uint64, steady string) *clients {
	ctx, cancel := context.WithCancel(ctx)
	c := &clients{program: p, stop: cancel}
	for i := range many {
		random := rand.New(rand.NewPCG(seed, uint64(2+i)))
		c.running.Go(func() { every(ctx, 20*time.Millisecond, func() { c.wander(ctx, random) }) })
	}
	c.running.Go(func() { every(ctx, 50*time.Millisecond, func() { c.insist(ctx, steady) }) })
	return c
}

// every does something with a pause in between until the context is done.
func every(ctx context.Context, pause time.Duration, do func()) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// visit names the virtual hosts to ask from now on.
func (c *clients) visit(hosts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts = hosts
}

// end ends all clients and returns what they saw.
func (c *clients) end() traffic {
	c.stop()
	c.running.Wait()
	return c.seen
}

// wander asks any app.
func (c *clients) wander(ctx context.Context, random *rand.Rand) {
	c.mu.Lock()
	host := ""
	if len(c.hosts) > 0 {
		host = c.hosts[random.IntN(len(c.hosts))]
	}
	c.mu.Unlock()
	a, err := c.program.visit(ctx, host, "/?sleep=20ms")
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.seen.Lost++
	case a.task == "":
		c.seen.Refused++
	default:
		c.seen.Served++
	}
}

// insist asks the steady app, unless HAProxy is dead.
func (c *clients) insist(ctx context.Context, host string) {
	c.serving.RLock()
	defer c.serving.RUnlock()
	a, err := c.program.visit(ctx, host, "/")
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Steady++
	if err == nil && a.status == http.StatusOK && a.task != "" {
		return
	}
	if c.seen.Missed++; c.seen.Missed == 1 {
		c.seen.Why = fmt.Sprintf("at %s: status %d, error %v", time.Now().Format(time.TimeOnly), a.status, err)
	}
}
