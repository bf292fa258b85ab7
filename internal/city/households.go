package city

import (
	"fmt"
	"sort"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// wantHouseholds is how many homes have a hub. They are homes without an alarm
// panel that a receiving centre watches.
const wantHouseholds = 40

// household is a home with sensors behind a hub.
type household struct {
	site    *site // premises: a home of its own, with no panel
	hub     string
	zigbee  bool // Zigbee2MQTT; else Home Assistant
	alarmed bool // Home Assistant has an alarm panel
	habits  habits
	things  []thing
}

// thing is a sensor behind a hub.
type thing struct {
	name, title string // "back_door", "Back door"
	what        detector
	link        int     // link quality, 0 to 255
	age         float64 // of its battery, 0 to 1
	every       time.Duration
	offset      time.Duration // of its reports, after midnight
}

// climate is a detector that no alarm panel has.
const climate detector = 100

// habits are when people of a household come and go, in hours after midnight.
type habits struct {
	wake, leave, back, bed float64
	homeAllDay             bool
	empty                  bool // a holiday home out of season: somebody looks in about noon
}

// settleHouseholds draws who has a hub. It comes after all else that draws from
// the town's buildings, and changes none of it.
func (t *Town) settleHouseholds() {
	guarded := map[vec]bool{}
	for _, s := range t.sites {
		guarded[s.at] = true
	}
	var homes []int
	for i := range t.buildings {
		if b := &t.buildings[i]; b.kind == "home" && !guarded[b.middle] {
			homes = append(homes, i)
		}
	}
	r := draw(t.seed, "households")
	r.Shuffle(len(homes), func(i, j int) { homes[i], homes[j] = homes[j], homes[i] })
	homes = homes[:min(len(homes), wantHouseholds)]
	sort.Ints(homes)
	for n, i := range homes {
		b := &t.buildings[i]
		h := &household{hub: fmt.Sprintf("hub-%03d", n+1)}
		h.site = &site{
			index: len(t.sites) + n, id: fmt.Sprintf("skarrow-h%03d", n+1), kind: "home",
			name: fmt.Sprintf("%d %s", b.number, t.streets[b.street].name), address: b.address(t.streets), at: b.middle,
			street: b.street, neighbour: -1,
		}
		t.furnish(h, n)
		t.households = append(t.households, h)
	}
}

// furnish gives a household its habits and things.
func (t *Town) furnish(h *household, n int) {
	r := draw(t.seed, "household", uint64(n))
	h.zigbee = n%5 < 3
	h.alarmed = !h.zigbee
	h.site.keyholders = append(h.site.keyholders, newKeyholder(r))
	wake := between(r, 6.2, 7.6)
	h.habits = habits{wake: wake, leave: wake + between(r, 0.9, 1.7), back: between(r, 16.2, 18.6), bed: between(r, 22, 23.3)}
	switch x := r.Float64(); {
	case x < 0.3:
		h.habits.back = between(r, 19.6, 21.2) // works late
	case x < 0.45:
		h.habits.homeAllDay = true
	}
	h.habits.empty = n%20 == 4
	add := func(title string, what detector, every time.Duration) {
		h.things = append(h.things, thing{
			name: underscored(title), title: title, what: what, every: every, link: 60 + r.IntN(160), age: r.Float64(),
			offset: time.Duration(r.Int64N(int64(every))).Truncate(time.Millisecond),
		})
	}
	add("Front door", contact, time.Hour)
	add("Back door", contact, time.Hour)
	add("Hall", movement, time.Hour)
	add("Lounge", movement, time.Hour)
	add("Kitchen smoke", smoke, time.Hour)
	add("Under the sink", leak, time.Hour)
	add("Bedroom climate", climate, 30*time.Minute)
	if r.Float64() < 0.5 {
		add("Landing", movement, time.Hour)
	}
	if r.Float64() < 0.4 {
		add("Kitchen window", contact, time.Hour)
	}
	if r.Float64() < 0.4 {
		add("Landing smoke", smoke, time.Hour)
	}
}

// underscored makes a title the name that ecosystems give.
func underscored(title string) string {
	b := []byte(title)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == ' ':
			b[i] = '_'
		}
	}
	return string(b)
}

