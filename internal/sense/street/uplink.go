package street

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Sensors is the registry as dialects need it; *registry.Registry is one.
type Sensors interface {
	// Sensor returns the device that a name or an alias belongs to, or nil.
	Sensor(name string) *registry.Device
}

// lorawan is what the network servers' dialects share.
type lorawan struct {
	source   string
	counters *Counters
	sensors  Sensors // may be nil: then every device is its server's
}

// frame is what a network server says of one uplink, in the server's own words
// put into ours.
type frame struct {
	radio   event.Radio
	session string
	at      time.Time // by the network server's clock; zero: not said
	once    string    // what names the message; empty: it follows from the rest
	said    said
}

// Bounds of a frame.
const (
	maxGateways = 64
	maxName     = 100
)

// uplink returns what an uplink says, once it is known not to be a replay.
func (l *lorawan) uplink(m *sense.Message, f *frame) ([]*event.Observation, error) {
	at := f.at
	if at.IsZero() {
		at = m.Received
	}
	if f.once == "" {
		f.once = f.session + " " + strconv.FormatUint(uint64(*f.radio.Counter), 10) + " " + at.Format(time.RFC3339Nano)
	}
	id := l.id(m, f.radio.DevEUI, f.once, "uplink")
	j := l.counters.judge(sighting{
		key: radioKey{m.Device.ID, f.radio.DevEUI}, session: f.session, counter: *f.radio.Counter, at: at, id: id,
	})
	device := l.device(m, f.radio.DevEUI)
	switch j.verdict {
	case echoed:
		return nil, nil
	case refused:
		return l.misuse(m, device, f.radio.DevEUI, f.once, at, j), nil
	}
	f.radio.Missed = j.missed
	if j.reset {
		f.label(labelCounter, "reset")
	}
	if f.said.left > 0 {
		f.label("left_out", strconv.Itoa(f.said.left))
	}
	kept := true
	var where *place.Point
	if f.said.located {
		where = l.place(device, &f.said)
		kept = where != nil
	}
	out := f.said.observations()
	out = append(out, &event.Observation{ID: id, Kind: event.KindUplink, Radio: &f.radio, Raw: raw(m, kept)})
	for i, o := range out {
		o.Device, o.Place = device, where
		l.clock(o, f.at)
		if o.ID == "" {
			o.ID = l.id(m, f.radio.DevEUI, f.once, strconv.Itoa(i))
		}
		if o.Raw == nil {
			o.Raw = []byte{} // the uplink has the bytes
		}
	}
	return out, nil
}

const labelCounter = "counter" // label of an uplink whose counter began anew

func (f *frame) label(k, v string) {
	if f.radio.Labels == nil {
		f.radio.Labels = map[string]string{}
	}
	f.radio.Labels[k] = v
}

// join returns what a join says.
func (l *lorawan) join(m *sense.Message, eui, addr, session, once string, at time.Time) ([]*event.Observation, error) {
	seen := at
	if seen.IsZero() {
		seen = m.Received
	}
	if once == "" {
		once = session + " " + seen.Format(time.RFC3339Nano)
	}
	id := l.id(m, eui, once, "join")
	j := l.counters.join(sighting{key: radioKey{m.Device.ID, eui}, session: session, at: seen, id: id})
	device := l.device(m, eui)
	if j.verdict == refused {
		return l.misuse(m, device, eui, once, seen, j), nil
	}
	o := &event.Observation{ID: id, Kind: event.KindJoin, Device: device, Radio: &event.Radio{DevEUI: eui, DevAddr: addr, Labels: sessionLabel(addr, session)}, Raw: []byte{}}
	l.clock(o, at)
	return []*event.Observation{o}, nil
}

const labelSession = "session" // label: the id of the session's key

// sessionLabel keeps what tells the session apart besides the address.
func sessionLabel(addr, session string) map[string]string {
	if _, key, ok := strings.Cut(session, "/"); ok && session != addr {
		return map[string]string{labelSession: key}
	}
	return nil
}

// sessionOf names a session by its address and, where the server tells it, the id
// of its key.
func sessionOf(addr, key string) string {
	if key == "" {
		return addr
	}
	return addr + "/" + key
}

// sayAll is up to how many refusals in a row each is told of; beyond it, those
// are whose number is a power of two.
const sayAll = 10

