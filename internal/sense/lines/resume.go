package lines

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/tail"
)

// progress is how far a file has been read, and where the log then stood.
type progress struct {
	File struct {
		tail.Position
		State string `json:"header,omitempty"` // of the mapper
	} `json:"file"`
	Log uint64 `json:"log"`
}

// key names a file's progress on the log.
func (s *Source) key(file string) string {
	sum := sha256.Sum256([]byte(file))
	return s.dialect.Name + "-" + hex.EncodeToString(sum[:8])
}

// resume takes a file up where it was left. What the log holds from after the
// saved position was observed already: the position is saved after the
// observations, so a crash between the two has them read again.
func (s *Source) resume(ctx context.Context, file string) (*reading, error) {
	data, err := s.log.Value(ctx, bus.Snapshots, s.key(file))
	if errors.Is(err, bus.ErrNotFound) {
		data, err = []byte(`{}`), nil
	}
	if err != nil {
		return nil, err
	}
	var p progress
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("reading how far %s was read: %w", file, err)
	}
	r := &reading{src: s, file: file, mapper: s.dialect.NewMapper(s.sensor(), file), known: map[event.ID]bool{}}
	from := &p.File.Position
	if err := r.mapper.Resume(p.File.State); err != nil {
		s.logger.Warn("what was saved of a log cannot be used: it is read again from its beginning, and what is known is left out", "file", file, "err", err)
		from, p.Log = nil, 0
	}
	err = s.log.Each(ctx, bus.Observations, p.Log, func(rec bus.Record) error {
		var o struct {
			ID     event.ID `json:"id"`
			Source string   `json:"source"`
		}
		if json.Unmarshal(rec.Data, &o) == nil && o.Source == s.dialect.Name {
			r.known[o.ID] = true
		}
		return nil
	})
	r.lines = tail.Follow(file, from, tail.Options{Poll: poll})
	return r, err
}

func (r *reading) save(ctx context.Context) error {
	last, err := r.src.log.Last(ctx, bus.Observations)
	if err != nil {
		return err
	}
	p := progress{Log: last}
	p.File.Position, p.File.State = r.lines.Position(), r.mapper.State()
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return r.src.log.Put(ctx, bus.Snapshots, r.src.key(r.file), data)
}
