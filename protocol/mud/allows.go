package mud

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
)

// Flow is a conversation between a device and another host.
type Flow struct {
	Proto      uint8 // IP protocol: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6
	Device     netip.Addr
	Remote     netip.Addr
	DevicePort uint16
	RemotePort uint16
	ICMPType   uint8
	ICMPCode   uint8
}

// Network is what the verdict needs to know of the network. The zero value knows
// nothing: rules that depend on it then leave the verdict unsure.
type Network struct {
	// Names returns the names under which an address was looked up; nil: unknown.
	Names func(netip.Addr) []string
	// Local lists the local networks; empty: those of private and link-local
	// addresses.
	Local []netip.Prefix
	// MUDURL returns the MUD URL of the device at an address, "" when it has none
	// or is not known.
	MUDURL func(netip.Addr) string
	// Controllers lists, by the URI of their class, the controllers' addresses.
	Controllers map[string][]netip.Prefix
	// MyControllers lists the addresses of controllers of the device itself.
	MyControllers []netip.Prefix
}

// Verdict is whether a conversation is within a profile, and why.
type Verdict struct {
	Allowed bool
	// Unsure: it is within if something is true that is not known, such as the
	// remote host's name. Allowed is false then.
	Unsure bool
	Rule   string // that decided: the list's and its own name; "" when none did
	Reason string // in words
}

// Allows says whether a conversation is within the profile. began is who began
// it: FromDevice or ToDevice. The first rule that matches decides.
func (p *Profile) Allows(f Flow, began Direction, n *Network) Verdict {
	if n == nil {
		n = &Network{}
	}
	f.Device, f.Remote = f.Device.Unmap(), f.Remote.Unmap()
	rules := p.From
	if began == ToDevice {
		rules = p.To
	}
	m := matcher{p: p, f: &f, n: n, began: began}
	var maybe *Rule
	for i := range rules {
		r := &rules[i]
		switch m.match(r) {
		case yes:
			v := Verdict{Allowed: r.Accept, Rule: r.List + "/" + r.Name}
			if r.Accept {
				v.Reason = fmt.Sprintf("%s: within %q, which allows %s", m.words(), v.Rule, r)
			} else {
				v.Reason = fmt.Sprintf("%s: outside, for %q forbids %s", m.words(), v.Rule, r)
			}
			return v
		case unknown:
			if maybe == nil && r.Accept {
				maybe = r
			}
		}
	}
	switch {
	case m.housekeeping():
		return Verdict{Allowed: true, Reason: m.words() + ": DNS and NTP within the local network are always within"}
	case maybe != nil:
		name := maybe.List + "/" + maybe.Name
		return Verdict{Unsure: true, Rule: name, Reason: fmt.Sprintf("%s: perhaps within %q, which allows %s; whether that is who it is is not known", m.words(), name, maybe)}
	}
	return Verdict{Reason: m.words() + ": outside, for no rule allows it"}
}

// answer is whether a condition holds.
type answer uint8

const (
	no answer = iota
	unknown
	yes
)

func is(b bool) answer {
	if b {
		return yes
	}
	return no
}

type matcher struct {
	p     *Profile
	f     *Flow
	n     *Network
	began Direction
}

// match reports whether all conditions of a rule hold. The packets that begin the
// conversation are judged: their source is who began it.
func (m *matcher) match(r *Rule) answer {
	src, dst, srcPort, dstPort := m.f.Device, m.f.Remote, m.f.DevicePort, m.f.RemotePort
	remoteName, deviceName := r.DstName, r.SrcName
	if m.began == ToDevice {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
		remoteName, deviceName = deviceName, remoteName
	}
	switch {
	case r.ignored,
		r.IPVersion == 4 && !m.f.Remote.Is4(), r.IPVersion == 6 && !m.f.Remote.Is6(),
		r.Protocol != nil && *r.Protocol != m.f.Proto,
		r.Src.IsValid() && !r.Src.Contains(src), r.Dst.IsValid() && !r.Dst.Contains(dst),
		!r.SrcPort.Has(srcPort), !r.DstPort.Has(dstPort),
		r.ICMPType != nil && *r.ICMPType != m.f.ICMPType, r.ICMPCode != nil && *r.ICMPCode != m.f.ICMPCode,
		r.Initiated != AnyDirection && r.Initiated != m.began:
		return no
	}
	got := m.peer(&r.Peer)
	if remoteName != "" {
		got = min(got, m.named(m.f.Remote, remoteName))
	}
	if deviceName != "" {
		got = min(got, m.named(m.f.Device, deviceName))
	}
	return got
}

// named reports whether an address is known by a name. One that is known by other
// names only is taken to be theirs.
func (m *matcher) named(a netip.Addr, name string) answer {
	if m.n.Names == nil {
		return unknown
	}
	names := m.n.Names(a)
	if len(names) == 0 {
		return unknown
	}
	return is(slices.ContainsFunc(names, func(n string) bool { return CanonicalName(n) == name }))
}

// peer reports whether the remote host is who the abstractions say. Each that is
// given must hold.
func (m *matcher) peer(p *Peer) answer {
	got := yes
	if p.anyone() {
		return got
	}
	if p.LocalNetworks {
		got = min(got, is(m.local(m.f.Remote)))
	}
	if p.MyController {
		got = min(got, m.among(m.n.MyControllers, m.n.MyControllers != nil))
	}
	if p.Controller != "" {
		at, known := m.n.Controllers[p.Controller]
		got = min(got, m.among(at, known))
	}
	if p.Manufacturer != "" || p.SameManufacturer || p.Model != "" {
		got = min(got, m.made(p))
	}
	return got
}

func (m *matcher) among(nets []netip.Prefix, known bool) answer {
	if !known {
		return unknown
	}
	return is(slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(m.f.Remote) }))
}

// made reports whether the remote host is a device of the maker or model.
func (m *matcher) made(p *Peer) answer {
	if m.n.MUDURL == nil {
		return unknown
	}
	theirs := m.n.MUDURL(m.f.Remote)
	if theirs == "" {
		// A device that speaks no MUD is nobody's that could be named by it.
		return no
	}
	maker := authority(theirs)
	return is((p.Manufacturer == "" || p.Manufacturer == maker) &&
		(!p.SameManufacturer || maker == authority(m.p.URL)) &&
		(p.Model == "" || p.Model == theirs))
}

// authority is the host of a MUD URL, by which makers are told apart.
func authority(mudURL string) string {
	u, err := url.Parse(mudURL)
	if err != nil {
		return ""
	}
	return CanonicalName(u.Hostname())
}

func (m *matcher) local(a netip.Addr) bool {
	if len(m.n.Local) == 0 {
		return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsLoopback()
	}
	return slices.ContainsFunc(m.n.Local, func(p netip.Prefix) bool { return p.Contains(a) })
}

// housekeeping reports DNS and NTP that the device asks for locally.
func (m *matcher) housekeeping() bool {
	if m.began != FromDevice || !m.local(m.f.Remote) {
		return false
	}
	switch m.f.RemotePort {
	case 53:
		return m.f.Proto == protoUDP || m.f.Proto == protoTCP
	case 123:
		return m.f.Proto == protoUDP
	}
	return false
}
