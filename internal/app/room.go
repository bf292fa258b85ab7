package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/web"
)

// Bounds of the control room's server.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 5 * time.Second
	maxHeader     = 64 << 10
	maxBaseMap    = 64 << 20
)

// controlRoom is the web server over the platform.
type controlRoom struct {
	site   *web.Site
	server *http.Server
	ln     net.Listener
	url    string
	logger *slog.Logger
}

func (a *App) openRoom(ctx context.Context) (*controlRoom, error) {
	zone, err := time.LoadLocation(a.cfg.Zone)
	if err != nil {
		return nil, fmt.Errorf("the force's time zone: %w", err)
	}
	base, err := a.baseMap()
	if err != nil {
		return nil, err
	}
	shown := incident.NewProjection(a.logger)
	site, err := web.New(web.Deps{
		Desk: a.desk, Incidents: incident.NewQueries(a.db), Sense: sense.NewQueries(a.db, a.log), Registry: a.registry,
		Quarantine: a.quarantine, Mappings: a.sources.mappings, Enrol: a.enrolURLs(),
		Warnings: a.warnings, PublicWarnings: issue.NewQueries(a.db),
		Clock: a.clock, People: a.people, Audit: a.record, Log: a.log, DB: a.db, Dir: a.cfg.Data,
		Shown:   func(ctx context.Context) (uint64, error) { return a.db.Position(ctx, shown) },
		BaseMap: func() []byte { return base },
		Ready:   a.Ready, Parts: a.parts,
		Metrics: promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}), Registerer: a.metrics,
		Zone: zone, Secure: a.cfg.secure(), Demo: a.opts.Demo, Version: a.opts.Version, Logger: a.logger,
	})
	if err != nil {
		return nil, err
	}
	c := &controlRoom{site: site, logger: a.logger, server: &http.Server{
		Handler: site, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}}
	if c.ln, err = net.Listen("tcp", a.cfg.HTTP); err != nil {
		return nil, fmt.Errorf("opening the control room's port: %w: choose another with --http", err)
	}
	c.url = "http://" + c.ln.Addr().String()
	if a.cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(a.cfg.TLSCert, a.cfg.TLSKey)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading the certificate for HTTPS: %w", err), c.ln.Close())
		}
		c.ln = tls.NewListener(c.ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
		c.url = "https" + c.url[len("http"):]
	}
	if a.cfg.URL != "" {
		c.url = a.cfg.URL
	}
	return c, nil
}

func (a *App) baseMap() ([]byte, error) {
	if a.opts.BaseMap != nil || a.cfg.BaseMap == "" {
		return a.opts.BaseMap, nil
	}
	st, err := os.Stat(a.cfg.BaseMap)
	if err != nil {
		return nil, fmt.Errorf("reading the base map: %w", err)
	}
	if st.Size() > maxBaseMap {
		return nil, fmt.Errorf("the base map %s has %d MiB, at most %d: simplify it", a.cfg.BaseMap, st.Size()>>20, maxBaseMap>>20)
	}
	return os.ReadFile(a.cfg.BaseMap)
}

// start runs what feeds the browsers; it goes on until the stages have ended.
func (c *controlRoom) start(ctx context.Context, ps *parts) {
	ps.start("live feed", func() error { return c.site.Run(ctx) })
}

// serve answers requests until the context ends.
func (c *controlRoom) serve(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- c.server.Serve(c.ln) }()
	c.logger.Info("the control room is open", "url", c.url)
	select {
	case err := <-done:
		return fmt.Errorf("serving the control room: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := c.server.Shutdown(stop); err != nil {
		_ = c.server.Close() // a live feed may not end by itself; it loses nothing
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stopping the control room: %w", err)
	}
	return nil
}

func (c *controlRoom) close() { _ = c.ln.Close() }

// parts tells the health page of the log, the stages and the read models.
func (a *App) parts(ctx context.Context) []web.Part {
	var out []web.Part
	state, words := "ok", "taking in"
	if err := a.Ready(); err != nil {
		state, words = "bad", err.Error()
	}
	out = append(out, web.Part{Name: "Log", State: state, Words: words})
	for _, p := range Projections(a.logger) {
		out = append(out, a.behind(ctx, p))
	}
	return out
}

// behind says how far a read model is from the end of its stream.
func (a *App) behind(ctx context.Context, p store.Projection) web.Part {
	part := web.Part{Name: "Read model " + p.Name(), State: "ok", Words: "up to date"}
	pos, err := a.db.Position(ctx, p)
	var frames uint64
	if err == nil {
		frames, err = a.log.Behind(ctx, p.Stream(), pos)
	}
	switch {
	case err != nil:
		part.State, part.Words = "bad", err.Error()
	case frames > 0:
		part.Words = fmt.Sprintf("%d commits behind", frames)
		if frames > lagging {
			part.State = "warn"
		}
	}
	return part
}

// lagging is how many commits behind is worth saying.
const lagging = 1000
