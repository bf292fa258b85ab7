package dc09

import (
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// Defaults of the configuration.
const (
	// DefaultMaxConns is the most TCP connections at once.
	DefaultMaxConns = 10_000
	// DefaultMaxConnsPerIP is the most TCP connections of one address: many,
	// since a whole network of panels may stand behind one.
	DefaultMaxConnsPerIP = 5_000
	// DefaultMaxFrame is the longest frame, in bytes without LF and CR.
	DefaultMaxFrame = codec.MaxFrame
	// DefaultMaxInFlight is the most frames of one connection that wait for
	// their commit together.
	DefaultMaxInFlight = 256
	// DefaultUDPWorkers is the most datagrams that wait for their commit
	// together.
	DefaultUDPWorkers = 256
	// DefaultIdleTimeout closes a connection without a frame: longer than the
	// longest reporting time (SP2, 25 h).
	DefaultIdleTimeout = 26 * time.Hour
	// DefaultFirstTimeout closes a new connection that brings no good frame:
	// places are for panels.
	DefaultFirstTimeout = 5 * time.Minute
	// DefaultFrameTimeout is how long a frame may take from its first byte to
	// its last.
	DefaultFrameTimeout = 10 * time.Second
	// DefaultWriteTimeout is how long a panel may take to read its replies.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultDedupWindow is how long a frame is remembered at least: several
	// tries over both paths of a panel, and far less than it takes a panel to
	// use up its 9,999 numbers.
	DefaultDedupWindow = 5 * time.Minute
	// DefaultDedupEntries is the most frames remembered. At that bound the
	// window shrinks.
	DefaultDedupEntries = 1 << 20

	keptFiles  = 512             // open files that connections leave to the rest of the process
	maxStrikes = 8               // arrivals in a row that are no frames, until a connection is closed
	readBuffer = 4 << 10         // bytes read from a connection at once
	recallMost = 4 * time.Minute // reading the memory back gives up then
)

// Config says where to listen, and the bounds. Zero values mean the defaults.
type Config struct {
	TCP string // host:port to listen on; empty: no TCP
	UDP string // host:port to listen on; empty: no UDP

	// Rules are the window for time stamps, on the platform's clock.
	Rules codec.Rules

	MaxConns      int
	MaxConnsPerIP int
	MaxFrame      int
	MaxInFlight   int
	UDPWorkers    int

	// Timeouts and the window below are in real time, whatever the platform's
	// clock does.
	IdleTimeout  time.Duration
	FirstTimeout time.Duration
	FrameTimeout time.Duration
	WriteTimeout time.Duration

	DedupWindow  time.Duration
	DedupEntries int
}

func (c Config) withDefaults() Config {
	setInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	setTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	setInt(&c.MaxConns, DefaultMaxConns)
	setInt(&c.MaxConnsPerIP, DefaultMaxConnsPerIP)
	setInt(&c.MaxFrame, DefaultMaxFrame)
	c.MaxFrame = min(c.MaxFrame, codec.MaxFrame)
	setInt(&c.MaxInFlight, DefaultMaxInFlight)
	setInt(&c.UDPWorkers, DefaultUDPWorkers)
	setTime(&c.IdleTimeout, DefaultIdleTimeout)
	setTime(&c.FirstTimeout, DefaultFirstTimeout)
	setTime(&c.FrameTimeout, DefaultFrameTimeout)
	setTime(&c.WriteTimeout, DefaultWriteTimeout)
	setTime(&c.DedupWindow, DefaultDedupWindow)
	setInt(&c.DedupEntries, DefaultDedupEntries)
	return c
}
