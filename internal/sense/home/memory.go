package home

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// Bounds of what is learnt.
const (
	maxConfig    = 64 << 10 // bytes of a discovery message
	maxDevices   = 4 << 20  // bytes of a list of all devices
	maxPerHub    = 5000     // entities, and as many Zigbee devices and streamed entities
	maxPerTopic  = 100      // entities that one topic speaks for
	maxHubBytes  = 8 << 20  // of one hub's
	maxAllBytes  = 256 << 20
	maxEarly     = 20_000  // retained messages that wait for their discovery
	maxEarlySize = 1 << 10 // bytes of one
)

var errFull = errors.New("too much to remember")

// memory is what has been learnt of every hub.
type memory struct {
	mu     sync.RWMutex
	hubs   map[string]*hub
	topics map[string]int    // how many hubs have learnt a topic
	count  int               // things remembered, of all hubs
	bytes  int               // that they take, roughly
	early  map[string][]byte // retained messages that came before what names their topic; see Family.Remember
}

func newMemory(reg prometheus.Registerer) *memory {
	m := &memory{hubs: map[string]*hub{}, topics: map[string]int{}, early: map[string][]byte{}}
	if reg != nil {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bluelamp_home_entities", Help: "Entities and devices of homes' hubs that discovery named.",
		}, func() float64 {
			m.mu.RLock()
			defer m.mu.RUnlock()
			return float64(m.count)
		}))
	}
	return m
}

// hub is what has been learnt of one hub. Messages of one hub come one after
// another, but its topics are asked for at any time: memory.mu guards all.
type hub struct {
	entities map[string]*entity   // by the discovery topic, and the component's key
	states   map[string][]*entity // by state topic
	avail    map[string][]*entity // by availability topic
	streamed map[string]*streamed // by "domain.entity"
	zigbee   map[string]*zigbee   // by friendly name
	bytes    int
}

// What a thing takes beside its texts, or at most with them, in bytes.
const (
	sizeOfEntity   = 600
	sizeOfStreamed = 1800
	sizeOfZigbee   = 900
)

// of returns what is known of a hub, for who holds mu.
func (m *memory) of(id string) *hub {
	h := m.hubs[id]
	if h == nil {
		h = &hub{
			entities: map[string]*entity{}, states: map[string][]*entity{}, avail: map[string][]*entity{},
			streamed: map[string]*streamed{}, zigbee: map[string]*zigbee{},
		}
		m.hubs[id] = h
	}
	return h
}

// room counts so many more things of a size for a hub, unless that is too much.
// A negative number takes them back, which never is.
func (m *memory) room(h *hub, things, size int) error {
	more := things * size
	switch {
	case things > 0 && h.bytes+more > maxHubBytes:
		return fmt.Errorf("%w: %w: what this hub has named takes %d bytes", sense.ErrUnreadable, errFull, h.bytes)
	case things > 0 && m.bytes+more > maxAllBytes:
		return fmt.Errorf("%w: %w: what all hubs have named takes %d bytes", sense.ErrUnreadable, errFull, m.bytes)
	}
	m.count += things
	h.bytes += more
	m.bytes += more
	return nil
}

// knows reports whether any hub has learnt a topic.
func (m *memory) knows(topic string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.topics[topic] > 0
}

// put remembers an entity in the place of an earlier one of its key. It has all
// its bounds from its reader, but for those of how many there are.
func (m *memory) put(hubID string, h *hub, key string, e *entity) error {
	old := h.entities[key]
	for i, t := range e.topics() {
		list := h.states
		if i > 0 {
			list = h.avail
		}
		if n := len(list[t]); n >= maxPerTopic && i == 0 && !slices.Contains(list[t], old) {
			return fmt.Errorf("%w: %w: topic %.100q speaks for %d entities already", sense.ErrUnreadable, errFull, t, n)
		}
	}
	if old != nil {
		e.alarmed, e.last = old.alarmed, old.last
		m.lose(h, key)
	}
	if adopted := h.entities[e.state]; adopted != nil && key != e.state { // now its discovery has come
		e.alarmed, e.last = adopted.alarmed, adopted.last
		m.lose(h, e.state)
	}
	if len(h.entities) >= maxPerHub {
		return fmt.Errorf("%w: %w: this hub has %d entities already", sense.ErrUnreadable, errFull, maxPerHub)
	}
	if err := m.room(h, 1, e.size()); err != nil {
		return err
	}
	if state, ok := m.early[hubID+"\x00"+e.state]; ok && e.component == "alarm_control_panel" {
		if e.last == "" {
			e.recall(&payload{raw: state})
		}
		delete(m.early, hubID+"\x00"+e.state)
	}
	h.entities[key] = e
	for i, t := range e.topics() {
		list := h.states
		if i > 0 {
			list = h.avail
		}
		if t == "" {
			continue
		}
		if len(h.states[t])+len(h.avail[t]) == 0 {
			m.topics[t]++
		}
		list[t] = append(list[t], e)
	}
	return nil
}

// wait keeps a retained message for the discovery that will name its topic.
func (m *memory) wait(msg *sense.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.early) < maxEarly && len(msg.Payload) <= maxEarlySize && len(msg.Topic) <= maxTopic {
		m.early[msg.Device.ID+"\x00"+msg.Topic] = slices.Clone(msg.Payload)
	}
}

// drop forgets the entities whose key is a discovery topic or one of its
// components.
func (m *memory) drop(h *hub, topic string, keep map[string]bool) {
	for key := range h.entities {
		if (key == topic || strings.HasPrefix(key, topic+"\x00")) && !keep[key] {
			m.lose(h, key)
		}
	}
}

// adopt remembers an entity that no discovery named, by its state topic, so that
// its states can be compared with those before.
func (m *memory) adopt(hubID, topic string, e *entity) error {
	if len(topic) > maxTopic {
		return fmt.Errorf("%w: the topic has %d bytes, at most %d", sense.ErrUnreadable, len(topic), maxTopic)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.state = topic
	return m.put(hubID, m.of(hubID), topic, e)
}

// lose forgets one entity.
func (m *memory) lose(h *hub, key string) {
	e := h.entities[key]
	m.unlink(h, e)
	delete(h.entities, key)
	_ = m.room(h, -1, e.size())
}

func (m *memory) unlink(h *hub, e *entity) {
	for i, t := range e.topics() {
		list := h.states
		if i > 0 {
			list = h.avail
		}
		if t == "" || !slices.Contains(list[t], e) {
			continue
		}
		list[t] = slices.DeleteFunc(list[t], func(x *entity) bool { return x == e })
		if len(list[t]) == 0 {
			delete(list, t)
		}
		if len(h.states[t])+len(h.avail[t]) == 0 {
			if m.topics[t]--; m.topics[t] <= 0 {
				delete(m.topics, t)
			}
		}
	}
}
