package mud

import (
	"fmt"
	"strings"
)

// words says what the conversation is.
func (m *matcher) words() string {
	f := m.f
	what := protocolName(f.Proto)
	at := f.Remote.String()
	switch f.Proto {
	case protoTCP, protoUDP:
		if m.began == ToDevice {
			return fmt.Sprintf("%s from %s to the device's port %d", what, at, f.DevicePort)
		}
		return fmt.Sprintf("%s to %s port %d", what, at, f.RemotePort)
	case protoICMP, protoICMPv6:
		what = fmt.Sprintf("%s type %d", what, f.ICMPType)
	}
	if m.began == ToDevice {
		return what + " from " + at
	}
	return what + " to " + at
}

func protocolName(n uint8) string {
	switch n {
	case protoTCP:
		return "TCP"
	case protoUDP:
		return "UDP"
	case protoICMP:
		return "ICMP"
	case protoICMPv6:
		return "ICMPv6"
	}
	return fmt.Sprintf("IP protocol %d", n)
}

// String says what a rule is about.
func (r *Rule) String() string {
	var w []string
	add := func(on bool, format string, args ...any) {
		if on {
			w = append(w, fmt.Sprintf(format, args...))
		}
	}
	switch {
	case r.Protocol != nil:
		w = append(w, protocolName(*r.Protocol))
	default:
		w = append(w, "anything")
	}
	add(r.IPVersion != 0, "over IPv%d", r.IPVersion)
	add(r.ICMPType != nil, "type %s", number(r.ICMPType))
	add(r.ICMPCode != nil, "code %s", number(r.ICMPCode))
	add(r.Src.IsValid(), "from %s", r.Src)
	add(r.SrcName != "", "from %s", r.SrcName)
	add(r.SrcPort != nil, "from %s", r.SrcPort)
	add(r.Dst.IsValid(), "to %s", r.Dst)
	add(r.DstName != "", "to %s", r.DstName)
	add(r.DstPort != nil, "to %s", r.DstPort)
	add(r.Peer.LocalNetworks, "with the local networks")
	add(r.Peer.SameManufacturer, "with devices of the same maker")
	add(r.Peer.Manufacturer != "", "with devices of %s", r.Peer.Manufacturer)
	add(r.Peer.Model != "", "with devices of the model %s", r.Peer.Model)
	add(r.Peer.MyController, "with its own controller")
	add(r.Peer.Controller != "", "with controllers of the class %s", r.Peer.Controller)
	add(r.Initiated == FromDevice, "begun by the device")
	add(r.Initiated == ToDevice, "begun by the other side")
	add(r.ignored, "on conditions that are not understood")
	return strings.Join(w, " ")
}

func number(n *uint8) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// String names the ports.
func (p *Ports) String() string {
	switch {
	case p == nil:
		return "any port"
	case p.Except:
		return fmt.Sprintf("any port but %d", p.Low)
	case p.Low == p.High:
		return fmt.Sprintf("port %d", p.Low)
	}
	return fmt.Sprintf("ports %d to %d", p.Low, p.High)
}
