package city

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// happenings are a day's stories, told: the signals and silences of panels.
type happenings struct {
	signals  []Signal
	silent   []silence
	reserved []silence           // where the opening leaves no room for another story
	engaged  map[*site]time.Time // until when premises have a story of their own
}

// silence is a stretch in which a panel is not heard.
type silence struct {
	panel string
	stretch
}

// leaves returns those of a day's cues, from a moment on, that go together with
// the opening: its silent panels stay silent, and the premises that it engages
// have no other story. A story that loses one signal is left out whole.
func (h *happenings) leaves(day []cue, from time.Time) []cue {
	dropped := map[string]bool{}
	for _, c := range day {
		if c.signal.Story != "" && heldBy(h.reserved, c) {
			dropped[c.signal.Story] = true
		}
	}
	out := day[:0]
	for _, c := range day {
		lost := heldBy(h.silent, c) || dropped[c.signal.Story] ||
			c.signal.Frame.Token != dc09.TokenNull && heldBy(h.reserved, c)
		if !lost && !c.at.Before(from) {
			out = append(out, c)
		}
	}
	return out
}

func heldBy(all []silence, c cue) bool {
	for _, x := range all {
		if x.panel == c.signal.Panel && x.holds(c.at) {
			return true
		}
	}
	return false
}

// happenings tells the stories of a day.
func (t *Town) happenings(day time.Time, sc Scenario) *happenings {
	h := &happenings{engaged: map[*site]time.Time{}}
	for kind, story := range stories {
		r := draw(t.seed, "stories", dayNumber(day), uint64(kind))
		for n := range poisson(r, sc.PerDay[story]) {
			start := day.Add(timeOfDay(r, story)).Truncate(time.Second)
			name := fmt.Sprintf("%s/%s/%d", story, day.Format("20060102"), n+1)
			t.tell(h, r, story, name, start)
		}
	}
	return h
}

// timeOfDay draws when a story begins, by its weight over the hours.
func timeOfDay(r *rand.Rand, story Story) time.Duration {
	for {
		at := time.Duration(r.Int64N(int64(story.latest())))
		if r.Float64() < story.weight(int(at/time.Hour)) {
			return at
		}
	}
}

// tries bounds the search for premises in which a story can happen.
const tries = 200

// engagedFor is how long premises are left in peace after a story begins.
const engagedFor = 3 * time.Hour

// tell finds premises for a story and tells it there; where none fit, nothing
// happens.
func (t *Town) tell(h *happenings, r *rand.Rand, story Story, name string, start time.Time) bool {
	for range tries {
		s := &scene{t: t, r: r, h: h, story: name, start: start, panel: pick(r, t.panels)}
		s.site = s.panel.site
		if start.Before(h.engaged[s.site]) || !s.fits(story) {
			continue
		}
		h.engaged[s.site] = start.Add(engagedFor)
		s.tell(story)
		return true
	}
	return false
}

// opening tells the scenario's first half hour: something soon, a burglary
// within ten minutes, then two panels with one cause and a fire.
func (t *Town) opening(from time.Time, sc Scenario) *happenings {
	h := &happenings{engaged: map[*site]time.Time{}}
	if !sc.Opening {
		return h
	}
	r := draw(t.seed, "opening", uint64(from.Unix()))
	for i, act := range []struct {
		story         Story
		after, within time.Duration
	}{
		{Spider, 25 * time.Second, 20 * time.Second},
		{Burglary, 3 * time.Minute, 4 * time.Minute},
		{OneCauseTwice, 9 * time.Minute, 4 * time.Minute},
		{FireStory, 15 * time.Minute, 5 * time.Minute},
		{LineCut, 18 * time.Minute, 4 * time.Minute},
		{HoldUpTwice, 22 * time.Minute, 6 * time.Minute},
	} {
		start := from.Add(act.after + time.Duration(r.Int64N(int64(act.within)))).Truncate(time.Second)
		t.tell(h, r, act.story, fmt.Sprintf("%s/opening/%d", act.story, i+1), start)
	}
	for s := range h.engaged {
		for _, p := range s.panels {
			h.reserved = append(h.reserved, silence{p.account, stretch{from, from.Add(engagedFor)}})
		}
	}
	return h
}
