package dc09

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// Source is the name of this receiver in observations and quarantine entries.
const Source = "dc09"

const (
	maxRaw   = 16                  // observations of one frame that carry its bytes
	maxLate  = 30 * 24 * time.Hour // how long ago a reported event may have happened
	maxURL   = 2048
	linkTest = "NULL" // code of a link test, which DC-09 gives none
)

// observations returns what a frame says, one observation a signal. A link test
// is one too: it proves that the panel lives.
func (r *Receiver) observations(v *verdict, p fingerprint, origin string, raw []byte, now time.Time) []*event.Observation {
	signals := v.signals
	if v.frame.Token == codec.TokenNull {
		signals = append(signals, codec.Signal{
			Account: v.frame.Account, Code: linkTest, Meaning: "Link test", Category: codec.Test, Qualifier: codec.Status,
		})
	}
	made := make([]struct {
		o event.Observation
		a event.Alarm
	}, len(signals))
	out := make([]*event.Observation, len(signals))
	base := r.observation(v, now)
	for i := range signals {
		o, a := &made[i].o, &made[i].a
		*o = base
		o.ID = event.NewID(Source, string(p[:]), origin, strconv.Itoa(i))
		if i < maxRaw { // a frame of 128 signals must not become 128 times its size
			o.Raw = raw
		}
		*a = alarmOf(&signals[i], v)
		o.Alarm = a
		out[i] = o
	}
	return out
}

// observation returns what all signals of a frame share.
func (r *Receiver) observation(v *verdict, now time.Time) event.Observation {
	f, prem := &v.frame, v.found.Premises
	o := event.Observation{
		Kind: event.KindAlarm, Source: Source, Device: f.Account,
		Premises: prem.ID, PremisesName: prem.Name, Place: &prem.Place,
	}
	if lon, lat, ok := f.Position(); ok {
		o.Place = &place.Point{Lat: lat, Lon: lon}
	}
	if !f.Time.IsZero() {
		at := f.Time
		o.DeviceTime = &at
		if r.plausible(at, now, -1) {
			o.Time = at
		}
	}
	if at, ok := f.Occurred(); ok && r.plausible(at, now, maxLate) {
		o.Time = at
	}
	return o
}

// plausible tells whether a panel's time can be an event's: within the window
// ahead, and at most late ago (-1: the window behind).
func (r *Receiver) plausible(at, now time.Time, late time.Duration) bool {
	ahead, behind := r.cfg.Rules.Ahead, r.cfg.Rules.Behind
	if ahead <= 0 {
		ahead = codec.DefaultAhead
	}
	if behind <= 0 {
		behind = codec.DefaultBehind
	}
	off := at.Sub(now.Truncate(time.Second))
	return off <= ahead && -off <= max(late, behind)
}

func alarmOf(s *codec.Signal, v *verdict) event.Alarm {
	f := &v.frame
	a := event.Alarm{
		Account: f.Account, Code: s.Code, Meaning: s.Meaning,
		Category: categoryOf(s.Category), State: stateOf(s),
		Partition: s.Partition, Zone: s.Zone, User: s.User, Text: s.Text,
		Old: s.Old, Sequence: int(f.Sequence), Encrypted: f.Encrypted,
	}
	if s.Account != f.Account {
		a.Text = strings.TrimSpace(fmt.Sprintf("%s (the data names account %s)", a.Text, s.Account))
	}
	if z, ok := zoneOf(v.found.Account, s.Zone); ok {
		a.ZoneName, a.ZoneKind = z.Name, z.Kind
	}
	if url, ok := f.Lookup(codec.ExtVerification); ok && len(url) <= maxURL {
		a.URL = codec.DecodeText(url)
	}
	return a
}

// zoneOf finds a zone whether or not the registry writes it with the leading
// zeros that the codec leaves out.
func zoneOf(a *registry.Account, number string) (registry.Zone, bool) {
	if number == "" || len(a.Zones) == 0 {
		return registry.Zone{}, false
	}
	if z, ok := a.Zones[number]; ok {
		return z, true
	}
	for n, z := range a.Zones {
		if strings.TrimLeft(n, "0") == number {
			return z, true
		}
	}
	return registry.Zone{}, false
}

func stateOf(s *codec.Signal) event.AlarmState {
	switch {
	case s.Qualifier == codec.Status:
		return event.AlarmStatus
	case s.Qualifier == codec.Restore, s.Qualifier == codec.Cancel:
		return event.AlarmRestored
	case s.Category == codec.Close: // setting ends the unset state
		return event.AlarmRestored
	default:
		return event.AlarmNew
	}
}

func categoryOf(c codec.Category) event.AlarmCategory {
	switch c {
	case codec.Burglary:
		return event.Burglary
	case codec.VerifiedBurglary:
		return event.BurglaryVerified
	case codec.HoldUp, codec.Panic:
		return event.HoldUp
	case codec.VerifiedHoldUp:
		return event.HoldUpVerified
	case codec.Medical, codec.Emergency:
		return event.Medical
	case codec.Fire:
		return event.Fire
	case codec.Gas, codec.Water, codec.Environment:
		return event.Environment
	case codec.Tamper:
		return event.Tamper
	case codec.Trouble:
		return event.Fault
	case codec.Power, codec.Battery:
		return event.Power
	case codec.Comms:
		return event.Comms
	case codec.Test:
		return event.Test
	case codec.Open, codec.Close:
		return event.OpenClose
	case codec.Bypass:
		return event.Bypass
	default: // General, Cancelled, Access, System, Unknown
		return event.OtherAlarm
	}
}
