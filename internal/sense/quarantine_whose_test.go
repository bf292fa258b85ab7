package sense_test

import (
	"errors"
	"testing"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// Nothing of what is done about an entry is kept for longer than entries are.
func TestNotesExpireAsEntriesDo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWard(t, db)
		desk := w.desk()
		defer desk.Close()
		id := w.says(t, "door/1", "ajar")
		if err := desk.Replay(t.Context(), sense.Attempt{Entry: id, By: "jo"}); !errors.Is(err, sense.ErrStillRefused) {
			t.Errorf("replayed: %v", err)
		}
		w.catchUp(t)
		must(t, desk.Discard(t.Context(), sense.Attempt{Entry: id, By: "jo", Why: "no door is ajar"}))
		n := 0
		must(t, w.log.Each(t.Context(), bus.Quarantine, 0, func(r bus.Record) error {
			if n++; r.Class != string(event.RetainMonth) {
				t.Errorf("kept for %q: %s", r.Class, r.Data)
			}
			return nil
		}))
		if n != 5 {
			t.Errorf("%d records, want an entry and four notes", n)
		}
	})
}

// A line that a monitor sent is the monitor's when it is replayed, too: it can be
// found to be erased, and is refused once the monitor is revoked.
func TestReplayedLineIsItsSenders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWard(t, db)
		desk := w.desk()
		defer desk.Close()
		for i, fixed := range []string{"good", "better"} {
			q := event.Quarantined{Source: "lines", From: "192.0.2.1:1234", Device: "hub-7", Reason: "unreadable", Bytes: []byte("bad")}
			must(t, w.in.QuarantineMessage(t.Context(), q))
			w.catchUp(t)
			rows, err := w.queries.QuarantineRows(t.Context(), "", 0, 1)
			must(t, err)
			err = desk.Replay(t.Context(), sense.Attempt{Entry: rows[0].ID, By: "jo", Bytes: []byte(fixed)})
			if revoked := i > 0; (err != nil) != revoked {
				t.Errorf("revoked %v: %v", revoked, err)
			}
			if i == 0 {
				must(t, w.reg.Revoke(t.Context(), "jo", "hub-7"))
			}
		}
		os := observed(t, w.log)
		if len(os) != 1 || os[0].Via != "hub-7" || os[0].Enrolled != "hub-7" {
			t.Errorf("observed %+v", os)
		}
	})
}
