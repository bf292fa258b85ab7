package home

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// frigate understands what Frigate publishes below "frigate/": tracked objects,
// review items, motion, counts, sounds and availability. Names of persons and
// number plates, which Frigate puts in sub_label and the like, are never taken
// up, and messages that may hold them are not kept as they came.
type frigate struct{ tally tally }

var (
	_ sense.Dialect   = (*frigate)(nil)
	_ sense.Secretive = (*frigate)(nil)
)

const (
	frigatePrefix = "frigate/"
	maxZones      = 32
)

// Name implements sense.Dialect.
func (d *frigate) Name() string { return NameFrigate }

// Matches implements sense.Dialect.
func (d *frigate) Matches(topic string) bool { return strings.HasPrefix(topic, frigatePrefix) }

// Secret implements sense.Secretive.
func (d *frigate) Secret(m *sense.Message) bool {
	switch m.Topic {
	case frigatePrefix + "events", frigatePrefix + "reviews", frigatePrefix + "tracked_object_update":
		return true
	}
	return false
}

// Observe implements sense.Dialect.
//
// Errors: sense.ErrUnreadable.
func (d *frigate) Observe(m *sense.Message) ([]*event.Observation, error) {
	r := &report{m: m, source: NameFrigate, tally: d.tally}
	levels := strings.Split(strings.TrimPrefix(m.Topic, frigatePrefix), "/")
	switch {
	case len(m.Payload) == 0:
		return nil, nil
	case m.Topic == frigatePrefix+"events":
		return d.tracked(r)
	case m.Topic == frigatePrefix+"reviews":
		return d.review(r)
	case m.Topic == frigatePrefix+"available":
		r.child = NameFrigate
		return d.available(r)
	case len(levels) == 2:
		return d.camera(r, levels[0], levels[1])
	case len(levels) == 3:
		return d.part(r, levels)
	}
	d.tally.ignored.Inc()
	return nil, nil
}

func (d *frigate) available(r *report) ([]*event.Observation, error) {
	w := strings.TrimSpace(string(r.m.Payload))
	if w == "stopped" {
		w = "offline"
	}
	present, ok := availability([]byte(w))
	if !ok {
		return nil, fmt.Errorf("%w: expected online or offline, got %.60q", sense.ErrUnreadable, r.m.Payload)
	}
	r.there(present)
	return r.done(), nil
}

// camera reads <camera or zone>/motion and <camera or zone>/<object>.
func (d *frigate) camera(r *report, camera, about string) ([]*event.Observation, error) {
	r.child = clean(camera, maxText)
	if about == "motion" {
		return d.onOff(r, motion, "")
	}
	n, ok := number(string(r.m.Payload))
	if !ok || n != float64(int64(n)) || n < 0 || n > 1e6 {
		d.tally.ignored.Inc() // review_status, and what newer versions add
		return nil, nil
	}
	inside := int64(n)
	r.add(event.KindCount, "").Count = &event.Count{Of: clean(about, maxWord), Inside: &inside}
	return r.done(), nil
}

// part reads what belongs to a part of a camera: what it hears, and whether its
// stream is there. The rest are settings, and snapshots.
func (d *frigate) part(r *report, levels []string) ([]*event.Observation, error) {
	r.child = clean(levels[0], maxText)
	switch {
	case levels[1] == "audio" && levels[2] != "dBFS" && levels[2] != "rms" && levels[2] != "state" && levels[2] != "all" && levels[2] != "transcription":
		return d.onOff(r, sound, clean(levels[2], maxWord))
	case levels[1] == "status" && levels[2] == "detect" && string(r.m.Payload) != "disabled":
		return d.available(r)
	}
	return nil, nil
}

func (d *frigate) onOff(r *report, s sensed, channel string) ([]*event.Observation, error) {
	active, ok := truth(string(r.m.Payload))
	if !ok {
		return nil, fmt.Errorf("%w: expected ON or OFF, got %.60q", sense.ErrUnreadable, r.m.Payload)
	}
	r.reading(s.say(active), channel, "")
	return r.done(), nil
}

