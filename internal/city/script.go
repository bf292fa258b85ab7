package city

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// Signal is something that an alarm panel has to say, and the truth behind it.
type Signal struct {
	At       time.Time // when the panel notices, UTC
	Panel    string    // account
	Premises string    // registry id

	// Story names the happening that the signal is part of ("burglary/20260301/2"),
	// "" for routine. It is the yardstick for detectors: the signals of one story
	// have one cause.
	Story string

	// Alarm is what a receiver should make of the frame. Sequence and Encrypted
	// are left to the sender.
	Alarm event.Alarm

	// Frame is what to send, without sequence number and time.
	Frame dc09.Frame
}

// Script returns what the town's panels say from a moment on, endlessly and in
// order of time. It follows from the seed, the scenario and, for the scenario's
// opening, from the moment; two scripts that begin at different times tell of
// the same days.
func (t *Town) Script(from time.Time, sc Scenario) iter.Seq[Signal] {
	return func(yield func(Signal) bool) {
		from = from.UTC()
		opening := t.opening(from, sc)
		queue := cues(opening.signals)
		// The day before may still have something to say.
		for day := midnight(from).AddDate(0, 0, -1); ; day = day.AddDate(0, 0, 1) {
			queue = append(queue, opening.leaves(t.day(day, sc), from)...)
			slices.SortStableFunc(queue, inOrder)
			next := day.AddDate(0, 0, 1)
			for len(queue) > 0 && queue[0].at.Before(next) {
				s := *queue[0].signal
				s.At = queue[0].at
				if !yield(s) {
					return
				}
				queue = queue[1:]
			}
			queue = slices.Clone(queue)
		}
	}
}

// cue is a signal's entry. A panel's link tests, most of the script by far,
// share one signal.
type cue struct {
	at     time.Time
	signal *Signal
}

func cues(signals []Signal) []cue {
	out := make([]cue, len(signals))
	for i := range signals {
		out[i] = cue{signals[i].At, &signals[i]}
	}
	return out
}

func inOrder(a, b cue) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.signal.Panel, b.signal.Panel))
}

func midnight(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// dayNumber tells days apart in random streams.
func dayNumber(day time.Time) uint64 { return uint64(day.Unix() / 86400) }

// day returns all that begins on the day, in no order.
func (t *Town) day(day time.Time, sc Scenario) []cue {
	told := t.happenings(day, sc)
	out := cues(told.signals)
	for _, p := range t.panels {
		for _, c := range append(t.tests(p, day), t.openings(p, day)...) {
			if !heldBy(told.silent, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// linkEvery is how often a panel of a class proves that it is there: some time
// before its class asks for it (see the registry's classes).
var linkEvery = map[string]time.Duration{
	"SP3": 20 * time.Minute,
	"SP4": 2 * time.Minute,
	"SP5": time.Minute,
}

// tests returns the day's periodic tests of a panel: one test event, and link
// tests as its class asks.
func (t *Town) tests(p *panelPlan, day time.Time) []cue {
	test := p.say(wordTest, 0)
	out := []cue{{day.Add(p.testAt), &test}}
	every := linkEvery[p.class]
	if every == 0 {
		return out
	}
	link := p.say(wordLink, 0)
	for at := p.testAt % every; at < 24*time.Hour; at += every {
		out = append(out, cue{day.Add(at), &link})
	}
	return out
}

// openings returns the day's settings and unsettings of a panel that reports them.
func (t *Town) openings(p *panelPlan, day time.Time) []cue {
	if !p.reports || p != p.site.panels[0] {
		return nil
	}
	var out []cue
	r := draw(t.seed, "users", uint64(p.index), dayNumber(day))
	for _, o := range t.unset(p.site, day) {
		user := 1 + r.IntN(4)
		open, shut := p.say(wordOpen, user), p.say(wordClose, user)
		out = append(out, cue{o.from, &open}, cue{o.to, &shut})
	}
	return out
}

// stretch is a stretch of time.
type stretch struct{ from, to time.Time }

func (s stretch) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// unset returns when on the day the alarm of the premises is off because people
// are there, in order and within the day.
func (t *Town) unset(s *site, day time.Time) []stretch {
	r := draw(t.seed, "hours", uint64(s.index), dayNumber(day))
	habit := habitOf(s.kind)
	weekday := day.Weekday()
	weekend := weekday == time.Saturday || weekday == time.Sunday
	about := func(hour, spread float64) time.Time {
		h := hour + between(r, -spread, spread)
		return day.Add(time.Duration(h * float64(time.Hour))).Truncate(time.Second)
	}
	switch {
	case habit.always:
		return []stretch{{day, day.AddDate(0, 0, 1)}}
	case habit.home && (r.Float64() < 0.3 || weekend && r.Float64() < 0.5):
		return []stretch{{about(7.4, 0.8), about(22.9, 0.7)}}
	case habit.home:
		return []stretch{{about(6.8, 0.4), about(8.4, 0.6)}, {about(17.3, 1.1), about(22.9, 0.7)}}
	case weekend && habit.weekdays, weekday == time.Sunday && habit.sundayOff > r.Float64():
		return nil
	default:
		return []stretch{{about(habit.opens, 0.35), about(habit.closes, 0.4)}}
	}
}

// isSet reports whether the alarm of the premises is on.
func (t *Town) isSet(s *site, at time.Time) bool {
	for _, o := range t.unset(s, midnight(at)) {
		if o.holds(at) {
			return false
		}
	}
	return true
}

// habit is the daily rhythm of a kind of premises, in hours after midnight.
type habit struct {
	home, always  bool
	weekdays      bool // closed at weekends
	sundayOff     float64
	opens, closes float64
}

func habitOf(kind string) habit {
	switch kind {
	case "home":
		return habit{home: true}
	case "hospital", "hotel", "police station", "fire station", "guest-house", "lifeboat station":
		return habit{always: true}
	case "pub", "restaurant", "cinema", "amusements":
		return habit{opens: 10.8, closes: 23.2}
	case "chip-shop":
		return habit{sundayOff: 0.5, opens: 11.2, closes: 22.3}
	case "school", "factory", "workshop", "warehouse", "brewery", "ice works", "depot", "library":
		return habit{weekdays: true, opens: 7.3, closes: 17.2}
	case "substation", "exchange":
		return habit{weekdays: true, opens: 10, closes: 10.8}
	case "bank", "surgery", "solicitors", "office", "town hall", "post office":
		return habit{weekdays: true, opens: 8.5, closes: 17.1}
	case "newsagent", "bakery", "filling station", "supermarket":
		return habit{sundayOff: 0.1, opens: 6.2, closes: 20.4}
	default:
		return habit{sundayOff: 0.5, opens: 8.8, closes: 17.7}
	}
}
