package mqtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// packet is a packet of a type with a body of n bytes.
func packet(kind byte, n int) []byte {
	b := append([]byte{kind << 4}, binary.AppendUvarint(nil, uint64(n))...)
	return append(b, bytes.Repeat([]byte{0xff}, n)...)
}

var errTest = errors.New("too large")

func TestFramerFindsPacketsHoweverTheyAreCut(t *testing.T) {
	var stream []byte
	var want []string
	for i, n := range []int{0, 1, 127, 128, 300, 20_000, 0, 2} {
		stream = append(stream, packet(byte(i+1), n)...)
		want = append(want, fmt.Sprint(i+1, n))
	}
	for _, step := range []int{1, 2, 3, 7, 64, 1000, len(stream)} {
		var f framer
		var got []string
		for b := stream; len(b) > 0; b = b[min(step, len(b)):] {
			good, err := f.follow(b[:min(step, len(b))], func(kind byte, n uint32) error {
				got = append(got, fmt.Sprint(kind, n))
				return nil
			})
			if err != nil || good != min(step, len(b)) {
				t.Fatal(good, err)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("step %d: %v", step, got)
		}
	}
}

func TestFramerStopsAtTheBeginningOfAMisfit(t *testing.T) {
	ok := packet(3, 5)
	for _, bad := range [][]byte{packet(3, 100), {0x30, 0xff, 0xff, 0xff, 0xff, 1}} {
		var f framer
		good, err := f.follow(append(bytes.Clone(ok), bad...), func(_ byte, n uint32) error {
			if n > 50 {
				return errTest
			}
			return nil
		})
		if err == nil || good != len(ok) {
			t.Errorf("good %d, want %d; %v", good, len(ok), err)
		}
	}
}

func FuzzFramer(f *testing.F) {
	f.Add(packet(1, 12), 3)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x30}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		if step <= 0 {
			return
		}
		check := func(_ byte, n uint32) error {
			if n > 1000 {
				return errTest
			}
			return nil
		}
		var whole, parts framer
		total, wholeErr := whole.follow(stream, check)
		if total < 0 || total > len(stream) {
			t.Fatalf("%d of %d bytes are good", total, len(stream))
		}
		var partErr error
		for b := stream; len(b) > 0 && partErr == nil; b = b[min(step, len(b)):] {
			var good int
			if good, partErr = parts.follow(b[:min(step, len(b))], check); good < 0 || good > len(b) {
				t.Fatalf("%d of %d bytes are good", good, len(b))
			}
		}
		if !errors.Is(partErr, wholeErr) {
			t.Errorf("in parts %v, at once %v", partErr, wholeErr)
		}
	})
}