func (l *lorawan) misuse(m *sense.Message, device, eui, once string, at time.Time, j judgement) []*event.Observation {
	if j.count > sayAll && j.count&(j.count-1) != 0 {
		return nil
	}
	return []*event.Observation{{
		ID: l.id(m, eui, once, "misuse"+strconv.Itoa(j.count)), Kind: event.KindMisuse, Device: device, Time: m.Received, Raw: []byte{},
		Misuse: &event.Misuse{
			What: event.MisuseReplay, Count: j.count, From: m.Device.ID,
			Detail: fmt.Sprintf("A frame of radio device %s, which its network server dates %s, was refused: %s. What it says of its sensors was not taken.", eui, at.UTC().Format(time.RFC3339), j.why),
		},
	}}
}

func (l *lorawan) id(m *sense.Message, eui, once, part string) event.ID {
	return event.NewID("lorawan", l.source, m.Device.ID, eui, once, part)
}

// device names the sensor: below its server, or, where only its DevEUI is an
// alias, by that, so that its entry is found.
func (l *lorawan) device(m *sense.Message, eui string) string {
	name := m.Device.ID + "/" + eui
	if l.sensors == nil {
		return name
	}
	if d := l.sensors.Sensor(name); d != nil && d.ID != m.Device.ID {
		return name
	}
	if l.sensors.Sensor(eui) != nil {
		return eui
	}
	return name
}

// clock sets when it was, by the network server's clock.
func (l *lorawan) clock(o *event.Observation, at time.Time) {
	if !at.IsZero() {
		at = at.UTC()
		o.DeviceTime, o.Time = &at, at
	}
}

// placed are the kinds of device whose own position may be kept. Others may be
// carried by a person, whose way is nobody's business here.
var placed = []string{"sensor", "camera", "counter", "street light", "lamp", "bin", "door", "gateway", "edge gateway", "monitor", "noise sensor", "air sensor", "parking sensor"}

// place returns the position that a device names, where its entry says that it
// is a thing which people do not carry.
func (l *lorawan) place(device string, s *said) *place.Point {
	if l.sensors == nil {
		return nil
	}
	d, p := l.sensors.Sensor(device), place.Point{}
	ok := d != nil && slices.Contains(placed, strings.ToLower(d.Kind))
	if ok {
		p, ok = s.point()
	}
	if !ok {
		return nil
	}
	return &p
}

// raw returns a message's bytes to keep with its observation, or none.
func raw(m *sense.Message, keep bool) []byte {
	if !keep || len(m.Payload) > maxRaw {
		return []byte{}
	}
	return append([]byte{}, m.Payload...)
}

const maxRaw = 4 << 10

// observations returns what was said, without what it has in common.
func (s *said) observations() []*event.Observation {
	out := make([]*event.Observation, 0, len(s.readings)+len(s.counts)+2)
	for i := range s.readings {
		kind := event.KindMeasure
		if s.readings[i].Active != nil {
			kind = event.KindState
		}
		out = append(out, &event.Observation{Kind: kind, Reading: &s.readings[i]})
	}
	for i := range s.counts {
		out = append(out, &event.Observation{Kind: event.KindCount, Count: &s.counts[i]})
	}
	if s.anyOf {
		out = append(out, &event.Observation{Kind: event.KindHealth, Health: &s.health})
	}
	return out
}

// euiOf returns a DevEUI in our form.
func euiOf(s string) (string, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 8 {
		return "", fmt.Errorf("%w: the DevEUI is %.40q, want 16 hexadecimal digits", sense.ErrUnreadable, s)
	}
	return strings.ToLower(s), nil
}

// addrOf returns a DevAddr in our form.
func addrOf(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if b, err := hex.DecodeString(s); err != nil || len(b) != 4 {
		return "", fmt.Errorf("%w: the DevAddr is %.40q, want 8 hexadecimal digits", sense.ErrUnreadable, s)
	}
	return strings.ToLower(s), nil
}

// gatewayHeard takes note of a gateway that heard the frame; the best is whose
// signal was strongest.
func (f *frame) gatewayHeard(id string, rssi, snr float64) {
	if math.Abs(rssi) > 300 || math.Abs(snr) > 100 {
		return // no radio has such values
	}
	if len(f.radio.Gateways) == 0 || rssi > f.radio.RSSI {
		f.radio.RSSI, f.radio.SNR = rssi, snr
	}
	if id != "" && len(id) <= maxName && len(f.radio.Gateways) < maxGateways && !slices.Contains(f.radio.Gateways, id) {
		f.radio.Gateways = append(f.radio.Gateways, id)
	}
}

// loraRate says a data rate as the regional parameters do: SF7BW125.
func loraRate(spreading int, bandwidth float64) string {
	if spreading <= 0 || spreading > 99 || bandwidth <= 0 || bandwidth > 10e6 {
		return ""
	}
	return "SF" + strconv.Itoa(spreading) + "BW" + strconv.FormatFloat(bandwidth/1000, 'f', -1, 64)
}
