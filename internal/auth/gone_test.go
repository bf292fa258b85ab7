package auth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// A browser that goes away in the middle of a request is everyday life; a
// database that cannot be read is not.
func TestABrowserThatHasGoneIsNoError(t *testing.T) {
	for _, c := range []struct {
		name  string
		gone  bool
		level string
	}{{"gone", true, "level=DEBUG"}, {"no database", false, "level=ERROR"}} {
		t.Run(c.name, func(t *testing.T) {
			var said bytes.Buffer
			db := storetest.SQLite(t)
			d := open(t, db, func(cfg *auth.Config) {
				cfg.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.gone {
				stop()
			} else {
				db.Close()
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: "bluelamp", Value: "some-token"})
			w := httptest.NewRecorder()
			d.Middleware(http.NotFoundHandler()).ServeHTTP(w, r)
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(said.String(), c.level+" msg=\"a session could not") {
				t.Errorf("answered %d, and logged %q; want %s", w.Code, said.String(), c.level)
			}
		})
	}
}
