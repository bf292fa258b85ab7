package dc09

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/event"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// remembering returns a memory on a clock that the test moves.
func remembering() (m *memory, now *time.Time) {
	now = new(time.Time)
	return newMemory(time.Minute, 1000, func() time.Time { return *now }, prometheus.NewGauge(prometheus.GaugeOpts{Name: "x"})), now
}

func waiter() *slot { return &slot{round: &round{}} }

func TestAFailedFrameIsTriedAgainUnderItsFirstName(t *testing.T) {
	m, _ := remembering()
	p := fingerprint{1}
	first := m.claim(p, "first", waiter())
	if first == nil || first.origin != "first" {
		t.Fatalf("claim: %+v", first)
	}
	waiting := waiter()
	if m.claim(p, "second", waiting) != nil {
		t.Fatal("a frame was taken up twice")
	}
	broken := errors.New("disk")
	m.settle(p, first, broken)
	waiting.round.wait.Wait()
	if waiting.err != broken {
		t.Errorf("who waited was told %v", waiting.err)
	}
	again := m.claim(p, "third", waiter())
	if again == nil || again.origin != "first" {
		t.Fatalf("after a failure: %+v, want the first try's origin", again)
	}
	m.settle(p, again, nil)
	if m.claim(p, "fourth", waiter()) != nil {
		t.Error("what is on disk was taken up again")
	}
}

func TestTheWindow(t *testing.T) {
	m, now := remembering()
	commit := func(p fingerprint) bool {
		f := m.claim(p, "", waiter())
		if f != nil {
			m.settle(p, f, nil)
		}
		return f != nil
	}
	if !commit(fingerprint{1}) {
		t.Fatal("new frame not taken up")
	}
	*now = now.Add(59 * time.Second)
	if commit(fingerprint{1}) {
		t.Error("forgotten within the window")
	}
	*now = now.Add(59 * time.Second)
	if commit(fingerprint{1}) {
		t.Error("forgotten within the window: the generation is not over for it")
	}
	*now = now.Add(62 * time.Second)
	if !commit(fingerprint{1}) {
		t.Error("remembered for more than two windows, though it was met again meanwhile")
	}
}

func TestAFlightOutlivesItsGeneration(t *testing.T) {
	m, now := remembering()
	f := m.claim(fingerprint{1}, "", waiter())
	waiting := waiter()
	m.claim(fingerprint{1}, "", waiting)
	for range 3 {
		*now = now.Add(2 * time.Minute)
		m.recall(fingerprint{2})
	}
	m.settle(fingerprint{1}, f, nil)
	waiting.round.wait.Wait() // is told all the same
}

func TestFingerprintsTellPartsApart(t *testing.T) {
	base := codec.Frame{Token: codec.TokenSIA, Sequence: 1, Receiver: "1", Line: "2", Account: "3", Data: "NBA1", Extended: []codec.Extended{{ID: 'V', Value: "x"}}}
	same := base
	same.Time = time.Now()
	if fingerprintOf(&base) != fingerprintOf(&same) {
		t.Error("the time stamp counts")
	}
	for name, change := range map[string]func(*codec.Frame){
		"token":    func(f *codec.Frame) { f.Token = codec.TokenCID },
		"sequence": func(f *codec.Frame) { f.Sequence++ },
		"receiver": func(f *codec.Frame) { f.Receiver, f.Line = "12", "" },
		"account":  func(f *codec.Frame) { f.Line, f.Account = "23", "" },
		"data":     func(f *codec.Frame) { f.Data = "NBA2" },
		"extended": func(f *codec.Frame) { f.Extended = nil },
		"block":    func(f *codec.Frame) { f.Extended = []codec.Extended{{ID: 'I', Value: "x"}} },
	} {
		other := base
		change(&other)
		if fingerprintOf(&base) == fingerprintOf(&other) {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

func TestRawIsFoundAsEncodingJSONFindsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tricky := rapid.SampledFrom([]string{"", `"raw":"AAAA"`, `\"raw\":\"`, `"source":"dc09"`, `","raw":"QQ=="}`, "x"})
		o := event.Observation{
			ID: event.ID(tricky.Draw(t, "id")), Kind: event.KindAlarm,
			Source: rapid.SampledFrom([]string{"dc09", "zeek"}).Draw(t, "source"),
			Device: tricky.Draw(t, "device"), PremisesName: tricky.Draw(t, "name"),
			Alarm: &event.Alarm{Text: tricky.Draw(t, "text")},
			Raw:   rapid.SliceOf(rapid.Byte()).Draw(t, "raw"),
		}
		record, err := json.Marshal(&o)
		if err != nil {
			t.Fatal(err)
		}
		raw, ok := rawOn(record)
		if want := o.Source == Source && len(o.Raw) > 0; ok != want || ok && !bytes.Equal(raw, o.Raw) {
			t.Fatalf("found %q, %v in %s", raw, ok, record)
		}
	})
}

func FuzzRawOn(f *testing.F) {
	f.Add([]byte(`{"source":"dc09","raw":"QQ=="}`))
	f.Add([]byte(`"source":"dc09""raw":"`))
	f.Fuzz(func(_ *testing.T, record []byte) { rawOn(record) }) // never panics
}

func TestEveryCategoryHasItsPlace(t *testing.T) {
	for c, want := range map[codec.Category]event.AlarmCategory{
		codec.Panic: event.HoldUp, codec.Emergency: event.Medical, codec.Gas: event.Environment, codec.Trouble: event.Fault,
		codec.Battery: event.Power, codec.Close: event.OpenClose, codec.VerifiedHoldUp: event.HoldUpVerified,
		codec.VerifiedBurglary: event.BurglaryVerified, codec.Comms: event.Comms, codec.Bypass: event.Bypass,
		codec.Cancelled: event.OtherAlarm, codec.Category("new one"): event.OtherAlarm,
	} {
		if got := categoryOf(c); got != want {
			t.Errorf("%s is %s, want %s", c, got, want)
		}
	}
	for _, tt := range []struct {
		category  codec.Category
		qualifier codec.Qualifier
		want      event.AlarmState
	}{
		{codec.Burglary, codec.New, event.AlarmNew},
		{codec.Burglary, codec.Restore, event.AlarmRestored},
		{codec.Burglary, codec.Cancel, event.AlarmRestored},
		{codec.Test, codec.Status, event.AlarmStatus},
		{codec.Open, codec.New, event.AlarmNew},
		{codec.Close, codec.New, event.AlarmRestored},
		{codec.Close, codec.Status, event.AlarmStatus},
	} {
		if got := stateOf(&codec.Signal{Category: tt.category, Qualifier: tt.qualifier}); got != tt.want {
			t.Errorf("%s %s is %s, want %s", tt.category, tt.qualifier, got, tt.want)
		}
	}
}
