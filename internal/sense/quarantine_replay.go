package sense

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// MessageReplayer replays what enrolled devices sent, through the switchboard.
type MessageReplayer struct {
	board    *Switchboard
	registry *registry.Registry
}

var (
	_ Replayer   = (*MessageReplayer)(nil)
	_ rememberer = (*MessageReplayer)(nil)
)

// NewMessageReplayer returns a replayer of messages.
func NewMessageReplayer(board *Switchboard, reg *registry.Registry) *MessageReplayer {
	return &MessageReplayer{board: board, registry: reg}
}

// Replay implements Replayer. What the message says without a time of its own
// happened when the message first came.
func (r *MessageReplayer) Replay(ctx context.Context, entry event.Quarantined, what []byte) error {
	os, err := r.observations(&entry, what)
	if err != nil {
		return err
	}
	return observeReplay(ctx, r.board.in, os)
}

// Replayed reports whether what the message says is on the log since a time.
func (r *MessageReplayer) Replayed(ctx context.Context, entry event.Quarantined, what []byte, since time.Time) (bool, error) {
	os, err := r.observations(&entry, what)
	if err != nil || len(os) == 0 {
		return false, nil // the attempt proper says what is wrong
	}
	found := false
	err = r.board.in.log.EachSince(ctx, bus.Observations, since, func(rec bus.Record) error {
		if !bytes.Contains(rec.Data, []byte(os[0].ID)) {
			return nil
		}
		var o struct {
			ID event.ID `json:"id"`
		}
		if json.Unmarshal(rec.Data, &o) == nil && o.ID == os[0].ID {
			found = true
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, fmt.Errorf("looking for what the lost attempt did: %w", err)
	}
	return found, nil
}

func (r *MessageReplayer) observations(entry *event.Quarantined, what []byte) ([]*event.Observation, error) {
	d, err := r.registry.Device(entry.Device)
	if err != nil {
		return nil, fmt.Errorf("the device that sent it is no longer enrolled: %w", err)
	}
	if d.Revoked {
		return nil, fmt.Errorf("%w: %s", registry.ErrRevoked, d.ID)
	}
	os, _, err := r.board.Understand(&Message{Device: d, Topic: entry.Topic, Payload: what, Received: entry.Received})
	if err != nil {
		return nil, err
	}
	for _, o := range os {
		if o.Time.IsZero() {
			o.Time = entry.Received
		}
	}
	return os, nil
}

// errEnough ends a walk along the log.
var errEnough = errors.New("enough")

// ReadFile reads what a recorded file says, as a source's reader of files does.
type ReadFile func(name string, src io.Reader) iter.Seq2[*event.Observation, error]

// LineReplayer replays entries that are lines of a file or of a connection,
// each whole by itself, such as JSON.
type LineReplayer struct {
	in   *Intake
	read ReadFile
}

var _ Replayer = (*LineReplayer)(nil)

// NewLineReplayer returns a replayer that reads an entry's bytes as a file.
func NewLineReplayer(in *Intake, read ReadFile) *LineReplayer {
	return &LineReplayer{in: in, read: read}
}

// Replay implements Replayer.
func (r *LineReplayer) Replay(ctx context.Context, entry event.Quarantined, what []byte) error {
	var os []*event.Observation
	for o, err := range r.read(entry.From, bytes.NewReader(what)) {
		if err != nil {
			return err
		}
		if o.Via == "" {
			o.Via = entry.Device // whose revocation, consent and erasure hold for it
		}
		if os = append(os, o); len(os) > maxSaid {
			return fmt.Errorf("%w: it says more than %d things", ErrUnreadable, maxSaid)
		}
	}
	if len(os) == 0 {
		return fmt.Errorf("%w: it says nothing", ErrUnreadable)
	}
	return observeReplay(ctx, r.in, os)
}

// observeReplay puts what a replay says on the log, all of it or nothing. What
// may not be kept is told to the person who replays; there is an entry already.
func observeReplay(ctx context.Context, in *Intake, os []*event.Observation) error {
	if in.admit != nil {
		for _, o := range os {
			try := *o
			if err := in.admit.Admit(&try); err != nil {
				return fmt.Errorf("%w: %w", ErrRefused, err)
			}
		}
	}
	done := make(chan error, 1)
	if err := in.ObserveTogether(ctx, func(_ uint64, err error) { done <- err }, os...); err != nil {
		return err
	}
	select {
	case err := <-done:
		if err != nil && !nothingWritten(err) {
			err = fmt.Errorf("%w: %w", ErrUnsure, err)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnsure, ctx.Err())
	}
}

// nothingWritten reports whether an error of the log says that it took nothing.
func nothingWritten(err error) bool {
	return errors.Is(err, bus.ErrFull) || errors.Is(err, bus.ErrTooLarge) || errors.Is(err, bus.ErrNotALine) || errors.Is(err, bus.ErrClosed)
}
