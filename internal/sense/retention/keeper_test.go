package retention_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/retention"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

var (
	discard = slog.New(slog.DiscardHandler)
	noon    = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

// house is a log with an intake, read models and a keeper on one clock.
type house struct {
	t      *testing.T
	dir    string
	log    *bus.Log
	db     *store.DB
	intake *sense.Intake
	keeper *retention.Keeper
	set    func(time.Time)
	rows   []store.Projection
}

func build(t *testing.T, db *store.DB) *house {
	t.Helper()
	clk, set := clock.Held(noon)
	h := &house{t: t, dir: t.TempDir(), db: db, set: set}
	var err error
	h.log, err = bus.Open(context.Background(), bus.Config{Dir: h.dir, Now: clk.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.log.Close)
	h.intake = sense.NewIntake(h.log, clk, nil, discard, nil)
	h.keeper = retention.NewKeeper(h.log, clk, discard)
	h.rows = []store.Projection{sense.NewDevices(discard), sense.NewTwins(discard), sense.NewQuarantineEntries(discard)}
	h.rows = append(h.rows, retention.NewLedger(discard, retention.RowsOf(h.rows)...))
	return h
}

func (h *house) observe(os ...*event.Observation) {
	h.t.Helper()
	for _, o := range os {
		o.ID = event.NewID("test", fmt.Sprint(o.Device, o.Premises, o.Kind))
		if err := h.intake.ObserveAll(context.Background(), o); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) refuse(from, device string, what []byte) {
	h.t.Helper()
	q := event.Quarantined{Source: "mqtt", From: from, Device: device, Reason: "json", Detail: "not JSON", Bytes: what}
	if err := h.intake.QuarantineMessage(context.Background(), q); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) once() {
	h.t.Helper()
	if err := h.keeper.Once(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	h.project()
}

// project brings the read models up to date.
func (h *house) project() {
	h.t.Helper()
	for _, p := range h.rows {
		if err := h.db.CatchUp(context.Background(), h.log, p, nil); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) count(table string) (n int) {
	h.t.Helper()
	if err := h.db.Read().QueryRowContext(context.Background(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) devices() (out []string) {
	h.t.Helper()
	if err := h.log.Each(context.Background(), bus.Observations, 0, func(r bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(r.Data, &o); err != nil {
			return err
		}
		out = append(out, o.Device)
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h *house) erasures() (out []bus.Erasure) {
	h.t.Helper()
	if err := h.log.EachErasure(context.Background(), 0, func(e bus.Erasure, _ uint64) error {
		out = append(out, e)
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	return out
}

// Every class goes when its time has come, not before the last of its window's
// length, and never later; what is kept until review stays.
func TestClassesExpireInTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		for _, class := range event.Retentions() {
			h.observe(&event.Observation{Source: "test", Device: string(class), Retain: class, Kind: event.KindState})
		}
		if _, err := h.log.Append(t.Context(), bus.Observations, []byte(`{"device":"stays"}`)); err != nil {
			t.Fatal(err)
		}
		left := []string{"stays"}
		for _, class := range slices.Backward(event.Retentions()) {
			left = append([]string{string(class)}, left...)
		}
		for _, class := range event.Retentions() {
			window, err := bus.Window(string(class))
			if err != nil {
				t.Fatal(err)
			}
			h.set(noon.Add(class.Duration() - window - time.Second))
			h.once()
			if got := h.devices(); !slices.Equal(got, left) {
				t.Fatalf("before class %s expires: %v, want %v", class, got, left)
			}
			h.set(noon.Add(class.Duration()))
			h.once()
			left = left[1:]
			if got := h.devices(); !slices.Equal(got, left) {
				t.Fatalf("when class %s has expired: %v, want %v", class, got, left)
			}
		}
		if n := h.count("erasures"); n != len(event.Retentions()) {
			t.Errorf("%d erasures in the read model", n)
		}
		for i, e := range h.erasures() {
			if e.Class != string(event.Retentions()[i]) || e.Frames != 1 || e.Stream != "OBSERVATIONS" || e.Why == "" || e.By != "retention" {
				t.Errorf("ledger: %+v", e)
			}
		}
	})
}

// The quarantine's entries go from the log and from the read model, and a rebuild
// does not bring them back.
func TestQuarantineExpires(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		h.refuse("198.51.100.7", "", []byte("some-personal-bytes"))
		h.set(noon.Add(24 * time.Hour))
		h.refuse("198.51.100.8", "", []byte("others"))
		h.once()
		if n := h.count("quarantine"); n != 2 {
			t.Fatalf("%d rows, want 2", n)
		}
		h.set(noon.Add(31 * 24 * time.Hour))
		for _, when := range []string{"after expiry", "after a rebuild"} {
			h.once()
			if n := h.count("quarantine"); n != 1 {
				t.Errorf("%s: %d rows, want 1", when, n)
			}
			if err := h.db.Rebuild(t.Context(), h.log, h.rows, nil); err != nil {
				t.Fatal(err)
			}
		}
		h.set(noon.Add(40 * 24 * time.Hour))
		if err := h.keeper.Once(t.Context()); err != nil { // the log first
			t.Fatal(err)
		}
		if err := h.db.Rebuild(t.Context(), h.log, h.rows, nil); err != nil {
			t.Fatal(err)
		}
		if n := h.count("quarantine"); n != 0 {
			t.Errorf("%d rows left", n)
		}
	})
}

func TestErasingADevice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		secret := "the-sleep-of-household-9"
		for range 2 {
			h.observe(
				&event.Observation{Source: "mqtt", Device: "hub-7", Kind: event.KindPresent, PremisesName: secret},
				&event.Observation{Source: "mqtt", Device: "hub-7/bedroom", Via: "hub-7", Kind: event.KindState, PremisesName: secret, Enrolled: "hub-7"},
				&event.Observation{Source: "zigbee", Device: "0x1234", Via: "hub-7", Enrolled: "hub-7", Kind: event.KindState, Retain: event.RetainYear},
				&event.Observation{Source: "mqtt", Device: "hub-70", Kind: event.KindState},
				&event.Observation{Source: "dc09", Device: "0042", Premises: "shop", Kind: event.KindAlarm},
			)
		}
		h.refuse("198.51.100.7", "hub-7", []byte("x"))
		h.refuse("hub-7/bedroom", "", []byte("x"))
		h.refuse("198.51.100.7", "hub-70", []byte("x"))
		h.project()
		who := retention.Subject{Device: "hub-7"}
		want := retention.Count{Observations: 6, Quarantined: 2}
		if n, err := h.keeper.Count(t.Context(), who); err != nil || n != want {
			t.Errorf("counted %+v, %v", n, err)
		}
		n, err := h.keeper.Erase(t.Context(), who, "consent withdrawn", "jo")
		if err != nil || n != want {
			t.Errorf("erased %+v, %v", n, err)
		}
		h.project()
		if got := h.devices(); !slices.Equal(got, []string{"hub-70", "0042", "hub-70", "0042"}) {
			t.Errorf("left: %v", got)
		}
		if h.count("devices") != 3 || h.count("twins") != 2 || h.count("quarantine") != 1 { // 0x1234 is another's name: it shows no more than that it was heard
			t.Errorf("%d devices, %d quarantine entries left", h.count("devices"), h.count("quarantine"))
		}
		if found := grep(t, h.dir, secret); found != "" {
			t.Errorf("the disk still holds it in %s", found)
		}
		n, err = h.keeper.Erase(t.Context(), retention.Subject{Premises: "shop"}, "closed", "jo")
		if err != nil || n.Observations != 2 {
			t.Errorf("erased %+v, %v", n, err)
		}
		es := h.erasures()
		if len(es) != 6 || es[0].Device != "hub-7" || es[0].Why != "consent withdrawn" || es[0].By != "jo" || es[0].Records != 6 || es[4].Premises != "shop" {
			t.Errorf("ledger: %+v", es)
		}
		for _, e := range es {
			if data, _ := json.Marshal(e); bytes.Contains(data, []byte(secret)) {
				t.Errorf("the ledger says what was erased: %s", data)
			}
		}
	})
}

// grep returns the name of a file of the log that holds the text.
func grep(t *testing.T, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What is in quarantine names no premises, and what was written about an entry
// names nobody: both go with the rest.
func TestErasingReachesTheQuarantine(t *testing.T) {
	for _, who := range []retention.Subject{{Device: "hub-7"}, {Premises: "house", Devices: []string{"hub-7"}}} {
		h := build(t, nil)
		h.refuse("hub-7", "hub-7", []byte("x"))
		h.refuse("hub-7 via cab:9", "cab", []byte("x"))
		h.refuse("198.51.100.7", "hub-70", []byte("x"))
		var ids []event.ID
		each := func(fn func(id, entry event.ID)) {
			t.Helper()
			if err := h.log.Each(t.Context(), bus.Quarantine, 0, func(r bus.Record) error {
				var o struct{ ID, Entry event.ID }
				defer func() { fn(o.ID, o.Entry) }()
				return json.Unmarshal(r.Data, &o)
			}); err != nil {
				t.Fatal(err)
			}
		}
		each(func(id, _ event.ID) { ids = append(ids, id) })
		for _, id := range ids {
			note := fmt.Sprintf(`{"entry":%q,"outcome":"failed","claim":"c","why":"it says asleep"}`, id)
			if _, err := h.log.Append(t.Context(), bus.Quarantine.Kept(string(event.RetainMonth)), []byte(note)); err != nil {
				t.Fatal(err)
			}
		}
		n, err := h.keeper.Erase(t.Context(), who, "consent withdrawn", "jo")
		if err != nil || n.Quarantined != 4 {
			t.Errorf("erased %+v, %v; want 2 entries and what was written about them", n, err)
		}
		left := 0
		each(func(id, entry event.ID) {
			if left++; id != ids[2] && entry != ids[2] {
				t.Errorf("left: %s %s", id, entry)
			}
		})
		if left != 2 {
			t.Errorf("%d records left, want 2", left)
		}
	}
}

func TestWhoIsMeantMustBeSaid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		for _, who := range []retention.Subject{{}, {Device: "a", Premises: "b"}} {
			if _, err := h.keeper.Erase(t.Context(), who, "", ""); !errors.Is(err, retention.ErrNoSubject) {
				t.Errorf("%+v: %v", who, err)
			}
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		h.observe(&event.Observation{Source: "test", Device: "d", Retain: event.RetainHour})
		h.set(noon.Add(2 * time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.keeper.Run(ctx) }()
		for len(h.devices()) > 0 {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
