package home

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// Names of the dialects, which devices' entries list under Speaks.
const (
	NameHomeAssistant = "homeassistant"
	NameZigbee2MQTT   = "zigbee2mqtt"
	NameFrigate       = "frigate"
	NameESPHome       = "esphome"
	NameTasmota       = "tasmota"
)

// Family is the dialects of homes, which share what they have learnt of each
// hub: what a Home Assistant discovery says of a topic helps whoever reads it.
type Family struct {
	memory  *memory
	members []sense.Dialect
}

// New returns the dialects of homes, knowing nothing yet. reg may be nil.
func New(reg prometheus.Registerer) *Family {
	t := newTally(reg)
	mem := newMemory(reg)
	ha := &homeAssistant{mem: mem, tally: t.of(NameHomeAssistant)}
	return &Family{memory: mem, members: []sense.Dialect{
		&zigbee2MQTT{mem: mem, tally: t.of(NameZigbee2MQTT)},
		&frigate{tally: t.of(NameFrigate)},
		&tasmota{tally: t.of(NameTasmota)},
		&espHome{ha: ha, tally: t.of(NameESPHome)},
		ha,
	}}
}

// Dialects returns the dialects in the order in which a switchboard should ask
// them. Home Assistant comes last: it claims whatever topics its discovery
// named, and the ecosystem that owns a topic says more about it.
func (f *Family) Dialects() []sense.Dialect { return f.members }

// Dialect returns the dialect of a name, nil if there is none.
func (f *Family) Dialect(name string) sense.Dialect {
	for _, d := range f.members {
		if d.Name() == name {
			return d
		}
	}
	return nil
}

// Remember takes up a message that was retained before the platform started:
// discovery, lists of devices, and the last states of alarm panels. It observes
// nothing. Give it every retained message, in any order, before the first new one.
func (f *Family) Remember(m *sense.Message) {
	known := false
	for _, d := range f.members {
		if d.Matches(m.Topic) {
			known = true
			if l, ok := d.(learner); ok {
				l.remember(m)
			}
		}
	}
	if !known {
		f.memory.wait(m)
	}
}

// learner is a dialect that learns from messages.
type learner interface{ remember(m *sense.Message) }

// tally counts the fields of messages that came to nothing.
type tally struct{ ignored, unreadable prometheus.Counter }

type tallies struct{ fields *prometheus.CounterVec }

func newTally(reg prometheus.Registerer) *tallies {
	t := &tallies{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bluelamp_home_fields_total",
		Help: "Fields of homes' messages that were passed over: ignored (no such field is known) or unreadable (not of the expected form, in a message of which the rest was read).",
	}, []string{"dialect", "what"})}
	if reg != nil {
		reg.MustRegister(t.fields)
	}
	return t
}

func (t *tallies) of(dialect string) tally {
	return tally{t.fields.WithLabelValues(dialect, "ignored"), t.fields.WithLabelValues(dialect, "unreadable")}
}
