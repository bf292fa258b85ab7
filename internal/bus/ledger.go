package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Span is a range of positions, both ends in it.
type Span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Erasure is a record of the stream Erasures: what was erased, and why. It is
// written before anything is erased, so that an erasure that was interrupted is
// known and finished when the log is next opened. It says nothing of what the
// erased records said.
type Erasure struct {
	ID     event.ID  `json:"id"`
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"`

	// Expiry: everything of the class that was written before a time.
	Class  string    `json:"class,omitempty"`
	Before time.Time `json:"before,omitzero"`

	// Erasure of single records: whose they were, and where.
	Device   string `json:"device,omitempty"`
	Premises string `json:"premises,omitempty"`
	Spans    []Span `json:"spans,omitempty"`

	From    uint64 `json:"from,omitempty"` // first and last frame with erased records
	To      uint64 `json:"to,omitempty"`
	Frames  uint64 `json:"frames,omitempty"`
	Records uint64 `json:"records,omitempty"` // where they were counted

	Why  string `json:"why,omitempty"`
	By   string `json:"by,omitempty"`
	Done bool   `json:"done,omitempty"` // the erasure of this id is complete
}

// add adds a record, which must lie beyond those that were added.
func (e *Erasure) add(r Record) {
	if f := r.Frame(); e.To != f {
		e.Frames++
		e.To = f
		if e.From == 0 {
			e.From = f
		}
	}
	e.Records++
	if n := len(e.Spans); n > 0 && e.Spans[n-1].To == r.Seq-1 {
		e.Spans[n-1].To = r.Seq
	} else {
		e.Spans = append(e.Spans, Span{r.Seq, r.Seq})
	}
}

// note appends to the ledger. It does so on a full disk too, below the reserve:
// erasing is what frees it.
func (l *Log) note(ctx context.Context, e Erasure) error {
	data, err := json.Marshal(e)
	if err == nil {
		_, err = l.send(ctx, Erasures, &nats.Msg{Subject: Erasures.frames(), Data: appendRecord(nil, data)})
	}
	if err != nil {
		return fmt.Errorf("nothing was erased, since it could not be recorded: %w", err)
	}
	return nil
}

// EachErasure calls fn with the ledger's records after a position, and theirs.
func (l *Log) EachErasure(ctx context.Context, after uint64, fn func(e Erasure, pos uint64) error) error {
	return l.Each(ctx, Erasures, after, func(r Record) error {
		var e Erasure
		if err := json.Unmarshal(r.Data, &e); err != nil {
			l.logger.Error("a record of an erasure cannot be read and is left out", "position", r.Seq, "err", err)
			return nil
		}
		return fn(e, r.Seq)
	})
}

// ledger remembers which frames lie in what was erased, to tell a record that
// was erased from one that never was.
type ledger struct {
	mu    sync.Mutex
	pos   uint64
	spans map[string][]Span // frames, by stream; apart and in order
}

// erased reports whether a frame lies in what the ledger says was erased.
func (l *Log) erased(ctx context.Context, s Stream, frame uint64) (bool, error) {
	g := &l.ledger
	g.mu.Lock()
	defer g.mu.Unlock()
	fresh := false
	err := l.EachErasure(ctx, g.pos, func(e Erasure, pos uint64) error {
		if g.spans == nil {
			g.spans = map[string][]Span{}
		}
		for _, sp := range e.Spans {
			g.spans[e.Stream] = append(g.spans[e.Stream], Span{frameOf(sp.From), frameOf(sp.To)})
		}
		if e.Class != "" && e.From > 0 {
			g.spans[e.Stream] = append(g.spans[e.Stream], Span{e.From, e.To})
		}
		g.pos, fresh = pos, true
		return nil
	})
	if err != nil {
		return false, err
	}
	if fresh {
		for name, spans := range g.spans {
			g.spans[name] = joined(spans)
		}
	}
	spans := g.spans[s.Name]
	i := sort.Search(len(spans), func(i int) bool { return spans[i].To >= frame })
	return i < len(spans) && spans[i].From <= frame, nil
}

// joined sorts spans and joins those that touch.
func joined(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int {
		if a.From < b.From {
			return -1
		}
		return 1
	})
	out := spans[:0]
	for _, sp := range spans {
		if n := len(out); n > 0 && sp.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, sp.To)
		} else {
			out = append(out, sp)
		}
	}
	return out
}
