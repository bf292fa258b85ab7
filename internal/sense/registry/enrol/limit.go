package enrol

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// allowance bounds attempts: by address, and all together, so that neither one
// guesser nor many keep the registry busy.
type allowance struct {
	mu   sync.Mutex
	all  *rate.Limiter
	from map[netip.Addr]*rate.Limiter
}

func newAllowance() *allowance {
	return &allowance{all: rate.NewLimiter(perAll/60.0, perAll), from: map[netip.Addr]*rate.Limiter{}}
}

// one reports whether an address may try now.
func (a *allowance) one(from netip.Addr, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.from[from]
	if l == nil {
		if len(a.from) >= maxSources {
			clear(a.from) // the common allowance still holds
		}
		l = rate.NewLimiter(rate.Every(refill), perAddress)
		a.from[from] = l
	}
	return l.AllowN(now, 1) && a.all.AllowN(now, 1)
}
