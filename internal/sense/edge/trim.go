package edge

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

const (
	// trimLook is how often it is looked what can be trimmed, and how the log is.
	trimLook = 10 * time.Second
	// trimMarks is into how many parts the time is divided for which confirmed
	// records are kept: they stay for that much longer at most.
	trimMarks = 24
	// keyMarks is where the marks are kept.
	keyMarks = "edge-confirmed"
)

// marks say what had been confirmed when, of the log under a name. The oldest is
// first.
type marks struct {
	Name string `json:"name"`
	At   []mark `json:"at"`
}

type mark struct {
	Time      time.Time         `json:"time"`
	Confirmed map[string]uint64 `json:"confirmed"` // position by stream
	Trimmed   bool              `json:"trimmed,omitempty"`
}

// trim drops, until the context ends, what the centre confirmed long enough ago.
func (f *Forwarder) trim(ctx context.Context) error {
	t := time.NewTicker(max(min(trimLook, f.keep/trimMarks), time.Second/10))
	defer t.Stop()
	var m marks
	if data, err := f.log.Value(ctx, bus.Snapshots, keyMarks); err == nil {
		if json.Unmarshal(data, &m) != nil {
			m = marks{} // what was confirmed counts as confirmed now
		}
	}
	for {
		f.centre.state.look(f.log)
		if err := f.trimOnce(ctx, &m); err != nil && ctx.Err() == nil {
			f.logger.Warn("what the centre has confirmed could not be trimmed", "err", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// trimOnce marks what is confirmed now, and trims up to the newest mark that is
// old enough; where the disk is full, all that is confirmed: to take in what is
// new is worth more than copies.
func (f *Forwarder) trimOnce(ctx context.Context, m *marks) error {
	now := f.clock.Now()
	f.mu.Lock()
	name, sure := f.name, maps.Clone(f.sure)
	f.mu.Unlock()
	if name == "" {
		return nil // the centre has not answered yet
	}
	if m.Name != name {
		*m = marks{Name: name}
	}
	if errors.Is(f.log.Ready(), bus.ErrFull) {
		return f.trimTo(ctx, sure)
	}
	if n := len(m.At); n > 0 && m.At[n-1].Time.After(now) {
		m.At = nil // the clock was set back
	}
	if n := len(m.At); n > 0 && now.Sub(m.At[n-1].Time) < f.keep/trimMarks {
		return nil
	}
	fresh := len(m.At) == 0 || !maps.Equal(m.At[len(m.At)-1].Confirmed, sure)
	if fresh {
		m.At = append(m.At, mark{Time: now, Confirmed: sure})
	}
	due := 0 // the first stays, also when it has been trimmed to: it says what is not new
	for i, at := range m.At {
		if now.Sub(at.Time) >= f.keep {
			due = i
		}
	}
	first := m.At[due]
	old := now.Sub(first.Time) >= f.keep && !first.Trimmed
	if old {
		if err := f.trimTo(ctx, first.Confirmed); err != nil {
			return err
		}
		m.At = m.At[due:]
		m.At[0].Trimmed = true
	}
	if !fresh && !old {
		return nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return f.log.Put(ctx, bus.Snapshots, keyMarks, data)
}

func (f *Forwarder) trimTo(ctx context.Context, confirmed map[string]uint64) error {
	var errs []error
	for _, s := range []bus.Stream{bus.Observations, bus.Quarantine} {
		if at := confirmed[s.Name]; at > 0 {
			errs = append(errs, f.log.Trim(ctx, s, at))
		}
	}
	return errors.Join(errs...)
}
