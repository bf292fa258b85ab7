package street

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// TTS is the dialect of The Things Stack v3, JSON format: by MQTT under
// v3/<application>@<tenant>/devices/<device>/<event>, by webhook under tts/<event>.
// What happened is told by the message itself; the topic only says whose it is.
type TTS struct{ lora lorawan }

var (
	_ sense.Dialect   = (*TTS)(nil)
	_ sense.Secretive = (*TTS)(nil)
)

// NewTTS returns the dialect. sensors may be nil.
func NewTTS(counters *Counters, sensors Sensors) *TTS {
	return &TTS{lorawan{source: "tts", counters: counters, sensors: sensors}}
}

// Name implements sense.Dialect.
func (*TTS) Name() string { return "tts" }

// Matches implements sense.Dialect.
func (*TTS) Matches(topic string) bool {
	path, _, _ := strings.Cut(topic, "?")
	if path == "tts" || strings.HasPrefix(path, "tts/") {
		return true
	}
	p := strings.Split(path, "/")
	return len(p) >= 5 && p[0] == "v3" && p[2] == "devices"
}

// Secret implements sense.Secretive: the acceptance of a join carries session keys.
func (*TTS) Secret(m *sense.Message) bool {
	return !bytes.Contains(m.Payload, []byte(`"uplink_message"`)) || hasKey(m.Payload)
}

// hasKey reports whether a message has a member that is called a key.
func hasKey(payload []byte) bool {
	return bytes.Contains(payload, []byte(`_key"`)) || bytes.Contains(payload, []byte(`"key"`))
}

// ttsEvent is what all its messages and those that are understood have.
type ttsEvent struct {
	EndDeviceIDs *struct {
		DeviceID       string `json:"device_id"`
		ApplicationIDs struct {
			ApplicationID string `json:"application_id"`
		} `json:"application_ids"`
		DevEUI  string `json:"dev_eui"`
		DevAddr string `json:"dev_addr"`
	} `json:"end_device_ids"`
	ReceivedAt time.Time `json:"received_at"`

	Uplink *ttsUplink `json:"uplink_message"`
	Join   *struct {
		SessionKeyID string    `json:"session_key_id"`
		ReceivedAt   time.Time `json:"received_at"`
	} `json:"join_accept"`
	Location *struct {
		Location ttsLocation `json:"location"`
	} `json:"location_solved"`
}

type ttsLocation struct {
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
}

type ttsUplink struct {
	SessionKeyID string          `json:"session_key_id"`
	FPort        int             `json:"f_port"`
	FCnt         uint32          `json:"f_cnt"` // left out where it is 0
	FRMPayload   string          `json:"frm_payload"`
	Decoded      map[string]any  `json:"decoded_payload"`
	Normalised   json.RawMessage `json:"normalized_payload"` // an object, or a list of them
	ReceivedAt   time.Time       `json:"received_at"`
	Battery      *struct {
		Value *float64 `json:"value"`
	} `json:"last_battery_percentage"`
	RxMetadata []struct {
		GatewayIDs struct {
			GatewayID string `json:"gateway_id"`
			EUI       string `json:"eui"`
		} `json:"gateway_ids"`
		RSSI        float64  `json:"rssi"`
		ChannelRSSI *float64 `json:"channel_rssi"`
		SNR         float64  `json:"snr"`
	} `json:"rx_metadata"`
	Settings struct {
		DataRate struct {
			LoRa struct {
				Bandwidth       float64 `json:"bandwidth"`
				SpreadingFactor int     `json:"spreading_factor"`
			} `json:"lora"`
		} `json:"data_rate"`
		Frequency string `json:"frequency"` // in Hz
	} `json:"settings"`
}

