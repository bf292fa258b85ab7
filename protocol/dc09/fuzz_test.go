package dc09

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func addRealFrames(f *testing.F) {
	for _, wire := range []string{
		wireGood, wireStamped, wireCaret, wireCutShort, wireEncrypted, wireNoAccount,
		`00000000"NAK"0000R0L0A0[]_10:10:18,07-30-2024`, `00000000"ACK"0007L0#12[]`, `00000000"NULL"0001L0#1[][M1234567890AB][X1E2][]`,
		`00000000"*SIA-DCS"0001L0#1[00112233445566778899AABBCCDDEEFF`,
	} {
		f.Add([]byte(wire))
		f.Add([]byte(repaired(wire)))
	}
}

// FuzzParse: no input panics; what parses is written again the same; every
// outcome has a reply, and the reply parses.
func FuzzParse(f *testing.F) {
	addRealFrames(f)
	key := testKey(f)
	now := at("09:19:30,02-20-2023")
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkParse(t, raw, key, now)
		// Almost no random input has the right checksum: try it with that, too.
		if line := trimLine(string(raw)); len(line) > headerSize {
			checkParse(t, []byte(repaired(line)), key, now)
		}
	})
}

func checkParse(t *testing.T, raw []byte, key *Key, now time.Time) {
	frame, err := Parse(raw)
	if err == nil && !frame.Sealed() {
		wire, encodeErr := Encode(nil, &frame, nil, nil)
		if encodeErr == nil {
			again, err := Parse(wire)
			if err != nil || !reflect.DeepEqual(again, frame) {
				t.Fatalf("%q: %+v became %+v, %v", raw, frame, again, err)
			}
		} else if !frame.Encrypted && !(frame.Token.IsReply() && frame.Account == "") && frame.Time.Year() > 0 {
			t.Fatalf("%q parses and cannot be encoded: %v", raw, encodeErr)
		}
	}
	if err == nil {
		err = frame.Decrypt(key)
	}
	if err == nil {
		_, err = frame.Signals()
	}
	reply, reason := ReplyFor(&frame, err, now, Rules{})
	if (reply == ReplyACK) != (reason == nil) && !frame.Token.IsReply() {
		t.Fatalf("%q: %v because of %v", raw, reply, reason)
	}
	wire, err := AppendReply(nil, &frame, reply, key, now, nil)
	if err != nil {
		t.Fatalf("%q: reply %v: %v", raw, reply, err)
	}
	if reply != ReplyNone {
		if answer, err := Parse(wire); err != nil || answer.Token != reply.token() {
			t.Fatalf("%q: reply %q: %v", raw, wire, err)
		}
	}
}

// FuzzScanner: however the bytes arrive, the same pieces come out, and no byte
// but line ends is lost.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("xx\n"+wireGood+"\r\n"+wireEncrypted+"\rzz"), uint16(3), uint8(64))
	f.Add([]byte("\n\r\n\n\r\rabc\n"), uint16(0), uint8(2))
	f.Add([]byte("\n0123456789\r\nab\r"), uint16(7), uint8(4))
	f.Fuzz(func(t *testing.T, stream []byte, split uint16, limit uint8) {
		size := int(limit)
		if size == 0 {
			size = MaxFrame
		}
		whole := pieces(t, bytes.NewReader(stream), size)
		byByte := pieces(t, iotest.OneByteReader(bytes.NewReader(stream)), size)
		at := min(int(split), len(stream))
		halves := pieces(t, iotest.DataErrReader(&twoPart{parts: [][]byte{stream[:at], stream[at:]}}), size)
		var datagram []string
		for frame, err := range Datagram(stream, size) {
			if bad := new(BadBytes); errors.As(err, &bad) {
				datagram = append(datagram, fmt.Sprintf("%v %s", bad.Reason, bad.Bytes))
			} else {
				datagram = append(datagram, "frame "+string(frame))
			}
		}
		for name, got := range map[string][]string{"by byte": byByte, "in two": halves, "as a datagram": datagram} {
			if !reflect.DeepEqual(got, whole) {
				t.Fatalf("%s: %q, want %q", name, got, whole)
			}
		}
		checkNothingLost(t, stream, whole)
	})
}

