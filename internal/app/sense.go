package app

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/bus/backup"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/registry/enrol"
	"github.com/bluelamp/bluelamp/internal/sense/retention"
	"github.com/bluelamp/bluelamp/internal/sense/suricata"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
)

// openSense opens what takes signals in besides alarm panels, and what people do
// with that.
func (a *App) openSense(ctx context.Context) (err error) {
	a.sources, err = openSources(ctx, ground{
		cfg: &a.cfg, log: a.log, sealer: a.sealer, clock: a.clock, registry: a.registry, intake: a.intake, logger: a.logger, metrics: a.metrics,
	})
	if err != nil {
		return err
	}
	a.sources.mount(edge.Prefix, edge.NewReceiver(a.log, a.intake, a.registry, a.clock, a.logger))
	a.sources.mount(enrolPath, enrol.New(enrol.Config{
		Registry: a.registry, URLs: a.enrolURLs(), Record: a.record.Record, Now: a.clock.Now, Logger: a.logger,
	}))
	if err := a.openWarnings(ctx); err != nil {
		return err
	}
	again := fileReplayers(a.intake)
	again[dc09.Source] = a.receiver
	a.quarantine = sense.NewQuarantineDesk(sense.NewQueries(a.db, a.log), a.log, a.clock,
		sense.NewMessageReplayer(a.sources.board, a.registry), again, a.logger)
	copies := make([]retention.Backups, len(a.cfg.Backups))
	for i, dir := range a.cfg.Backups {
		copies[i] = backup.At(dir, time.Now)
	}
	// The log's own times are the machine's, whatever clock a demonstration has.
	a.keeper = retention.NewKeeper(a.log, clock.Wall(), a.logger, copies...)
	return nil
}

const enrolPath = "/enrol"

// enrolURLs are where devices find the platform.
func (a *App) enrolURLs() enrol.URLs {
	u := enrol.URLs{}
	if base := a.sources.intakeURL(); base != "" {
		u.Enrol, u.HTTPS = base+enrolPath, base+"/in/"
	}
	if a.cfg.MQTTTLS != "" {
		u.MQTT = append(u.MQTT, "mqtts://"+a.cfg.MQTTTLS)
	}
	if addr := a.sources.mqttAddr(); addr != "" {
		u.MQTT = append(u.MQTT, "mqtt://"+addr)
	}
	return u
}

// openWarnings opens the office that warns the public, where the force has a name
// for it.
func (a *App) openWarnings(ctx context.Context) error {
	if a.cfg.CAPSender == "" {
		return nil
	}
	key, cert, err := issue.LoadKey(a.cfg.CAPKey, a.cfg.Data, a.cfg.CAPName, a.clock.Now())
	if err != nil {
		return err
	}
	web := ""
	if a.cfg.URL != "" {
		web = strings.TrimRight(a.cfg.URL, "/") + "/warnings"
	}
	a.warnings, err = issue.New(ctx, issue.Config{
		Log: a.log, Clock: a.clock, Logger: a.logger, Sender: a.cfg.CAPSender, Name: a.cfg.CAPName, Web: web, Key: key, Cert: cert,
	})
	return err
}

// fileReplayers take up again the lines of files that are in quarantine, by the
// source that they came from.
func fileReplayers(in *sense.Intake) map[string]sense.Replayer {
	return map[string]sense.Replayer{
		"zeek":     sense.NewLineReplayer(in, zeek.File),
		"suricata": sense.NewLineReplayer(in, suricata.File),
	}
}

// Replayers returns the ways back in for what is in quarantine, for a process
// that opens no ports: of what devices sent, and of files by their source. Frames
// of alarm panels need the receiver, which knows what was sent again since.
func Replayers(ctx context.Context, cfg *Config, log *bus.Log, sealer *seal.Sealer, reg *registry.Registry, in *sense.Intake, clk *clock.Clock, logger *slog.Logger) (sense.Replayer, map[string]sense.Replayer, error) {
	s := &sources{ground: ground{
		cfg: cfg, log: log, sealer: sealer, clock: clk, registry: reg, intake: in, logger: logger, metrics: prometheus.NewRegistry(),
	}}
	if err := s.openDialects(ctx); err != nil {
		return nil, nil, err
	}
	return sense.NewMessageReplayer(s.board, reg), fileReplayers(in), nil
}
