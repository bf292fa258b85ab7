package mapping

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Source is the dialect's name, and the source of its observations.
const Source = "mapping"

// prefix begins the topics of mappings.
const prefix = "json/"

// Dialect reads the messages under json/<mapping>/... by the mappings that are
// at work.
type Dialect struct{ catalogue *Catalogue }

var _ sense.Dialect = (*Dialect)(nil)

// NewDialect returns the dialect of a catalogue.
func NewDialect(c *Catalogue) *Dialect { return &Dialect{c} }

// Name implements sense.Dialect.
func (*Dialect) Name() string { return Source }

// Matches implements sense.Dialect.
func (*Dialect) Matches(topic string) bool { return strings.HasPrefix(topic, prefix) }

// Observe implements sense.Dialect.
func (d *Dialect) Observe(m *sense.Message) ([]*event.Observation, error) {
	name := NameOf(m.Topic)
	p := d.catalogue.program(name)
	if p == nil {
		return nil, fmt.Errorf("%w: no mapping %.70q is live: write one, or correct the topic", sense.ErrUnknownTopic, name)
	}
	return p.Observe(Input{Mapping: name, Topic: m.Topic, Device: m.Device.ID, Body: m.Payload, Received: m.Received})
}

// NameOf returns the name of the mapping that a topic asks for.
func NameOf(topic string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(topic, prefix), "?")
	name, _, _ = strings.Cut(name, "/")
	return name
}

// Try returns what a program makes of a message, and keeps nothing of either.
//
// Errors: *Error and those that wrap sense.ErrUnreadable.
func Try(program string, in Input) ([]*event.Observation, error) {
	p, err := Compile(program)
	if err != nil {
		return nil, err
	}
	if in.Mapping == "" {
		in.Mapping = NameOf(in.Topic)
	}
	os, err := p.Observe(in)
	if err != nil {
		return nil, err
	}
	for _, o := range os {
		o.Source, o.Via, o.Received, o.Time = Source, in.Device, in.Received, in.Received
		if o.Device == "" {
			o.Device = in.Device
		}
		if o.DeviceTime != nil {
			o.Time = *o.DeviceTime
		}
	}
	return os, nil
}
