package edge

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Bounds of wrong credentials.
const (
	wrongBurst = 10              // from one address at once
	wrongEvery = 6 * time.Second // after that, one in this time
	maxDoors   = 4096            // addresses that are told apart; all further share one
	doorIdle   = 2 * time.Minute // after which an untried door is full again
	knownFor   = time.Hour       // for which a gateway that came in from an address still may
	tellEvery  = time.Minute     // how often one device's wrong credentials are told
	spellOver  = 10 * time.Minute
	nobody     = "unknown" // stands for all who are not enrolled: their names are invented
)

// knocks bounds wrong credentials by the address that they come from, and tells
// of them. A gateway that has come in from an address lately is not locked out by
// others there.
type knocks struct {
	mu    sync.Mutex
	doors map[string]*door
	known map[[2]string]time.Time // no more than gateways have addresses
	told  map[string]*spell       // by device; no more than the registry has
}

type door struct {
	rate *rate.Limiter
	last time.Time
}

// spell is a row of wrong credentials in the name of one device.
type spell struct {
	count             int
	began, last, said time.Time
}

func newKnocks() *knocks {
	return &knocks{doors: map[string]*door{}, known: map[[2]string]time.Time{}, told: map[string]*spell{}}
}

// wait returns how long an address must wait before it may try again; 0 when it
// may now.
func (k *knocks) wait(from, gateway string, now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.doors[k.doorOf(from)]
	if d == nil || d.rate.TokensAt(now) >= 1 {
		return 0
	}
	if at, ok := k.known[[2]string{from, gateway}]; ok && now.Sub(at) < knownFor {
		return 0
	}
	return time.Duration((1 - d.rate.TokensAt(now)) * float64(wrongEvery))
}

// doorOf is the door at which an address knocks.
func (k *knocks) doorOf(from string) string {
	if k.doors[from] == nil && len(k.doors) >= maxDoors {
		return ""
	}
	return from
}

// opened notes that a gateway came in.
func (k *knocks) opened(from, gateway string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxDoors {
		for key, at := range k.known {
			if now.Sub(at) >= knownFor {
				delete(k.known, key)
			}
		}
	}
	if len(k.known) < maxDoors {
		k.known[[2]string{from, gateway}] = now
	}
}

// wrong notes a wrong credential, and returns the observation that tells of it
// where it is time to tell.
func (k *knocks) wrong(from, device string, now time.Time) *event.Observation {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.doors) >= maxDoors {
		for key, d := range k.doors {
			if now.Sub(d.last) > doorIdle {
				delete(k.doors, key)
			}
		}
	}
	key := k.doorOf(from)
	d := k.doors[key]
	if d == nil {
		d = &door{rate: rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)}
		k.doors[key] = d
	}
	d.last = now
	d.rate.AllowN(now, 1)

	s := k.told[device]
	if s == nil || now.Sub(s.last) > spellOver {
		s = &spell{began: now}
		k.told[device] = s
	}
	s.count++
	s.last = now
	if !s.said.IsZero() && now.Sub(s.said) < tellEvery {
		return nil
	}
	s.said = now
	return &event.Observation{
		ID:   event.NewID("misuse", Source, device, s.began.Format(time.RFC3339Nano), strconv.Itoa(s.count)),
		Kind: event.KindMisuse, Source: Source, Device: device, Time: now,
		Misuse: &event.Misuse{What: event.MisuseCredential, Detail: "came to the edge gateways' door with a wrong or revoked credential", Count: s.count, From: from},
	}
}

// knocked answers who came with a wrong credential.
func (r *Receiver) knocked(ctx context.Context, from, user string) {
	device := nobody
	if d, err := r.reg.Device(user); err == nil {
		device = d.ID
	}
	r.observe(ctx, r.knocks.wrong(from, device, r.clock.Now()))
}

// observe puts what the receiver itself has to say on the log, without waiting.
func (r *Receiver) observe(ctx context.Context, o *event.Observation) {
	if o == nil {
		return
	}
	failed := func(err error) {
		r.logger.Warn("what the edge gateways' door has to say could not be put on the log", "kind", o.Kind, "device", o.Device, "err", err)
	}
	if err := r.in.Observe(ctx, o, func(_ uint64, err error) {
		if err != nil {
			failed(err)
		}
	}); err != nil {
		failed(err)
	}
}

// addressOf is the network address of a request's sender: of IPv6, the network of
// 64 bits, which belongs to one.
func addressOf(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return (&net.IPNet{IP: ip.Mask(net.CIDRMask(64, 128)), Mask: net.CIDRMask(64, 128)}).String()
	}
	return host
}
