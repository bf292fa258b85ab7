package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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

// note says that one record is on disk.
func (l *link) note(pos uint64) {
	l.noting.Lock()
	defer l.noting.Unlock()
	l.beyond[pos] = true
}

// reached says that all up to pos is taken care of.
func (l *link) reached(pos uint64) {
	l.noting.Lock()
	defer l.noting.Unlock()
	l.position = max(l.position, pos)
	for p := range l.beyond {
		if p <= l.position {
			delete(l.beyond, p)
		}
	}
}

// recover reads the link's state from the log, once.
func (l *link) recover(ctx context.Context, log *bus.Log, stream bus.Stream) error {
	if l.ready {
		return nil
	}
	var s savedLink
	data, err := log.Value(ctx, bus.Snapshots, l.key.name())
	switch {
	case errors.Is(err, bus.ErrNotFound):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(data, &s); err != nil {
			return fmt.Errorf("reading how far gateway %s had come: %w", l.key.gateway, err)
		}
	}
	beyond := map[uint64]bool{}
	if stream.Name == bus.Observations.Name {
		err = log.Each(ctx, stream, s.Log, func(rec bus.Record) error {
			var o struct {
				Edge *struct {
					Gateway  string `json:"gateway"`
					Log      string `json:"log"`
					Position uint64 `json:"position"`
				} `json:"edge"`
			}
			if json.Unmarshal(rec.Data, &o) == nil && o.Edge != nil && o.Edge.Gateway == l.key.gateway && o.Edge.Log == l.key.log {
				beyond[o.Edge.Position] = true
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading what gateway %s has sent: %w", l.key.gateway, err)
		}
	}
	l.position, l.beyond, l.ready = s.Position, beyond, true
	return nil
}

// save stores the state: of observations now and then, since a restart finds on
// the log itself what came after; of quarantine entries, which do not say whence
// they came, each time. While some records beyond the position are known, a
// restart must find them again, so nothing is saved.
//
// It reads the log's end after the commits: the worst that can happen is that a
// restart reads records that are known already.
func (l *link) save(ctx context.Context, log *bus.Log, stream bus.Stream) error {
	l.noting.Lock()
	ahead := len(l.beyond) > 0
	l.noting.Unlock()
	if ahead || stream.Name == bus.Observations.Name && time.Since(l.saved) < saveEvery {
		return nil
	}
	last, err := log.Last(ctx, stream)
	if err != nil {
		return err
	}
	data, err := json.Marshal(savedLink{Position: l.position, Log: last})
	if err != nil {
		return err
	}
	if err := log.Put(ctx, bus.Snapshots, l.key.name(), data); err != nil {
		return err
	}
	l.saved = time.Now()
	return nil
}
