// Package storetest runs a test on every database that Bluelamp supports, each
// a real one: an SQLite file, and a PostgreSQL server of the test's own.
//
// Start reading at [Each].
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/bluelamp/bluelamp/internal/store"
)

// RequireAll is the environment variable that, set to 1, makes a missing
// PostgreSQL fail tests instead of skipping them.
const RequireAll = "BLUELAMP_REQUIRE_ALL"

// Each runs fn on an empty, migrated database of each kind. Where PostgreSQL is
// not installed that half is skipped, and says so.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { fn(t, open(t, url)) })
}

// EachURL is Each for tests that open the database themselves, or twice.
func EachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, filepath.Join(t.TempDir(), "test.db")) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
}

// SQLite opens an empty, migrated SQLite database.
func SQLite(tb testing.TB) *store.DB {
	tb.Helper()
	return open(tb, filepath.Join(tb.TempDir(), "test.db"))
}

// Postgres returns the url of an empty database on this process's own
// PostgreSQL server, dropped when the test ends. It skips the test where
// PostgreSQL is not installed, or fails it if [RequireAll] is set.
func Postgres(tb testing.TB) string {
	tb.Helper()
	c, err := theCluster()
	if err != nil {
		if os.Getenv(RequireAll) == "1" {
			tb.Fatalf("PostgreSQL is required (%s=1): %v", RequireAll, err)
		}
		tb.Skipf("no PostgreSQL: %v", err)
	}
	return c.database(tb)
}

func open(tb testing.TB, url string) *store.DB {
	tb.Helper()
	db, err := store.Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}
