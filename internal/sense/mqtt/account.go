package mqtt

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// account is what all connections of one device share. It is kept from the first
// good login on, so there are at most as many as the registry has devices.
type account struct {
	id         string
	subscribed atomic.Bool // some client of the device has subscribed to something

	mu       sync.Mutex
	limiter  *rate.Limiter
	limits   registry.Limits
	slowed   time.Time // since when it is slowed down without a break; zero: it is not
	conns    map[*conn]bool
	sessions map[string]*session // by client id
	gone     bool                // its last will was the last that we heard of it
	knownAt  map[string]bool     // addresses of its good logins, the newest few
	shelf    shelf
}

func newAccount(id string) *account {
	return &account{
		id: id, limiter: rate.NewLimiter(0, 0), conns: map[*conn]bool{}, sessions: map[string]*session{},
		knownAt: map[string]bool{}, shelf: newShelf(),
	}
}

// setLimits takes up the limits of the registry.
func (a *account) setLimits(d *registry.Device) {
	l := d.Limits.OrDefault()
	a.mu.Lock()
	defer a.mu.Unlock()
	if l != a.limits {
		a.limits = l
		a.limiter = rate.NewLimiter(rate.Limit(l.Messages), l.Burst)
	}
}

// mayPublish counts one packet. It returns how long to wait before it is taken
// up, and whether the device has been too fast for too long.
func (a *account) mayPublish(now time.Time, patience time.Duration) (wait time.Duration, flood bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.limiter.ReserveN(now, 1)
	wait = r.DelayFrom(now)
	if wait == 0 {
		a.slowed = time.Time{}
		return 0, false
	}
	if a.slowed.IsZero() {
		a.slowed = now
	}
	if now.Add(wait).Sub(a.slowed) > patience {
		r.CancelAt(now)
		a.slowed = time.Time{}
		return 0, true
	}
	return wait, false
}

// session is what is kept of a client besides what the broker keeps: which of
// its QoS 2 messages have been taken up. It outlives the connection.
type session struct {
	fleeting bool // a clean session of MQTT 3.1.1: ends with its connection

	mu  sync.Mutex
	ids map[uint16]*handover
}

// handover is a QoS 2 message from its PUBLISH to its PUBREL (MQTT 5, 4.3.3).
// While it is known, the same packet id is the same message.
type handover struct {
	done    bool // on disk: PUBREC may be sent
	waiting []*entry
}

func newSession() *session { return &session{ids: map[uint16]*handover{}} }

// begin notes a QoS 2 publish. fresh is false for one that is known already: e
// is then answered when, or as soon as, the first is on disk.
func (s *session) begin(e *entry) (fresh, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.ids[e.id]; h != nil {
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
	s.ids[e.id] = &handover{waiting: []*entry{e}}
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
	if failed || code >= codeUnspecified && waiting[0].c.version == 5 {
		delete(s.ids, id)
	}
	s.mu.Unlock()
	for _, e := range waiting {
		e.settle(code, failed)
	}
}

// release ends an exchange. pending: the message is not on disk yet, so that
// nobody can have been told to release it.
func (s *session) release(id uint16) (known, pending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.ids[id]
	switch {
	case h == nil:
		return false, false
	case !h.done:
		return true, true
	}
	delete(s.ids, id)
	return true, false
}

// open returns how many exchanges are open.
func (s *session) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}
