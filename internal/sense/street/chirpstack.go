package street

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// ChirpStack is the dialect of ChirpStack v4's integrations, JSON encoding: by
// MQTT under application/<application>/device/<DevEUI>/event/<event>, by HTTP
// under chirpstack?event=<event>.
type ChirpStack struct{ lora lorawan }

var _ sense.Dialect = (*ChirpStack)(nil)

// NewChirpStack returns the dialect. sensors may be nil.
func NewChirpStack(counters *Counters, sensors Sensors) *ChirpStack {
	return &ChirpStack{lorawan{source: "chirpstack", counters: counters, sensors: sensors}}
}

// Name implements sense.Dialect.
func (*ChirpStack) Name() string { return "chirpstack" }

// Matches implements sense.Dialect.
func (*ChirpStack) Matches(topic string) bool {
	_, _, ok := chirpstackTopic(topic)
	return ok
}

// chirpstackTopic returns what a topic says: the event, and the DevEUI where it
// has one.
func chirpstackTopic(topic string) (kind, eui string, ok bool) {
	if path, query, asked := strings.Cut(topic, "?"); path == "chirpstack" {
		if asked {
			if v, err := url.ParseQuery(query); err == nil {
				kind = v.Get("event")
			}
		}
		return kind, "", true
	}
	p := strings.Split(topic, "/")
	if len(p) != 6 || p[0] != "application" || p[2] != "device" || p[4] != "event" {
		return "", "", false
	}
	return p[5], p[3], true
}

// chirpstackEvent is what all its events and those that are understood have.
type chirpstackEvent struct {
	DeduplicationID string    `json:"deduplicationId"`
	Time            time.Time `json:"time"`
	DeviceInfo      *struct {
		ApplicationName   string `json:"applicationName"`
		DeviceProfileName string `json:"deviceProfileName"`
		DeviceName        string `json:"deviceName"`
		DevEUI            string `json:"devEui"`
	} `json:"deviceInfo"`
	DevAddr string `json:"devAddr"`

	FCnt   uint32         `json:"fCnt"` // left out where it is 0, as all of protojson
	FPort  int            `json:"fPort"`
	Data   string         `json:"data"`
	Object map[string]any `json:"object"`
	RxInfo []struct {
		GatewayID string  `json:"gatewayId"`
		RSSI      float64 `json:"rssi"`
		SNR       float64 `json:"snr"`
	} `json:"rxInfo"`
	TxInfo struct {
		Frequency  float64 `json:"frequency"`
		Modulation struct {
			LoRa struct {
				Bandwidth       float64 `json:"bandwidth"`
				SpreadingFactor int     `json:"spreadingFactor"`
			} `json:"lora"`
		} `json:"modulation"`
	} `json:"txInfo"`

	Margin                  *float64 `json:"margin"` // status
	ExternalPowerSource     bool     `json:"externalPowerSource"`
	BatteryLevelUnavailable bool     `json:"batteryLevelUnavailable"`
	BatteryLevel            float64  `json:"batteryLevel"`

	Level       string `json:"level"` // log
	Code        string `json:"code"`
	Description string `json:"description"`

	Location struct { // location
		Latitude  *float64 `json:"latitude"`
		Longitude *float64 `json:"longitude"`
	} `json:"location"`
}

// Observe implements sense.Dialect.
func (c *ChirpStack) Observe(m *sense.Message) ([]*event.Observation, error) {
	kind, topicEUI, _ := chirpstackTopic(m.Topic)
	var e chirpstackEvent
	if err := readJSON(m.Payload, &e, "ChirpStack's integration encodes as protobuf, it seems: choose JSON"); err != nil {
		return nil, err
	}
	if e.DeviceInfo == nil {
		return nil, fmt.Errorf("%w: it has no deviceInfo: is it an event of ChirpStack v4? Older versions are not understood", sense.ErrUnreadable)
	}
	eui, err := euiOf(e.DeviceInfo.DevEUI)
	if err != nil {
		return nil, err
	}
	if topicEUI != "" && !strings.EqualFold(topicEUI, eui) {
		return nil, fmt.Errorf("%w: the topic is of device %.40q, the message of %s", sense.ErrUnreadable, topicEUI, eui)
	}
	addr, err := addrOf(e.DevAddr)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "up":
		return c.up(m, &e, eui, addr)
	case "join":
		return c.lora.join(m, eui, addr, addr, e.DeduplicationID, e.Time)
	case "status":
		return c.status(m, &e, eui), nil
	case "log":
		return c.log(m, &e, eui), nil
	case "location":
		return c.location(m, &e, eui), nil
	case "ack", "txack", "integration":
		return nil, nil
	}
	return nil, fmt.Errorf("%w: no event of ChirpStack is called %.40q: the request needs ?event=up, or join, status, log, location", sense.ErrUnreadable, kind)
}

