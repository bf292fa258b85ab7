package mqttclient

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestPublishComesBack(t *testing.T) {
	for _, version := range []byte{4, 5} {
		for _, m := range []Message{
			{Topic: "a/b", Payload: []byte("x")},
			{Topic: "a/b", Payload: bytes.Repeat([]byte("y"), 5000), QoS: 1, ID: 7, Retain: true},
			{Topic: "a", QoS: 2, ID: 65535, Dup: true},
		} {
			p, err := NewReader(bytes.NewReader(AppendPublish(nil, version, &m)), version).Next()
			if err != nil || p.Topic != m.Topic || !bytes.Equal(p.Payload, m.Payload) || p.QoS != m.QoS || p.ID != m.ID || p.Retain != m.Retain || p.Dup != m.Dup {
				t.Errorf("version %d: %+v became %+v, %v", version, m, p, err)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, b := range [][]byte{{0x20, 1, 0}, {0x30, 1, 0}, {0x30, 2, 0, 9}, {0x32, 3, 0, 1, 'a'}, {0x40, 1, 0}, {0x00, 0}, {0xd0, 0xff, 0xff, 0xff, 0xff, 1}, {0x90, 1, 0}} {
		if p, err := NewReader(bytes.NewReader(b), 4).Next(); !errors.Is(err, ErrMalformed) {
			t.Errorf("% x: %+v, %v", b, p, err)
		}
	}
	for _, b := range [][]byte{{0x20}, {0x20, 2, 0}, {0x30, 0x80}} {
		if _, err := NewReader(bytes.NewReader(b), 4).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("% x: %v", b, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(byte(5), AppendPublish(nil, 5, &Message{Topic: "a/b", Payload: []byte("x"), QoS: 1, ID: 3}))
	f.Add(byte(4), []byte{0x20, 2, 0, 0, 0x40, 2, 0, 1, 0x90, 3, 0, 1, 0})
	f.Fuzz(func(t *testing.T, version byte, b []byte) {
		r := NewReader(bytes.NewReader(b), 4+version%2)
		for range len(b) + 1 {
			if _, err := r.Next(); err != nil {
				return
			}
		}
		t.Error("more packets than bytes")
	})
}
