package balancer

import (
	"context"
	"strconv"
	"strings"
	"testing"
)

// Metric returns the sum of one of mlb's metrics over the series that have the text
// in their labels.
func (b *Balancer) Metric(ctx context.Context, name, labels string) (float64, error) {
	text, err := b.Ask(ctx, "/_mlb/metrics")
	if err != nil {
		return 0, err
	}
	return Sum(text, name, labels)
}

// Reloads returns how often mlb has reloaded HAProxy.
func (b *Balancer) Reloads(tb testing.TB) float64 {
	tb.Helper()
	n, err := b.Metric(tb.Context(), "mlb_reloads_total", `result="ok"`)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Sum adds up those series of a metric that have the text in their labels. The
// metrics are as Prometheus reads them; the sum of no series is 0.
func Sum(metrics, name, labels string) (float64, error) {
	total := 0.0
	for line := range strings.Lines(metrics) {
		line = strings.TrimSpace(line)
		last := strings.LastIndexByte(line, ' ') // labels may have blanks
		if last < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		base, with, _ := strings.Cut(line[:last], "{")
		if base != name || !strings.Contains(with, labels) {
			continue
		}
		v, err := strconv.ParseFloat(line[last+1:], 64)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}
