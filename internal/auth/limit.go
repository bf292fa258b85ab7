package auth

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"
)

// How many sign-ins may fail before the next must wait.
const (
	accountBurst  = 5
	accountRefill = time.Minute // one more attempt each
	remoteBurst   = 30
	remoteRefill  = 10 * time.Second

	// maxTracked bounds the accounts, and the addresses, that are remembered.
	maxTracked = 20_000
)

// ErrThrottled: too many attempts; the text says how long to wait. See WaitError.
var ErrThrottled = errors.New("too many attempts")

// WaitError is an ErrThrottled that says how long.
type WaitError struct {
	Wait time.Duration

	again bool // refused before since the last attempt that counted
}

// Error says how long to wait.
func (e *WaitError) Error() string {
	if n := int(math.Ceil(e.Wait.Seconds())); n <= 90 {
		return fmt.Sprintf("%v: try again in %d seconds", ErrThrottled, n)
	}
	return fmt.Sprintf("%v: try again in %d minutes", ErrThrottled, int(math.Ceil(e.Wait.Minutes())))
}

// Unwrap makes it an ErrThrottled.
func (e *WaitError) Unwrap() error { return ErrThrottled }

// limits slows down guessing, by account and by network address.
type limits struct {
	accounts, remotes *buckets
}

func newLimits() *limits {
	return &limits{
		accounts: &buckets{burst: accountBurst, refill: accountRefill, of: map[string]bucket{}},
		remotes:  &buckets{burst: remoteBurst, refill: remoteRefill, of: map[string]bucket{}},
	}
}

// attempt counts an attempt before it is known to fail, so that a hundred at
// once are a hundred.
func (l *limits) attempt(now time.Time, account, remote string) error {
	if err := l.remotes.take(now, network(remote)); err != nil {
		return err
	}
	if account == "" {
		return nil
	}
	return l.accounts.take(now, account)
}

// succeeded takes an attempt back, and forgets the account's failures.
func (l *limits) succeeded(account, remote string) {
	l.accounts.forget(account)
	l.remotes.give(network(remote))
}

// network is what counts as one address: an IPv6 site has a /64 to itself.
func network(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	addr := ap.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(remote); err != nil {
			return remote
		}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// buckets holds a few attempts for each key, which come back with time.
type buckets struct {
	burst  float64
	refill time.Duration

	mu sync.Mutex
	of map[string]bucket
}

type bucket struct {
	used    float64 // attempts, at the time
	at      time.Time
	refused bool // since then
}

func (b *buckets) now(k bucket, now time.Time) float64 {
	return max(0, k.used-max(0, float64(now.Sub(k.at))/float64(b.refill)))
}

// take uses an attempt, or says how long to wait for one.
func (b *buckets) take(now time.Time, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.now(b.of[key], now)
	if used+1 > b.burst {
		k := b.of[key]
		again := k.refused
		k.refused = true
		b.of[key] = k
		return &WaitError{Wait: time.Duration((used + 1 - b.burst) * float64(b.refill)), again: again}
	}
	if _, known := b.of[key]; !known && len(b.of) >= maxTracked {
		b.prune(now)
	}
	b.of[key] = bucket{used: used + 1, at: now}
	return nil
}

// prune forgets who has all attempts again, and, if that is nobody, anyone.
func (b *buckets) prune(now time.Time) {
	for k, v := range b.of {
		if b.now(v, now) == 0 {
			delete(b.of, k)
		}
	}
	for k := range b.of {
		if len(b.of) < maxTracked {
			return
		}
		delete(b.of, k)
	}
}

func (b *buckets) give(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.of[key]; ok {
		k.used = max(0, k.used-1)
		b.of[key] = k
	}
}

func (b *buckets) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, key)
}
