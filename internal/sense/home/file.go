package home

import (
	"io"
	"iter"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// HomeAssistantFile reads a recording of mosquitto_sub -F '%j' as Home
// Assistant's; see sense.Recorded. Discovery that the recording holds is learnt
// as it comes.
func HomeAssistantFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NameHomeAssistant, name, src)
}

// Zigbee2MQTTFile reads a recording of mosquitto_sub -F '%j' as Zigbee2MQTT's; see
// sense.Recorded.
func Zigbee2MQTTFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NameZigbee2MQTT, name, src)
}

// FrigateFile reads a recording of mosquitto_sub -F '%j' as Frigate's; see
// sense.Recorded.
func FrigateFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NameFrigate, name, src)
}

// ESPHomeFile reads a recording of mosquitto_sub -F '%j' as ESPHome's; see
// sense.Recorded. Discovery is not in it, so the objects' names say what they are.
func ESPHomeFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NameESPHome, name, src)
}

// TasmotaFile reads a recording of mosquitto_sub -F '%j' as Tasmota's; see
// sense.Recorded.
func TasmotaFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NameTasmota, name, src)
}

func recorded(dialect, name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return sense.Recorded(New(nil).Dialect(dialect), name, src)
}
