package stage_test

import (
	"testing"

	"mlb/test/bench/stage"
)

func TestSumOfAMetric(t *testing.T) {
	t.Parallel()
	const metrics = `# HELP mlb_reloads_total Reloads.
mlb_reloads_total{result="ok"} 2
mlb_reloads_total{result="failed"} 1
mlb_reloads_total_of_others 9
mlb_haproxy_restarts_total 4
`
	for name, want := range map[string]float64{"mlb_reloads_total": 3, "mlb_haproxy_restarts_total": 4, "mlb_none": 0} {
		if got, err := stage.Sum(metrics, name); err != nil || got != want {
			t.Errorf("%s: %g, %v, want %g", name, got, err, want)
		}
	}
}
