package street

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

var (
	plateKey = bytes.Repeat([]byte{7}, plateKeySize)
	gate     = &registry.Device{ID: "gate-cams", Name: "Cameras at the gate"}
)

func newPlates(t *testing.T, list *Hotlist) *Plates {
	t.Helper()
	p, err := NewPlates(plateKey, list, DefaultPlateScore)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newHotlist(t *testing.T, log *bus.Log, now func() time.Time) *Hotlist {
	t.Helper()
	sealer, err := seal.New(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	h, err := OpenHotlist(t.Context(), log, sealer, now, discard)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func atNoon() time.Time { return noon }

func read(payload string) *sense.Message {
	return &sense.Message{Device: gate, Topic: "anpr/north", Payload: []byte(payload), Received: noon}
}

// A plate on no list leaves no trace: not in the observation, its bytes, its id,
// nor in the quarantine, whatever is wrong with the message.
func TestPlateLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	log, err := bus.Open(t.Context(), bus.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	in := sense.NewIntake(log, clock.Fixed(noon), nil, discard, nil)
	p := newPlates(t, newHotlist(t, log, atNoon))
	s := sense.NewSwitchboard(in, NewChirpStack(NewCounters(), nil), p)
	mute := &registry.Device{ID: "mute", Name: "May speak something else only", Speaks: []string{"chirpstack"}}
	n := 0
	for _, payload := range []string{
		`{"plate":"QX73 ZZK","time":"2026-05-01T12:00:00Z"}`, `[{"plate":"qx73zzk"},{"plate":"QX73-ZZK","confidence":99}]`,
		`{"plate":"QX73 ZZK","time":"QX73 ZZK"}`, `{"plate":"QX73 ZZK","speed":"QX73 ZZK"}`, `{"plate":"QX73ZZK?"}`, `QX73 ZZK`, `{"plate":"QX73 ZZK`,
		`{"plate":"QX73 ZZK QX73 ZZK QX73 ZZK"}`, `[]`, `{"plate":"QX73 ZZK","speed":-1}`, `{"plate":"QX73 ZZK","confidence":1000}`,
		`{"plate":"QX73 ZZK","camera":"` + strings.Repeat("x", 200) + `"}`, `{"plate":{"QX73 ZZK":1}}`,
	} {
		for _, d := range []*registry.Device{gate, mute} {
			m := read(payload)
			m.Device = d
			if take(t, s, m) == nil {
				n++
			}
		}
	}
	if n != 2 {
		t.Errorf("%d messages were understood", n)
	}
	entries := 0
	for _, stream := range bus.Streams() {
		if stream.Keyed {
			continue
		}
		if err := log.Each(t.Context(), stream, 0, func(r bus.Record) error {
			entries++
			var q event.Quarantined
			if err := json.Unmarshal(r.Data, &q); err != nil {
				return err
			}
			plain := strings.ToUpper(string(r.Data)) + string(q.Bytes)
			for _, trace := range []string{"QX73", "ZZK"} {
				if strings.Contains(plain, trace) {
					t.Errorf("%s holds %s", stream.Name, r.Data)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if entries != 3+11+13 {
		t.Errorf("%d records", entries)
	}
	log.Close()
	noTrace(t, dir, "QX73")
}

// noTrace looks through every file of a directory.
func noTrace(t *testing.T, dir, trace string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // the test's own
		if bytes.Contains(bytes.ToUpper(data), []byte(trace)) {
			t.Errorf("%s holds %s", path, trace)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlates(t *testing.T) {
	h := newHotlist(t, openLog(t), atNoon)
	if err := h.Put(t.Context(), "test", Wanted{Plate: "qx73 zzk", List: "stolen", Reason: "taken on Friday", Authoriser: "Insp Hale", Expires: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	p := newPlates(t, h)
	for _, tt := range []struct {
		payload string
		plate   string // kept
		retain  event.Retention
	}{
		{`{"plate":"QX73-ZZK","confidence":0.95,"lane":2,"direction":"in","speed":31.4,"country":"GB"}`, "QX73ZZK", event.RetainMonth},
		{`{"plate":"QX73 ZZK","confidence":95}`, "QX73ZZK", event.RetainMonth},
		{`{"plate":"QX73 ZZK"}`, "QX73ZZK", event.RetainMonth},
		{`{"plate":"QX73 ZZK","confidence":0.5}`, "", event.RetainDay},
		{`{"plate":"0X73 ZZK","confidence":0.95}`, "", event.RetainDay},
	} {
		os, err := p.Observe(read(tt.payload))
		if err != nil || len(os) != 1 {
			t.Fatalf("%s: %v", tt.payload, err)
		}
		o := os[0]
		if o.Plate.Plate != tt.plate || o.Retain != tt.retain || len(o.Plate.Hash) != 32 || len(o.Raw) != 0 || o.Raw == nil || o.Plate.Camera != "north" || o.Device != "gate-cams/north" {
			t.Errorf("%s: %+v %s", tt.payload, o.Plate, o.Retain)
		}
		if tt.plate != "" && (o.Plate.Hotlist != "stolen" || !strings.HasPrefix(o.Plate.Why, "taken on Friday")) {
			t.Errorf("%s: %+v", tt.payload, o.Plate)
		}
	}
	mixed, err := p.Observe(read(`[{"plate":"QX73ZZK"},{"plate":"AB12CDE"}]`))
	if err != nil || mixed[0].Retain != event.RetainDay || mixed[1].Plate.Plate != "QX73ZZK" {
		t.Errorf("what is kept for a day is not first: %v", err)
	}
}

// One plate has one hash on a day, and another the next; another key, another hash.
func TestHashesOfADay(t *testing.T) {
	p := newPlates(t, nil)
	other, err := NewPlates(bytes.Repeat([]byte{8}, plateKeySize), nil, 0.8)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(p *Plates, plate string, after time.Duration) string {
		m := read(`{"plate":"` + plate + `"}`)
		m.Received = noon.Add(after)
		os, err := p.Observe(m)
		if err != nil {
			t.Fatal(err)
		}
		return os[0].Plate.Hash
	}
	first := hash(p, "AB12 CDE", 0)
	if hash(p, "ab12-cde", 11*time.Hour) != first {
		t.Error("one plate has two hashes on a day")
	}
	for name, h := range map[string]string{"next day": hash(p, "AB12CDE", 12*time.Hour), "other plate": hash(p, "AB12CDF", 0), "other key": hash(other, "AB12CDE", 0)} {
		if h == first {
			t.Errorf("%s: the same hash", name)
		}
	}
	if _, err := NewPlates([]byte("short"), nil, 0.8); err == nil {
		t.Error("a short key was taken")
	}
}

func TestHotlist(t *testing.T) {
	log := openLog(t)
	now := noon
	h := newHotlist(t, log, func() time.Time { return now })
	good := Wanted{Plate: "AB12 CDE", List: "stolen", Reason: "r", Authoriser: "a", Expires: noon.Add(time.Hour)}
	for name, change := range map[string]func(*Wanted){
		"no reason":     func(w *Wanted) { w.Reason = " " },
		"no authoriser": func(w *Wanted) { w.Authoriser = "" },
		"no list":       func(w *Wanted) { w.List = "" },
		"no plate":      func(w *Wanted) { w.Plate = "--" },
		"expired":       func(w *Wanted) { w.Expires = noon },
		"for ever":      func(w *Wanted) { w.Expires = noon.Add(10_000 * time.Hour) },
		"long":          func(w *Wanted) { w.Reason = strings.Repeat("x", 201) },
	} {
		bad := good
		change(&bad)
		if err := h.Put(t.Context(), "me", good, bad); !errors.Is(err, ErrWanted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(h.All()) != 0 {
		t.Error("an entry of a bad import was taken")
	}
	later := good
	later.Plate, later.Expires = "XY99 ZZZ", noon.Add(48*time.Hour)
	if err := h.Put(t.Context(), "me", good, later); err != nil {
		t.Fatal(err)
	}
	other := newHotlist(t, log, func() time.Time { return now }) // another process
	if w, ok := other.Find("AB12CDE"); !ok || w.AddedBy != "me" || !w.Added.Equal(noon) {
		t.Errorf("%+v %v", w, ok)
	}
	if n, err := other.Remove(t.Context(), "xy99zzz", "NO1"); err != nil || n != 1 {
		t.Errorf("%d removed, %v", n, err)
	}
	if err := h.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Find("XY99ZZZ"); ok {
		t.Error("what another removed is still there")
	}
	now = noon.Add(2 * time.Hour)
	if _, ok := h.Find("AB12CDE"); ok || len(h.All()) != 0 {
		t.Error("an expired entry is still there")
	}
	sealed, err := log.Value(t.Context(), bus.Snapshots, hotlistKey)
	if err != nil || bytes.Contains(sealed, []byte("AB12CDE")) {
		t.Errorf("the list is not sealed: %v", err)
	}
}

func TestHotlistFollows(t *testing.T) {
	log := openLog(t)
	h := newHotlist(t, log, atNoon)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := log.Put(t.Context(), bus.Snapshots, hotlistKey, []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	if err := h.reload(t.Context()); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("%v", err)
	}
}

func BenchmarkPlates(b *testing.B) {
	p, err := NewPlates(plateKey, nil, 0.8)
	if err != nil {
		b.Fatal(err)
	}
	m := read(`{"plate":"QX73-ZZK","time":"2026-05-01T12:00:00Z","confidence":0.95,"lane":2,"direction":"in","speed":31.4,"country":"GB"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Observe(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUplink(b *testing.B) {
	for name, d := range map[string]sense.Dialect{"chirpstack": NewChirpStack(NewCounters(), nil), "tts": NewTTS(NewCounters(), nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				m := message(chirpTopic+"up", chirpUp(n, fmt.Sprint(n), `{"temperature":21.4,"humidity":63,"battery":88}`))
				if name == "tts" {
					m = message(ttsTopic+"up", ttsUp(n, "2026-05-01T11:59:59Z", `{"temperature":21.4,"humidity":63,"battery":88}`, ""))
				}
				if _, err := d.Observe(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