// after reads what is so after a change, and what kind of change it was.
func after(payload []byte) (o, before map[string]any, phase event.Phase, err error) {
	whole, err := object(payload)
	if err != nil {
		return nil, nil, "", err
	}
	phase = event.Phase(text(whole, "type", maxWord))
	switch phase {
	case event.PhaseNew, event.PhaseUpdate, event.PhaseEnd:
	default:
		return nil, nil, "", fmt.Errorf("%w: type: expected new, update or end, got %s", sense.ErrUnreadable, sort(whole["type"]))
	}
	o, ok := whole["after"].(map[string]any)
	if !ok {
		return nil, nil, "", fmt.Errorf("%w: after: expected an object, got %s", sense.ErrUnreadable, sort(whole["after"]))
	}
	before, _ = whole["before"].(map[string]any)
	for _, key := range [...]string{"id", "camera"} {
		if text(o, key, maxText) == "" {
			return nil, nil, "", fmt.Errorf("%w: after.%s: expected a text, got %s", sense.ErrUnreadable, key, sort(o[key]))
		}
	}
	return o, before, phase, nil
}

// tracked reads a change of a tracked object.
func (d *frigate) tracked(r *report) ([]*event.Observation, error) {
	o, _, phase, err := after(r.m.Payload)
	if err != nil {
		return nil, err
	}
	if mistaken, _ := truth(o["false_positive"]); mistaken {
		return nil, nil
	}
	start, ok := clockTime(o["start_time"])
	if !ok {
		return nil, fmt.Errorf("%w: after.start_time: expected seconds since 1970, got %s", sense.ErrUnreadable, sort(o["start_time"]))
	}
	if text(o, "label", maxWord) == "" {
		return nil, fmt.Errorf("%w: after.label: expected a text, got %s", sense.ErrUnreadable, sort(o["label"]))
	}
	det := &event.Detection{
		Track: text(o, "id", maxText), Phase: phase, Camera: text(o, "camera", maxText), Label: text(o, "label", maxWord),
		Zones: texts(o["current_zones"]), Entered: texts(o["entered_zones"]), Start: start,
	}
	if det.Score, ok = number(o["top_score"]); !ok || det.Score < 0 || det.Score > 1 {
		if o["top_score"] != nil {
			r.bad("after.top_score", "a number from 0 to 1", o["top_score"])
		}
		det.Score = 0
	}
	det.Still, _ = truth(o["stationary"])
	det.HasClip, _ = truth(o["has_clip"])
	r.at, _ = clockTime(o["frame_time"])
	if end, ok := clockTime(o["end_time"]); ok {
		det.End = &end
		if phase == event.PhaseEnd {
			r.at = end
		}
	}
	r.child = det.Camera
	seen := r.add(event.KindDetection, fmt.Sprint(det.Track, "\x00", phase, "\x00", det.Zones, det.Still))
	seen.Detection, seen.Confidence, seen.Raw = det, det.Score, []byte{}
	return r.done(), nil
}

// review reads a review item, which Frigate makes of what belongs together. Its
// objects are told one by one as they are tracked.
func (d *frigate) review(r *report) ([]*event.Observation, error) {
	o, before, phase, err := after(r.m.Payload)
	if err != nil {
		return nil, err
	}
	severity := text(o, "severity", maxWord)
	if severity == "" {
		return nil, fmt.Errorf("%w: after.severity: expected a text, got %s", sense.ErrUnreadable, sort(o["severity"]))
	}
	if phase == event.PhaseUpdate && text(before, "severity", maxWord) == severity {
		return nil, nil
	}
	switch phase {
	case event.PhaseNew:
		r.at, _ = clockTime(o["start_time"])
	case event.PhaseEnd:
		r.at, _ = clockTime(o["end_time"])
	}
	r.child = text(o, "camera", maxText)
	active := phase != event.PhaseEnd
	r.reading(&event.Reading{Property: event.Condition, State: severity, Active: &active}, "review", "")
	seen := r.out[len(r.out)-1]
	seen.ID = event.NewID("home", NameFrigate, seen.Device, text(o, "id", maxText), string(phase), severity)
	seen.Raw = []byte{}
	return r.done(), nil
}

// texts returns a list of texts, bounded.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok && s != "" && len(out) < maxZones {
			out = append(out, clean(s, maxWord))
		}
	}
	return out
}
