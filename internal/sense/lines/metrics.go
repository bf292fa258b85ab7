package lines

import "github.com/prometheus/client_golang/prometheus"

// metrics count what comes over connections.
type metrics struct {
	connections prometheus.Gauge
	lines       *prometheus.CounterVec
	closed      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bluelamp_monitor_connections", Help: "Connections of network monitors that are open.",
		}),
		lines: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_monitor_lines_total", Help: "Lines that network monitors sent, by what became of them.",
		}, []string{"outcome"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_monitor_connections_closed_total", Help: "Connections of network monitors that ended, by why.",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.lines, m.closed)
	}
	return m
}
