package mqtt

import "errors"

// errLength: a packet's length is not a number that MQTT can write.
var errLength = errors.New("malformed packet length")

// framer follows where packets begin in a connection's bytes, so that a packet
// that is too large is known by its first bytes, before any of it is kept.
type framer struct {
	kind   byte   // type of the packet that has begun
	part   uint8  // of the header that has been read: 0 none, then 1 + bytes of the length
	length uint32 // of the packet after its header
	left   uint32 // of its body that is still to come
}

// follow reads on. check is asked of every packet when its header is complete.
// It returns how many bytes belong to packets that are in order: all of them when
// err is nil, else those before the packet that is not.
func (f *framer) follow(b []byte, check func(kind byte, length uint32) error) (good int, err error) {
	for i := 0; i < len(b); {
		if f.left > 0 {
			n := min(uint32(len(b)-i), f.left)
			f.left -= n
			i += int(n)
			good = i
			continue
		}
		switch c := b[i]; {
		case f.part == 0:
			f.kind, f.length, f.part = c>>4, 0, 1
		default:
			f.length |= uint32(c&0x7f) << (7 * (f.part - 1))
			f.part++
			if c&0x80 == 0 {
				f.part = 0
				if err := check(f.kind, f.length); err != nil {
					return good, err
				}
				f.left = f.length
			} else if f.part > 4 {
				return good, errLength
			}
		}
		if i++; f.part == 0 {
			good = i
		}
	}
	return len(b), nil
}
