package control

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the figures of the pass.
type Metrics struct {
	problems  *prometheus.GaugeVec
	services  prometheus.Gauge
	endpoints prometheus.Gauge
	lag       prometheus.Histogram
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
	}
	reg.MustRegister(m.problems, m.services, m.endpoints, m.lag)
	return m
}
