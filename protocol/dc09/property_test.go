package dc09

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyFrame draws frames over everything that the wire can carry.
func anyFrame(key bool) *rapid.Generator[Frame] {
	text := rapid.StringMatching(`[ -Z\\^-~]{0,40}`)
	return rapid.Custom(func(t *rapid.T) Frame {
		f := Frame{
			Token:     Token(rapid.StringMatching(`[A-Z0-9-]{1,16}`).Draw(t, "token")),
			Encrypted: key,
			Sequence:  rapid.Uint16Range(0, 9999).Draw(t, "sequence"),
			Receiver:  rapid.StringMatching(`[0-9A-Fa-f]{0,6}`).Draw(t, "receiver"),
			Line:      rapid.StringMatching(`[0-9A-Fa-f]{1,6}`).Draw(t, "line"),
			Account:   rapid.StringMatching(`[0-9A-Za-z]{1,16}`).Draw(t, "account"),
			Data:      text.Draw(t, "data"),
		}
		if f.Token == TokenNAK || f.Token == TokenDUH {
			f.Encrypted = false
		}
		for range rapid.IntRange(0, 4).Draw(t, "blocks") {
			f.Extended = append(f.Extended, Extended{
				ExtendedID(rapid.ByteRange('A', 'Z').Draw(t, "id")), text.Draw(t, "value"),
			})
		}
		if f.Encrypted || rapid.Bool().Draw(t, "stamped") {
			f.Time = time.Unix(rapid.Int64Range(-62135596799, 253402300799).Draw(t, "time"), 0).UTC()
		}
		return f
	})
}

func TestRoundTrip(t *testing.T) {
	var keys []*Key
	for _, n := range []int{16, 24, 32} {
		key, err := NewKey([]byte(strings.Repeat("k", n)))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := anyFrame(rapid.Bool().Draw(t, "encrypted")).Draw(t, "frame")
		key := rapid.SampledFrom(keys).Draw(t, "key")
		prefix := []byte("before")
		wire, err := Encode(prefix, &want, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(wire, prefix) {
			t.Fatalf("what stood before was overwritten: %q", wire)
		}
		got, err := Parse(wire[len(prefix):])
		if err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		if got.Sealed() != want.Encrypted {
			t.Fatalf("sealed %v, want %v", got.Sealed(), want.Encrypted)
		}
		if err := got.Decrypt(key); err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\n got %+v\nwant %+v", wire, got, want)
		}
	})
}

func TestChecksumIsThePlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		var want uint16
		for _, c := range b {
			want ^= uint16(c)
			for range 8 {
				if want&1 != 0 {
					want = want>>1 ^ 0xA001
				} else {
					want >>= 1
				}
			}
		}
		if got := Checksum(b); got != want {
			t.Fatalf("%04X, want %04X", got, want)
		}
	})
}

func TestEveryBitFlipIsNoticed(t *testing.T) {
	wire := []byte(wireStamped)
	for i := range len(wire) * 8 {
		damaged := bytes.Clone(wire)
		damaged[i/8] ^= 1 << (i % 8)
		f, err := Parse(damaged)
		if err == nil {
			if got, _ := Encode(nil, &f, nil, nil); strings.EqualFold(string(got), "\n"+wireStamped+"\r") {
				continue // a flip from upper to lower case in the checksum
			}
			t.Errorf("bit %d: accepted %q", i, damaged)
		} else if reply, _ := ReplyFor(&f, err, time.Time{}, Rules{}); reply != ReplyNone {
			t.Errorf("bit %d: answered %v to %q", i, reply, damaged)
		}
	}
}

func TestPositionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lon := rapid.Float64Range(-180, 180).Draw(t, "longitude")
		lat := rapid.Float64Range(-90, 90).Draw(t, "latitude")
		blocks, ok := PositionBlocks(lon, lat)
		if !ok {
			t.Fatal("refused")
		}
		f := Frame{Extended: blocks[:]}
		gotLon, gotLat, ok := f.Position()
		if !ok || math.Abs(gotLon-lon) > 1e-8 || math.Abs(gotLat-lat) > 1e-8 {
			t.Fatalf("%v: %v %v, want %v %v", blocks, gotLon, gotLat, lon, lat)
		}
	})
	if _, ok := PositionBlocks(math.NaN(), 0); ok {
		t.Error("took a longitude that is no number")
	}
}

