package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	warn "github.com/bluelamp/bluelamp/internal/sense/cap"
	"github.com/bluelamp/bluelamp/internal/sense/home"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/street"
	"github.com/bluelamp/bluelamp/internal/sense/suricata"
	"github.com/bluelamp/bluelamp/internal/sense/webhook"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
)

// ground is what sources stand on, at the centre and at an edge gateway alike.
type ground struct {
	cfg      *Config
	log      *bus.Log
	sealer   *seal.Sealer
	clock    *clock.Clock
	registry *registry.Registry
	intake   *sense.Intake
	logger   *slog.Logger
	metrics  *prometheus.Registry
}

// sources take in what enrolled devices and network monitors say. Alarm panels,
// which dial the centre alone, are beside them.
type sources struct {
	ground
	family   *home.Family
	counters *street.Counters
	hotlist  *street.Hotlist
	mappings *mapping.Catalogue
	warnings *warn.Reader
	board    *sense.Switchboard

	mqtt     *mqtt.Gateway   // nil: none
	http     *webhook.Server // the same
	monitors *lines.Listener // the same
	feeds    *warn.Poller    // the same
}

// openSources opens the ports. Nothing is taken in before start.
func openSources(ctx context.Context, g ground) (*sources, error) {
	s := &sources{ground: g}
	if err := s.openDialects(ctx); err != nil {
		return nil, err
	}
	if err := s.openPorts(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openDialects makes the switchboard.
func (s *sources) openDialects(ctx context.Context) (err error) {
	s.family = home.New(s.metrics)
	s.counters = street.NewCounters()
	if err := s.counters.Recover(ctx, s.log, s.logger); err != nil {
		return err
	}
	if s.hotlist, err = street.OpenHotlist(ctx, s.log, s.sealer, s.clock.Now, s.logger); err != nil {
		return err
	}
	plates, err := street.NewPlates(s.sealer.Key("number plates"), s.hotlist, street.DefaultPlateScore)
	if err != nil {
		return err
	}
	if s.mappings, err = mapping.Open(ctx, s.log, s.clock, s.logger); err != nil {
		return err
	}
	trusted, err := warn.Certificates(s.cfg.CAPTrust...)
	if err != nil {
		return err
	}
	if s.warnings, err = warn.NewReader(warn.Policy(s.cfg.CAPPolicy), trusted, s.logger); err != nil {
		return err
	}
	own := []sense.Dialect{
		street.NewChirpStack(s.counters, s.registry),
		street.NewTTS(s.counters, s.registry),
		street.Gunshots{},
		street.Streets{},
		plates,
		mapping.NewDialect(s.mappings), warn.NewDialect(s.warnings),
	}
	// Homes come last: Home Assistant claims whatever topics a hub's discovery named.
	s.board = sense.NewSwitchboard(s.intake, append(own, s.family.Dialects()...)...)
	return nil
}

func (s *sources) openPorts() (err error) {
	c := s.cfg
	if c.MQTT != "" || c.MQTTTLS != "" {
		s.mqtt, err = mqtt.New(mqtt.Config{
			TCP: c.MQTT, TLS: c.MQTTTLS, Cert: c.DeviceCert, Key: c.DeviceKey, ClientCA: c.MQTTClientCA, Dialects: s.family.Rememberers(),
		}, s.registry, s.board, s.intake, s.log, s.logger, s.metrics)
		if err != nil {
			return portError(err, "--mqtt or --mqtt-tls")
		}
	}
	if c.Intake != "" {
		s.http, err = webhook.New(webhook.Config{Addr: c.Intake, TLSCert: c.DeviceCert, TLSKey: c.DeviceKey}, s.board, s.intake, s.registry, s.logger, s.metrics)
		if err != nil {
			return portError(err, "--intake")
		}
	}
	if c.Monitors != "" || len(c.MonitorSoc) > 0 {
		s.monitors, err = lines.NewListener(lines.Config{
			TCP: c.Monitors, Cert: c.DeviceCert, Key: c.DeviceKey, ClientCA: c.MonitorCA, From: c.MonitorAt, Sockets: c.MonitorSoc,
		}, []lines.Dialect{zeek.Dialect(), suricata.Dialect()}, s.registry, s.intake, s.logger, s.metrics)
		if err != nil {
			return portError(err, "--monitors")
		}
	}
	if len(c.CAPFeeds) > 0 {
		s.feeds, err = warn.NewPoller(warn.PollerConfig{Feeds: c.CAPFeeds}, s.warnings, s.log, s.intake, s.logger)
	}
	return err
}

// portError names the flag that chooses another port.
func portError(err error, flag string) error {
	var port *net.OpError
	if errors.As(err, &port) {
		return fmt.Errorf("%w: choose another with %s", err, flag)
	}
	return err
}

// mount lets a handler answer at the devices' HTTP port, where there is one.
func (s *sources) mount(prefix string, h http.Handler) {
	if s.http != nil {
		s.http.Mount(prefix, h)
	}
}

// intakeURL is where devices reach the HTTP port, "" where there is none.
func (s *sources) intakeURL() string {
	switch {
	case s.http == nil:
		return ""
	case s.cfg.IntakeURL != "":
		return strings.TrimRight(s.cfg.IntakeURL, "/")
	default:
		return s.http.URL()
	}
}

// start takes in until the context ends.
func (s *sources) start(ctx context.Context, g *errgroup.Group) {
	run := func(name string, run func(context.Context) error) {
		g.Go(func() error { return named(name, run(ctx)) })
	}
	run("radio counters", func(ctx context.Context) error { return s.counters.Run(ctx, s.log, s.logger) })
	run("hotlist", s.hotlist.Run)
	run("mappings", s.mappings.Follow)
	run("device clocks", s.intake.Clocks().Run)
	for _, path := range s.cfg.Zeek {
		run("Zeek logs", zeek.NewSource(path, s.log, s.intake, s.logger).Run)
	}
	for _, path := range s.cfg.Suricata {
		run("Suricata logs", suricata.NewSource(path, s.log, s.intake, s.logger).Run)
	}
	if s.mqtt != nil {
		run("MQTT gateway", s.mqtt.Run)
	}
	if s.http != nil {
		run("HTTP intake", s.http.Run)
	}
	if s.monitors != nil {
		run("network monitors", s.monitors.Run)
	}
	if s.feeds != nil {
		run("feeds of warnings", s.feeds.Run)
	}
}

// close stops listening, for sources that never started.
func (s *sources) close() {
	if s.mqtt != nil {
		s.mqtt.Close()
	}
	if s.http != nil {
		s.http.Close()
	}
	if s.monitors != nil {
		s.monitors.Close()
	}
}

// mqttAddr is the address that devices reach over MQTT without TLS.
func (s *sources) mqttAddr() string {
	if s.mqtt == nil {
		return ""
	}
	return s.mqtt.Addr()
}
