package dc09

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Frames of real panels, made anonymous, which broke some of them on purpose.
const (
	wireGood      = `F4D20029"SIA-DCS"0001RF3L77#1234[#1234|NRR|Atest]`
	wireStamped   = `EDA70039"SIA-DCS"0013L0#AAA[#AAA|Nri0/RP0000]_09:19:30,02-20-2023`
	wireCaret     = `5670004D"SIA-DCS"8070L0#123456[#123456|Nri0KR1^TAST. 001 ^]_13:49:12,04-13-2021`
	wireCutShort  = `CE110032"SIA-DCS"9876R579BDFL789ABC#12345A[#12345A|NFA129]_14:12:04,09-25-201`
	wireEncrypted = `76D80055"*NULL"0000R0L0#AAAB[B4BC8B40D0E6D959D6BEA78E88CC0B2155741A3C44FBB96D476A3E557CAD64D9`
	wireNoAccount = `C4160279"SIA-DCS"5268L0#AAA[Nri1/WA000]_08:40:47,07-08-2020`
)

func testKey(t testing.TB) *Key {
	t.Helper()
	key, err := NewKey([]byte(strings.Repeat("A", 16)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// repaired gives a frame the checksum and length that fit its body.
func repaired(wire string) string {
	body := wire[headerSize:]
	var head [headerSize]byte
	putHex4(head[:], checksum(body))
	putHex4(head[4:], uint16(len(body)))
	return string(head[:]) + body
}

func at(value string) time.Time {
	t, ok := parseStamp("_" + value)
	if !ok {
		panic("bad time in a test: " + value)
	}
	return t
}

// receive does what a receiver does, from bytes to reply.
func receive(wire string, key *Key, now time.Time, rules Rules) (Frame, Reply, error) {
	f, err := Parse([]byte(wire))
	if err == nil && f.Sealed() {
		err = f.Decrypt(key)
	}
	if err == nil {
		_, err = f.Signals()
	}
	reply, reason := ReplyFor(&f, err, now, rules)
	return f, reply, reason
}

func TestReplyToRealFrames(t *testing.T) {
	key := testKey(t)
	other, err := NewKey([]byte(strings.Repeat("B", 16)))
	if err != nil {
		t.Fatal(err)
	}
	now := at("18:25:00,07-05-2020")
	for _, tt := range []struct {
		name   string
		wire   string
		key    *Key
		now    time.Time
		rules  Rules
		want   Reply
		reason error
		answer string // without LF, checksum, length and CR
	}{
		{"good", wireGood, nil, now, Rules{}, ReplyACK, nil, `"ACK"0001RF3L77#1234[]`},
		{"good with a time, whatever the time", wireStamped, nil, now, Rules{}, ReplyACK, nil, `"ACK"0013L0#AAA[]`},
		{"the same under a stricter rule", wireStamped, nil, now, Rules{PlainTime: true}, ReplyNAK, ErrTime, `"NAK"0000R0L0A0[]_18:25:00,07-05-2020`},
		{"the same in time", wireStamped, nil, at("09:19:40,02-20-2023"), Rules{PlainTime: true}, ReplyACK, nil, `"ACK"0013L0#AAA[]`},
		{"text in carets, damaged", wireCaret, nil, now, Rules{}, ReplyNone, ErrCRC, ""},
		{"text in carets, repaired", repaired(wireCaret), nil, now, Rules{}, ReplyACK, nil, `"ACK"8070L0#123456[]`},
		{"time cut short, damaged", wireCutShort, nil, now, Rules{}, ReplyNone, ErrCRC, ""},
		{"time cut short, repaired", repaired(wireCutShort), nil, now, Rules{}, ReplyNAK, ErrTime, `"NAK"0000R0L0A0[]_18:25:00,07-05-2020`},
		{"data without account, damaged", wireNoAccount, nil, now, Rules{}, ReplyNone, ErrCRC, ""},
		{"data without account, only the length wrong", repaired(wireNoAccount)[:4] + wireNoAccount[4:], nil, now, Rules{}, ReplyNone, ErrLength, ""},
		{"data without account, repaired", repaired(wireNoAccount), nil, now, Rules{}, ReplyACK, nil, `"ACK"5268L0#AAA[]`},
		{"encrypted, in time", wireEncrypted, key, now, Rules{}, ReplyACK, nil, "*"},
		{"encrypted, 40 s behind", wireEncrypted, key, at("18:25:32,07-05-2020"), Rules{}, ReplyACK, nil, "*"},
		{"encrypted, 41 s behind", wireEncrypted, key, at("18:25:33,07-05-2020"), Rules{}, ReplyNAK, ErrTime, `"NAK"0000R0L0A0[]_18:25:33,07-05-2020`},
		{"encrypted, 20 s ahead", wireEncrypted, key, at("18:24:32,07-05-2020"), Rules{}, ReplyACK, nil, "*"},
		{"encrypted, 21 s ahead", wireEncrypted, key, at("18:24:31,07-05-2020"), Rules{}, ReplyNAK, ErrTime, `"NAK"0000R0L0A0[]_18:24:31,07-05-2020`},
		{"encrypted, wider window", wireEncrypted, key, at("18:30:00,07-05-2020"), Rules{Behind: time.Hour}, ReplyACK, nil, "*"},
		{"encrypted, no window", wireEncrypted, key, at("18:30:00,07-05-2029"), Rules{Behind: -1}, ReplyACK, nil, "*"},
		{"encrypted, no key", wireEncrypted, nil, now, Rules{}, ReplyNAK, ErrKey, `"NAK"0000R0L0A0[]_18:25:00,07-05-2020`},
		{"encrypted, wrong key", wireEncrypted, other, now, Rules{}, ReplyNAK, ErrKey, `"NAK"0000R0L0A0[]_18:25:00,07-05-2020`},
		{"encrypted, cut in the ciphertext", repaired(wireEncrypted[:80]), key, now, Rules{}, ReplyNAK, ErrKey, `"NAK"0000R0L0A0[]_18:25:00,07-05-2020`},
		{"unknown token", repaired(`00000000"ITI-I"0001L0#1234[x]`), nil, now, Rules{}, ReplyDUH, ErrUnable, `"DUH"0001L0#1234[]`},
		{"no account", repaired(`00000000"SIA-DCS"0007L0[NBA1]`), nil, now, Rules{}, ReplyDUH, ErrSyntax, `"DUH"0007R0L0A0[]`},
		{"no event in the data", repaired(`00000000"SIA-DCS"0007L0#12[#12|hello]`), nil, now, Rules{}, ReplyDUH, ErrContent, `"DUH"0007L0#12[]`},
		{"a reply", repaired(`00000000"ACK"0007L0#12[]`), nil, now, Rules{}, ReplyNone, ErrUnable, ""},
		{"not a frame", "GET / HTTP/1.1", nil, now, Rules{}, ReplyNone, ErrFrame, ""},
		{"nothing", "", nil, now, Rules{}, ReplyNone, ErrFrame, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, got, reason := receive(tt.wire, tt.key, tt.now, tt.rules)
			if got != tt.want || !errors.Is(reason, tt.reason) || (tt.reason == nil) != (reason == nil) {
				t.Fatalf("reply %v because of %v, want %v because of %v", got, reason, tt.want, tt.reason)
			}
			out, err := AppendReply(nil, &f, got, tt.key, tt.now, nil)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, string(out), tt.answer, tt.key, &f, tt.now)
		})
	}
}

func checkAnswer(t *testing.T, out, want string, key *Key, f *Frame, now time.Time) {
	t.Helper()
	if want == "" {
		if out != "" {
			t.Fatalf("answered %q, want silence", out)
		}
		return
	}
	answer, err := Parse([]byte(out))
	if err != nil {
		t.Fatalf("answer %q does not parse: %v", out, err)
	}
	if want != "*" {
		if got := out[1+headerSize : len(out)-1]; got != want {
			t.Fatalf("answer %q, want %q", got, want)
		}
		return
	}
	if err := answer.Decrypt(key); err != nil {
		t.Fatal(err)
	}
	if !answer.Encrypted || answer.Token != TokenACK || answer.Sequence != f.Sequence ||
		answer.Receiver != f.Receiver || answer.Line != f.Line || answer.Account != f.Account || !answer.Time.Equal(now) {
		t.Fatalf("encrypted answer %+v does not echo %+v", answer, f)
	}
}

func TestReplyToOtherErrors(t *testing.T) {
	f, err := Parse([]byte(wireGood))
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	if r, reason := ReplyFor(&f, full, time.Time{}, Rules{}); r != ReplyNone || !errors.Is(reason, full) {
		t.Errorf("a receiver's own failure: %v, %v; want silence so that the panel tries again", r, reason)
	}
	sealed, err := Parse([]byte(wireEncrypted))
	if err != nil {
		t.Fatal(err)
	}
	if r, reason := ReplyFor(&sealed, nil, time.Time{}, Rules{}); r != ReplyNAK || !errors.Is(reason, ErrKey) {
		t.Errorf("a sealed frame: %v, %v; want NAK", r, reason)
	}
	noTime := Frame{Token: TokenNull, Encrypted: true, Account: "1", Line: "0"}
	if r, reason := ReplyFor(&noTime, nil, time.Time{}, Rules{}); r != ReplyNAK || !errors.Is(reason, ErrTime) {
		t.Errorf("encrypted without a time: %v, %v; want NAK", r, reason)
	}
}

func TestParseRealFrames(t *testing.T) {
	f, err := Parse([]byte("\n" + wireGood + "\r"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Token != TokenSIA || f.Encrypted || f.Sequence != 1 || f.Receiver != "F3" || f.Line != "77" ||
		f.Account != "1234" || f.Data != "#1234|NRR|Atest" || !f.Time.IsZero() {
		t.Errorf("parsed %+v", f)
	}
	f, err = Parse([]byte(wireEncrypted))
	if err != nil || !f.Sealed() {
		t.Fatalf("sealed %v, %v", f.Sealed(), err)
	}
	if err := f.Decrypt(testKey(t)); err != nil {
		t.Fatal(err)
	}
	if f.Sealed() || f.Data != "" || !f.Time.Equal(at("18:24:52,07-05-2020")) {
		t.Errorf("decrypted %+v", f)
	}
}

func TestParseExtended(t *testing.T) {
	f, err := Parse([]byte(repaired(`00000000"SIA-DCS"0002R1L232#78919[#78919|Nri1/BA12]` +
		`[X006E07.7777777][Y49N06.6666666][M1234567890ab][Vhttps://example.org/a?b=1][][?odd][H09:19:30,02-20-2023]_14:12:04,09-25-2019`)))
	if err != nil {
		t.Fatal(err)
	}
	lon, lat, ok := f.Position()
	if !ok || lon < 6.12962 || lon > 6.12963 || lat < 49.11111 || lat > 49.11112 {
		t.Errorf("position %v %v %v", lon, lat, ok)
	}
	if mac, ok := f.MAC(); !ok || mac != [6]byte{0x12, 0x34, 0x56, 0x78, 0x90, 0xAB} {
		t.Errorf("MAC %x %v", mac, ok)
	}
	if url, ok := f.Lookup(ExtVerification); !ok || url != "https://example.org/a?b=1" {
		t.Errorf("verification %q %v", url, ok)
	}
	if when, ok := f.Occurred(); !ok || !when.Equal(at("09:19:30,02-20-2023")) {
		t.Errorf("occurred %v %v", when, ok)
	}
	if len(f.Extended) != 7 || f.Extended[4] != (Extended{}) || f.Extended[5] != (Extended{'?', "odd"}) {
		t.Errorf("extended %+v", f.Extended)
	}
	for _, bad := range []string{"181E00.0", "180E00.1", "6E60.0", "6E", "6E1e1", "6Einf", "E1", "6X1", "0006E1", "6E-1", ""} {
		if v, ok := parseAngle(bad, 'E', 'W', 180); ok {
			t.Errorf("angle %q read as %v", bad, v)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		body string
		want error
	}{
		{`"SIA-DCS0001L0#1[]`, ErrSyntax},
		{`""0001L0#1[]`, ErrSyntax},
		{`"sia"0001L0#1[]`, ErrSyntax},
		{`"AAAAAAAAAAAAAAAAA"0001L0#1[]`, ErrSyntax},
		{`"NULL"001L0#1[]`, ErrSyntax},
		{`"NULL"00`, ErrSyntax},
		{`"NULL"0001#1[]`, ErrSyntax},
		{`"NULL"0001RL0#1[]`, ErrSyntax},
		{`"NULL"0001R1234567L0#1[]`, ErrSyntax},
		{`"NULL"0001L#1[]`, ErrSyntax},
		{`"NULL"0001L0#[]`, ErrSyntax},
		{`"NULL"0001L0#12345678901234567[]`, ErrSyntax},
		{`"NULL"0001L0#1`, ErrSyntax},
		{`"NULL"0001L0#1[`, ErrSyntax},
		{`"NULL"0001L0#1[[]`, ErrSyntax},
		{"\"NULL\"0001L0#1[\x00]", ErrSyntax},
		{"\"NULL\"0001L0#1[][\x00]", ErrSyntax},
		{`"NULL"0001L0#1[]x`, ErrSyntax},
		{`"NULL"0001L0#1[][x`, ErrSyntax},
		{`"NULL"0001L0#1[][x[]`, ErrSyntax},
		{`"NULL"0001L0#1[]` + strings.Repeat("[x]", 33), ErrSyntax},
		{`"NULL"0001L0#1[]_`, ErrTime},
		{`"NULL"0001L0#1[]_24:00:00,01-01-2020`, ErrTime},
		{`"NULL"0001L0#1[]_00:00:60,01-01-2020`, ErrTime},
		{`"NULL"0001L0#1[]_00:00:00,02-30-2020`, ErrTime},
		{`"NULL"0001L0#1[]_00:00:00,13-01-2020`, ErrTime},
		{`"NULL"0001L0#1[]_00:00:00,01-01-2020x`, ErrTime},
		{`"*NULL"0001L0#1[`, ErrKey},
	} {
		_, err := Parse([]byte(repaired("00000000" + tt.body)))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.body, err, tt.want)
		}
	}
	if _, err := Parse(make([]byte, MaxFrame+3)); !errors.Is(err, ErrLength) {
		t.Errorf("oversize: %v", err)
	}
	if _, err := Parse([]byte(`XXXX0029"A"`)); !errors.Is(err, ErrFrame) {
		t.Errorf("checksum of letters: %v", err)
	}
	if _, err := Parse([]byte(strings.ToLower(wireGood[:8]) + wireGood[8:])); err != nil {
		t.Errorf("lower case hexadecimal: %v", err)
	}
}

func TestChecksum(t *testing.T) {
	// 0xBB3D is the catalogued check value of CRC-16/ARC.
	if got := Checksum([]byte("123456789")); got != 0xBB3D {
		t.Errorf("got %04X", got)
	}
	if got := Checksum(nil); got != 0 {
		t.Errorf("of nothing: %04X", got)
	}
}

func TestKeys(t *testing.T) {
	for _, n := range []int{16, 24, 32} {
		if _, err := ParseKey(strings.Repeat("0a", n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, bad := range []string{"", "zz", strings.Repeat("0a", 17)} {
		if _, err := ParseKey(bad); err == nil || strings.Contains(err.Error(), "0a0a") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestKeyStaysSecret(t *testing.T) {
	key := testKey(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, key); got != "dc09.Key(hidden)" {
			t.Errorf("%s shows %s", verb, got)
		}
	}
}

func TestRemoteCommandAnswer(t *testing.T) {
	key, now := testKey(t), at("18:25:00,07-05-2020")
	f := Frame{Token: TokenSIA, Encrypted: true, Sequence: 5, Line: "1", Account: "77"}
	a := f.Answer(ReplyRSP, now)
	a.Data, a.Extended = "#77|NRP", []Extended{{ExtKey, "00FF"}}
	wire, err := Encode(nil, &a, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(wire)
	if err == nil {
		err = got.Decrypt(key)
	}
	if err != nil || got.Token != TokenRSP || got.Sequence != 5 || got.Data != a.Data || !got.Time.Equal(now) {
		t.Errorf("%+v, %v", got, err)
	}
	var names []string
	for r := ReplyNone; r <= ReplyRSP; r++ {
		names = append(names, r.String())
	}
	if got := strings.Join(names, " "); got != "none ACK NAK DUH RSP" {
		t.Errorf("replies are called %s", got)
	}
	if out, err := AppendReply(nil, &f, ReplyNone, key, now, nil); len(out) != 0 || err != nil {
		t.Errorf("silence wrote %q, %v", out, err)
	}
}
