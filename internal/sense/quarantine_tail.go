package sense

import (
	"context"
	"fmt"
	"sync"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// tail is the end of the quarantine's stream that the read model may not show
// yet. One reader serves all claims: each reader costs the log's server a
// consumer, which it does not let go of at once.
type tail struct {
	log *bus.Log

	mu    sync.Mutex
	r     *bus.Reader
	from  uint64 // position that it was opened at
	read  uint64
	notes []placedNote // after what the read model showed when it was last asked
}

type placedNote struct {
	quarantineNote
	seq uint64
}

// standing returns how far an entry is at a position. ask tells how far the read
// model says it is, and up to which position that holds.
func (t *tail) standing(ctx context.Context, id event.ID, pos uint64, ask func(context.Context, event.ID) (standing, uint64, error)) (standing, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, shown, err := ask(ctx, id)
	if err != nil {
		return s, err
	}
	if t.r == nil || shown < t.from { // the read model was begun anew
		if err := t.open(ctx, shown); err != nil {
			return s, err
		}
	}
	for t.read < pos {
		recs, err := t.r.Next(ctx)
		if err != nil {
			return s, fmt.Errorf("reading the end of the quarantine: %w", err)
		}
		for _, rec := range recs {
			if _, n, err := quarantineRecord(rec); err == nil && n != nil {
				t.notes = append(t.notes, placedNote{*n, rec.Seq})
			}
			t.read = rec.Seq
		}
	}
	kept := t.notes[:0]
	for i := range t.notes {
		n := &t.notes[i]
		if n.seq <= shown {
			continue
		}
		kept = append(kept, *n)
		if n.Entry == id && n.seq <= pos {
			s.take(&n.quarantineNote)
		}
	}
	t.notes, t.from = kept, shown
	return s, nil
}

func (t *tail) open(ctx context.Context, at uint64) error {
	t.shut()
	r, err := t.log.Read(ctx, bus.Quarantine, at)
	if err != nil {
		return err
	}
	t.r, t.from, t.read, t.notes = r, at, at, nil
	return nil
}

func (t *tail) shut() {
	if t.r != nil {
		t.r.Close()
		t.r = nil
	}
}

// close lets go of the reader; the next question opens another.
func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut()
}
