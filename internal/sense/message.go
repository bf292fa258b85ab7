package sense

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Message is what an enrolled device sent, whole: an MQTT message or the body of
// a request.
type Message struct {
	Device *registry.Device // who sent it, as its credential says; never nil
	// Topic is the MQTT topic below the device's own first level, such as
	// "zigbee2mqtt/front_door" where the wire had "hub-7/zigbee2mqtt/front_door";
	// of a request, the path below the device with its query: "chirpstack?event=up".
	Topic    string
	Payload  []byte // valid only during the call
	Retained bool   // a broker's memory of an earlier message
	Received time.Time
}

// Dialect understands the messages of one ecosystem. Its methods may be called
// from several goroutines; messages of one device come one after another.
type Dialect interface {
	// Name is what devices' entries list under Speaks, and the observations'
	// Source where they name none.
	Name() string
	// Matches reports whether messages under a topic are this dialect's.
	Matches(topic string) bool
	// Observe returns what a message says. Nothing and no error is for what is
	// understood and says nothing. An observation may leave out all that follows
	// from the message: Source, Device (then the sender's id), Via, ID, Time. A
	// sensor behind the sender is "sender/sensor". Where the message itself names
	// the event (a counter, a number, a time stamp of its own) the dialect sets the
	// ID, so that the same event sent twice is observed once.
	Observe(m *Message) ([]*event.Observation, error)
}

// Secretive is a dialect whose messages may hold what must not be kept even when
// they cannot be understood: number plates, session keys. Its errors quote
// nothing of them.
type Secretive interface {
	// Secret reports whether a message's bytes must not be kept.
	Secret(m *Message) bool
}

// Errors of messages.
var (
	// ErrUnknownTopic: no dialect that the device may speak has such a topic.
	ErrUnknownTopic = errors.New("no dialect that the device speaks has this topic")
	// ErrUnreadable: a message is not what its dialect says; dialects wrap it.
	ErrUnreadable = errors.New("the message cannot be read")
)

// maxRawMessage is the most bytes of a message that its observation carries.
const maxRawMessage = 4 << 10

// maxSaid bounds the observations of one message.
const maxSaid = 500

// Switchboard hands each message to the dialect that understands it, and what it
// says to the intake.
type Switchboard struct {
	in       *Intake
	dialects []Dialect
}

// NewSwitchboard returns a switchboard of the given dialects. The first that
// matches a topic has it.
func NewSwitchboard(in *Intake, ds ...Dialect) *Switchboard {
	return &Switchboard{in: in, dialects: ds}
}

// Take observes a message and calls done when all that it says is on disk, or
// has failed; done must not block. What cannot be understood or may not be kept
// goes to quarantine, and done is then called with an error that wraps
// ErrUnknownTopic, ErrUnreadable or ErrRefused: the message is taken care of. It
// returns an error, without calling done, when nothing could be kept.
func (s *Switchboard) Take(ctx context.Context, m *Message, done func(error)) error {
	os, source, err := s.Understand(m)
	if err != nil {
		if err := s.quarantine(ctx, m, source, err); err != nil {
			return err
		}
		done(err)
		return nil
	}
	err = s.in.ObserveTogether(ctx, func(_ uint64, err error) { done(err) }, os...)
	switch {
	case errors.Is(err, ErrRefused):
	case errors.Is(err, ErrUnreadable): // what it says cannot be written, however often it is sent
		if err := s.quarantine(ctx, m, source, err); err != nil {
			return err
		}
	default:
		return err
	}
	done(err)
	return nil
}

// Understand returns what a message says, completed, and the name of the dialect
// that was tried, without keeping anything.
//
// Errors: ErrUnknownTopic, ErrUnreadable.
func (s *Switchboard) Understand(m *Message) (os []*event.Observation, dialect string, err error) {
	d := s.dialect(m)
	if d == nil {
		return nil, "message", fmt.Errorf("%w: %.200q", ErrUnknownTopic, m.Topic)
	}
	os, err = d.Observe(m)
	if err == nil && len(os) > min(maxSaid, bus.MaxBatch) {
		err = fmt.Errorf("%w: it says %d things at once, at most %d", ErrUnreadable, len(os), maxSaid)
	}
	if err != nil {
		return nil, d.Name(), err
	}
	for i, o := range os {
		complete(o, m, d.Name(), i)
	}
	return os, d.Name(), nil
}

func (s *Switchboard) dialect(m *Message) Dialect {
	for _, d := range s.dialects {
		if d.Matches(m.Topic) && speaks(m.Device, d.Name()) {
			return d
		}
	}
	return nil
}

func speaks(d *registry.Device, dialect string) bool {
	if len(d.Speaks) == 0 {
		return true
	}
	for _, s := range d.Speaks {
		if s == dialect {
			return true
		}
	}
	return false
}

// complete fills in what follows from the message that observation i came in.
func complete(o *event.Observation, m *Message, dialect string, i int) {
	if o.Source == "" {
		o.Source = dialect
	}
	if o.Device == "" {
		o.Device = m.Device.ID
	}
	if o.Via == "" {
		o.Via = m.Device.ID
	}
	if o.Time.IsZero() && o.DeviceTime != nil {
		o.Time = *o.DeviceTime
	}
	if o.ID == "" {
		o.ID = event.NewID(o.Source, o.Device, m.Topic, m.Received.Format(time.RFC3339Nano), strconv.Itoa(i), string(m.Payload))
	}
	if i == 0 && o.Raw == nil && len(m.Payload) <= maxRawMessage {
		o.Raw = append([]byte(nil), m.Payload...)
	}
}

// quarantine keeps a message that could not be understood.
func (s *Switchboard) quarantine(ctx context.Context, m *Message, source string, why error) error {
	reason := "unreadable message"
	if errors.Is(why, ErrUnknownTopic) {
		reason = "unknown topic"
	}
	q := event.Quarantined{
		Source: source, From: m.Device.ID, Device: m.Device.ID, Topic: m.Topic, Reason: reason, Detail: why.Error(), Bytes: m.Payload,
	}
	if refused := s.in.mayKeep(m.Device); refused != nil { // what is wrong with it may quote it
		q.Detail = fmt.Sprintf("It was not understood, and nothing that the device says may be kept: %v. The message's %d bytes were not kept.", refused, len(m.Payload))
		q.Bytes = nil
	} else if s.Secret(m) {
		q.Detail += fmt.Sprintf(" The message's %d bytes may hold what must not be kept, and were not.", len(m.Payload))
		q.Bytes = nil
	}
	return s.in.QuarantineMessage(ctx, q)
}

// MayRetain reports whether a message's bytes may be kept for those who subscribe
// later: a broker's memory is a copy of what was said, and rests on what allows
// the keeping of that.
func (s *Switchboard) MayRetain(m *Message) bool {
	return s.in.mayKeep(m.Device) == nil && !s.Secret(m)
}

// Secret reports whether a message's bytes must not be kept, such as for those who
// subscribe later. Every dialect of the topic is asked: it may be one that the
// device does not speak.
func (s *Switchboard) Secret(m *Message) bool {
	for _, d := range s.dialects {
		if sd, ok := d.(Secretive); ok && d.Matches(m.Topic) && sd.Secret(m) {
			return true
		}
	}
	return false
}
