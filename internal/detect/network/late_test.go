package network

import (
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// What comes after its time is taken as it comes: it counts in what is going on.
func TestLateObservationsCount(t *testing.T) {
	s := New(Config{})
	var tr traffic
	for i := range 100 {
		tr.add(time.Duration(i)*time.Second, unanswered(camera, ip("198.51.100.%d", i), 23))
	}
	late := tr[10:20:20]
	var found []Finding
	found = append(found, feed(s, tr[:10])...)
	found = append(found, feed(s, tr[20:])...)
	found = append(found, s.Advance(t0.Add(time.Hour))...)
	found = append(found, feed(s, late)...)
	found = newest(append(found, s.Flush()...))
	if len(found) != 1 || found[0].Total != 100 || found[0].Targets != 100 {
		t.Fatalf("%+v", found)
	}
	if got := s.Stats().Late; got != 10 {
		t.Errorf("%d late", got)
	}
}

// A finding whose host is given up at a bound is told to its last observation
// first.
func TestEvictionTellsWhatWasOpen(t *testing.T) {
	s := New(Config{MaxSources: 10, Lateness: time.Second})
	var tr traffic
	for i := range 30 {
		tr.add(time.Duration(i)*time.Second, unanswered(camera, ip("198.51.100.%d", i), 23))
	}
	for i := range 50 {
		tr.add(time.Minute+time.Duration(i)*time.Second, unanswered(ip("203.0.113.%d", i), ip("198.51.100.1"), 443))
	}
	tr.add(time.Hour, unanswered(laptop, camera, 1))
	var found []Finding
	for _, f := range feed(s, tr) {
		if f.Kind == event.KindScanHorizontal {
			found = append(found, f)
		}
	}
	if len(found) != 2 || found[1].Total != 30 || found[1].Revision != 1 {
		t.Fatalf("%+v", found)
	}
	if s.Stats().Evicted == 0 {
		t.Error("nothing was given up")
	}
}

// An episode ends with silence; what the host does later is another cause.
func TestSilenceEndsAnEpisode(t *testing.T) {
	var tr traffic
	for _, start := range []time.Duration{0, 5 * time.Hour} {
		for i := range 25 {
			tr.add(start+time.Duration(i)*time.Second, unanswered(camera, ip("198.51.100.%d", i), 23))
		}
	}
	found := findAll(Config{}, tr)
	if len(found) != 2 || found[0].Cause == found[1].Cause || found[0].Total != 25 || found[1].Total != 25 {
		t.Fatalf("%+v", found)
	}
	// So does its length, when there is no silence.
	tr = nil
	for i := range 3000 {
		tr.add(time.Duration(i)*time.Minute, unanswered(camera, ip("198.51.%d.%d", i/200, i%200), 23))
	}
	sum := 0
	found = findAll(Config{MaxRefs: 5000}, tr)
	for _, f := range found {
		sum += f.Total
	}
	if len(found) != 3 || sum != 3000 {
		t.Errorf("%d findings of %d observations", len(found), sum)
	}
}
