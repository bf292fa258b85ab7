package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// Whoever puts something on a shelf after the last write is told so: a publish, or
// a last will, that waited for an answer would hold up the gateway's end for ever.
func TestShelvesAnswerAfterTheirEnd(t *testing.T) {
	s := newShelves(nil, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	s.run(ctx)
	done := make(chan error, 1)
	s.put("hub-1", slotKey("hub-1", 0), shelved{Device: "hub-1"}, func(err error) { done <- err })
	s.put("hub-1", goneKey("hub-1"), shelved{Device: "hub-1"}, nil)
	select {
	case err := <-done:
		if !errors.Is(err, errEnd) {
			t.Errorf("%v, want errEnd", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody was told")
	}
}
