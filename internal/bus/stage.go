package bus

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// DefaultCheckpoint is how often a stage saves its state.
const DefaultCheckpoint = 10 * time.Second

// Stage is a reader of one stream with a state of its own, that writes another
// stream. Its Handle must give the same result for the same state and records.
type Stage struct {
	Name string
	In   Stream
	Out  Stream // what Handle appends to

	// Handle takes the next records of In, in order, and returns once what
	// follows from them is on the log. It is never called concurrently.
	Handle func(ctx context.Context, records []Record) error
	// Recover takes, before the first Handle, each record of Out that was
	// written after the saved state: what Handle did before a crash and must
	// not do again.
	Recover func(r Record) error
	// Save returns the state, Load takes it up again.
	Save func() ([]byte, error)
	Load func(state []byte) error

	Checkpoint time.Duration // 0: DefaultCheckpoint
}

// maxState bounds a saved checkpoint when it is unpacked, in bytes.
const maxState = 1 << 30

// checkpoint is a stage's saved state and the positions that it belongs to. The
// log holds it compressed.
type checkpoint struct {
	In    uint64 `json:"in"`
	Out   uint64 `json:"out"`
	State []byte `json:"state"`
}

// Run runs a stage until the context ends; it then saves the state and returns
// nil. ready is called once the stage has caught up with what it recovered.
func (l *Log) Run(ctx context.Context, st Stage, ready func()) error {
	if st.Checkpoint == 0 {
		st.Checkpoint = DefaultCheckpoint
	}
	in, repeated, err := l.begin(ctx, st)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err == nil {
		l.met.position.WithLabelValues(st.Name).Set(float64(in))
		ready()
		err = l.advance(ctx, st, in, repeated)
	}
	if err != nil {
		return fmt.Errorf("stage %s: %w", st.Name, err)
	}
	return nil
}

// begin restores a stage. It returns the position to read on from, and that up
// to which what the stage was shown as written may follow: until it has read so
// far it must not forget what it was shown.
func (l *Log) begin(ctx context.Context, st Stage) (in, repeated uint64, err error) {
	cp, err := l.restore(ctx, st)
	if err != nil {
		return 0, 0, err
	}
	repeated, err = l.Last(ctx, st.In)
	return cp.In, repeated, err
}

// advance hands a stage what comes after in, and saves its state.
func (l *Log) advance(ctx context.Context, st Stage, in, repeated uint64) error {
	r, err := l.Read(ctx, st.In, in)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	saved, due := in, time.Now().Add(st.Checkpoint)
	for {
		waitCtx, stop := context.WithDeadline(ctx, due)
		records, err := r.Next(waitCtx)
		stop()
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if len(records) > 0 {
			if err := st.Handle(ctx, records); err != nil {
				if ctx.Err() != nil {
					return nil // the saved state stands; what was begun is repeated
				}
				return fmt.Errorf("at position %d of %s: %w", records[0].Seq, st.In.Name, err)
			}
			in = records[len(records)-1].Seq
			l.met.position.WithLabelValues(st.Name).Set(float64(in))
		}
		if stopping := ctx.Err() != nil; in != saved && in >= repeated && (stopping || !time.Now().Before(due)) {
			if err := l.save(context.WithoutCancel(ctx), st, in); err != nil {
				return fmt.Errorf("saving its state: %w", err)
			}
			saved = in
		}
		if ctx.Err() != nil {
			return nil
		}
		if !time.Now().Before(due) {
			due = time.Now().Add(st.Checkpoint)
		}
	}
}

// restore loads the saved state and shows the stage what it wrote since.
func (l *Log) restore(ctx context.Context, st Stage) (checkpoint, error) {
	var cp checkpoint
	data, err := l.Value(ctx, Snapshots, st.Name)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return cp, err
	default:
		unpacked := io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxState)
		if err := json.NewDecoder(unpacked).Decode(&cp); err != nil {
			return cp, fmt.Errorf("reading its saved state: %w", err)
		}
		if err := st.Load(cp.State); err != nil {
			return cp, fmt.Errorf("taking up its saved state: %w", err)
		}
		cp.State = nil
	}
	if err := l.Each(ctx, st.Out, cp.Out, st.Recover); err != nil {
		return cp, fmt.Errorf("recovering what it wrote: %w", err)
	}
	return cp, nil
}

// save stores the state. Out is read before the state is taken: what is written
// between the two is in the state already, and Recover must bear meeting it.
func (l *Log) save(ctx context.Context, st Stage, in uint64) error {
	out, err := l.Last(ctx, st.Out)
	if err != nil {
		return err
	}
	state, err := st.Save()
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	zip, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		err = errors.Join(json.NewEncoder(zip).Encode(checkpoint{In: in, Out: out, State: state}), zip.Close())
	}
	if err != nil {
		return err
	}
	return l.Put(ctx, Snapshots, st.Name, packed.Bytes())
}
