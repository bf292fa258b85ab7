package city

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func messagesUntil(seq iter.Seq[Message], end time.Time) (out []Message) {
	for m := range seq {
		if !m.At.Before(end) {
			break
		}
		out = append(out, m)
	}
	return out
}

func hashOfMessages(ms []Message) string {
	h := sha256.New()
	for i := range ms {
		m := &ms[i]
		fmt.Fprintln(h, m.At.Format(time.RFC3339Nano), m.Device, m.Story, m.Act, m.HTTP, m.Topic, m.Retain, string(m.Body))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12])
}

func TestSameSeedSameMessages(t *testing.T) {
	first := hashOfMessages(take(skarrow().Messages(monday, Busy()), 10000))
	if second := hashOfMessages(take(again().Messages(monday, Busy()), 10000)); second != first {
		t.Errorf("one seed said two things: %s and %s", first, second)
	}
	if other := hashOfMessages(take(elsewhere().Messages(monday, Busy()), 10000)); other == first {
		t.Error("two seeds said the same")
	}
}

func TestMessagesOfOneDayAgree(t *testing.T) {
	later := monday.Add(5 * time.Hour)
	end := later.Add(12 * time.Hour)
	a := messagesUntil(skarrow().Messages(monday, Everyday()), end)
	for len(a) > 0 && a[0].At.Before(later) {
		a = a[1:]
	}
	if b := messagesUntil(skarrow().Messages(later, Everyday()), end); hashOfMessages(a) != hashOfMessages(b) {
		t.Errorf("messages that begin later tell of another day: %d and %d", len(a), len(b))
	}
}

// At 20 times life's pace, a day's messages must stay below 40 a second even in
// its busiest minutes.
func TestRatesAreModest(t *testing.T) {
	const speed, most = 20, 40
	perMinute, stories := map[time.Time]int{}, map[string]bool{}
	all := messagesUntil(skarrow().Messages(midnight(monday), Busy()), midnight(monday).AddDate(0, 0, 1))
	for i := range all {
		perMinute[all[i].At.Truncate(time.Minute)]++
		if all[i].Story != "" {
			stories[all[i].Story] = true
		}
	}
	busiest := 0
	for _, n := range perMinute {
		busiest = max(busiest, n)
	}
	if rate := busiest * speed / 60; rate > most || len(all) < 20000 {
		t.Errorf("%d messages a day, %d a second in the busiest minute", len(all), rate)
	}
	t.Logf("%d messages a day, %d in the busiest minute, %d stories", len(all), busiest, len(stories))
}

// A demonstration may start at any hour of any day.
func TestOpeningAlwaysShowsDevices(t *testing.T) {
	for hour := range 7 * 24 {
		from := monday.Add(time.Duration(hour)*time.Hour + 13*time.Minute)
		told := map[Story]bool{}
		for _, u := range skarrow().deviceOpening(from, Busy()).said {
			name, _, _ := strings.Cut(u.story, "/")
			told[Story(name)] = true
			if u.at.Before(from) || u.at.After(from.Add(4*time.Hour)) {
				t.Errorf("%s at %v, from %v", u.story, u.at, from)
			}
		}
		for _, s := range deviceStories {
			if !told[s] {
				t.Errorf("from %s no %s", from.Format(time.RFC3339), s)
			}
		}
	}
}

func TestMessageProperties(t *testing.T) {
	fewerChecks(t)
	rapid.Check(t, func(t *rapid.T) {
		from := monday.Add(time.Duration(rapid.Int64Range(0, 300*24*3600).Draw(t, "from")) * time.Second)
		ms := messagesUntil(skarrow().Messages(from, Busy()), from.Add(3*time.Hour))
		away, last := map[string]bool{}, from
		radios := newRadioWatch()
		for i := range ms {
			m := &ms[i]
			if m.At.Before(last) {
				t.Fatalf("%v after %v", m.At, last)
			}
			last = m.At
			switch m.Act {
			case ActVanish:
				away[m.Device] = true
			case ActReturn:
				delete(away, m.Device)
			case ActSay:
				if away[m.Device] {
					t.Fatalf("%s says %s while it is away", m.Device, m.Topic)
				}
				if !json.Valid(m.Body) && m.Topic != haStatus {
					t.Fatalf("%s %s: %q", m.Device, m.Topic, m.Body)
				}
			case ActIntrude:
				if strings.HasPrefix(m.Topic, m.Device+"/") || !strings.HasPrefix(m.Topic, "hub-") {
					t.Fatalf("an intruder as %s on %s", m.Device, m.Topic)
				}
			}
			if err := radios.see(m); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// radioWatch holds that frame counters rise by one, except for clones'.
type radioWatch map[string]struct {
	count uint32
	addr  string
}

func newRadioWatch() radioWatch { return radioWatch{} }

func (w radioWatch) see(m *Message) error {
	if m.Topic != "chirpstack?event=up" {
		return nil
	}
	var e struct {
		FCnt       uint32
		DevAddr    string
		DeviceInfo struct{ DevEUI string }
	}
	if err := json.Unmarshal(m.Body, &e); err != nil {
		return err
	}
	before, known := w[e.DeviceInfo.DevEUI]
	switch {
	case m.Story != "":
		if known && e.FCnt >= before.count {
			return fmt.Errorf("%s: a copy of frame %d after %d", m.Story, e.FCnt, before.count)
		}
		return nil
	case known && before.addr == e.DevAddr && e.FCnt != before.count+1, known && before.addr != e.DevAddr && e.FCnt > 1:
		return fmt.Errorf("radio %s: frame %d after %d", e.DeviceInfo.DevEUI, e.FCnt, before.count)
	}
	before.count, before.addr = e.FCnt, e.DevAddr
	w[e.DeviceInfo.DevEUI] = before
	return nil
}

func TestTownsHaveAllDevices(t *testing.T) {
	for seed := range uint64(4) {
		town := New(seed)
		if n := len(town.Devices()); n != wantHouseholds+4+4+60+8+4 || len(town.Homes()) != wantHouseholds {
			t.Errorf("seed %d: %d devices, %d homes with hubs", seed, n, len(town.Homes()))
		}
	}
}

func TestPlatesAreNobodys(t *testing.T) {
	seen := map[string]bool{}
	for v := range fleet {
		p := plate(v)
		if letters := strings.ReplaceAll(p, " ", ""); len(letters) != 9 || seen[p] {
			t.Fatalf("plate %q: a real one has at most 7 letters and digits, and each vehicle its own", p)
		}
		seen[p] = true
	}
}

// People come in before they go out, and an alarm is set when nobody is up.
func TestStaysAreInOrder(t *testing.T) {
	town := skarrow()
	for _, h := range town.households {
		before := monday.AddDate(0, 0, -2)
		for day := range 60 {
			for i, s := range town.stays(h, midnight(monday).AddDate(0, 0, day)) {
				if !s.from.After(before) || !s.to.After(s.from) {
					t.Fatalf("%s: stay %d of day %d from %v to %v after %v", h.hub, i, day, s.from, s.to, before)
				}
				before = s.to
				if town.panelAt(h, s.from.Add(time.Second)) != panelUnset || town.panelAt(h, s.to) == panelUnset {
					t.Fatalf("%s: the alarm is %s in and %s after stay %d of day %d", h.hub, town.panelAt(h, s.from), town.panelAt(h, s.to), i, day)
				}
			}
		}
	}
}

func BenchmarkMessagesDay(b *testing.B) {
	town, sc := skarrow(), Busy()
	for b.Loop() {
		messagesUntil(town.Messages(midnight(monday), sc), midnight(monday).AddDate(0, 0, 1))
	}
}
