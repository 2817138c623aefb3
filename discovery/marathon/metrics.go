package marathon

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are the collectors of the half of the package that has effects.
type Metrics struct {
	connected   prometheus.Gauge
	reconnects  prometheus.Counter
	events      *prometheus.CounterVec
	unreadable  prometheus.Counter
	seconds     prometheus.Histogram
	failures    *prometheus.CounterVec
	bytes       prometheus.Counter
	lastRefresh prometheus.Gauge
	lastList    prometheus.Gauge
	lastByte    prometheus.Gauge
	lastEvent   prometheus.Gauge
	held        prometheus.Gauge
	holds       prometheus.Counter
}

// NewMetrics makes the collectors and registers them, which panics if that was
// done before with the same registry. A nil registry registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	return &Metrics{
		connected: auto.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_stream_connected",
			Help: "Whether Marathon's event stream is attached (1) or not (0).",
		}),
		reconnects: auto.NewCounter(prometheus.CounterOpts{
			Name: "mlb_stream_reconnects_total",
			Help: "Attachments to Marathon's event stream after the first one.",
		}),
		events: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "mlb_events_total",
			Help: "Events from Marathon; types that mean nothing for routing are counted as other.",
		}, []string{"type"}),
		unreadable: auto.NewCounter(prometheus.CounterOpts{
			Name: "mlb_events_unreadable_total",
			Help: "Events from Marathon that could not be read and were skipped.",
		}),
		seconds: auto.NewHistogram(prometheus.HistogramOpts{
			Name:    "mlb_fetch_duration_seconds",
			Help:    "Time of good requests to Marathon, from the first byte sent to the last one decoded.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
		failures: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "mlb_fetch_failures_total",
			Help: "Requests to one Marathon master that brought no good answer.",
		}, []string{"reason"}),
		bytes: auto.NewCounter(prometheus.CounterOpts{
			Name: "mlb_fetch_bytes_total",
			Help: "Bytes of the bodies of Marathon's answers as they came over the wire.",
		}),
		lastRefresh: auto.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_refresh_last_success_timestamp_seconds",
			Help: "When Marathon last answered well, about all apps or about one, as Unix time; 0 means never.",
		}),
		lastList: auto.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_resync_last_success_timestamp_seconds",
			Help: "When all apps were last read from Marathon, as Unix time; 0 means never.",
		}),
		lastByte: auto.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_stream_last_byte_timestamp_seconds",
			Help: "When Marathon's event stream last brought a byte, heartbeats included, as Unix time; 0 means never.",
		}),
		lastEvent: auto.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_stream_last_event_timestamp_seconds",
			Help: "When Marathon's event stream last brought an event, as Unix time; 0 means never.",
		}),
		held: auto.NewGauge(prometheus.GaugeOpts{
			Name: "mlb_removal_held_endpoints",
			Help: "Endpoints that are served although Marathon's last list lacks them, because it is hard to believe; 0 means none.",
		}),
		holds: auto.NewCounter(prometheus.CounterOpts{
			Name: "mlb_removals_held_total",
			Help: "Times that answers of Marathon were held back because they would have removed too much.",
		}),
	}
}

// fetched takes in the outcome of one request to one master.
func (m *Metrics) fetched(took time.Duration, bytes int64, err error) {
	m.bytes.Add(float64(bytes))
	if err == nil || errors.Is(err, ErrNotFound) {
		m.seconds.Observe(took.Seconds())
		return
	}
	m.failures.WithLabelValues(failureReason(err)).Inc()
}

// failureReason returns the value of the label reason.
func failureReason(err error) string {
	var status *StatusError
	var body *bodyError
	switch {
	case errors.Is(err, ErrUnauthorized):
		return "unauthorized"
	case errors.As(err, &status):
		return "status"
	case errors.Is(err, errNoAnswer), errors.Is(err, errStalledAnswer), errors.Is(err, errSlowAnswer):
		return "timeout"
	case errors.As(err, &body):
		return "body"
	default:
		return "connection"
	}
}

// unix returns a moment as metrics show it, in seconds.
func unix(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
