package app_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// TestALostKeyIsAskedFor: another key would open nothing of what the log holds,
// and would sign a record that contradicts the old one.
func TestALostKeyIsAskedFor(t *testing.T) {
	for _, key := range []string{"secret.key", "audit.key"} {
		t.Run(key, func(t *testing.T) {
			dir := t.TempDir()
			open := func() (*app.App, error) {
				return app.New(context.Background(), testConfig(dir, "127.0.0.1:0"), app.Options{Clock: clock.Wall(), Logger: slog.New(slog.DiscardHandler)})
			}
			a, err := open()
			if err != nil {
				t.Fatal(err)
			}
			err = a.Registry().Put(t.Context(), "test", registry.Premises{ID: "p", Name: "P", Place: place.Point{Lat: 55, Lon: 3}})
			a.Close()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, key)); err != nil {
				t.Fatal(err)
			}
			b, err := open()
			if err == nil {
				b.Close()
			}
			if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "restore") {
				t.Errorf("without %s: %v, want an error that says what to restore", key, err)
			}
			if _, err := os.Stat(filepath.Join(dir, key)); err == nil {
				t.Errorf("another %s was made", key)
			}
		})
	}
}
