package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

func TestOpenTwiceKeepsTheData(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		for i := range 3 {
			db, err := store.Open(t.Context(), url)
			if err != nil {
				t.Fatalf("opening, time %d: %v", i+1, err)
			}
			if got := count(t, db, "positions"); got != i {
				t.Errorf("opening, time %d: %d rows, want %d", i+1, got, i)
			}
			exec(t, db, `INSERT INTO positions (name, pos) VALUES ($1, 1)`, fmt.Sprint("kept", i))
			db.Close()
		}
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, url := range []string{"/nonexistent/dir/x.db", "postgres://nobody@127.0.0.1:1/none"} {
		if db, err := store.Open(t.Context(), url); err == nil {
			db.Close()
			t.Errorf("Open(%q) succeeded", url)
		}
	}
}

func TestUpdateRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		insert := func(tx *sql.Tx) {
			if _, err := tx.Exec(`INSERT INTO positions (name, pos) VALUES ('x', 1)`); err != nil {
				t.Error(err)
			}
		}
		wrong := errors.New("wrong")
		if err := db.Update(t.Context(), func(tx *sql.Tx) error { insert(tx); return wrong }); !errors.Is(err, wrong) {
			t.Errorf("Update = %v, want the function's error", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = db.Update(t.Context(), func(tx *sql.Tx) error { insert(tx); panic("a bug") })
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec(`UPDATE positions SET pos = 2`)
			return err
		})
		if err != nil {
			t.Errorf("the database is stuck after a panic: %v", err)
		}
		if n := count(t, db, "positions"); n != 0 {
			t.Errorf("%d rows, want none", n)
		}
	})
}

func TestTextFromOutsideIsStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		exec(t, db, `INSERT INTO positions (name, pos) VALUES ($1, 1)`, store.Text("a\x00b\xff"))
		var got string
		if err := db.Read().QueryRow(`SELECT name FROM positions`).Scan(&got); err != nil || got != "a\uFFFDb\uFFFD" {
			t.Errorf("read back %q, %v", got, err)
		}
	})
}

func TestMicros(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)} {
		if got := store.Time(store.Micros(at)); !got.Equal(at) {
			t.Errorf("Time(Micros(%v)) = %v", at, got)
		}
	}
}

func exec(tb testing.TB, db *store.DB, query string, args ...any) {
	tb.Helper()
	err := db.Update(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func count(tb testing.TB, db *store.DB, table string) int {
	tb.Helper()
	var n int
	if err := db.Read().QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}
