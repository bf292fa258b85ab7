package mqttclient

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Packet types of MQTT (2.1.2).
const (
	TypeConnect     byte = 1
	TypeConnack     byte = 2
	TypePublish     byte = 3
	TypePuback      byte = 4
	TypePubrec      byte = 5
	TypePubrel      byte = 6
	TypePubcomp     byte = 7
	TypeSubscribe   byte = 8
	TypeSuback      byte = 9
	TypeUnsubscribe byte = 10
	TypeUnsuback    byte = 11
	TypePingreq     byte = 12
	TypePingresp    byte = 13
	TypeDisconnect  byte = 14
)

// maxPacket is the largest packet that a client reads.
const maxPacket = 4 << 20

// ErrMalformed: what came is no MQTT packet that a client may get.
var ErrMalformed = errors.New("malformed packet")

// Packet is one packet that a client got.
type Packet struct {
	Type    byte
	ID      uint16
	Code    byte // of an acknowledgement or a farewell; of SUBACK the first
	Session bool // of CONNACK: the session is an old one

	// Of a PUBLISH.
	Topic   string
	Payload []byte // valid until the next read
	QoS     byte
	Retain  bool
	Dup     bool
}

// Reader reads packets. It belongs to one goroutine.
type Reader struct {
	r       *bufio.Reader
	version byte
	body    []byte
}

// NewReader returns a reader of packets of an MQTT version, 4 (3.1.1) or 5.
func NewReader(r io.Reader, version byte) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 2048), version: version}
}

// Buffered returns how many bytes have been read and not yet returned.
func (r *Reader) Buffered() int { return r.r.Buffered() }

// Next reads the next packet.
//
// Errors: ErrMalformed; the reader's, io.EOF between packets.
func (r *Reader) Next() (Packet, error) {
	first, err := r.r.ReadByte()
	if err != nil {
		return Packet{}, err
	}
	size, err := r.length()
	if err != nil {
		return Packet{}, err
	}
	if cap(r.body) < size {
		r.body = make([]byte, size)
	}
	r.body = r.body[:size]
	if _, err := io.ReadFull(r.r, r.body); err != nil {
		return Packet{}, fmt.Errorf("reading a packet of %d bytes: %w", size, noEOF(err))
	}
	p := Packet{Type: first >> 4}
	b := r.body
	short := fmt.Errorf("%w: type %d with %d bytes", ErrMalformed, p.Type, size)
	switch p.Type {
	case TypeConnack:
		if len(b) < 2 {
			return Packet{}, short
		}
		p.Session, p.Code = b[0]&1 == 1, b[1]
	case TypePublish:
		return r.publish(p, first, b)
	case TypePuback, TypePubrec, TypePubrel, TypePubcomp:
		if len(b) < 2 {
			return Packet{}, short
		}
		p.ID = binary.BigEndian.Uint16(b)
		if len(b) > 2 {
			p.Code = b[2]
		}
	case TypeSuback, TypeUnsuback:
		if len(b) < 2 {
			return Packet{}, short
		}
		p.ID = binary.BigEndian.Uint16(b)
		if b, err = r.properties(b[2:]); err != nil {
			return Packet{}, err
		}
		if len(b) > 0 {
			p.Code = b[0]
		}
	case TypeDisconnect:
		if len(b) > 0 {
			p.Code = b[0]
		}
	case TypePingresp:
	default:
		return Packet{}, fmt.Errorf("%w: type %d", ErrMalformed, p.Type)
	}
	return p, nil
}

func (r *Reader) publish(p Packet, first byte, b []byte) (Packet, error) {
	p.Dup, p.QoS, p.Retain = first&8 != 0, first>>1&3, first&1 != 0
	bad := fmt.Errorf("%w: PUBLISH of %d bytes", ErrMalformed, len(b))
	if len(b) < 2 {
		return Packet{}, bad
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return Packet{}, bad
	}
	p.Topic, b = string(b[:n]), b[n:]
	if p.QoS > 0 {
		if len(b) < 2 {
			return Packet{}, bad
		}
		p.ID, b = binary.BigEndian.Uint16(b), b[2:]
	}
	b, err := r.properties(b)
	p.Payload = b
	return p, err
}

// properties passes over the properties that MQTT 5 has and 3.1.1 has not.
func (r *Reader) properties(b []byte) ([]byte, error) {
	if r.version < 5 {
		return b, nil
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || n > 4 || size > uint64(len(b)-n) {
		return nil, fmt.Errorf("%w: properties", ErrMalformed)
	}
	return b[n+int(size):], nil
}

func (r *Reader) length() (int, error) {
	size := 0
	for shift := 0; ; shift += 7 {
		b, err := r.r.ReadByte()
		if err != nil {
			return 0, noEOF(err)
		}
		size |= int(b&0x7f) << shift
		switch {
		case b&0x80 == 0 && size > maxPacket:
			return 0, fmt.Errorf("%w: %d bytes", ErrMalformed, size)
		case b&0x80 == 0:
			return size, nil
		case shift == 21:
			return 0, fmt.Errorf("%w: length", ErrMalformed)
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Message is one to publish.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	Dup     bool
	ID      uint16 // with QoS 1 and 2
}

// AppendPublish adds a PUBLISH packet of an MQTT version.
func AppendPublish(b []byte, version byte, m *Message) []byte {
	size := 2 + len(m.Topic) + len(m.Payload)
	if m.QoS > 0 {
		size += 2
	}
	if version == 5 {
		size++
	}
	flags := m.QoS << 1
	if m.Retain {
		flags |= 1
	}
	if m.Dup {
		flags |= 8
	}
	b = append(b, TypePublish<<4|flags)
	b = binary.AppendUvarint(b, uint64(size))
	b = appendText(b, m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, m.ID)
	}
	if version == 5 {
		b = append(b, 0)
	}
	return append(b, m.Payload...)
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// appendPacket adds a packet with its length.
func appendPacket(b []byte, first byte, body []byte) []byte {
	b = append(b, first)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}
