package cap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// marks are what a server calls the state of a feed.
type marks struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
}

// memory is what is known of a feed across restarts: it lies on the log.
type memory struct {
	marks
	// Seen has the entries that are done with, and when each was last listed.
	Seen map[string]time.Time `json:"seen"`
	// Tries counts how often an entry's message could not be had.
	Tries map[string]int `json:"tries,omitempty"`
	// Log is where the log stood.
	Log uint64 `json:"log"`
}

// Bounds of a memory.
const (
	forgetAfter = 7 * 24 * time.Hour // an entry that the feed does not list any more
	maxSeen     = 3 * codec.MaxEntries
	maxTries    = 5
)

// keyOf names an entry. One that is updated is another.
func keyOf(e *codec.Entry) string {
	sum := sha256.Sum256([]byte(e.ID + "\n" + e.Link + "\n" + e.Updated.Format(time.RFC3339Nano) + "\n" + string(e.Data)))
	return hex.EncodeToString(sum[:12])
}

func stateKey(feed string) string {
	sum := sha256.Sum256([]byte(feed))
	return "cap-" + hex.EncodeToString(sum[:8])
}

// recall returns what was saved of a feed, and the ids of warnings that were
// observed after that.
func recall(ctx context.Context, log *bus.Log, feed string) (*memory, map[event.ID]bool, error) {
	m := &memory{}
	data, err := log.Value(ctx, bus.Snapshots, stateKey(feed))
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return nil, nil, fmt.Errorf("reading how far the feed %s was read: %w", feed, err)
	}
	if m.Seen == nil {
		m.Seen = map[string]time.Time{}
	}
	if m.Tries == nil {
		m.Tries = map[string]int{}
	}
	known := map[event.ID]bool{}
	err = log.Each(ctx, bus.Observations, m.Log, func(rec bus.Record) error {
		var o struct {
			ID     event.ID `json:"id"`
			Source string   `json:"source"`
		}
		if json.Unmarshal(rec.Data, &o) == nil && o.Source == Source {
			known[o.ID] = true
		}
		return nil
	})
	return m, known, err
}

// save keeps a memory.
func (m *memory) save(ctx context.Context, log *bus.Log, feed string) error {
	last, err := log.Last(ctx, bus.Observations)
	if err != nil {
		return err
	}
	m.Log = last
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return log.Put(ctx, bus.Snapshots, stateKey(feed), data)
}

// done notes that an entry is done with.
func (m *memory) done(key string, now time.Time) {
	m.Seen[key] = now
	delete(m.Tries, key)
}

// tidy forgets entries that have not been listed for long, and keeps what is left
// bounded: the oldest go first.
func (m *memory) tidy(listed map[string]bool, now time.Time) {
	for k, at := range m.Seen {
		switch {
		case listed[k]:
			m.Seen[k] = now
		case now.Sub(at) > forgetAfter:
			delete(m.Seen, k)
		}
	}
	for k := range m.Tries {
		if !listed[k] {
			delete(m.Tries, k)
		}
	}
	for k := range m.Seen {
		if len(m.Seen) <= maxSeen {
			break
		}
		if !listed[k] {
			delete(m.Seen, k)
		}
	}
}
