package control

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mlb/haproxy/apply"
)

// Metrics are the figures of the pass.
type Metrics struct {
	problems  *prometheus.GaugeVec
	services  prometheus.Gauge
	endpoints prometheus.Gauge
	lag       prometheus.Histogram
	passes    *prometheus.CounterVec
	hops      *prometheus.HistogramVec
}

// NewMetrics returns the metrics, registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		problems: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mlb_problems", Help: "Problems of the last pass by reason.",
		}, []string{"reason"}),
		services: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_services", Help: "Services in the configuration.",
		}),
		endpoints: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_endpoints", Help: "Endpoints in the configuration.",
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mlb_apply_lag_seconds", Help: "Time from the first hint of a pass until it was in effect.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlb_passes_total", Help: "Passes by what set them off and how the change was made.",
		}, []string{"trigger", "method"}),
		hops: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlb_pass_hop_seconds", Help: "Time of each hop of a pass, from the first hint to what was read back from HAProxy.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 18),
		}, []string{"hop"}),
	}
	reg.MustRegister(m.problems, m.services, m.endpoints, m.lag, m.passes, m.hops)
	return m
}

// passed counts a pass and observes its hops. A hop that did not take place, or whose
// begin is not known, has no time. What is neither a runtime step nor a reload in the
// time of an apply is its difference: comparing, and waiting for one's turn; or it is the
// start of HAProxy.
func (m *Metrics) passed(r Record) {
	m.passes.WithLabelValues(r.Trace.Trigger, cmp.Or(r.Method, apply.MethodFailed)).Inc()
	m.hop("fetch", r.Trace.Hinted, r.Trace.Fetched)
	m.hop("derive", r.Trace.Fetched, r.Trace.Derived)
	m.hop("render", r.Trace.Derived, r.Rendered)
	rest := "diff"
	if r.Method == apply.MethodStart {
		rest = "start"
	}
	m.hop(rest, r.Rendered, r.Applied.Add(-r.Runtime-r.Reload))
	for hop, took := range map[string]time.Duration{"runtime": r.Runtime, "reload": r.Reload} {
		if took > 0 {
			m.hops.WithLabelValues(hop).Observe(took.Seconds())
		}
	}
}

func (m *Metrics) hop(name string, begin, end time.Time) {
	if !begin.IsZero() && !end.IsZero() {
		m.hops.WithLabelValues(name).Observe(max(0, end.Sub(begin).Seconds()))
	}
}
