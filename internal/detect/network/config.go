package network

import (
	"net/netip"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Config sets the rules and the bounds. The zero value of a field means its
// default.
type Config struct {
	// Protected lists networks that are the force's or its partners' to guard.
	// Addresses that the monitor calls local, and private ones, are always
	// protected.
	Protected []netip.Prefix

	// Lateness is how long an observation waits for earlier ones (1 minute).
	Lateness time.Duration
	// Window is the span of the quick rules (10 minutes).
	Window time.Duration
	// Idle ends an episode: what a host does after so long a silence is judged
	// anew (2 hours).
	Idle time.Duration
	// Longest ends an episode that goes on and on (24 hours); the next begins at
	// once.
	Longest time.Duration

	VerticalPorts   int     // shut ports on one host within Window (12)
	HorizontalHosts int     // shut hosts on one port within Window (20)
	Slow            int     // times as many over a whole episode (2)
	Shut            float64 // least share of doors that stayed shut (0.7)
	Guesses         int     // log-in attempts at one service within Window (20)
	InboundSources  int     // sources probing one host within an episode (10)

	// Severity is the least grave class of an intrusion detection system's alerts
	// that is told (2; 1 is the gravest). What is below is counted.
	Severity int

	// Together these keep the saved state to about 10 MB under a hostile stream.
	// More than MaxPending within Lateness shortens the wait (Stats.Hurried).
	MaxSources int // hosts watched as sources (10000)
	MaxTargets int // hosts watched as targets (2000)
	MaxDoors   int // doors remembered for each source (4096)
	MaxDoorsIn int // doors remembered over all sources (200000)
	MaxPending int // observations held for order (20000)
	MaxPeers   int // pairs of hosts, and doors that answered, remembered (50000 each)
	MaxRefs    int // observations listed by a finding (event.MaxAlertRefs)
	MaxHeld    int // observations held over all findings (200000)
	MaxMatches int // rules of intrusion detection systems that matched, by pair of hosts (10000)
}

// or returns v, or d when v is zero.
func or[T int | float64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

func (c Config) withDefaults() Config {
	c.Lateness = or(c.Lateness, time.Minute)
	c.Window = or(c.Window, 10*time.Minute)
	c.Idle = or(c.Idle, 2*time.Hour)
	c.Longest = or(c.Longest, 24*time.Hour)
	c.VerticalPorts = or(c.VerticalPorts, 12)
	c.HorizontalHosts = or(c.HorizontalHosts, 20)
	c.Slow = or(c.Slow, 2)
	c.Shut = or(c.Shut, 0.7)
	c.Guesses = or(c.Guesses, 20)
	c.InboundSources = or(c.InboundSources, 10)
	c.MaxSources = or(c.MaxSources, 10_000)
	c.MaxTargets = or(c.MaxTargets, 2_000)
	c.MaxDoors = or(c.MaxDoors, 4_096)
	c.MaxDoorsIn = or(c.MaxDoorsIn, 200_000)
	c.MaxPending = or(c.MaxPending, 20_000)
	c.MaxPeers = or(c.MaxPeers, 50_000)
	c.MaxRefs = or(c.MaxRefs, event.MaxAlertRefs)
	c.MaxHeld = or(c.MaxHeld, 200_000)
	c.Severity = or(c.Severity, 2)
	c.MaxMatches = or(c.MaxMatches, 10_000)
	return c
}

// MaxLeap bounds how far one observation may move time. A monitor whose clock is
// wrong would otherwise make all others late; leapers in a row are believed.
const (
	MaxLeap = time.Hour
	leapers = 3
)
