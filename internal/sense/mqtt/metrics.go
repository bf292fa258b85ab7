package mqtt

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	connections prometheus.Gauge
	connects    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	misuse      *prometheus.CounterVec
	closed      *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	inFlight    prometheus.Gauge
	retained    prometheus.Gauge
	seconds     prometheus.Histogram

	published [3]prometheus.Counter // by QoS
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bluelamp_mqtt_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "bluelamp_mqtt_" + name, Help: help})
	}
	m := &metrics{
		connections: gauge("connections", "Open MQTT connections of devices."),
		connects:    counter("connects_total", "Attempts to connect, by what became of them.", "result"),
		refused:     counter("refused_total", "Publishes and subscriptions that were refused, by why.", "reason"),
		misuse:      counter("misuse_total", "Times that a device did what it may not, by what.", "what"),
		closed:      counter("closed_total", "Connections that the gateway ended, by why.", "reason"),
		dropped:     counter("dropped_total", "Messages that were given up, by why.", "reason"),
		inFlight:    gauge("in_flight", "Publishes that wait for their commit."),
		retained:    gauge("retained", "Retained messages."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bluelamp_mqtt_ack_seconds", Help: "Time from reading a publish of QoS 1 or 2 until its acknowledgement is written.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	published := counter("publishes_total", "Publishes that were handed over, by QoS.", "qos")
	for i, qos := range []string{"0", "1", "2"} {
		m.published[i] = published.WithLabelValues(qos)
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.connects, m.refused, m.misuse, m.closed, m.dropped, m.inFlight, m.retained, m.seconds, published)
	}
	return m
}