// Observe implements sense.Dialect.
func (t *TTS) Observe(m *sense.Message) ([]*event.Observation, error) {
	var e ttsEvent
	if err := readJSON(m.Payload, &e, "choose the format JSON for the webhook or the MQTT client"); err != nil {
		return nil, err
	}
	if e.EndDeviceIDs == nil {
		return nil, fmt.Errorf("%w: it has no end_device_ids: is it a message of The Things Stack v3? Version 2 is not understood", sense.ErrUnreadable)
	}
	if e.Uplink == nil && e.Join == nil && e.Location == nil {
		return nil, nil // downlinks and their fates, service data: nothing was sensed
	}
	ids := e.EndDeviceIDs
	eui, err := euiOf(ids.DevEUI)
	if err != nil {
		return nil, err
	}
	addr, err := addrOf(ids.DevAddr)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Uplink != nil:
		return t.up(m, &e, eui, addr)
	case e.Join != nil:
		return t.lora.join(m, eui, addr, sessionOf(addr, short(e.Join.SessionKeyID)), "", firstTime(e.Join.ReceivedAt, e.ReceivedAt))
	}
	at := e.Location.Location
	if at.Latitude == nil || at.Longitude == nil {
		return nil, nil
	}
	s := said{lat: *at.Latitude, lon: *at.Longitude, located: true, latSet: true, lonSet: true}
	return t.lora.located(m, eui, "", e.ReceivedAt, &s), nil
}

func (t *TTS) up(m *sense.Message, e *ttsEvent, eui, addr string) ([]*event.Observation, error) {
	u := e.Uplink
	counter := u.FCnt
	key := short(u.SessionKeyID)
	f := frame{
		radio:   event.Radio{DevEUI: eui, DevAddr: addr, Counter: &counter, Port: u.FPort},
		session: sessionOf(addr, key), at: firstTime(u.ReceivedAt, e.ReceivedAt),
	}
	if hz, err := strconv.ParseFloat(u.Settings.Frequency, 64); err == nil {
		f.radio.MHz = megahertz(hz)
	}
	lora := u.Settings.DataRate.LoRa
	f.radio.DataRate = loraRate(lora.SpreadingFactor, lora.Bandwidth)
	for _, rx := range u.RxMetadata {
		rssi := rx.RSSI
		if rx.ChannelRSSI != nil && rssi == 0 {
			rssi = *rx.ChannelRSSI
		}
		name := rx.GatewayIDs.GatewayID
		if name == "" {
			name = rx.GatewayIDs.EUI
		}
		f.gatewayHeard(name, rssi, rx.SNR)
	}
	n, err := payloadBytes(u.FRMPayload)
	if err != nil {
		return nil, err
	}
	f.radio.Bytes = n
	for k, v := range map[string]string{"name": e.EndDeviceIDs.DeviceID, "application": e.EndDeviceIDs.ApplicationIDs.ApplicationID, labelSession: key} {
		if v != "" && len(v) <= maxName+3 {
			f.label(k, v)
		}
	}
	if err := f.said.normalised(u.Normalised); err != nil {
		return nil, err
	}
	f.said.object("", u.Decoded, 0)
	if b := u.Battery; b != nil && b.Value != nil && *b.Value >= 0 && *b.Value <= 100 && f.said.health.Battery == nil {
		f.said.health.Battery, f.said.anyOf = b.Value, true
	}
	out, err := t.lora.uplink(m, &f)
	if hasKey(m.Payload) {
		for _, o := range out {
			o.Raw = []byte{}
		}
	}
	return out, err
}

// normalised takes the normalised payload, whose names are the same for every
// maker; what it says is not said again by the decoded one.
func (s *said) normalised(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var list []map[string]any
	if raw[0] == '{' {
		list = make([]map[string]any, 1)
		if err := json.Unmarshal(raw, &list[0]); err != nil {
			return fmt.Errorf("%w: the normalised payload: %w", sense.ErrUnreadable, err)
		}
	} else if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("%w: the normalised payload: %w", sense.ErrUnreadable, err)
	}
	for _, obj := range list[:min(len(list), maxQuantities)] {
		if _, dated := obj["time"]; dated && len(list) > 1 {
			continue // measured earlier and sent along: it is not how things are now
		}
		if v, ok := obj["battery"].(float64); ok { // volts, by the normalised schema
			s.battery(voltage, v)
			delete(obj, "battery")
		}
		s.object("", obj, 0)
	}
	return nil
}

// firstTime returns the first time that is set.
func firstTime(ts ...time.Time) time.Time {
	for _, t := range ts {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
