package dc09

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const benchPlain = `"SIA-DCS"0013R1L0#1234[#1234|Nri1/BA003]_09:19:30,02-20-2023`

func BenchmarkParse(b *testing.B) {
	raw := []byte(repaired("00000000" + benchPlain))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseString(b *testing.B) {
	raw := repaired("00000000" + benchPlain)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseString(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	f, err := Parse([]byte(repaired("00000000" + benchPlain)))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = Encode(buf[:0], &f, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeEncrypted(b *testing.B) {
	f, err := Parse([]byte(repaired("00000000" + benchPlain)))
	if err != nil {
		b.Fatal(err)
	}
	f.Encrypted = true
	key, random := testKey(b), rand.NewChaCha8([32]byte{})
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = Encode(buf[:0], &f, key, random); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecrypt opens a frame whose region has five AES blocks.
func BenchmarkDecrypt(b *testing.B) {
	key := testKey(b)
	f, err := ParseSpec("*SIA-DCS|#1234|Nri1/BA003^Living room window^")
	if err != nil {
		b.Fatal(err)
	}
	f.Time = at("09:19:30,02-20-2023")
	wire, err := Encode(nil, &f, key, nil)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := Parse(wire)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		frame := sealed
		if err := frame.Decrypt(key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCRC(b *testing.B) {
	body := []byte(benchPlain)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		Checksum(body)
	}
}

func BenchmarkSignals(b *testing.B) {
	f, err := ParseString(repaired("00000000" + benchPlain))
	if err != nil {
		b.Fatal(err)
	}
	var signals []Signal
	b.ReportAllocs()
	for b.Loop() {
		if signals, err = AppendSignals(signals[:0], &f); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReceive is a receiver's whole work on one frame, without I/O.
func BenchmarkReceive(b *testing.B) {
	stream := strings.NewReader("")
	wire := "\n" + repaired("00000000"+benchPlain) + "\r"
	now := at("09:19:30,02-20-2023")
	s := NewScanner(stream, 0)
	var signals []Signal
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		stream.Reset(wire)
		raw, err := s.Next()
		if err != nil {
			b.Fatal(err)
		}
		f, err := Parse(raw)
		if err == nil {
			signals, err = AppendSignals(signals[:0], &f)
		}
		reply, _ := ReplyFor(&f, err, now, Rules{})
		if out, err = AppendReply(out[:0], &f, reply, nil, now, nil); err != nil || reply != ReplyACK {
			b.Fatal(reply, err)
		}
	}
}
