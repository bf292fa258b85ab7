package detect_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

func rows(tb testing.TB, db *store.DB) []string {
	tb.Helper()
	rs, err := db.Read().Query(`SELECT id, seq, rule, kind, cause, premises, raised, body FROM alerts ORDER BY seq`)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rs.Close() }()
	var out []string
	for rs.Next() {
		var id, rule, kind, cause, premises, body string
		var seq, raised int64
		if err := rs.Scan(&id, &seq, &rule, &kind, &cause, &premises, &raised, &body); err != nil {
			tb.Fatal(err)
		}
		out = append(out, fmt.Sprintln(id, seq, rule, kind, cause, premises, store.Time(raised).Format(time.RFC3339Nano), body))
	}
	if err := rs.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestAlertsProjection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := openLog(t, t.TempDir())
		var want []string
		var records [][]byte
		for i := range 50 {
			a := event.Alert{
				Rule: "r", Kind: event.KindFire, Cause: fmt.Sprintf("cause %d", i/5), Revision: i % 5, Premises: "p1",
				Raised: noon.Add(time.Duration(i) * time.Millisecond), Reason: "It burns.",
			}
			a.ID = event.NewAlertID(a.Rule, a.Cause, a.Revision)
			records = append(records, encode(&a))
		}
		last := appendTo(t, log, bus.Alerts, records...)
		for i, r := range records {
			seq := last - uint64(len(records)-1-i)
			want = append(want, fmt.Sprintln(event.NewAlertID("r", fmt.Sprintf("cause %d", i/5), i%5), seq, "r fire", fmt.Sprintf("cause %d", i/5),
				"p1", noon.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), string(r)))
		}
		// What is written twice, cannot be read, or holds what the database
		// does not take, stops nothing.
		appendTo(t, log, bus.Alerts, records[3], []byte(`{"id":`), []byte("{\"id\":\"nul\",\"cause\":\"a\\u0000b\",\"reason\":\"\xff\"}"))
		p := detect.NewProjection(slog.New(slog.DiscardHandler))
		if err := db.CatchUp(context.Background(), log, p, nil); err != nil {
			t.Fatal(err)
		}
		got := rows(t, db)
		if len(got) != len(want)+1 {
			t.Fatalf("%d rows, want %d", len(got), len(want)+1)
		}
		equal(t, got[:len(want)], want)
		if err := db.Rebuild(context.Background(), log, []store.Projection{p}, nil); err != nil {
			t.Fatal(err)
		}
		equal(t, rows(t, db), got)
	})
}
