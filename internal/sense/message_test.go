package sense_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// nonsense is a dialect that says what JSON has no word for.
type nonsense struct{}

func (nonsense) Name() string        { return "nonsense" }
func (nonsense) Matches(string) bool { return true }
func (nonsense) Observe(*sense.Message) ([]*event.Observation, error) {
	v := math.NaN()
	return []*event.Observation{{Kind: event.KindMeasure, Reading: &event.Reading{Property: event.Temperature, Value: &v}}}, nil
}

// TestWhatCannotBeWrittenIsTakenCareOf: a sender that waits for its
// acknowledgement must not send it for ever.
func TestWhatCannotBeWrittenIsTakenCareOf(t *testing.T) {
	l := openLog(t, bus.Config{})
	board := sense.NewSwitchboard(sense.NewIntake(l, clock.Wall(), nil, discard, nil), nonsense{})
	m := &sense.Message{Device: &registry.Device{ID: "hub"}, Topic: "t", Payload: []byte("x"), Received: time.Now()}
	var told error
	if err := board.Take(t.Context(), m, func(err error) { told = err }); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(told, sense.ErrUnreadable) {
		t.Errorf("told %v", told)
	}
	n := 0
	if err := l.Each(t.Context(), bus.Quarantine, 0, func(bus.Record) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d in quarantine, %v", n, err)
	}
}