// find returns the nth thing with a detector, nil when there is none.
func (h *household) find(what detector, nth int) *thing {
	for i := range h.things {
		if h.things[i].what == what {
			if nth == 0 {
				return &h.things[i]
			}
			nth--
		}
	}
	return nil
}

// rooms are the things that feel movement.
func (h *household) rooms() (out []*thing) {
	for i := range h.things {
		if h.things[i].what == movement {
			out = append(out, &h.things[i])
		}
	}
	return out
}

// battery is what is left of a thing's battery on a day, in percent: it lasts
// for years and is changed in time.
func (th *thing) battery(day time.Time) int {
	const lowest, rest, aDay = 36, 64, 0.11
	used := th.age*rest + aDay*float64(dayNumber(day))
	return lowest + rest - int(used)%rest
}

// premisesOf is what the registry has on file of a household.
func (t *Town) premisesOf(h *household) registry.Premises {
	p := registry.Premises{ID: h.site.id, Name: h.site.name, Address: h.site.address, Kind: "home", Place: t.point(h.site.at)}
	for _, k := range h.site.keyholders {
		p.Keyholders = append(p.Keyholders, registry.Keyholder{Name: k.name, Phone: k.phone})
	}
	return p
}

// stay is a stretch in which people are in and awake.
type stay struct {
	stretch
	arrive bool // they come in by the door; else they get up
	leave  bool // they go out; else they go to bed
}

// stays returns when on the day people of a household are in and awake, in order
// and within the day.
func (t *Town) stays(h *household, day time.Time) []stay {
	out := t.staysAlone(h, day)
	before := t.staysAlone(h, day.AddDate(0, 0, -1))
	out[0].arrive = before[len(before)-1].leave
	return out
}

// staysAlone is stays without regard to where people were the night before.
func (t *Town) staysAlone(h *household, day time.Time) []stay {
	r := draw(t.seed, "stays", uint64(h.site.index), dayNumber(day))
	at := func(hour, spread float64) time.Time {
		return day.Add(time.Duration((hour + between(r, -spread, spread)) * float64(time.Hour))).Truncate(time.Second)
	}
	x, weekday, b := r.Float64(), day.Weekday(), h.habits
	weekend := weekday == time.Saturday || weekday == time.Sunday
	switch {
	case b.empty:
		return []stay{{stretch: stretch{at(11.5, 0.3), at(12.4, 0.3)}, leave: true}}
	case x < 0.07: // off for the day and the night
		return []stay{{stretch: stretch{at(5.3, 0.2), at(6, 0.2)}, leave: true}}
	case x > 0.7 && weekend, b.homeAllDay && x < 0.8:
		return []stay{{stretch: stretch{at(b.wake, 0.4), at(b.bed, 0.4)}}}
	case weekend:
		return []stay{
			{stretch: stretch{at(b.wake+1.2, 0.5), at(10.6, 0.6)}, leave: true},
			{stretch: stretch{at(15.8, 1.2), at(b.bed, 0.4)}, arrive: true},
		}
	default:
		return []stay{
			{stretch: stretch{at(b.wake, 0.3), at(b.leave, 0.2)}, leave: true},
			{stretch: stretch{at(b.back, 0.4), at(b.bed, 0.4)}, arrive: true},
		}
	}
}

// States of a home's alarm panel, in Home Assistant's words.
const (
	panelUnset = "disarmed"
	panelAway  = "armed_away"
	panelNight = "armed_night"
)

// panelAt is the state of the household's alarm at a time, unless a story has
// changed it.
func (t *Town) panelAt(h *household, at time.Time) string {
	state := panelNight
	day := midnight(at)
	for _, s := range append(t.stays(h, day.AddDate(0, 0, -1)), t.stays(h, day)...) {
		switch {
		case at.Before(s.from):
			return state
		case at.Before(s.to):
			return panelUnset
		case s.leave:
			state = panelAway
		default:
			state = panelNight
		}
	}
	return state
}

// setFor reports whether the household's alarm is set at a time and stays set
// for a while.
func (t *Town) setFor(h *household, at time.Time, d time.Duration) bool {
	day := midnight(at)
	for _, s := range append(t.stays(h, day), t.stays(h, day.AddDate(0, 0, 1))...) {
		if s.from.Before(at.Add(d)) && at.Before(s.to) {
			return false
		}
	}
	return true
}
