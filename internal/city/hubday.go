package city

import (
	"math/rand/v2"
	"time"
)

// householdDay tells a household's day: comings and goings, movement, and the
// reports by which its sensors show that they live.
func (t *Town) householdDay(h *household, day time.Time, keep func(utterance)) {
	r := draw(t.seed, "household day", uint64(h.site.index), dayNumber(day))
	for _, s := range t.stays(h, day) {
		t.comeAndGo(h, s, keep)
		t.potter(h, r, s, keep)
	}
	for i := range h.things {
		th := &h.things[i]
		for at := th.offset; at < 24*time.Hour; at += th.every {
			keep(t.says(h, th, day.Add(at), false))
		}
	}
}

// comeAndGo tells the beginning and the end of a stay.
func (t *Town) comeAndGo(h *household, s stay, keep func(utterance)) {
	door, hall := h.find(contact, 0), h.find(movement, 0)
	panel := func(at time.Time, state string) {
		if h.alarmed {
			keep(h.saysPanel(at, state, ""))
		}
	}
	if s.arrive {
		keep(t.says(h, door, s.from.Add(-25*time.Second), true))
		panel(s.from.Add(-24*time.Second), "pending")
		keep(t.says(h, door, s.from.Add(-15*time.Second), false))
		keep(t.says(h, hall, s.from.Add(-13*time.Second), true))
		keep(t.says(h, hall, s.from.Add(90*time.Second), false))
	}
	panel(s.from, panelUnset)
	if !s.leave {
		panel(s.to, panelNight)
		return
	}
	panel(s.to.Add(-50*time.Second), "arming")
	keep(t.says(h, door, s.to.Add(-40*time.Second), true))
	keep(t.says(h, door, s.to.Add(-28*time.Second), false))
	panel(s.to, panelAway)
}

// potter tells what people do while they are in.
func (t *Town) potter(h *household, r *rand.Rand, s stay, keep func(utterance)) {
	rooms := h.rooms()
	for at := s.from.Add(2 * time.Minute); ; {
		at = at.Add(time.Duration(r.ExpFloat64() * float64(11*time.Minute))).Truncate(time.Millisecond)
		still := at.Add(time.Duration(between(r, 60, 200) * float64(time.Second))).Truncate(time.Millisecond)
		if !still.Before(s.to.Add(-time.Minute)) {
			return
		}
		th := pick(r, rooms)
		if r.Float64() < 0.06 {
			th = h.find(contact, 1)
		}
		keep(t.says(h, th, at, true))
		keep(t.says(h, th, still, false))
		at = still
	}
}

// shopDay tells what a shop's camera sees while the shop is open.
func (t *Town) shopDay(c *shopCamera, day time.Time, keep func(utterance)) {
	r := draw(t.seed, "shop day", uint64(c.site.index), dayNumber(day))
	for _, open := range t.unset(c.site, day) {
		for at := open.from; ; {
			at = at.Add(time.Duration(r.ExpFloat64() * float64(7*time.Minute))).Truncate(time.Millisecond)
			gone := at.Add(time.Duration(between(r, 8, 150) * float64(time.Second))).Truncate(time.Millisecond)
			if !gone.Before(open.to) {
				break
			}
			label := "person"
			if r.Float64() < 0.12 {
				label = pick(r, []string{"dog", "bicycle", "car"})
			}
			t.sighting(c, label, at, gone, between(r, 0.62, 0.97), r.Uint32(), keep)
			at = gone
		}
	}
}

// sighting is an object that a camera tracks: new, seen well, gone.
func (t *Town) sighting(c *shopCamera, label string, from, to time.Time, score float64, tag uint32, keep func(utterance)) {
	seconds := func(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }
	id := frigateID(from, tag)
	step := func(kind string, at time.Time, zones []string, best float64) {
		keep(utterance{at: at, device: c.device, topic: "frigate/events", body: func(at time.Time) []byte {
			after := map[string]any{
				"id": id, "camera": c.camera, "label": label, "start_time": seconds(from), "end_time": nil, "frame_time": seconds(at),
				"top_score": float64(int(best*1000)) / 1000, "false_positive": false, "stationary": false, "has_clip": true,
				"current_zones": zones, "entered_zones": zones,
			}
			if kind == "end" {
				after["end_time"] = seconds(at)
			}
			return jsonOf(map[string]any{"type": kind, "before": map[string]any{"id": id, "camera": c.camera}, "after": after})
		}})
	}
	step("new", from, []string{}, score-0.1)
	step("update", from.Add(to.Sub(from)/3).Truncate(time.Millisecond), []string{"doorway"}, score)
	step("end", to, []string{}, score)
}
