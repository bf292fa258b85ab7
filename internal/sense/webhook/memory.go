package webhook

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Bounds of what is remembered of requests with an Idempotency-Key.
const (
	keyFor     = 10 * time.Minute
	keysEach   = 256     // of one device; the oldest goes first
	keysAll    = 100_000 // beyond it, keys are not remembered until some have expired
	maxKey     = 200     // bytes
	maxAnswers = 16 << 10
)

// memory knows what requests with an Idempotency-Key were answered, so that the
// same request sent again is answered the same and observed once. It does not
// outlive the process.
type memory struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string][]*remembered // by device, oldest first
	n   int
}

type remembered struct {
	key    string
	sum    [32]byte
	at     time.Time
	done   chan struct{} // closed when answer is there
	answer answer
	keep   bool // false: the attempt came to nothing
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, by: map[string][]*remembered{}}
}

// once does a request that carries a key once.
func (s *Server) once(r *http.Request, d *registry.Device, topic string, body []byte, do func() answer) answer {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return do()
	}
	if len(key) > maxKey {
		return problem{Status: http.StatusBadRequest, Title: "Key too long", Reason: "key", Detail: "An Idempotency-Key has at most 200 bytes."}.answer()
	}
	h := sha256.New()
	h.Write([]byte(topic))
	h.Write([]byte{0})
	h.Write(body)
	m, mine := s.memory.claim(d.ID, key, [32]byte(h.Sum(nil)))
	if !mine {
		select {
		case <-m.done:
		case <-r.Context().Done():
			return busyServer().answer()
		}
		s.met.repeats.Inc()
		if m.sum != [32]byte(h.Sum(nil)) {
			return problem{Status: http.StatusUnprocessableEntity, Title: "Key used before", Reason: "key", Detail: "This Idempotency-Key came with another message before: it was not observed. Use a new key for each message."}.answer()
		}
		if m.keep {
			return m.answer
		}
		return do() // the first attempt failed, and this one may not
	}
	a := do()
	s.memory.settle(d.ID, m, a)
	return a
}

// claim returns what is remembered of a key, or a new memory that is the
// caller's to settle.
func (m *memory) claim(device, key string, sum [32]byte) (r *remembered, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.expire(device, now)
	for _, r := range m.by[device] {
		if r.key == key {
			return r, false
		}
	}
	r = &remembered{key: key, sum: sum, at: now, done: make(chan struct{})}
	if m.n >= keysAll {
		for d := range m.by {
			m.expire(d, now)
		}
	}
	if m.n < keysAll {
		m.by[device] = append(m.by[device], r)
		m.n++
	}
	return r, true
}

// expire forgets a device's old keys, and the oldest beyond their number.
func (m *memory) expire(device string, now time.Time) {
	list := m.by[device]
	drop := max(0, len(list)-keysEach+1)
	for drop < len(list) && now.Sub(list[drop].at) > keyFor {
		drop++
	}
	m.n -= drop
	if drop == len(list) {
		delete(m.by, device)
	} else if drop > 0 {
		m.by[device] = append([]*remembered(nil), list[drop:]...)
	}
}

// settle remembers an answer, unless it says to try again.
func (m *memory) settle(device string, r *remembered, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.answer, r.keep = a, a.retry == 0 && a.status != http.StatusServiceUnavailable && len(a.body) <= maxAnswers
	if !r.keep {
		list := m.by[device]
		for i := range list {
			if list[i] == r {
				m.by[device] = append(append([]*remembered(nil), list[:i]...), list[i+1:]...)
				m.n--
				break
			}
		}
	}
	close(r.done)
}
