package mqttclient

import (
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// BenchTopic is the topic, below the device's id, of a bench's messages.
const BenchTopic = "bench/value"

// Dialect understands what a bench sends: each message is one small reading.
type Dialect struct{}

var _ sense.Dialect = Dialect{}

// Name implements sense.Dialect.
func (Dialect) Name() string { return "bench" }

// Matches implements sense.Dialect.
func (Dialect) Matches(topic string) bool { return strings.HasPrefix(topic, "bench/") }

// Observe implements sense.Dialect.
func (Dialect) Observe(m *sense.Message) ([]*event.Observation, error) {
	value := float64(len(m.Payload))
	return []*event.Observation{{
		Kind:    event.KindMeasure,
		Reading: &event.Reading{Property: event.Quantity, Channel: "bytes", Value: &value, Unit: "By"},
	}}, nil
}
