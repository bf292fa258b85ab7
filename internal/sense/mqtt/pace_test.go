package mqtt

import (
	"bytes"
	"testing"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

func TestPace(t *testing.T) {
	p := &pace{most: 2}
	var all, now []byte
	for id := range uint16(5) {
		all = mqttclient.AppendPublish(all, 5, &mqttclient.Message{Topic: "a/b", Payload: bytes.Repeat([]byte{byte(id)}, 200), QoS: 1, ID: id + 1})
	}
	zero := mqttclient.AppendPublish(nil, 5, &mqttclient.Message{Topic: "a/b"})
	size := len(all) / 5
	if now = p.pass(all); !bytes.Equal(now, all[:2*size]) {
		t.Fatalf("%d bytes at once, want 2 messages of %d", len(now), size)
	}
	if got := p.pass(zero); !bytes.Equal(got, zero) {
		t.Error("QoS 0 had to wait")
	}
	for range 3 {
		now = append(now, p.next()...)
	}
	if !bytes.Equal(now, all) || len(p.next()) != 0 {
		t.Error("not everything came, or not in order")
	}
}

func FuzzPace(f *testing.F) {
	f.Add([]byte{0x32, 3, 0, 0, 0, 0xd0, 0}, 1)
	f.Fuzz(func(t *testing.T, b []byte, most int) {
		p := &pace{most: min(max(most, 1), 100)}
		out := append([]byte(nil), p.pass(b)...)
		for range len(b) + 1 {
			out = append(out, p.next()...)
		}
		if len(out) != len(b) {
			t.Errorf("%d bytes became %d", len(b), len(out))
		}
	})
}
