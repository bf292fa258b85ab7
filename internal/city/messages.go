package city

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Message is what an enrolled device says, or does, and the truth behind it.
type Message struct {
	At     time.Time // when the device says it, UTC
	Device string    // whose credential it comes with, as the registry has it

	// Story names the happening that the message is part of, as a [Signal]'s does;
	// "" for routine.
	Story string

	Act  Act
	HTTP bool // a request to the intake; else a publication by MQTT

	// Topic is below the device's own first level; of a request, path and query
	// below the device. Of [ActIntrude] it is whole.
	Topic  string
	Body   []byte
	Retain bool
}

// Act is what a device does.
type Act uint8

// Acts.
const (
	ActSay     Act = iota // it sends a message
	ActVanish             // its connection ends without goodbye, and it stays away
	ActReturn             // it connects again
	ActIntrude            // somebody else connects with its credential, and sends a message
)

// Messages returns what the town's hubs, cameras and network servers say from a
// moment on, endlessly and in order of time. It follows from the seed, the
// scenario and, for the scenario's opening, from the moment, as [Town.Script]
// does.
func (t *Town) Messages(from time.Time, sc Scenario) iter.Seq[Message] {
	return func(yield func(Message) bool) {
		from = from.UTC()
		opening := t.deviceOpening(from, sc)
		queue := opening.said
		for day := midnight(from).AddDate(0, 0, -1); ; day = day.AddDate(0, 0, 1) {
			queue = append(queue, opening.leavesSaid(t.deviceDay(day, sc), from)...)
			slices.SortStableFunc(queue, earlier)
			next := day.AddDate(0, 0, 1)
			for len(queue) > 0 && queue[0].at.Before(next) {
				if !yield(queue[0].message()) {
					return
				}
				queue = queue[1:]
			}
			queue = slices.Clone(queue)
		}
	}
}

// utterance is a message whose body is not made before its time: a day has some
// thirty thousand.
type utterance struct {
	at            time.Time
	device, topic string
	story         string
	key           string // what the story has engaged
	body          func(at time.Time) []byte
	act           Act
	http, retain  bool
}

func (u *utterance) message() Message {
	m := Message{At: u.at, Device: u.device, Story: u.story, Act: u.act, HTTP: u.http, Topic: u.topic, Retain: u.retain}
	if u.body != nil {
		m.Body = u.body(u.at)
	}
	return m
}

func earlier(a, b utterance) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.device, b.device), cmp.Compare(a.topic, b.topic))
}

// deviceDay returns all that devices say and do of what begins on the day, in no
// order.
func (t *Town) deviceDay(day time.Time, sc Scenario) []utterance {
	told := t.deviceHappenings(day, sc)
	out := slices.Clone(told.said)
	keep := func(u utterance) {
		if !told.quiet(&u) {
			out = append(out, u)
		}
	}
	for _, h := range t.households {
		t.householdDay(h, day, keep)
	}
	for _, x := range t.fix.radios {
		t.radioDay(x, day, keep)
	}
	for i := range t.fix.counters {
		t.counterDay(&t.fix.counters[i], day, keep)
	}
	for i := range t.fix.cameras {
		t.cameraDay(i, day, keep)
	}
	for _, c := range t.fix.shops {
		t.shopDay(c, day, keep)
	}
	return out
}
