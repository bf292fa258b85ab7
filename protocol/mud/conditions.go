package mud

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Protocol numbers (IANA).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// transport takes the conditions of TCP and UDP.
func (c *compiler) transport(r *Rule, raw json.RawMessage, proto uint8) error {
	if err := r.setProtocol(proto); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	for _, name := range sorted(fields) {
		v := fields[name]
		var err error
		switch bare(name) {
		case "source-port", "source-port-range-or-operator":
			r.SrcPort, err = ports(v)
		case "destination-port", "destination-port-range-or-operator":
			r.DstPort, err = ports(v)
		case "direction-initiated":
			r.Initiated, err = direction(v)
		default:
			c.ignore(r, fmt.Sprintf("transport condition %.64q", name))
		}
		if err != nil {
			return fmt.Errorf("%.64s: %w", name, err)
		}
	}
	return nil
}

func direction(v json.RawMessage) (Direction, error) {
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return AnyDirection, err
	}
	switch s {
	case "from-device":
		return FromDevice, nil
	case "to-device":
		return ToDevice, nil
	}
	return AnyDirection, fmt.Errorf("%.64q is neither from-device nor to-device", s)
}

// ports takes a range or an operator with a port (RFC 8519 section 4.2). Some
// files nest them once more, as the name port-range-or-operator suggests.
func ports(v json.RawMessage) (*Ports, error) {
	var f struct {
		Lower    *uint16 `json:"lower-port"`
		Upper    *uint16 `json:"upper-port"`
		Operator string  `json:"operator"`
		Port     *uint16 `json:"port"`
	}
	var nested struct {
		Range    json.RawMessage `json:"port-range"`
		Operator json.RawMessage `json:"port-operator"`
	}
	if err := json.Unmarshal(v, &nested); err == nil {
		for _, inner := range []json.RawMessage{nested.Range, nested.Operator} {
			if inner != nil {
				v = inner
			}
		}
	}
	if err := json.Unmarshal(v, &f); err != nil {
		return nil, err
	}
	switch {
	case f.Lower != nil:
		p := &Ports{Low: *f.Lower, High: *f.Lower}
		if f.Upper != nil {
			p.High = *f.Upper
		}
		if p.High < p.Low {
			return nil, errors.New("the upper port is below the lower")
		}
		return p, nil
	case f.Port == nil:
		return nil, errors.New("it has no port")
	}
	switch f.Operator {
	case "", "eq":
		return &Ports{Low: *f.Port, High: *f.Port}, nil
	case "neq":
		return &Ports{Low: *f.Port, High: *f.Port, Except: true}, nil
	case "gte":
		return &Ports{Low: *f.Port, High: math.MaxUint16}, nil
	case "lte":
		return &Ports{High: *f.Port}, nil
	}
	return nil, fmt.Errorf("unknown operator %.64q: use eq, neq, gte or lte", f.Operator)
}

func (c *compiler) icmp(r *Rule, raw json.RawMessage) error {
	proto := uint8(protoICMP)
	if r.IPVersion == 6 {
		proto = protoICMPv6
	}
	if err := r.setProtocol(proto); err != nil {
		return err
	}
	var f struct {
		Type *uint8 `json:"type"`
		Code *uint8 `json:"code"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	r.ICMPType, r.ICMPCode = f.Type, f.Code
	return nil
}

// peer takes MUD's abstractions. Those without a value are written [null].
func (c *compiler) peer(r *Rule, raw json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	for _, name := range sorted(fields) {
		v := fields[name]
		var err error
		switch bare(name) {
		case "manufacturer":
			err = json.Unmarshal(v, &r.Peer.Manufacturer)
			r.Peer.Manufacturer = CanonicalName(r.Peer.Manufacturer)
		case "same-manufacturer":
			r.Peer.SameManufacturer = true
		case "model":
			err = json.Unmarshal(v, &r.Peer.Model)
		case "local-networks":
			r.Peer.LocalNetworks = true
		case "controller":
			err = json.Unmarshal(v, &r.Peer.Controller)
		case "my-controller":
			r.Peer.MyController = true
		case "direction-initiated": // some files put it here
			r.Initiated, err = direction(v)
		default:
			c.ignore(r, fmt.Sprintf("MUD condition %.64q", name))
		}
		if err != nil {
			return fmt.Errorf("%.64s: %w", name, err)
		}
	}
	return nil
}
