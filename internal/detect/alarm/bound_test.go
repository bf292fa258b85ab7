package alarm

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// flood makes the nth signal of a flood in which every account is another.
func flood(n int) *event.Observation {
	at := noon.Add(time.Duration(n) * time.Millisecond)
	account := strconv.Itoa(n)
	return &event.Observation{
		ID: event.NewID("flood", account), Kind: event.KindAlarm, Source: "dc09", Device: account,
		Time: at, Received: at, Premises: "p" + account, PremisesName: "Premises " + account,
		Alarm: &event.Alarm{Account: account, Category: event.Burglary, State: event.AlarmNew, Code: "BA", Zone: "1"},
	}
}

// largestState is well below what one value of the log may hold (31 MiB), with
// room for other detectors beside it, even where it cannot be compressed.
const largestState = 12 << 20

func TestFloodOfAccountsIsBounded(t *testing.T) {
	d := New(Default())
	for n := range maxConditions + 20_000 {
		if got := d.Observe(flood(n)); len(got) != 1 {
			t.Fatalf("signal %d: %d alerts", n, len(got))
		}
	}
	if len(d.known) > maxConditions || len(d.due) != len(d.known) || d.kept > maxKept {
		t.Errorf("%d conditions, %d due, %d kept", len(d.known), len(d.due), d.kept)
	}
	state, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d conditions are saved in %d bytes", len(d.known), len(state))
	if len(state) > largestState {
		t.Errorf("the saved state has %d bytes", len(state))
	}
}

// However much each condition has to remember, the state stays small.
func TestFloodOfZonesIsBounded(t *testing.T) {
	d := New(Default())
	for n := range 2500 {
		for z := range 40 {
			o := flood(n)
			o.ID, o.Alarm.Zone = event.NewID("z", strconv.Itoa(n), strconv.Itoa(z)), strconv.Itoa(z)
			d.Observe(o)
		}
	}
	kept := 0
	for _, c := range d.known {
		kept += c.size()
	}
	if kept != d.kept || kept > maxKept {
		t.Errorf("%d kept, %d counted", kept, d.kept)
	}
	state, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d conditions are saved in %d bytes", len(d.known), len(state))
	if len(state) > largestState {
		t.Errorf("the saved state has %d bytes", len(state))
	}
}

// The signals that decide stay listed however long the first goes on.
func TestDecisiveSignalsAreListed(t *testing.T) {
	d := New(Default())
	var last []event.Alert
	for i := range 3000 {
		zone := "1"
		if i == 2500 {
			zone = "2"
		}
		if out := d.Observe(observe(t, fmt.Sprintf("%s BA/%s id=%d", time.Duration(i)*time.Second, zone, i))); out != nil {
			last = out
		}
	}
	a := last[0]
	if a.Kind != event.KindIntruderConfirmed || a.Observations[0].ID != event.NewID("test", "0") || a.Observations[1].ID != event.NewID("test", "2500") {
		t.Errorf("%s lists %v", a.Kind, a.Observations[:3])
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	d := New(Default())
	for i, line := range []string{"0s BA/1", "1s HA", "2s TA/1", "3s BA/2", "4s SILENT", "5s OP"} {
		_ = i
		d.Observe(observe(f, line))
	}
	state, err := d.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state, false)
	f.Add([]byte(`{"conditions":[null]}`), true)
	f.Add([]byte(`{"conditions":[{"key":"a","family":"x","decisive":-1},{"key":"a","family":"x"}]}`), true)
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		if plain { // let the fuzzer see through the compression
			var b bytes.Buffer
			zip, err := flate.NewWriter(&b, flate.BestSpeed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := zip.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := zip.Close(); err != nil {
				t.Fatal(err)
			}
			data = b.Bytes()
		}
		d := New(Default())
		if d.UnmarshalBinary(data) != nil {
			if len(d.known) != 0 {
				t.Fatal("a state that cannot be read was taken in part")
			}
			return
		}
		for _, line := range []string{"0s BA/1", "1s BR/1", "2s OP", "3s HA/21", "4s SILENT", "5s RETURNED"} {
			d.Observe(observe(t, line))
			d.Advance(noon)
		}
		if _, err := d.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	for _, accounts := range []int{1000, 200_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			os := make([]*event.Observation, accounts)
			for i := range os {
				os[i] = flood(i)
			}
			d := New(Default())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				o := os[i%accounts]
				o.ID = event.ID(strconv.Itoa(i))
				o.Time = o.Time.Add(time.Second)
				o.Received = o.Time
				d.Observe(o)
				d.Advance(o.Received)
				i++
			}
		})
	}
}

func BenchmarkMarshal(b *testing.B) {
	d := New(Default())
	for n := range maxConditions {
		d.Observe(flood(n))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.MarshalBinary(); err != nil {
			b.Fatal(err)
		}
	}
}
