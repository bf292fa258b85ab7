package street

import (
	"container/list"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Figures of the frame counters' memory.
const (
	maxRadios  = 100_000          // devices that are remembered; beyond it the one longest unheard of the busiest server is forgotten
	ringSize   = 4                // frames of a device that are remembered
	hearAgain  = 10 * time.Second // how long after a frame another gateway may bring the same one
	lateAtMost = time.Minute      // how far a frame may be overtaken by a later one on its way from the server
	resetFrom  = 8                // counters from which a device that was switched on anew may begin
	resetSteps = 3                // frames that must follow one another until a counter that began anew is believed
	resetGap   = 16               // how far they may be apart
	resetEvery = 24 * time.Hour   // how often a device may begin anew without a join
	sessions   = 2                // earlier sessions that are remembered, so that they do not come again
)

// Counters remembers the frame counters of radio devices (LoRaWAN 1.0.4, 4.3.1.5)
// and refuses frames that were there before. A network server checks them too;
// this finds what comes past it: a server whose check is off, a device that was
// cloned, or an integration's messages that were recorded and are played again.
//
// It must have been recovered ([Counters.Recover]) before the first message, and
// [Counters.Run] must run for the memory to outlive a restart.
type Counters struct {
	mu      sync.Mutex
	radios  map[radioKey]*radio
	servers map[string]*list.List // by server: its radios, the one heard last in front
	dirty   bool
	max     int
}

// NewCounters returns an empty memory.
func NewCounters() *Counters {
	return &Counters{radios: map[radioKey]*radio{}, servers: map[string]*list.List{}, max: maxRadios}
}

// radioKey names a device: the servers of two owners cannot touch each other's.
type radioKey struct{ server, eui string }

// heard is one frame that was accepted.
type heard struct {
	id      uint64 // of its observation, hashed
	at      int64  // ms since 1970, by the network server's clock
	counter uint32
	missed  uint32
}

// radio is what is known of one device.
type radio struct {
	key     radioKey
	session uint64           // hash of address and session key's id
	past    [sessions]uint64 // sessions before
	ring    []heard          // at most ringSize, by counter
	joinID  uint64           // the join that began the session
	joined  bool             // a join was seen: it cannot begin anew without another
	refused int              // frames in a row

	candidate uint32 // counter of a sequence that may have begun anew
	steps     int    // frames of it
	resetAt   int64  // when the counter last began anew without a join, ms

	place *list.Element
}

// verdict is what becomes of a frame.
type verdict int

const (
	accepted verdict = iota
	repeated         // the same message again: it says the same
	echoed           // the same frame by another gateway: nothing more is said
	refused
)

// judgement is a verdict with its reasons.
type judgement struct {
	verdict verdict
	missed  uint32
	reset   bool   // the counter began anew, and is believed from here on
	why     string // refused: in words
	count   int    // refused: how many in a row
}

// sighting is what the memory is told of a frame or a join.
type sighting struct {
	key     radioKey
	session string // address and, where the server tells it, the id of the session's key
	counter uint32
	at      time.Time
	id      event.ID
}

func hashed(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

// judge decides about an uplink, and remembers it.
func (c *Counters) judge(s sighting) judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
	r, known := c.radio(s.key)
	session := hashed(s.session)
	h := heard{id: hashed(string(s.id)), at: s.at.UnixMilli(), counter: s.counter}
	switch {
	case !known:
		r.session = session
		r.keep(h)
		return judgement{}
	case session == r.session:
		return r.within(h)
	case r.was(session):
		return r.refuse("it belongs to a session that has ended: %s", s.session)
	}
	r.begin(session) // a join that nobody told us of
	r.keep(h)
	return judgement{}
}

// join begins a session.
func (c *Counters) join(s sighting) judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
	r, _ := c.radio(s.key)
	session, id := hashed(s.session), hashed(string(s.id))
	switch {
	case session == r.session && id == r.joinID:
		return judgement{verdict: repeated}
	case session == r.session && r.joinID == 0 && len(r.ring) > 0:
		// A network server may tell of a join only after the first frame of its
		// session (ChirpStack does): the session has begun already.
		r.joinID, r.joined = id, true
		return judgement{}
	case r.was(session):
		return r.refuse("a join begins a session that has ended: %s", s.session)
	}
	r.begin(session)
	r.joinID, r.joined = id, true
	return judgement{}
}

