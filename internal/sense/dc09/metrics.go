package dc09

import (
	"github.com/prometheus/client_golang/prometheus"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

type metrics struct {
	connections prometheus.Gauge
	closed      *prometheus.CounterVec
	frames      *prometheus.CounterVec
	replies     *prometheus.CounterVec
	differs     prometheus.Counter
	remembered  prometheus.Gauge
	seconds     prometheus.Histogram

	// Looked up once: these count every frame.
	accepted [2]prometheus.Counter // by transport
	repeats  [2]prometheus.Counter
	reply    [codec.ReplyRSP + 1]prometheus.Counter
}

// transport is how a frame arrived.
type transport uint8

const (
	tcp transport = iota
	udp
)

// String gives the transport's name.
func (t transport) String() string { return [...]string{"tcp", "udp"}[t] }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bluelamp_dc09_connections", Help: "Open TCP connections of alarm panels.",
		}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_dc09_connections_closed_total", Help: "TCP connections that ended, by why.",
		}, []string{"reason"}),
		frames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_dc09_frames_total", Help: "Arrivals by what became of them: accepted, repeat (sent again, no second observation), failed (the log could not take it), or why they were refused.",
		}, []string{"transport", "result"}),
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_dc09_replies_total", Help: "Replies by kind; none: the frame was left without one.",
		}, []string{"reply"}),
		differs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bluelamp_dc09_account_differs_total", Help: "Accepted frames whose data names another account than their header.",
		}),
		remembered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bluelamp_dc09_remembered_frames", Help: "Frames by which repeats are recognised.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bluelamp_dc09_reply_seconds", Help: "Time from reading an accepted frame until its reply is written.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	for t := tcp; t <= udp; t++ {
		m.accepted[t] = m.frames.WithLabelValues(t.String(), "accepted")
		m.repeats[t] = m.frames.WithLabelValues(t.String(), "repeat")
	}
	for r := codec.ReplyNone; r <= codec.ReplyRSP; r++ {
		m.reply[r] = m.replies.WithLabelValues(r.String())
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.closed, m.frames, m.replies, m.differs, m.remembered, m.seconds)
	}
	return m
}
