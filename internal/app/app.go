package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/alarm"
	"github.com/bluelamp/bluelamp/internal/detect/gunfire"
	"github.com/bluelamp/bluelamp/internal/detect/home"
	"github.com/bluelamp/bluelamp/internal/detect/misuse"
	"github.com/bluelamp/bluelamp/internal/detect/network"
	"github.com/bluelamp/bluelamp/internal/detect/warning"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/retention"
	"github.com/bluelamp/bluelamp/internal/store"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// Options are what a server is given besides its configuration.
type Options struct {
	Clock   *clock.Clock
	Logger  *slog.Logger
	Version string
	Demo    bool   // a demonstration: people are told so
	BaseMap []byte // GeoJSON under the map; nil: Config.BaseMap's file
}

// App is a platform that is ready to run.
type App struct {
	cfg     Config
	opts    Options
	logger  *slog.Logger
	clock   *clock.Clock
	metrics *prometheus.Registry

	log      *bus.Log
	db       *store.DB
	sealer   *seal.Sealer
	record   *audit.Log
	people   *auth.Auth
	registry *registry.Registry
	intake   *sense.Intake
	receiver *dc09.Receiver
	pipeline *detect.Pipeline
	desk     *incident.Desk
	panels   *sense.Supervisor
	sources  *sources
	// What people do with what comes in, besides incidents.
	quarantine *sense.QuarantineDesk
	warnings   *issue.Office
	keeper     *retention.Keeper
	room       *controlRoom // nil when no HTTP address is configured
	ready      readiness
}

// Detectors returns the detectors that a server and a replay run, fresh. The
// configuration of the network detector bounds what its alerts list; that of
// warnings says where they count.
func Detectors(net network.Config, warn warning.Config) []detect.Detector {
	return []detect.Detector{
		alarm.New(alarm.Default()), home.New(), network.NewDetector(net), misuse.New(), gunfire.New(gunfire.Default()), warning.New(warn),
	}
}

// New opens all that the platform needs, and listens. Nothing is taken in before
// Run. Close it when done, whether or not it has run.
func New(ctx context.Context, cfg Config, opts Options) (*App, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, opts: opts, logger: opts.Logger, clock: opts.Clock, metrics: prometheus.NewRegistry()}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := a.open(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) open(ctx context.Context) (err error) {
	cfg := &a.cfg
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	a.log, err = bus.Open(ctx, bus.Config{
		Dir: cfg.Data, URL: cfg.NATS, Replicas: cfg.LogReplicas(), Listen: cfg.Listen, Reserve: cfg.Reserve << 20, Logger: a.logger, Metrics: a.metrics,
	})
	var refused *jetstream.APIError
	if errors.As(err, &refused) && strings.Contains(refused.Description, "replicas") {
		return fmt.Errorf("%w: say how many copies it can keep with --log-replicas", err)
	}
	if err != nil {
		return err
	}
	if a.db, err = store.Open(ctx, cfg.Database()); err != nil {
		return err
	}
	if a.sealer, err = OpenSealer(ctx, a.log, cfg.Data); err != nil {
		return err
	}
	if a.record, err = audit.Open(ctx, audit.Config{Log: a.log, Dir: cfg.Data, Now: a.clock.Now, Logger: a.logger}); err != nil {
		return err
	}
	if a.people, err = auth.New(ctx, a.authConfig()); err != nil {
		return err
	}
	if a.registry, err = registry.New(ctx, a.log, a.sealer, a.clock, a.logger); err != nil {
		return err
	}
	a.intake = sense.NewIntake(a.log, a.clock, a.registry, a.logger, a.metrics)
	if err := a.intake.Clocks().Load(ctx); err != nil {
		return err
	}
	if err := a.openReceiver(); err != nil {
		return err
	}
	area, err := warning.ParseArea(cfg.CAPArea)
	if err != nil {
		return fmt.Errorf("--cap-area: %w", err)
	}
	a.pipeline = detect.NewPipeline(a.log, a.logger, a.metrics, Detectors(network.Config{}, warning.Config{Area: area})...)
	a.desk = incident.NewDesk(a.log, a.clock, a.logger, a.metrics)
	a.panels = sense.NewSupervisor(a.intake, a.registry, dc09.Source, a.logger)
	if err := a.openSense(ctx); err != nil {
		return err
	}
	if cfg.HTTP != "" {
		if a.room, err = a.openRoom(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openReceiver opens the ports of alarm panels.
func (a *App) openReceiver() (err error) {
	a.receiver, err = dc09.New(dc09.Config{
		TCP: a.cfg.DC09TCP, UDP: a.cfg.DC09UDP,
		Rules: codec.Rules{Ahead: a.cfg.DC09Ahead, Behind: a.cfg.DC09Behind, PlainTime: true},
	}, a.intake, a.registry, a.log, a.logger, a.metrics)
	var port *net.OpError
	if errors.As(err, &port) {
		return fmt.Errorf("%w: choose another with --dc09-%s", err, port.Net)
	}
	return err
}

// Close closes what New opened. Run must have returned.
func (a *App) Close() {
	if a.room != nil {
		a.room.close()
	}
	if a.sources != nil {
		a.sources.close()
	}
	if a.receiver != nil {
		a.receiver.Close()
	}
	if a.people != nil {
		a.people.Close()
	}
	if a.record != nil {
		a.record.Close()
	}
	if a.db != nil {
		a.db.Close()
	}
	if a.log != nil {
		a.log.Close()
	}
}

// Registry is the premises that the platform knows.
func (a *App) Registry() *registry.Registry { return a.registry }

// Metrics is where the platform counts.
func (a *App) Metrics() prometheus.Gatherer { return a.metrics }

// DC09Addr is the address that panels reach over TCP.
func (a *App) DC09Addr() string { return a.receiver.TCPAddr() }

// MQTTAddr is the address that devices reach over MQTT without TLS; "" for none.
func (a *App) MQTTAddr() string { return a.sources.mqttAddr() }

// IntakeURL is where devices reach the HTTP intake; "" for none.
func (a *App) IntakeURL() string { return a.sources.intakeURL() }

// Projections returns the read models, in the order in which they are rebuilt:
// what forgets comes after what it forgets from.
func Projections(logger *slog.Logger) []store.Projection {
	devices, twins, entries := sense.NewDevices(logger), sense.NewTwins(logger), sense.NewQuarantineEntries(logger)
	return []store.Projection{
		incident.NewProjection(logger), detect.NewProjection(logger),
		devices, twins, entries, issue.NewProjection(logger),
		retention.NewLedger(logger, devices, twins, entries),
		audit.Projection{},
	}
}

// URL is where people reach the control room.
func (a *App) URL() string { return a.room.url }
