package dc09

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// fingerprint tells a frame from others: 128 bits of SHA-256 over all that makes it
// the same event when it is sent again. It must withstand intent, for a frame
// that collides with another would be lost.
type fingerprint [16]byte

// fingerprintOf returns the fingerprint of an open frame.
func fingerprintOf(f *codec.Frame) fingerprint {
	var space [512]byte
	b := space[:0]
	b = appendPart(b, f.Account)
	b = appendPart(b, f.Receiver)
	b = appendPart(b, f.Line)
	b = binary.BigEndian.AppendUint16(b, f.Sequence)
	b = appendPart(b, string(f.Token))
	b = appendPart(b, f.Data)
	for i := range f.Extended {
		b = append(b, byte(f.Extended[i].ID))
		b = appendPart(b, f.Extended[i].Value)
	}
	sum := sha256.Sum256(b)
	return fingerprint(sum[:16])
}

func appendPart(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// canRepeat tells whether a frame can be recognised when it is sent again.
func canRepeat(f *codec.Frame) bool { return f.Sequence != 0 && f.Token != codec.TokenNull }

// memory recognises frames that were sent again. It holds two generations of
// fingerprints; when the young one is a window old or half the bound large, it
// becomes the old one and the old one is forgotten. So a frame is remembered
// for one to two windows, less when there are very many. Being met again does
// not lengthen that: a panel that uses one number for everything must not lose
// an alarm for good.
type memory struct {
	window time.Duration
	most   int
	now    func() time.Time
	gauge  prometheus.Gauge

	mu         sync.Mutex
	young, old map[fingerprint]*flight // nil: on disk
	turned     time.Time
}

// flight is a frame whose observations are not yet on disk.
type flight struct {
	origin  string // what its observations' ids are made of
	failed  bool   // the log could not take it, or we do not know
	waiting []*slot
}

func newMemory(window time.Duration, most int, now func() time.Time, gauge prometheus.Gauge) *memory {
	return &memory{
		window: window, most: max(most, 2), now: now, gauge: gauge,
		young: map[fingerprint]*flight{}, old: map[fingerprint]*flight{}, turned: now(),
	}
}

// claim returns the flight of a frame that the caller is to put on the log, and
// then to settle. Its origin is the given one or, after a failure, the one of
// the first try, so that a try whose outcome was never learnt has the same ids.
// It returns nil for a frame that is on disk, or on its way there: then s waits
// for that and will be finished.
func (m *memory) claim(p fingerprint, origin string, s *slot) *flight {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	f, ok := m.young[p]
	if !ok {
		f, ok = m.old[p]
	}
	switch {
	case !ok:
		f = &flight{origin: origin}
		m.young[p] = f
		return f
	case f == nil:
		return nil
	case f.failed:
		f.failed = false
		return f
	default:
		s.round.wait.Add(1)
		f.waiting = append(f.waiting, s)
		return nil
	}
}

// settle ends a flight, and finishes those who wait for it.
func (m *memory) settle(p fingerprint, f *flight, err error) {
	m.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.failed = err != nil
	if err == nil {
		for _, generation := range [...]map[fingerprint]*flight{m.young, m.old} {
			if generation[p] == f {
				generation[p] = nil
			}
		}
	}
	m.mu.Unlock()
	for _, s := range waiting {
		s.finish(err)
	}
}

// recall remembers a frame that is on disk already.
func (m *memory) recall(p fingerprint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	m.young[p] = nil
}

// turn makes room and forgets what is old.
func (m *memory) turn() {
	if now := m.now(); len(m.young) >= m.most/2 || now.Sub(m.turned) >= m.window {
		// A new map, not clear: the old one's size follows a flood of the past.
		m.young, m.old, m.turned = make(map[fingerprint]*flight, min(len(m.young), 1024)), m.young, now
	}
	m.gauge.Set(float64(len(m.young) + len(m.old)))
}
