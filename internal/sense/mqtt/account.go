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

	// taking is held while a message is handed over: dialects hear those of one
	// device one after another, whichever connections they come by.
	taking sync.Mutex

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
