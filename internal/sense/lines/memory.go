package lines

import (
	"sync"

	"github.com/bluelamp/bluelamp/internal/event"
)

// remembered is how many lines of a device are known when they are sent again, as
// shippers do that lost their connection.
const remembered = 10_000

// memory holds the ids of a device's latest observations.
type memory struct {
	mu   sync.Mutex
	at   map[event.ID]bool
	ring []event.ID
	next int
}

// fresh returns the observations that are not known, each once.
func (m *memory) fresh(os []*event.Observation) []*event.Observation {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := os[:0]
	seen := make(map[event.ID]bool, len(os))
	for _, o := range os {
		if !m.at[o.ID] && !seen[o.ID] {
			seen[o.ID] = true
			out = append(out, o)
		}
	}
	return out
}

// add remembers observations that are on the log.
func (m *memory) add(os []*event.Observation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range os {
		if len(m.ring) < remembered {
			m.ring = append(m.ring, o.ID)
		} else {
			delete(m.at, m.ring[m.next])
			m.ring[m.next] = o.ID
			m.next = (m.next + 1) % remembered
		}
		m.at[o.ID] = true
	}
}
