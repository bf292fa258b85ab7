package web

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/registry/enrol"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Deps is what the control room needs.
type Deps struct {
	Desk      *incident.Desk
	Incidents *incident.Queries
	Sense     *sense.Queries
	// Quarantine is where people work the quarantine, and Mappings are how JSON
	// becomes observations; nil: the pages only show what there is.
	Quarantine *sense.QuarantineDesk
	Mappings   *mapping.Catalogue
	Registry   *registry.Registry
	Enrol      enrol.URLs // where devices enrol and send, for invitations
	Clock      *clock.Clock
	People     *auth.Auth
	Audit      *audit.Log
	Log        *bus.Log  // that Audit is on, for verifying it
	DB         *store.DB // that holds the table of audit entries
	Dir        string    // data directory, with the audit log's checkpoints

	// Warnings is where warnings to the public are written and issued, and
	// PublicWarnings what was issued; nil: the force issues none here.
	Warnings       *issue.Office
	PublicWarnings *issue.Queries

	// Shown says how far the read model of incidents is:
	// store.DB.Position of its projection.
	Shown func(context.Context) (uint64, error)
	// BaseMap returns the streets and coasts under the map as GeoJSON, always
	// the same; nil: none.
	BaseMap func() []byte
	// Ready reports in words why the platform cannot work now, or nil.
	Ready func() error
	// Parts tells of the platform's own parts, for the health page; nil: none.
	Parts func(context.Context) []Part
	// Metrics answers /metrics; nil: none.
	Metrics    http.Handler
	Registerer prometheus.Registerer // nil: none

	Zone    *time.Location // of the force, for what people see; nil: UTC
	Secure  bool           // people come over TLS: say so in headers
	Demo    bool
	Version string
	Logger  *slog.Logger // nil: discard
}

// Part is a part of the platform as the health page shows it.
type Part struct {
	Name  string // "Log", "Disk", "Stage detect"
	State string // ok, warn, bad or unknown
	Words string // "12.4 GiB free"
}

// Site is the control room.
type Site struct {
	Deps
	clock  *clock.Clock
	zone   *time.Location
	logger *slog.Logger

	feed    *Feed
	assets  *assets
	pages   map[string]*template.Template
	handler http.Handler
	maps    maps
	rates   rates
	verify  sync.Mutex // one walk over the audit log at a time
}

// New returns the control room over what it is given.
func New(d Deps) (*Site, error) {
	switch {
	case d.Desk == nil, d.Incidents == nil, d.Sense == nil, d.Registry == nil, d.Clock == nil, d.Shown == nil:
		return nil, errors.New("web: Desk, Incidents, Sense, Registry, Clock and Shown must be given")
	case d.People == nil, d.Audit == nil, d.Log == nil, d.DB == nil:
		return nil, errors.New("web: People, Audit, Log and DB must be given")
	}
	s := &Site{Deps: d, clock: d.Clock, zone: d.Zone, logger: d.Logger}
	if s.zone == nil {
		s.zone = time.UTC
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.assets, err = newAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = parsePages(s.funcs()); err != nil {
		return nil, err
	}
	s.feed = newFeed(d.Incidents, d.Clock, d.Shown, s.logger, d.Registerer)
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Feed is where the projection of incidents reports each commit.
func (s *Site) Feed() *Feed { return s.feed }

// Run keeps live boards up to date until the context ends, ends their streams
// and returns nil then.
func (s *Site) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.feed.run(ctx) })
	g.Go(func() error { s.watchRates(ctx); return nil })
	return g.Wait()
}
