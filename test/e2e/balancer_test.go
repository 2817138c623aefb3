package e2e_test

import (
	"fmt"
	"testing"

	"mlb/test/balancer"
)

// newBalancer returns a balancer for a group that is not running. Marathon's health
// checks count.
func newBalancer(t *testing.T, group string, masters []string, args ...string) *balancer.Balancer {
	t.Helper()
	b := balancer.New(t, group, masters)
	b.Groups = []string{group}
	b.Args = append([]string{"--health-check"}, args...)
	return b
}

// started returns a balancer for the group "external" that runs and is ready.
func started(t *testing.T, masters []string) *balancer.Balancer {
	t.Helper()
	b := newBalancer(t, "external", masters)
	b.Start(t)
	b.WaitReady(t)
	return b
}

// ready asks mlb for its readiness as an operator does.
func ready(t *testing.T, b *balancer.Balancer) error {
	t.Helper()
	out, err := b.Prepare(t.Context(), "health", "--ready", "--socket-dir", b.Path("run")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("not ready: %w: %s", err, out)
	}
	return nil
}

// metric returns the sum of a metric of mlb over the series that have the text in
// their labels.
func metric(t *testing.T, b *balancer.Balancer, name, labels string) float64 {
	t.Helper()
	n, err := b.Metric(t.Context(), name, labels)
	must(t, err)
	return n
}
