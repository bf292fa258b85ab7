package home

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/event"
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

// Rememberers returns the dialects, and one more that no switchboard needs, for
// whoever tells at start what brokers had retained (mqtt.Config.Dialects). It
// keeps what came before the discovery that names its topic.
func (f *Family) Rememberers() []sense.Dialect {
	return append(slices.Clone(f.members), &waiting{f})
}

// Remember tells all dialects of a message that was retained before the platform
// started: discovery, lists of devices, the last states of alarm panels. Nothing
// is observed. Give it every retained message, in any order, before the first new
// one.
func (f *Family) Remember(m *sense.Message) {
	for _, d := range f.Rememberers() {
		if r, ok := d.(rememberer); ok && d.Matches(m.Topic) {
			r.Remember(m)
		}
	}
}

// rememberer is a dialect that learns from what was retained.
type rememberer interface{ Remember(m *sense.Message) }

// waiting takes the retained messages whose topics nobody knows yet.
type waiting struct{ f *Family }

var (
	_ sense.Dialect = (*waiting)(nil)
	_ rememberer    = (*waiting)(nil)
)

// Name implements sense.Dialect.
func (w *waiting) Name() string { return "home" }

// Matches implements sense.Dialect.
func (w *waiting) Matches(topic string) bool {
	return !slices.ContainsFunc(w.f.members, func(d sense.Dialect) bool { return d.Matches(topic) })
}

// Observe implements sense.Dialect: there is nothing that it understands.
func (w *waiting) Observe(m *sense.Message) ([]*event.Observation, error) {
	return nil, fmt.Errorf("%w: %.200q", sense.ErrUnknownTopic, m.Topic)
}

// Remember keeps a message for the discovery that will name its topic.
func (w *waiting) Remember(m *sense.Message) { w.f.memory.wait(m) }

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
