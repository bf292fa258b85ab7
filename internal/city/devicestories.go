package city

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// deviceStories in the order in which a day draws them.
var deviceStories = []Story{
	KitchenFire, HomeBurglary, WaterLeak, BatteryLow, HubLost, Gunfire, Fireworks, ClonedRadio, StolenSecret,
}

// deviceHappenings are a day's stories of hubs and sensors, told.
type deviceHappenings struct {
	said     []utterance
	muted    []mute
	reserved []mute               // where the opening leaves no room for another story
	engaged  map[string]time.Time // until when something has a story of its own
}

// mute is a stretch in which a device, or what it says under one topic, has no
// routine.
type mute struct {
	device, topic string // an empty topic: all
	stretch
}

// quiet reports whether something routine is left unsaid because of a story.
func (h *deviceHappenings) quiet(u *utterance) bool {
	return slices.ContainsFunc(h.muted, func(m mute) bool {
		return m.device == u.device && (m.topic == "" || m.topic == u.topic) && m.holds(u.at)
	})
}

// leavesSaid returns those of a day's utterances, from a moment on, that go
// together with the opening. A story that shares a device with it is left out
// whole.
func (h *deviceHappenings) leavesSaid(day []utterance, from time.Time) []utterance {
	dropped := map[string]bool{}
	for i := range day {
		u := &day[i]
		if u.story != "" && slices.ContainsFunc(h.reserved, func(m mute) bool { return m.device == u.key && m.holds(u.at) }) {
			dropped[u.story] = true
		}
	}
	out := day[:0]
	for _, u := range day {
		if !u.at.Before(from) && !dropped[u.story] && (u.story != "" || !h.quiet(&u)) {
			out = append(out, u)
		}
	}
	return out
}

// deviceHappenings tells the stories of a day.
func (t *Town) deviceHappenings(day time.Time, sc Scenario) *deviceHappenings {
	h := &deviceHappenings{engaged: map[string]time.Time{}}
	for kind, story := range deviceStories {
		r := draw(t.seed, "device stories", dayNumber(day), uint64(kind))
		for n := range poisson(r, sc.PerDay[story]) {
			start := day.Add(timeOfDay(r, story)).Truncate(time.Second)
			t.tellDevices(h, r, story, fmt.Sprintf("%s/%s/%d", story, day.Format("20060102"), n+1), start)
		}
	}
	return h
}

// deviceOpening tells what the scenario's first half hour shows of hubs and
// sensors.
func (t *Town) deviceOpening(from time.Time, sc Scenario) *deviceHappenings {
	h := &deviceHappenings{engaged: map[string]time.Time{}}
	if !sc.Opening {
		return h
	}
	r := draw(t.seed, "device opening", uint64(from.Unix()))
	for i, act := range []struct {
		story         Story
		after, within time.Duration
	}{
		{KitchenFire, 5 * time.Minute, 3 * time.Minute},
		{Gunfire, 8 * time.Minute, 4 * time.Minute},
		{ClonedRadio, 11 * time.Minute, 3 * time.Minute},
		{HubLost, 13 * time.Minute, 4 * time.Minute},
		{HomeBurglary, 16 * time.Minute, 5 * time.Minute},
		{WaterLeak, 20 * time.Minute, 3 * time.Minute},
		{StolenSecret, 21 * time.Minute, 5 * time.Minute},
		{BatteryLow, 24 * time.Minute, 5 * time.Minute},
		{Fireworks, 28 * time.Minute, 5 * time.Minute},
	} {
		start := from.Add(act.after + time.Duration(r.Int64N(int64(act.within)))).Truncate(time.Second)
		t.tellDevices(h, r, act.story, fmt.Sprintf("%s/opening/%d", act.story, i+1), start)
	}
	for key := range h.engaged {
		h.reserved = append(h.reserved, mute{device: key, stretch: stretch{from, from.Add(engagedFor)}})
	}
	return h
}

// deviceScene is one story of hubs or sensors while it is told.
type deviceScene struct {
	t     *Town
	r     *rand.Rand
	h     *deviceHappenings
	story string
	start time.Time
	now   time.Duration // since start

	key   string // what is engaged by it
	home  *household
	radio *radio
}

// tellDevices finds a place for a story and tells it there; where none fits,
// nothing happens.
func (t *Town) tellDevices(h *deviceHappenings, r *rand.Rand, story Story, name string, start time.Time) {
	for range tries {
		s := &deviceScene{t: t, r: r, h: h, story: name, start: start, home: pick(r, t.households), radio: pick(r, t.fix.radios)}
		switch story {
		case Gunfire, Fireworks:
			s.key = gunshotNet + "/" + string(story)
		case ClonedRadio:
			s.key = s.radio.id
		default:
			s.key = s.home.hub
		}
		if start.Before(h.engaged[s.key]) || !s.fits(story) {
			continue
		}
		h.engaged[s.key] = start.Add(engagedFor)
		s.tell(story)
		return
	}
}

// fits reports whether the story can happen to what was drawn.
func (s *deviceScene) fits(story Story) bool {
	switch story {
	case HomeBurglary:
		return s.home.alarmed && s.t.setFor(s.home, s.start, 75*time.Minute)
	case HubLost:
		return s.home.alarmed && s.t.setFor(s.home, s.start, 30*time.Minute)
	case BatteryLow:
		return s.home.zigbee
	case ClonedRadio: // it has said enough to be recorded, and goes on under the same session
		end := s.start.Add(time.Hour)
		before, _ := s.radio.session(s.start)
		after, _ := s.radio.session(end)
		return before == after && s.radio.frame(s.start) > 60
	default:
		return true
	}
}

// tell tells the story.
func (s *deviceScene) tell(story Story) {
	switch story {
	case KitchenFire:
		s.tellFelt(s.home.find(smoke, 0), 6*time.Minute, 18*time.Minute)
	case WaterLeak:
		s.tellFelt(s.home.find(leak, 0), 20*time.Minute, 60*time.Minute)
	case HomeBurglary:
		s.tellHomeBurglary()
	case BatteryLow:
		s.tellBatteryLow()
	case HubLost:
		s.tellHubLost()
	case Gunfire:
		s.tellGunfire()
	case Fireworks:
		s.tellFireworks()
	case ClonedRadio:
		s.tellCloned()
	case StolenSecret:
		s.tellStolen()
	}
}

// at is the time of what comes next.
func (s *deviceScene) at() time.Time { return s.start.Add(s.now) }

// wait lets between low and high pass.
func (s *deviceScene) wait(low, high time.Duration) {
	s.now += low + time.Duration(s.r.Int64N(int64(high-low)+1)).Truncate(100*time.Millisecond)
}

// say adds what is said or done.
func (s *deviceScene) say(u utterance) {
	u.story, u.key = s.story, s.key
	s.h.said = append(s.h.said, u)
}

// mute keeps a device's routine under a topic, from the story's start until now,
// from contradicting the story.
func (s *deviceScene) mute(device, topic string) {
	s.h.muted = append(s.h.muted, mute{device, topic, stretch{s.start, s.at().Add(time.Second)}})
}
