package webhook

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// allowance bounds each device by its limits in the registry.
type allowance struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*deviceRate // no more than there are devices
}

type deviceRate struct {
	limits registry.Limits
	rate   *rate.Limiter
}

// newAllowance returns an allowance that knows each device's registry.Limits.
func newAllowance(now func() time.Time) *allowance {
	return &allowance{now: now, by: map[string]*deviceRate{}}
}

// Take takes leave for n messages, no more than the device's burst, and returns 0;
// or how long to wait until there is leave.
func (a *allowance) Take(d *registry.Device, n int) time.Duration {
	l := d.Limits.OrDefault()
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.by[d.ID]
	if r == nil || r.limits != l {
		r = &deviceRate{l, rate.NewLimiter(rate.Limit(l.Messages), l.Burst)}
		a.by[d.ID] = r
	}
	now := a.now()
	res := r.rate.ReserveN(now, min(n, l.Burst))
	wait := res.DelayFrom(now)
	if wait > 0 {
		res.CancelAt(now)
	}
	return wait
}

// Bounds of wrong credentials.
const (
	wrongBurst = 10              // from one address at once
	wrongEvery = 6 * time.Second // after that, one in this time
	maxDoors   = 8192            // addresses that are told apart
	maxKnown   = 65536           // devices that came in from an address
	knownFor   = time.Hour       // and how long that is remembered
	doorsIdle  = 2 * time.Minute // a door that is not knocked at is full again by then
)

// doors bounds wrong credentials by the address that they come from. A device
// that has come in from an address lately still may: neighbours behind one
// address do not lock each other out.
type doors struct {
	now   func() time.Time
	mu    sync.Mutex
	by    map[string]*door
	known map[[2]string]time.Time
}

type door struct {
	rate *rate.Limiter
	last time.Time
}

func newDoors(now func() time.Time) *doors {
	return &doors{now: now, by: map[string]*door{}, known: map[[2]string]time.Time{}}
}

// neighbourhood is what is taken for one address: an IPv6 network of 64 bits
// belongs to one.
func neighbourhood(from string) string {
	ip, err := netip.ParseAddr(from)
	if err != nil || !ip.Is6() || ip.Is4In6() {
		return from
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return from
	}
	return p.String()
}

// closed returns how long an address must wait before it may try a device's
// credential; 0 when it may.
func (s *doors) closed(from, device string) time.Duration {
	from = neighbourhood(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.by[from]
	if d == nil {
		return 0
	}
	now := s.now()
	if d.rate.TokensAt(now) >= 1 {
		return 0
	}
	if at, ok := s.known[[2]string{from, device}]; ok && now.Sub(at) < knownFor {
		return 0
	}
	return time.Duration((1 - d.rate.TokensAt(now)) * float64(wrongEvery))
}

// knocked notes a wrong credential.
func (s *doors) knocked(from string) {
	from = neighbourhood(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	d := s.by[from]
	if d == nil {
		if len(s.by) >= maxDoors {
			for k, old := range s.by {
				if now.Sub(old.last) > doorsIdle {
					delete(s.by, k)
				}
			}
		}
		if len(s.by) >= maxDoors {
			from = "" // all further addresses share one door
			d = s.by[from]
		}
		if d == nil {
			d = &door{rate: rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)}
			s.by[from] = d
		}
	}
	d.last = now
	d.rate.AllowN(now, 1)
}

// opened notes that a device came in.
func (s *doors) opened(from, device string) {
	k := [2]string{neighbourhood(from), device}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if at, ok := s.known[k]; ok && now.Sub(at) < knownFor/2 {
		return
	}
	if len(s.known) >= maxKnown {
		for k, at := range s.known {
			if now.Sub(at) >= knownFor {
				delete(s.known, k)
			}
		}
		if len(s.known) >= maxKnown {
			return
		}
	}
	s.known[k] = now
}
