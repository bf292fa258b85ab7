package mud

import (
	"errors"
	"net/netip"
	"time"
)

// Bounds of a MUD file.
const (
	MaxFile  = 1 << 20 // bytes
	MaxRules = 10_000  // in all its lists together
)

// Errors of a MUD file.
var (
	ErrTooLarge = errors.New("the MUD file is too large")
	ErrInvalid  = errors.New("not a MUD file")
)

// Profile is a MUD file.
type Profile struct {
	URL           string // mud-url: the file's name for itself
	Version       int    // mud-version: 1
	LastUpdate    time.Time
	CacheValidity time.Duration // how long it holds before one should look again
	Supported     bool          // the maker still mends the device's software
	SystemInfo    string
	Maker         string // mfg-name
	Model         string // model-name
	Firmware      string
	Software      string
	Documentation string // URL
	Signature     string // URL of its signature, which is not checked
	Extensions    []string

	From []Rule // from-device-policy, in order
	To   []Rule // to-device-policy, in order

	// Ignored names what the file says and this package does not understand. A
	// rule with such a condition matches nothing.
	Ignored []string
}

// Direction is who began a conversation.
type Direction uint8

// Directions.
const (
	AnyDirection Direction = iota
	FromDevice
	ToDevice
)

// Rule is one entry of an access list. A condition that is nil or empty holds of
// everything.
type Rule struct {
	List   string // of its access list
	Name   string
	Accept bool // forwarding is accept; else drop or reject

	IPVersion int    // 4, 6, or 0 for both
	Protocol  *uint8 // 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6
	Src, Dst  netip.Prefix
	SrcName   string // src-dnsname, in lower case
	DstName   string
	SrcPort   *Ports
	DstPort   *Ports
	ICMPType  *uint8
	ICMPCode  *uint8
	Initiated Direction // direction-initiated, of TCP
	Peer      Peer

	ignored bool // it has a condition that is not understood
}

// Ports is a range of ports, or all but one port.
type Ports struct {
	Low, High uint16
	Except    bool
}

// Has reports whether a port is among them.
func (p *Ports) Has(port uint16) bool {
	return p == nil || (port >= p.Low && port <= p.High) != p.Except
}

// Peer says who is at the other end by MUD's abstractions.
type Peer struct {
	Manufacturer     string // the authority of its MUD URL
	SameManufacturer bool
	Model            string // its MUD URL
	LocalNetworks    bool
	Controller       string // a class of controllers, by URI
	MyController     bool
}

func (p Peer) anyone() bool { return p == Peer{} }