func TestPad(t *testing.T) {
	key := testKey(t)
	// Whatever the size of the data, whole blocks and never an empty pad.
	for n := range 40 {
		f := Frame{Token: TokenSIA, Encrypted: true, Line: "0", Account: "1", Data: strings.Repeat("x", n), Time: at("00:00:00,01-01-2020")}
		wire, err := Encode(nil, &f, key, rand.NewChaCha8([32]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		sealed := string(wire[bytes.IndexByte(wire, '[')+1 : len(wire)-1])
		plain, err := openHex(sealed, key.block)
		if err != nil {
			t.Fatal(err)
		}
		if pad := strings.IndexByte(plain, '|'); pad < 1 || pad > 16 || strings.ContainsAny(plain[:pad], "[]") {
			t.Errorf("%d bytes of data: pad of %d in %q", n, pad, plain)
		}
	}
	a, b := deterministic(t, key, 1), deterministic(t, key, 1)
	if a != b || a == deterministic(t, key, 2) {
		t.Error("the pad does not follow the source of randomness")
	}
}

func deterministic(t *testing.T, key *Key, seed byte) string {
	f := Frame{Token: TokenNull, Encrypted: true, Line: "0", Account: "1", Time: at("00:00:00,01-01-2020")}
	wire, err := Encode(nil, &f, key, rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return string(wire)
}

func TestDecryptWithoutTime(t *testing.T) {
	key := testKey(t)
	for inner, want := range map[string]error{
		"ppp|#1|NBA1]pppp": ErrKey, // no time, and not the end either
		"pppppp|#1|NBA12]": ErrTime,
		"pp|#1|NBA12]_123": ErrTime,
		"pppppppppppppppp": ErrKey,
		"ppppp|#1|NBA1[]]": ErrKey,
	} {
		sealed := sealHex([]byte(inner), 0, key.block)
		f, err := Parse([]byte(repaired(`00000000"*SIA-DCS"0001L0#1[` + strings.ToLower(string(sealed)))))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Decrypt(key); !errors.Is(err, want) || f.Sealed() != (want == ErrKey) {
			t.Errorf("%s: %v, want %v; sealed %v", inner, err, want, f.Sealed())
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := Frame{Token: TokenSIA, Line: "0", Account: "1", Data: "NBA1", Time: at("00:00:00,01-01-2020")}
	for name, change := range map[string]func(*Frame){
		"token":              func(f *Frame) { f.Token = `X"` },
		"sequence":           func(f *Frame) { f.Sequence = 10000 },
		"receiver":           func(f *Frame) { f.Receiver = "G" },
		"line":               func(f *Frame) { f.Line = "" },
		"account":            func(f *Frame) { f.Account = "" },
		"account mark":       func(f *Frame) { f.Account = "#1" },
		"data":               func(f *Frame) { f.Data = "a\rb" },
		"data bracket":       func(f *Frame) { f.Data = "a]b" },
		"extended":           func(f *Frame) { f.Extended = []Extended{{'X', "]"}} },
		"extended letter":    func(f *Frame) { f.Extended = []Extended{{0, "x"}} },
		"extended count":     func(f *Frame) { f.Extended = make([]Extended, 33) },
		"size":               func(f *Frame) { f.Data = strings.Repeat("x", MaxBody) },
		"year":               func(f *Frame) { f.Time = f.Time.AddDate(8000, 0, 0) },
		"no key":             func(f *Frame) { f.Encrypted = true },
		"encrypted NAK":      func(f *Frame) { f.Encrypted, f.Token = true, TokenNAK },
		"encrypted, no time": func(f *Frame) { f.Encrypted, f.Time = true, time.Time{} },
		"sealed":             func(f *Frame) { f.Encrypted, f.cipher = true, "00" },
	} {
		f := good
		change(&f)
		if out, err := Encode([]byte("kept"), &f, nil, nil); !errors.Is(err, ErrEncode) || string(out) != "kept" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	sealed := good
	sealed.Encrypted = true
	if out, err := Encode(nil, &sealed, testKey(t), strings.NewReader("")); !errors.Is(err, io.EOF) || len(out) != 0 {
		t.Errorf("no randomness: %q, %v", out, err)
	}
}

func TestNextSequence(t *testing.T) {
	for n, want := range map[uint16]uint16{0: 1, 1: 2, 9998: 9999, 9999: 1, 60000: 1} {
		if got := NextSequence(n); got != want {
			t.Errorf("after %d: %d, want %d", n, got, want)
		}
	}
}
