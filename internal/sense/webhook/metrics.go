package webhook

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests *prometheus.CounterVec
	refused  *prometheus.CounterVec
	seconds  prometheus.Histogram
	bytes    prometheus.Counter
	repeats  prometheus.Counter
	conns    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_http_intake_requests_total", Help: "Requests of devices, by the status of the answer.",
		}, []string{"status"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_http_intake_refused_total", Help: "Requests that devices may not make, by what was wrong.",
		}, []string{"what"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bluelamp_http_intake_seconds", Help: "From a request's headers to its answer, for messages that were taken up.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bluelamp_http_intake_bytes_total", Help: "Bytes of bodies, inflated.",
		}),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bluelamp_http_intake_repeats_total", Help: "Requests that were answered from memory, by their Idempotency-Key.",
		}),
		conns: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bluelamp_http_intake_connections", Help: "Open connections.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.refused, m.seconds, m.bytes, m.repeats, m.conns)
	}
	return m
}