func (c *ChirpStack) up(m *sense.Message, e *chirpstackEvent, eui, addr string) ([]*event.Observation, error) {
	counter := e.FCnt
	f := frame{
		radio:   event.Radio{DevEUI: eui, DevAddr: addr, Counter: &counter, Port: e.FPort, MHz: megahertz(e.TxInfo.Frequency)},
		session: addr, at: e.Time, once: e.DeduplicationID,
	}
	lora := e.TxInfo.Modulation.LoRa
	f.radio.DataRate = loraRate(lora.SpreadingFactor, lora.Bandwidth)
	for _, rx := range e.RxInfo {
		f.gatewayHeard(rx.GatewayID, rx.RSSI, rx.SNR)
	}
	n, err := payloadBytes(e.Data)
	if err != nil {
		return nil, err
	}
	f.radio.Bytes = n
	for k, v := range map[string]string{"name": e.DeviceInfo.DeviceName, "application": e.DeviceInfo.ApplicationName, "profile": e.DeviceInfo.DeviceProfileName} {
		if v != "" && len(v) <= maxName {
			f.label(k, v)
		}
	}
	f.said.object("", e.Object, 0)
	return c.lora.uplink(m, &f)
}

// status returns what a device says of its battery and link (LoRaWAN DevStatusAns).
func (c *ChirpStack) status(m *sense.Message, e *chirpstackEvent, eui string) []*event.Observation {
	once := e.DeduplicationID + " " + e.Time.Format(time.RFC3339Nano)
	var out []*event.Observation
	if level := e.BatteryLevel; !e.ExternalPowerSource && !e.BatteryLevelUnavailable && level >= 0 && level <= 100 {
		out = append(out, &event.Observation{ID: c.lora.id(m, eui, once, "status"), Kind: event.KindHealth, Health: &event.Health{Battery: &level}})
	}
	if e.Margin != nil {
		out = append(out, &event.Observation{
			ID: c.lora.id(m, eui, once, "margin"), Kind: event.KindMeasure,
			Reading: &event.Reading{Property: event.Quantity, Channel: "link margin", Value: e.Margin, Unit: "dB"},
		})
	}
	c.common(m, out, eui, e.Time)
	return out
}

// counterReset is the code by which ChirpStack says that it refused a frame whose
// counter went back.
const counterReset = "UPLINK_F_CNT_RESET"

// log returns what the network server complains of.
func (c *ChirpStack) log(m *sense.Message, e *chirpstackEvent, eui string) []*event.Observation {
	once := e.DeduplicationID + " " + e.Time.Format(time.RFC3339Nano) + " " + e.Code
	o := &event.Observation{ID: c.lora.id(m, eui, once, "log")}
	switch {
	case e.Code == counterReset:
		o.Kind = event.KindMisuse
		o.Misuse = &event.Misuse{What: event.MisuseReplay, Count: 1, From: m.Device.ID, Detail: fmt.Sprintf("The network server itself refused a frame of radio device %s: its counter went back (%s).", eui, e.Code)}
	case e.Level == "ERROR" || e.Level == "WARNING":
		o.Kind, o.Health = event.KindHealth, &event.Health{Problem: "network server: " + short(e.Code+": "+e.Description)}
	default:
		return nil
	}
	out := []*event.Observation{o}
	c.common(m, out, eui, e.Time)
	return out
}

// location returns where the network found a device to be, if that may be kept.
func (c *ChirpStack) location(m *sense.Message, e *chirpstackEvent, eui string) []*event.Observation {
	if e.Location.Latitude == nil || e.Location.Longitude == nil {
		return nil
	}
	s := said{lat: *e.Location.Latitude, lon: *e.Location.Longitude, located: true, latSet: true, lonSet: true}
	return c.lora.located(m, eui, e.DeduplicationID, e.Time, &s)
}

// located returns an observation of where a device is, if that may be kept.
func (l *lorawan) located(m *sense.Message, eui, once string, at time.Time, s *said) []*event.Observation {
	device := l.device(m, eui)
	where := l.place(device, s)
	if where == nil {
		return nil
	}
	o := &event.Observation{
		ID: l.id(m, eui, once+" "+at.Format(time.RFC3339Nano), "location"), Kind: event.KindPresent, Device: device, Place: where, Raw: []byte{},
	}
	l.clock(o, at)
	return []*event.Observation{o}
}

func (c *ChirpStack) common(m *sense.Message, os []*event.Observation, eui string, at time.Time) {
	device := c.lora.device(m, eui)
	for _, o := range os {
		o.Device = device
		c.lora.clock(o, at)
	}
}

// readJSON reads a message that must be a JSON object. binary says what to do
// when it is none.
func readJSON(payload []byte, into any, binary string) error {
	i := 0
	for i < len(payload) && strings.IndexByte(" \t\r\n", payload[i]) >= 0 {
		i++
	}
	if i == len(payload) {
		return fmt.Errorf("%w: it is empty", sense.ErrUnreadable)
	}
	if payload[i] != '{' {
		return fmt.Errorf("%w: it is no JSON object: %s", sense.ErrUnreadable, binary)
	}
	if err := json.Unmarshal(payload, into); err != nil {
		return fmt.Errorf("%w: %w", sense.ErrUnreadable, err)
	}
	return nil
}

// payloadBytes returns how many bytes a base64 text stands for.
func payloadBytes(s string) (int, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return 0, fmt.Errorf("%w: the payload is not base64: %w", sense.ErrUnreadable, err)
	}
	return len(b), nil
}

func megahertz(hz float64) float64 {
	if hz <= 0 || hz > 1e11 {
		return 0
	}
	return hz / 1e6
}

// short cuts a text from outside to a bound.
func short(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "") + "..."
}
