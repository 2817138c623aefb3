package balancer

import (
	"context"
	"strconv"
	"strings"
)

// Metric returns the sum of one of mlb's metrics over the series that have the text
// in their labels.
func (b *Balancer) Metric(ctx context.Context, name, labels string) (float64, error) {
	text, err := b.Ask(ctx, "/_mlb/metrics")
	if err != nil {
		return 0, err
	}
	total := 0.0
	for line := range strings.Lines(text) {
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
