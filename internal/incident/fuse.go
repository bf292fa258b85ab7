package incident

import (
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// How alerts fuse. An alert joins, in this order of preference:
//
//  1. the incident, open or lately closed, that has an alert of the same cause;
//  2. an open incident at the same premises whose newest alert is less than
//     premisesWithin older or younger;
//  3. an open incident of the same family about the same target, or without one
//     the same subject (a host's address), within subjectWithin;
//  4. an open incident of the same family within nearMetres and nearWithin: two
//     panels in one building that see one cause.
//
// Otherwise it opens an incident. An alert that only says that something is over
// joins by its cause or not at all.
//
// A desk that has maxOpen incidents open opens no more: an alert then joins the
// newest open one of its family, and says so.
const (
	premisesWithin = 60 * time.Minute
	subjectWithin  = 6 * time.Hour
	nearMetres     = 20.0
	nearWithin     = 10 * time.Minute

	maxOpen   = 20_000         // open incidents; their number bounds memory and the saved state
	maxCauses = 128            // causes that one incident tells apart; further alerts are counted
	keepFor   = 24 * time.Hour // how long a closed incident still takes alerts of its causes, and can be reopened
	cellSize  = 200.0          // metres: index of open incidents by place
)

// book is the desk's incidents in memory, with the indexes that fusion needs.
type book struct {
	incidents map[event.ID]*Incident
	alerts    map[event.ID]bool // known alerts of the incidents in memory
	byCause   map[string]event.ID
	byPlace   map[string]map[event.ID]bool // premises or subject
	byCell    map[place.Cell]map[event.ID]bool
	grid      place.Grid
	open      map[event.ID]bool
	newestOf  map[string]event.ID // family: the incident opened last
	maxOpen   int
}

func newBook() *book {
	return &book{
		incidents: map[event.ID]*Incident{}, alerts: map[event.ID]bool{}, byCause: map[string]event.ID{},
		byPlace: map[string]map[event.ID]bool{}, byCell: map[place.Cell]map[event.ID]bool{},
		grid: place.NewGrid(place.Point{}, cellSize),
		open: map[event.ID]bool{}, newestOf: map[string]event.ID{}, maxOpen: maxOpen,
	}
}

// whereabouts says what an alert shares with others of one place: its premises,
// or else its family and whom it concerns: one machine that many attack is one
// incident, and so is one attacker of many.
func whereabouts(a *event.Alert) string {
	family := weightOf(a.Kind).family
	switch {
	case a.Premises != "":
		return "premises/" + a.Premises
	case a.Target != "":
		return family + "/target/" + a.Target
	default:
		return family + "/subject/" + a.Subject
	}
}

// index notes an incident after a change.
func (b *book) index(in *Incident, a *event.Alert) {
	b.incidents[in.ID] = in
	if in.State == Closed {
		delete(b.open, in.ID)
	} else {
		b.open[in.ID] = true
	}
	if newest := b.incidents[b.newestOf[in.Kind]]; newest == nil || newest.State == Closed || in.Number > newest.Number {
		b.newestOf[in.Kind] = in.ID
	}
	if a != nil {
		b.alerts[a.ID] = true
		if c, ok := in.Causes[a.Cause]; ok {
			b.byCause[a.Cause] = in.ID
			add(b.byPlace, c.Where, in.ID)
		}
	}
	if in.Place != nil {
		add(b.byCell, b.grid.Cell(in.Place.Point), in.ID)
	}
}

// load indexes an incident of a saved state.
func (b *book) load(in *Incident) {
	b.index(in, nil)
	for cause, c := range in.Causes {
		b.byCause[cause] = in.ID
		add(b.byPlace, c.Where, in.ID)
	}
}

func add[K comparable](m map[K]map[event.ID]bool, k K, id event.ID) {
	if m[k] == nil {
		m[k] = map[event.ID]bool{}
	}
	m[k][id] = true
}

// match returns the incident that an alert belongs to, or nil; and why, where
// that is not plain.
func (b *book) match(a *event.Alert) (in *Incident, why string) {
	in = b.incidents[b.byCause[a.Cause]]
	if in != nil && (in.State != Closed || a.Raised.Sub(in.Updated) <= keepFor) {
		return in, ""
	}
	if ends(a.Kind) {
		return nil, ""
	}
	within := subjectWithin
	if a.Premises != "" {
		within = premisesWithin
	}
	if in = b.newest(b.byPlace[whereabouts(a)], a, within, nil); in != nil {
		return in, ""
	}
	if in = b.near(a); in != nil {
		return in, ""
	}
	if len(b.open) >= b.maxOpen {
		if in = b.incidents[b.newestOf[weightOf(a.Kind).family]]; in != nil && in.State != Closed {
			return in, fmt.Sprintf("%d incidents are open, and no more are opened: this alert is about %s.", len(b.open), a.Subject)
		}
	}
	return nil, ""
}

// near returns the open incident of the alert's family that is a few steps away.
func (b *book) near(a *event.Alert) *Incident {
	if a.Place == nil {
		return nil
	}
	family := weightOf(a.Kind).family
	near := map[event.ID]bool{}
	c := b.grid.Cell(*a.Place)
	for dx := int32(-1); dx <= 1; dx++ {
		for dy := int32(-1); dy <= 1; dy++ {
			for id := range b.byCell[place.Cell{X: c.X + dx, Y: c.Y + dy}] {
				near[id] = true
			}
		}
	}
	return b.newest(near, a, nearWithin, func(in *Incident) bool {
		return in.Kind == family && in.Place != nil && place.Distance(in.Place.Point, *a.Place) <= nearMetres
	})
}

// newest returns, of the open incidents among ids that are near enough in time,
// the one with the newest alert.
func (b *book) newest(ids map[event.ID]bool, a *event.Alert, within time.Duration, ok func(*Incident) bool) *Incident {
	var best *Incident
	for id := range ids {
		in := b.incidents[id]
		switch {
		case in == nil || in.State == Closed || (ok != nil && !ok(in)):
		case a.Start.Sub(in.LastAlert) > within || in.FirstAlert.Sub(a.End) > within:
		case best == nil || in.LastAlert.After(best.LastAlert) || in.LastAlert.Equal(best.LastAlert) && in.Number < best.Number:
			best = in
		}
	}
	return best
}

// forget drops incidents that were closed long enough ago.
func (b *book) forget(now time.Time) {
	for id, in := range b.incidents {
		if in.State == Closed && now.Sub(in.Updated) > keepFor {
			delete(b.incidents, id)
		}
	}
	for c, id := range b.byCause {
		if b.incidents[id] == nil {
			delete(b.byCause, c)
		}
	}
	prune(b.byPlace, b.incidents)
	prune(b.byCell, b.incidents)
}

func prune[K comparable](m map[K]map[event.ID]bool, known map[event.ID]*Incident) {
	for k, ids := range m {
		for id := range ids {
			if known[id] == nil {
				delete(ids, id)
			}
		}
		if len(ids) == 0 {
			delete(m, k)
		}
	}
}
