package storetest_test

import (
	"testing"

	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

func TestEach(t *testing.T) {
	kinds := map[bool]bool{}
	for range 2 { // the second database must be as empty as the first
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			var n int
			if err := db.Read().QueryRow(`SELECT COUNT(*) FROM positions`).Scan(&n); err != nil || n != 0 {
				t.Fatalf("want an empty, migrated database: %d rows, %v", n, err)
			}
			kinds[db.Postgres()] = true
			if _, err := db.Read().Exec(`SELECT 1`); err != nil {
				t.Fatal(err)
			}
		})
	}
	if !kinds[false] {
		t.Error("SQLite did not run")
	}
}
