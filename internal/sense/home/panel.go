package home

import (
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

// panelState is what is remembered of an alarm panel.
type panelState struct {
	last    string // the last state that lasts: disarmed, armed_..., triggered
	alarmed bool   // triggered, and neither set nor unset since
}

// panelMeaning is each state of an alarm control panel, as the control room says
// it.
var panelMeaning = map[string]string{ //nolint:gosec // words, not credentials
	"disarmed": "Unset", "armed_home": "Set, home", "armed_away": "Set, away", "armed_night": "Set, night",
	"armed_vacation": "Set, holiday", "armed_custom_bypass": "Set, with zones left out",
	"arming": "Exit delay", "pending": "Entry delay", "disarming": "Unsetting", "triggered": "Intruder alarm",
}

// panel adds the signals of an alarm panel. A state that a panel repeats is a
// report without change (event.AlarmStatus), which raises nothing.
func (e *entity) panel(r *report, p *payload) {
	state, ok := e.template.render(p)
	if ok {
		state, ok = unquoted(state)
	}
	if ok && strings.HasPrefix(state, "{") { // no template, and JSON all the same
		state = ""
		if o, is := p.json().(map[string]any); is {
			state = text(o, "state", maxWord)
		}
	}
	if !ok {
		return
	}
	e.signal(r, strings.ToLower(clean(state, maxWord)), detail(p))
}

// panelDetail is what a panel's message says beside its state.
type panelDetail struct{ zone, zoneName, partition, user string }

func detail(p *payload) panelDetail {
	if len(p.raw) == 0 || p.raw[0] != '{' {
		return panelDetail{}
	}
	o, _ := p.json().(map[string]any)
	first := func(keys ...string) string {
		for _, k := range keys {
			if t := text(o, k, maxWord); t != "" {
				return t
			}
		}
		return ""
	}
	d := panelDetail{
		zone: first("zone", "zone_id", "zone_number", "sensor_id"), zoneName: first("zone_name", "sensor_name", "sensor"),
		partition: first("partition", "partition_id", "area"), user: first("user_id", "user_number", "code_slot"),
	}
	if _, ok := number(d.user); !ok { // a person's name is not for us
		d.user = ""
	}
	return d
}

// signal adds what a panel's state says, given what it said before.
func (e *entity) signal(r *report, state string, d panelDetail) {
	meaning, known := panelMeaning[state]
	if !known {
		e.alarm(r, event.OtherAlarm, event.AlarmStatus, state, "Unknown state of the panel", d)
		return
	}
	set := strings.HasPrefix(state, "armed_")
	switch {
	case state == "triggered" && e.alarmed:
		e.alarm(r, event.Burglary, event.AlarmStatus, state, meaning, d)
	case state == "triggered":
		e.alarm(r, event.Burglary, event.AlarmNew, state, meaning, d)
		e.alarmed = true
	case !set && state != "disarmed":
		e.alarm(r, event.OpenClose, event.AlarmStatus, state, meaning, d)
		return
	case state == e.last && !e.alarmed:
		e.alarm(r, event.OpenClose, event.AlarmStatus, state, meaning, d)
	default:
		opened := event.AlarmNew // unset
		if set {
			opened = event.AlarmRestored
		}
		e.alarm(r, event.OpenClose, opened, state, meaning, d)
		if e.alarmed || e.last == "" { // it may have begun before we listened
			e.alarm(r, event.Burglary, event.AlarmRestored, state, "Intruder alarm over", panelDetail{partition: d.partition})
		}
		e.alarmed = false
	}
	e.last = state
}

// recall takes up a panel's state without saying it.
func (e *entity) recall(p *payload) {
	r := report{m: noMessage}
	e.panel(&r, p)
}

func (e *entity) alarm(r *report, c event.AlarmCategory, s event.AlarmState, code, meaning string, d panelDetail) {
	if d.partition == "" {
		d.partition = e.channel
	}
	o := r.add(event.KindAlarm, string(c)+"\x00"+string(s)+"\x00"+code)
	o.Alarm = &event.Alarm{
		Account: o.Device, Category: c, State: s, Code: code, Meaning: meaning,
		Partition: d.partition, Zone: d.zone, ZoneName: d.zoneName, User: d.user,
	}
}
