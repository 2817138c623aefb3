package apply

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the figures of the loop.
type Metrics struct {
	applies  *prometheus.CounterVec
	reloads  *prometheus.CounterVec
	reasons  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inSync   prometheus.Gauge
	leaving  prometheus.Gauge
	arriving prometheus.Gauge
	restarts prometheus.Counter
	drift    prometheus.Counter
	filing   prometheus.Histogram
	// written and filingCPU are the bytes written and the processor time of it.
	written, filingCPU prometheus.Counter
}

// NewMetrics returns the metrics, registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		applies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlb_applies_total", Help: "Texts applied, by method and result.",
		}, []string{"method", "result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlb_reloads_total", Help: "Reloads of HAProxy by result.",
		}, []string{"result"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlb_reload_reasons_total", Help: "Reasons that made a reload necessary.",
		}, []string{"reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlb_apply_duration_seconds", Help: "Time to apply a text, by method.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"method"}),
		inSync: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_config_in_sync", Help: "1 if HAProxy runs what was asked for last.",
		}),
		leaving: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_servers_leaving", Help: "Servers out of rotation that still have sessions.",
		}),
		arriving: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_servers_arriving", Help: "Servers out of rotation whose address refuses connections as yet.",
		}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlb_haproxy_restarts_total", Help: "Times that HAProxy had to be started again.",
		}),
		drift: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlb_drift_repairs_total", Help: "Differences in servers, weights and maps that others made in the running HAProxy, and that were repaired.",
		}),
		filing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mlb_files_write_seconds", Help: "Time to write the configuration and its maps after changes at run time, beside the passes.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
	}
	m.written = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mlb_files_written_bytes_total", Help: "Bytes of the files that were replaced after changes at run time, beside the passes.",
	})
	m.filingCPU = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mlb_files_write_cpu_seconds_total", Help: "Processor time of making and writing the files after changes at run time, beside the passes.",
	})
	reg.MustRegister(m.applies, m.reloads, m.reasons, m.duration, m.inSync, m.leaving, m.arriving, m.restarts, m.drift, m.filing,
		m.written, m.filingCPU)
	return m
}
