package bus

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	commits       *prometheus.CounterVec
	appended      *prometheus.CounterVec
	failed        *prometheus.CounterVec
	blocked       *prometheus.CounterVec
	commitSeconds *prometheus.HistogramVec
	position      *prometheus.GaugeVec
	diskFree      prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bluelamp_log_" + name, Help: help}, []string{"stream"})
	}
	m := &metrics{
		commits:  counter("commits_total", "Commits to the log; each is synced to disk once."),
		appended: counter("appended_total", "Messages committed."),
		failed:   counter("failed_total", "Messages whose commit failed."),
		blocked:  counter("blocked_total", "Times that an append waited because too many messages were queued."),
		commitSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bluelamp_log_commit_seconds", Help: "Time from the start of a commit until it was on disk.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 14),
		}, []string{"stream"}),
		position: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bluelamp_stage_position", Help: "Position that a stage has reached in the stream that it reads.",
		}, []string{"stage"}),
		diskFree: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bluelamp_log_disk_free_bytes", Help: "Free space on the disk that holds the log.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.commits, m.appended, m.failed, m.blocked, m.commitSeconds, m.position, m.diskFree)
	}
	return m
}

// natsLogger hands the embedded server's log lines to slog.
type natsLogger struct{ l *slog.Logger }

func (n natsLogger) Noticef(f string, v ...any) { n.l.Debug(fmt.Sprintf(f, v...)) }
func (n natsLogger) Warnf(f string, v ...any) {
	if strings.HasPrefix(f, "Maximum payloads over") {
		return // saved states are large on purpose, and travel inside the process
	}
	n.l.Warn(fmt.Sprintf(f, v...))
}

func (n natsLogger) Fatalf(f string, v ...any) { n.l.Error(fmt.Sprintf(f, v...)) }
func (n natsLogger) Errorf(f string, v ...any) { n.l.Error(fmt.Sprintf(f, v...)) }
func (n natsLogger) Debugf(f string, v ...any) {}
func (n natsLogger) Tracef(f string, v ...any) {}
