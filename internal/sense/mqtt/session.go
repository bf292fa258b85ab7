package mqtt

import (
	"hash/fnv"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// session is what is kept of a client besides what the broker keeps: which of
// its QoS 2 messages have been taken up. It outlives the connection, and the log
// remembers it for a restart.
type session struct {
	device, client string
	fleeting       bool // a clean session of MQTT 3.1.1: ends with its connection
	restored       bool // from the log, and its client has not come back yet

	mu    sync.Mutex
	ids   map[uint16]*handover
	saved bool // the log remembers some of ids
}

// handover is a QoS 2 message from its PUBLISH to its PUBREL (MQTT 5, 4.3.3).
// While it is known, the same packet id is the same message.
type handover struct {
	sum      uint64 // of topic and payload
	done     bool   // on disk: PUBREC may be sent
	restored bool   // from the log; a client that has lost its memory may use the id for another
	waiting  []*entry
}

// openIDs are the QoS 2 messages of a session as the log holds them.
type openIDs struct {
	Client string            `json:"client"`
	IDs    map[uint16]uint64 `json:"ids"` // fingerprints by packet id
}

func newSession(device, client string) *session {
	return &session{device: device, client: client, ids: map[uint16]*handover{}}
}

// restore makes a session of what the log remembers.
func restore(device string, o *openIDs) *session {
	s := newSession(device, o.Client)
	s.restored, s.saved = true, true
	for id, sum := range o.IDs {
		s.ids[id] = &handover{sum: sum, done: true, restored: true}
	}
	return s
}

func fingerprint(pk *packets.Packet) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(pk.TopicName)) // never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(pk.Payload)
	return h.Sum64()
}

// begin notes a QoS 2 publish. fresh is false for one that is known already: e
// is then answered when, or as soon as, the first is on disk.
func (s *session) begin(e *entry) (fresh, full bool) {
	sum := fingerprint(&e.pk)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.ids[e.id]
	if h != nil && h.restored && (!e.pk.FixedHeader.Dup || h.sum != sum) {
		h = nil // what is sent again says so [MQTT-3.3.1-1]: this is another message
	}
	if h != nil {
		if h.done {
			e.settle(codeSuccess, false)
		} else {
			h.waiting = append(h.waiting, e)
		}
		return false, false
	}
	if len(s.ids) >= maxUnreleased {
		return false, true
	}
	s.ids[e.id] = &handover{sum: sum, waiting: []*entry{e}}
	return true, false
}

// taken answers all who wait for a message: it is on disk, or refused with a
// code that ends the exchange, or could not be kept.
func (s *session) taken(id uint16, code byte, failed bool) {
	s.mu.Lock()
	h := s.ids[id]
	if h == nil {
		s.mu.Unlock()
		return
	}
	waiting := h.waiting
	h.done, h.waiting = true, nil
	if failed || len(waiting) > 0 && code >= codeUnspecified && waiting[0].c.version == 5 {
		delete(s.ids, id)
	}
	s.mu.Unlock()
	for _, e := range waiting {
		e.settle(code, failed)
	}
}

// release ends an exchange. pending: the message is not on disk yet, so that
// nobody can have been told to release it. forget: nothing is open any more, and
// the log need not remember what it does.
func (s *session) release(id uint16) (known, pending, forget bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.ids[id]
	switch {
	case h == nil:
		return false, false, false
	case !h.done:
		return true, true, false
	}
	delete(s.ids, id)
	forget = len(s.ids) == 0 && s.saved
	s.saved = s.saved && !forget
	return true, false, forget
}

// open returns how many exchanges are open.
func (s *session) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

// knows reports whether an exchange is open.
func (s *session) knows(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] != nil
}

func sessionKey(device, client string) string {
	return deviceKey(device) + ".session." + deviceKey(client)
}

// save has the log remember which QoS 2 messages of a session are open, and then
// calls done. A message is on disk before, and is acknowledged after: a client
// that missed the acknowledgement sends it again, even to a gateway that has been
// started anew, and it must not count twice.
func (g *Gateway) save(s *session, done func(error)) {
	v := shelved{Device: s.device, Session: &openIDs{Client: s.client, IDs: map[uint16]uint64{}}, Time: g.intake.Now()}
	s.mu.Lock()
	for id, h := range s.ids {
		v.Session.IDs[id] = h.sum
	}
	s.saved = len(s.ids) > 0
	// Under the lock, so that an older state cannot overtake a newer one.
	g.shelves.put(s.device, sessionKey(s.device, s.client), v, done)
	s.mu.Unlock()
}

// reload takes up the sessions that the log remembers, if they have not expired.
func (g *Gateway) reload(a *account, v *shelved) {
	if len(v.Session.IDs) > 0 && g.intake.Now().Sub(v.Time) < g.cfg.SessionExpiry+time.Minute {
		a.sessions[v.Session.Client] = restore(a.id, v.Session)
	}
}
