package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// linkKey names one stream of one gateway's log.
type linkKey struct{ gateway, log, stream string }

// name is the key of its saved state.
func (k linkKey) name() string {
	sum := sha256.Sum256([]byte(k.gateway + "\x00" + k.log + "\x00" + k.stream))
	return "edge-" + hex.EncodeToString(sum[:8])
}

// saveEvery is how often the state of a busy link is saved. What came since is
// read back from the log after a restart.
const saveEvery = 5 * time.Second

// link is what the centre has of one stream of one gateway. Everything up to
// position has been taken; of what follows, what beyond holds has been too, which
// happens when a post was cut short: the log commits retention classes apart.
type link struct {
	key linkKey

	mu       sync.Mutex
	ready    bool
	begun    bool   // the saved state has been read
	read     uint64 // position up to which our own log has been read back
	dirty    bool   // something has come since it was saved
	saved    time.Time
	position uint64

	noting sync.Mutex // guards beyond while commits report
	beyond map[uint64]bool
}

// saved is a link's state on the log: what follows Log may belong to it too.
type savedLink struct {
	Position uint64 `json:"position"`
	Log      uint64 `json:"log"`
}

func (l *link) has(pos uint64) bool {
	l.noting.Lock()
	defer l.noting.Unlock()
	return pos <= l.position || l.beyond[pos]
}

// note says that records are on disk.
func (l *link) note(positions ...uint64) {
	l.noting.Lock()
	defer l.noting.Unlock()
	for _, pos := range positions {
		l.beyond[pos] = true
	}
}

// reached says that all up to pos is taken care of.
func (l *link) reached(pos uint64) {
	l.noting.Lock()
	defer l.noting.Unlock()
	l.position, l.dirty = max(l.position, pos), true
	for p := range l.beyond {
		if p <= l.position {
			delete(l.beyond, p)
		}
	}
}

// recover reads the link's state from the log, once. A link that is new is
// written down before anything is taken from it: so a restart never has to read
// back further than to where it began. An attempt that is cut short goes on where
// it was.
func (l *link) recover(ctx context.Context, log *bus.Log, stream bus.Stream) error {
	if l.ready {
		return nil
	}
	if !l.begun {
		if err := l.begin(ctx, log, stream); err != nil {
			return err
		}
	}
	err := log.Each(ctx, stream, l.read, func(rec bus.Record) error {
		if pos, ok := l.came(rec.Data); ok {
			l.note(pos)
		}
		l.read = rec.Seq
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what gateway %s has sent: %w", l.key.gateway, err)
	}
	l.ready = true
	return nil
}

// begin reads the saved state.
func (l *link) begin(ctx context.Context, log *bus.Log, stream bus.Stream) error {
	l.beyond = map[uint64]bool{}
	var s savedLink
	data, err := log.Value(ctx, bus.Snapshots, l.key.name())
	switch {
	case errors.Is(err, bus.ErrNotFound):
		if s.Log, err = l.put(ctx, log, stream); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(data, &s); err != nil {
			return fmt.Errorf("reading how far gateway %s had come: %w", l.key.gateway, err)
		}
	}
	l.position, l.read, l.begun = s.Position, s.Log, true
	return nil
}

// came reports whether a record of our log came over this link, and from where.
func (l *link) came(record []byte) (uint64, bool) {
	var o struct {
		From string `json:"from"` // of a quarantine entry
		Edge *struct {
			Gateway  string `json:"gateway"`
			Log      string `json:"log"`
			Position uint64 `json:"position"`
		} `json:"edge"`
	}
	if json.Unmarshal(record, &o) != nil {
		return 0, false
	}
	if l.key.stream == bus.Quarantine.Name {
		// The entry does not name the gateway's log. The state is saved after each
		// post, so what is read back here is of the log that was last used.
		i := strings.LastIndex(o.From, viaMark(l.key.gateway))
		if i < 0 {
			return 0, false
		}
		pos, err := strconv.ParseUint(o.From[i+len(viaMark(l.key.gateway)):], 10, 64)
		return pos, err == nil
	}
	if o.Edge == nil || o.Edge.Gateway != l.key.gateway || o.Edge.Log != l.key.log {
		return 0, false
	}
	return o.Edge.Position, true
}

// save stores the state: of observations now and then, since a restart finds on
// the log itself what came after; of quarantine entries, which are few, each
// time. While some records beyond the position are known, a restart must find
// them again, so nothing is saved.
func (l *link) save(ctx context.Context, log *bus.Log, stream bus.Stream, now time.Time) error {
	l.noting.Lock()
	wait := len(l.beyond) > 0 || !l.dirty
	l.noting.Unlock()
	if since := now.Sub(l.saved); wait || stream.Name == bus.Observations.Name && since >= 0 && since < saveEvery {
		return nil
	}
	if _, err := l.put(ctx, log, stream); err != nil {
		return err
	}
	l.saved, l.dirty = now, false
	return nil
}

// put stores the state, and returns from where on the log a restart reads back.
// It reads the log's end after the commits: the worst that can happen is that a
// restart reads records that are known already.
func (l *link) put(ctx context.Context, log *bus.Log, stream bus.Stream) (uint64, error) {
	last, err := log.Last(ctx, stream)
	if err != nil {
		return 0, err
	}
	data, err := json.Marshal(savedLink{Position: l.position, Log: last})
	if err != nil {
		return 0, err
	}
	return last, log.Put(ctx, bus.Snapshots, l.key.name(), data)
}