// within decides about a frame of the session that goes on.
func (r *radio) within(h heard) judgement {
	for _, old := range r.ring {
		switch {
		case old.counter != h.counter:
		case old.id == h.id:
			return judgement{verdict: repeated, missed: old.missed}
		case abs(h.at-old.at) <= hearAgain.Milliseconds():
			return judgement{verdict: echoed}
		}
	}
	if len(r.ring) == 0 {
		r.keep(h)
		return judgement{}
	}
	last := r.ring[len(r.ring)-1]
	if h.counter > last.counter {
		h.missed = h.counter - last.counter - 1
		r.keep(h)
		return judgement{missed: h.missed}
	}
	if r.overtaken(h, last) {
		r.keep(h)
		return judgement{}
	}
	if r.anew(h) {
		r.ring = r.ring[:0]
		r.resetAt = h.at
		r.keep(h)
		return judgement{reset: true}
	}
	if h.counter == last.counter {
		return r.refuse("its frame counter %d was there before", h.counter)
	}
	return r.refuse("its frame counter is %d after %d", h.counter, last.counter)
}

// overtaken reports whether a frame was sent before the last, and only came after
// it.
func (r *radio) overtaken(h, last heard) bool {
	if h.counter < r.ring[0].counter && len(r.ring) == ringSize || last.counter-h.counter > ringSize {
		return false // whether it was there before cannot be told any more
	}
	for _, old := range r.ring {
		if old.counter == h.counter {
			return false
		}
	}
	return h.at <= last.at && last.at-h.at <= lateAtMost.Milliseconds()
}

// anew reports whether a device without joins, that lost its counter with its
// power, has now shown so: its first frames are refused, and told of.
func (r *radio) anew(h heard) bool {
	switch {
	case r.joined || r.resetAt != 0 && abs(h.at-r.resetAt) < resetEvery.Milliseconds():
		return false
	case r.steps > 0 && h.counter > r.candidate && h.counter-r.candidate <= resetGap:
		r.steps++
	case h.counter <= resetFrom:
		r.steps = 1
	default:
		r.steps = 0
		return false
	}
	r.candidate = h.counter
	return r.steps >= resetSteps
}

// keep remembers an accepted frame.
func (r *radio) keep(h heard) {
	r.refused, r.steps, r.candidate = 0, 0, 0
	i := len(r.ring)
	for i > 0 && r.ring[i-1].counter > h.counter {
		i--
	}
	r.ring = append(r.ring, heard{})
	copy(r.ring[i+1:], r.ring[i:])
	r.ring[i] = h
	if len(r.ring) > ringSize {
		r.ring = append(r.ring[:0], r.ring[1:]...)
	}
}

func (r *radio) refuse(format string, args ...any) judgement {
	r.refused++
	return judgement{verdict: refused, why: fmt.Sprintf(format, args...), count: r.refused}
}

// begin begins a session.
func (r *radio) begin(session uint64) {
	if session != r.session && r.session != 0 {
		copy(r.past[1:], r.past[:])
		r.past[0] = r.session
	}
	r.session, r.ring, r.joinID = session, r.ring[:0], 0
	r.refused, r.steps, r.candidate = 0, 0, 0
}

func (r *radio) was(session uint64) bool {
	for _, p := range r.past {
		if p == session && p != 0 {
			return true
		}
	}
	return false
}

// radio returns what is known of a device, now heard, and whether it was known.
func (c *Counters) radio(k radioKey) (r *radio, known bool) {
	if r = c.radios[k]; r != nil {
		c.servers[k.server].MoveToFront(r.place)
		return r, true
	}
	if len(c.radios) >= c.max {
		c.forget()
	}
	r = &radio{key: k}
	c.put(r)
	return r, false
}

func (c *Counters) put(r *radio) {
	of := c.servers[r.key.server]
	if of == nil {
		of = list.New()
		c.servers[r.key.server] = of
	}
	r.place = of.PushFront(r)
	c.radios[r.key] = r
}

// forget drops the device longest unheard of the server that has most: a server
// that names devices without end forgets its own, not another's.
func (c *Counters) forget() {
	var busiest string
	for name, of := range c.servers {
		if most := c.servers[busiest]; most == nil || of.Len() > most.Len() || of.Len() == most.Len() && name < busiest {
			busiest = name
		}
	}
	of := c.servers[busiest]
	r := of.Remove(of.Back()).(*radio)
	delete(c.radios, r.key)
	if of.Len() == 0 {
		delete(c.servers, busiest)
	}
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
