// Package simtest starts simulated clusters in tests.
package simtest

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"testing"
	"time"

	"mlb/test/marathonsim"
)

// Deadline is how long the helpers wait before a test fails. It is generous:
// tests run on small, shared machines.
const Deadline = 30 * time.Second

// Start starts a cluster that ends with the test. Options without agents get
// three, at loopback addresses of this test's own, and ephemeral ports, so that
// tests run beside each other.
func Start(tb testing.TB, o marathonsim.Options) *marathonsim.Cluster {
	tb.Helper()
	if len(o.Agents) == 0 {
		o.Agents = Agents(tb, 3)
		o.EphemeralPorts = true
	}
	c, err := marathonsim.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// Agents returns n agents at loopback addresses that are derived from the names
// of the test and of the process.
func Agents(tb testing.TB, n int) []marathonsim.Agent {
	tb.Helper()
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%d %s", os.Getpid(), tb.Name())
	sum := h.Sum32()
	agents := make([]marathonsim.Agent, 0, n)
	for i := range n {
		agents = append(agents, marathonsim.Agent{
			Address: fmt.Sprintf("127.%d.%d.%d", 64+sum>>24%96, sum>>16&0xff, i+1),
		})
	}
	return agents
}

// Deploy deploys a document and fails the test when Marathon refuses it.
func Deploy(tb testing.TB, c *marathonsim.Cluster, document string) {
	tb.Helper()
	if err := c.Deploy(document); err != nil {
		tb.Fatal(err)
	}
}

// Running waits until the app has exactly n ready tasks and returns them.
func Running(tb testing.TB, c *marathonsim.Cluster, app string, n int) []marathonsim.TaskInfo {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Deadline)
	defer cancel()
	tasks, err := c.WaitRunning(ctx, app, n)
	if err != nil {
		tb.Fatal(err)
	}
	return tasks
}

// Idle waits until no deployment is running.
func Idle(tb testing.TB, c *marathonsim.Cluster) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Deadline)
	defer cancel()
	if err := c.WaitIdle(ctx); err != nil {
		tb.Fatal(err)
	}
}

// Wait waits for a condition and fails the test when it does not come true.
func Wait(tb testing.TB, c *marathonsim.Cluster, what string, condition func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Deadline)
	defer cancel()
	if err := c.Wait(ctx, condition); err != nil {
		tb.Fatalf("waited for: %s: %v", what, err)
	}
}
