package stage

import (
	"strconv"
	"strings"
)

// Sum adds up the series of a metric, as Prometheus reads them.
func Sum(metrics, name string) (float64, error) {
	total := 0.0
	for line := range strings.Lines(metrics) {
		base, _, _ := strings.Cut(line, "{")
		words := strings.Fields(line)
		if len(words) < 2 || base != name && words[0] != name {
			continue
		}
		v, err := strconv.ParseFloat(words[len(words)-1], 64)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}
