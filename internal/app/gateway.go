package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/retention"
)

// Link says how an edge gateway reaches the centre.
type Link struct {
	Centre   string // base URL of the centre's --intake
	Device   string // id of the gateway in the centre's registry
	Secret   string
	CentreCA string // certificates (PEM) that the centre's is checked against; empty: the system's

	// Keep is how long what the centre has confirmed stays on the gateway's disk.
	Keep time.Duration
}

const linkTimeout = time.Minute

// Gateway is an edge gateway: it takes in locally, keeps on disk, and forwards.
// It has no pages, no detectors and no database.
type Gateway struct {
	ground
	sources   *sources
	follower  *edge.Follower
	forwarder *edge.Forwarder
}

// NewGateway opens all that a gateway needs, and listens. Close it when done.
func NewGateway(ctx context.Context, cfg Config, link Link, clk *clock.Clock, logger *slog.Logger) (*Gateway, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	g := &Gateway{ground: ground{cfg: &cfg, clock: clk, logger: logger, metrics: prometheus.NewRegistry()}}
	if err := g.open(ctx, link); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

func (g *Gateway) open(ctx context.Context, link Link) (err error) {
	if link.Device == "" || link.Secret == "" {
		return errors.New("a gateway needs its device id and secret: enrol it at the centre with 'bluelamp device enrol'")
	}
	client, err := link.client()
	if err != nil {
		return err
	}
	centre, err := edge.NewCentre(link.Centre, link.Device, link.Secret, g.clock, client)
	if err != nil {
		return err
	}
	g.log, err = bus.Open(ctx, bus.Config{Dir: g.cfg.Data, Reserve: g.cfg.Reserve << 20, Logger: g.logger, Metrics: g.metrics})
	if err != nil {
		return err
	}
	if g.sealer, err = OpenSealer(ctx, g.log, g.cfg.Data); err != nil {
		return err
	}
	if g.registry, err = registry.New(ctx, g.log, g.sealer, g.clock, g.logger); err != nil {
		return err
	}
	g.intake = sense.NewIntake(g.log, g.clock, g.registry, g.logger, g.metrics)
	if g.sources, err = openSources(ctx, g.ground); err != nil {
		return err
	}
	g.follower = edge.NewFollower(centre, g.registry, g.logger)
	g.forwarder = edge.NewForwarder(g.log, g.clock, centre, link.Keep, g.logger, g.metrics)
	return nil
}

// client returns an HTTP client that trusts the centre's certificate.
func (l Link) client() (*http.Client, error) {
	t := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		IdleConnTimeout: linkTimeout, ResponseHeaderTimeout: linkTimeout, TLSHandshakeTimeout: linkTimeout,
	}
	if l.CentreCA != "" {
		text, err := os.ReadFile(l.CentreCA)
		if err != nil {
			return nil, fmt.Errorf("reading the centre's certificates: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", l.CentreCA)
		}
	}
	return &http.Client{Transport: t, Timeout: linkTimeout}, nil
}

// Run takes in and forwards until the context ends, and returns nil then.
func (g *Gateway) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return named("registry", g.registry.Follow(ctx)) })
	group.Go(func() error { return named("registry of the centre", g.follower.Run(ctx)) })
	group.Go(func() error { return named("link to the centre", g.forwarder.Run(ctx)) })
	group.Go(func() error {
		return named("retention", retention.NewKeeper(g.log, clock.Wall(), g.logger).Run(ctx))
	})
	g.sources.start(ctx, group)
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// MQTTAddr is the address that devices reach over MQTT, "" where they cannot.
func (g *Gateway) MQTTAddr() string { return g.sources.mqttAddr() }

// Close closes what NewGateway opened. Run must have returned.
func (g *Gateway) Close() {
	if g.sources != nil {
		g.sources.close()
	}
	if g.log != nil {
		g.log.Close()
	}
}
