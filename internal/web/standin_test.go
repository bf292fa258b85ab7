package web

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/store"
)

func (rm *room) deps(t testing.TB, logger *slog.Logger, incidents store.Projection) Deps {
	return Deps{
		Desk: rm.desk, Incidents: incident.NewQueries(rm.db), Sense: sense.NewQueries(rm.db, rm.log), Registry: rm.reg,
		Clock: rm.clock, Shown: func(ctx context.Context) (uint64, error) { return rm.db.Position(ctx, incidents) },
		Logger: logger, Version: "test", People: 1, Audit: 1,
	}
}
func (rm *room) others(project func(store.Projection, func(uint64)), logger *slog.Logger) {}

func (rm *room) signIn(t testing.TB, role string) *http.Client { return http.DefaultClient }