func checkNothingLost(t *testing.T, stream []byte, list []string) {
	var kept strings.Builder
	for _, p := range list {
		for _, label := range []string{"frame ", ErrGarbage.Error() + " ", ErrOversize.Error() + " ", ErrTruncated.Error() + " "} {
			if rest, ok := strings.CutPrefix(p, label); ok {
				kept.WriteString(rest)
				break
			}
		}
	}
	noEnds := strings.NewReplacer("\r", "", "\n", "")
	if got, want := noEnds.Replace(kept.String()), noEnds.Replace(string(stream)); got != want {
		t.Fatalf("kept %q of %q", got, want)
	}
}

// twoPart gives each part in one read.
type twoPart struct{ parts [][]byte }

func (p *twoPart) Read(b []byte) (int, error) {
	if len(p.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.parts[0])
	if p.parts[0] = p.parts[0][n:]; len(p.parts[0]) == 0 {
		p.parts = p.parts[1:]
	}
	return n, nil
}

// FuzzContent: no data panics, signals are bounded and complete.
func FuzzContent(f *testing.F) {
	for _, data := range []string{
		"#1234|Nri1/BA003", "#123456|Nri0KR1^TAST. 001 ^", "Nti19:44/id1/ri4/RP", "#1234|NRR|Atest",
		"#1|1130 00 015", "113000015|3401 01 007|AText", "NBA1/FA2*x*|OTA3", "|N^", "Nri/", "A", "N/////BA",
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		for _, token := range []Token{TokenSIA, TokenCID} {
			frame := Frame{Token: token, Account: "1", Data: data}
			signals, err := frame.Signals()
			if err != nil && (!errors.Is(err, ErrContent) || len(signals) != 0) {
				t.Fatalf("%q: %d signals, %v", data, len(signals), err)
			}
			if err == nil && (len(signals) == 0 || len(signals) > maxSignals) {
				t.Fatalf("%q: %d signals", data, len(signals))
			}
			for _, s := range signals {
				if s.Category == "" || s.Qualifier == "" || s.Code == "" || s.Format != token || DecodeText(s.Text) != s.Text {
					t.Fatalf("%q: %+v", data, s)
				}
			}
		}
		_, _ = ParseSpec(data)
		_, _ = ParseSpec("SIA-DCS|" + data)
	})
}

// FuzzDecrypt: no ciphertext and no plaintext panics; a failed key leaves the
// frame sealed; an opened frame can be sealed again.
func FuzzDecrypt(f *testing.F) {
	f.Add([]byte("ppppppppppp]_18:24:52,07-05-2020"), false)
	f.Add([]byte("pppp|#1|NBA1][X1E2][]_18:24:52,07-05-2020"), false)
	f.Add([]byte("B4BC8B40D0E6D959D6BEA78E88CC0B2155741A3C44FBB96D476A3E557CAD64D9"), true)
	key := testKey(f)
	f.Fuzz(func(t *testing.T, inner []byte, asCipher bool) {
		sealed := inner
		if !asCipher {
			// Fill the last block at the front, where the pad stands.
			fill := bytes.Repeat([]byte("p"), (16-len(inner)%16)%16)
			sealed = sealHex(append(fill, inner...), 0, key.block)
		}
		if len(sealed) > MaxBody-64 {
			return
		}
		frame, err := Parse([]byte(repaired(`00000000"*SIA-DCS"0001L0#1[` + string(sealed))))
		if err != nil {
			return // CR at the end, or nothing at all
		}
		err = frame.Decrypt(key)
		if frame.Sealed() != errors.Is(err, ErrKey) || err != nil && !errors.Is(err, ErrKey) && !errors.Is(err, ErrTime) {
			t.Fatalf("%q: sealed %v, %v", inner, frame.Sealed(), err)
		}
		if err != nil {
			return
		}
		wire, err := Encode(nil, &frame, key, nil)
		if err != nil {
			if len(frame.Data) > MaxBody/2-128 || frame.Time.Year() < 1 {
				return
			}
			t.Fatalf("%q: %v", inner, err)
		}
		again, err := Parse(wire)
		if err == nil {
			err = again.Decrypt(key)
		}
		if err != nil || !reflect.DeepEqual(again, frame) {
			t.Fatalf("%+v became %+v, %v", frame, again, err)
		}
	})
}
