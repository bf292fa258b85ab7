package dc09_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// now is the platform's time in these tests: 8 s after the encrypted sample
// frame's time stamp.
var now = time.Date(2020, 7, 5, 18, 25, 0, 0, time.UTC)

const (
	good      = "\n" + `F4D20029"SIA-DCS"0001RF3L77#1234[#1234|NRR|Atest]` + "\r"
	stamped   = "\n" + `EDA70039"SIA-DCS"0013L0#AAA[#AAA|Nri0/RP0000]_09:19:30,02-20-2023` + "\r"
	caret     = "\n" + `5670004D"SIA-DCS"8070L0#123456[#123456|Nri0KR1^TAST. 001 ^]_13:49:12,04-13-2021` + "\r"
	cutShort  = "\n" + `CE110032"SIA-DCS"9876R579BDFL789ABC#12345A[#12345A|NFA129]_14:12:04,09-25-201` + "\r"
	encrypted = "\n" + `76D80055"*NULL"0000R0L0#AAAB[B4BC8B40D0E6D959D6BEA78E88CC0B2155741A3C44FBB96D476A3E557CAD64D9` + "\r"
	noAccount = "\n" + `C4160279"SIA-DCS"5268L0#AAA[Nri1/WA000]_08:40:47,07-08-2020` + "\r"
)

// probe is the account whose link tests show that a frame got no reply.
const probe = "12345A"

// repaired gives a sample the checksum and length that its body asks for.
func repaired(frame string) string { return wire(frame[9 : len(frame)-1]) }

var cases = []struct {
	name       string
	wire       string
	want       string // the reply's token, sequence and account; "" for none
	quarantine string // reason, "" for none
	code       string // of the observation, "" for none
}{
	{"good", good, "ACK 1 1234", "", "RR"},
	{"good, a plain time stamp of another year", stamped, "ACK 13 AAA", "", "RP"},
	{"caret text, damaged", caret, "", "checksum", ""},
	{"caret text", repaired(caret), "ACK 8070 123456", "", "KR"},
	{"cut short, damaged", cutShort, "", "checksum", ""},
	{"cut short", repaired(cutShort), "NAK 0 ", "time stamp", ""},
	{"encrypted link test", encrypted, "*ACK 0 AAAB", "", "NULL"},
	{"no account in the data, damaged", noAccount, "", "checksum", ""},
	{"no account in the data", repaired(noAccount), "ACK 5268 AAA", "", "WA"},
	{"wrong length", repaired(good)[:5] + "0028" + repaired(good)[9:], "", "length", ""},
	{"Contact ID", wire(`"ADM-CID"0003L0#1234[#1234|1130 00 003]`), "ACK 3 1234", "", "130"},
	{"unknown account", wire(`"SIA-DCS"0004L0#9[#9|Nri1/BA3]`), "DUH 4 9", "unknown account", ""},
	{"unknown account, encrypted", wire(`"*NULL"0004L0#9[B4BC8B40D0E6D959D6BEA78E88CC0B21]`), "DUH 4 9", "unknown account", ""},
	{"plain frame of an account with a key", wire(`"SIA-DCS"0005L0#5678[#5678|Nri1/BA3]`), "DUH 5 5678", "not encrypted", ""},
	{"encrypted frame of an account without", wire(`"*NULL"0006L0#1234[B4BC8B40D0E6D959D6BEA78E88CC0B21`), "NAK 0 ", "key", ""},
	{"unknown token", wire(`"ITI-I"0007L0#1234[x]`), "DUH 7 1234", "unable", ""},
	{"syntax", wire(`"SIA-DCS"0008L0#1234[#1234|Nri1/BA3`), "DUH 8 1234", "syntax", ""},
	{"content", wire(`"SIA-DCS"0009L0#1234[#1234|hello]`), "DUH 9 1234", "content", ""},
	{"a reply", wire(`"ACK"0010L0#1234[]`), "", "reply", ""},
	{"not a frame", "\nGET / HTTP/1.1\r", "", "not a frame", ""},
	{"another account in the data", wire(`"SIA-DCS"0011L0#1234[#5678|Nri1/BA3]`), "ACK 11 1234", "", "BA"},
}

func TestEveryFrameGetsItsReply(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			st := start(t, setting{clk: clock.Fixed(now)})
			last := st.dial(network)
			for _, tt := range cases {
				seen := len(st.observations())
				refused, _ := st.quarantine()
				checkReply(t, st, last, tt.name, tt.wire, tt.want)
				after, entry := st.quarantine()
				switch {
				case tt.quarantine == "" && len(after) != len(refused):
					t.Errorf("%s: quarantined as %q (%s)", tt.name, entry.Reason, entry.Detail)
				case tt.quarantine != "" && (len(after) != len(refused)+1 || entry.Reason != tt.quarantine):
					t.Errorf("%s: quarantine %q, want one more, %q", tt.name, after[len(refused):], tt.quarantine)
				case tt.quarantine != "" && string(entry.Bytes) != strings.Trim(tt.wire, "\n\r"):
					t.Errorf("%s: quarantined %q", tt.name, entry.Bytes)
				}
				obs := slices.DeleteFunc(st.observations()[seen:], func(o event.Observation) bool { return o.Device == probe && o.Alarm.Code == "NULL" })
				if tt.code == "" && len(obs) != 0 || tt.code != "" && (len(obs) != 1 || obs[0].Alarm.Code != tt.code) {
					t.Errorf("%s: observed %+v, want code %q", tt.name, obs, tt.code)
				}
			}
		})
	}
}

// checkReply sends one frame. Where none is to be answered, a link test that
// follows shows that nothing came before its reply.
func checkReply(t *testing.T, st *station, c *dc09client.Client, name, frame, want string) {
	t.Helper()
	if want == "" {
		frame += wire(`"NULL"0000L7#` + probe + `[]`)
		want = "ACK 0 " + probe
	}
	reply, err := c.SendRaw(context.Background(), []byte(frame))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if reply.Encrypted {
		if err := reply.Decrypt(testKey(t)); err != nil {
			t.Fatalf("%s: the reply's key: %v", name, err)
		}
	}
	if got := brief(&reply); got != want {
		t.Errorf("%s: reply %q, want %q", name, got, want)
	}
	if reply.Token == codec.TokenNAK && !reply.Time.Equal(st.in.Now()) {
		t.Errorf("%s: the NAK says it is %v", name, reply.Time)
	}
}

func brief(f *codec.Frame) string {
	star := ""
	if f.Encrypted {
		star = "*"
	}
	return fmt.Sprintf("%s%s %d %s", star, f.Token, f.Sequence, f.Account)
}

func TestObservationSaysWhatTheFrameSaid(t *testing.T) {
	st := start(t, setting{clk: clock.Fixed(now)})
	c := st.dial("tcp")
	frame := wire(`"SIA-DCS"0021R1L2#1234[#1234|Nri1/id5/BA003/TA4^cut^][X006E07.5][Y49N06.5][Vhttps://example.org/clip][H18:20:00,07-05-2020]_18:24:30,07-05-2020`)
	if reply, err := c.SendRaw(context.Background(), []byte(frame)); err != nil || reply.Token != codec.TokenACK {
		t.Fatal(reply, err)
	}
	obs := st.observations()
	if len(obs) != 2 {
		t.Fatalf("%d observations", len(obs))
	}
	o, a := obs[0], *obs[0].Alarm
	if o.Kind != event.KindAlarm || o.Source != "dc09" || o.Device != "1234" || o.Premises != "shop" || o.PremisesName != "Corner shop" {
		t.Errorf("%+v", o)
	}
	if !o.Time.Equal(now.Add(-5*time.Minute)) || !o.DeviceTime.Equal(now.Add(-30*time.Second)) || !o.Received.Equal(now) {
		t.Errorf("time %v, device %v, received %v", o.Time, o.DeviceTime, o.Received)
	}
	if d := place.Distance(*o.Place, place.Point{Lat: 49 + 6.5/60, Lon: 6 + 7.5/60}); d > 1 {
		t.Errorf("place %v", o.Place)
	}
	want := event.Alarm{
		Account: "1234", Category: event.Burglary, State: event.AlarmNew, Code: "BA", Meaning: a.Meaning,
		Partition: "1", Zone: "3", ZoneKind: event.ZonePerimeter, ZoneName: "Back door", User: "5",
		Sequence: 21, URL: "https://example.org/clip",
	}
	if a != want || a.Meaning == "" {
		t.Errorf("got  %+v\nwant %+v", a, want)
	}
	if second := obs[1].Alarm; second.Category != event.Tamper || second.Zone != "4" || second.Text != "cut" {
		t.Errorf("second signal: %+v", second)
	}
	if obs[0].ID == obs[1].ID || string(o.Raw) != strings.Trim(frame, "\n\r") {
		t.Errorf("ids %s %s, raw %q", obs[0].ID, obs[1].ID, o.Raw)
	}
}

func TestTheHeadersAccountCounts(t *testing.T) {
	st := start(t, setting{})
	acked(t, st.dial("tcp"), wire(`"SIA-DCS"0011L0#1234[#5678|Nri1/BA3]`))
	o := st.observations()[0]
	if o.Device != "1234" || o.Alarm.Account != "1234" || o.Alarm.Text != "(the data names account 5678)" {
		t.Errorf("%+v", o.Alarm)
	}
	if !strings.Contains(st.said.String(), "data_account=5678") || st.metric("bluelamp_dc09_account_differs_total") != 1 {
		t.Errorf("not told:\n%s", st.said)
	}
}

func TestTimeOfAnEvent(t *testing.T) {
	st := start(t, setting{clk: clock.Fixed(now)})
	c := st.dial("tcp")
	for i, tt := range []struct {
		tail string
		want time.Time
	}{
		{"", now},
		{"_18:24:30,07-05-2020", now.Add(-30 * time.Second)},
		{"_18:25:20,07-05-2020", now}, // heard, so it has been said
		{"_18:25:21,07-05-2020", now},
		{"_18:24:19,07-05-2020", now},
		{"[H18:25:00,07-04-2020]", now.Add(-24 * time.Hour)},
		{"[H18:25:00,01-01-1999]", now},
		{"[H18:25:00,01-01-2030]", now},
	} {
		frame := wire(fmt.Sprintf(`"SIA-DCS"%04dL0#1234[#1234|Ori1/BA003]%s`, i+1, tt.tail))
		if _, err := c.SendRaw(context.Background(), []byte(frame)); err != nil {
			t.Fatal(err)
		}
		obs := st.observations()
		if got := obs[len(obs)-1]; !got.Time.Equal(tt.want) || !got.Alarm.Old {
			t.Errorf("%q: time %v, old %v; want %v", tt.tail, got.Time, got.Alarm.Old, tt.want)
		}
	}
}

func TestEncryptedPanelWithWrongClockIsToldTheTimeAndThenWorks(t *testing.T) {
	st := start(t, setting{})
	for _, network := range []string{"tcp", "udp"} {
		c := st.dial(network)
		f, err := codec.ParseSpec("*SIA-DCS|#5678|Nri1/BA003")
		if err != nil {
			t.Fatal(err)
		}
		f.Sequence, f.Time = uint16(100+len(st.observations())), time.Now().Add(-5*time.Hour)
		reply, err := c.Send(context.Background(), f, testKey(t))
		if err != nil || reply.Token != codec.TokenNAK || time.Since(reply.Time).Abs() > 5*time.Second {
			t.Fatalf("%s: %+v, %v", network, reply, err)
		}
		f.Time = reply.Time // as a panel sets its clock
		reply, err = c.Send(context.Background(), f, testKey(t))
		if err != nil || reply.Token != codec.TokenACK || !reply.Encrypted {
			t.Fatalf("%s: %+v, %v", network, reply, err)
		}
	}
	if reasons, _ := st.quarantine(); len(st.observations()) != 2 || len(reasons) != 0 {
		t.Errorf("%d observations, quarantine %v", len(st.observations()), reasons)
	}
	// A panel that does not listen is kept, so that its alarms are not lost.
	c := st.dial("tcp")
	for range 3 {
		if _, err := c.SendRaw(context.Background(), []byte(spec(t, "*SIA-DCS|#5678|Nri1/BA009", 900, now, testKey(t)))); err != nil {
			t.Fatal(err)
		}
	}
	if reasons, _ := st.quarantine(); len(reasons) != 2 || reasons[0] != "time stamp" {
		t.Errorf("quarantine %v", reasons)
	}
}

func TestWrongKey(t *testing.T) {
	st := start(t, setting{})
	other, err := codec.NewKey([]byte("BBBBBBBBBBBBBBBB"))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := st.dial("tcp").SendRaw(context.Background(), []byte(spec(t, "*SIA-DCS|#5678|Nri1/BA003", 1, time.Now(), other)))
	reasons, entry := st.quarantine()
	if err != nil || reply.Token != codec.TokenNAK || len(reasons) != 1 || entry.Reason != "key" || len(st.observations()) != 0 {
		t.Errorf("%+v, %v, quarantine %v", reply, err, reasons)
	}
	if strings.Contains(st.said.String()+entry.Detail, secret) {
		t.Error("the key is told")
	}
}

func TestAFrameSplitAtEveryByte(t *testing.T) {
	st := start(t, setting{clk: clock.Fixed(now)})
	c := st.dial("tcp")
	ctx := context.Background()
	for at := 1; at < len(good); at++ {
		// The first part comes with the end of another frame, whose reply must
		// not wait for the rest.
		head := wire(fmt.Sprintf(`"NULL"%04dL0#AAA[]`, at)) + good[:at]
		if reply, err := c.SendRaw(ctx, []byte(head)); err != nil || brief(&reply) != fmt.Sprintf("ACK %d AAA", at) {
			t.Fatalf("split at %d: %+v, %v", at, reply, err)
		}
		if reply, err := c.SendRaw(ctx, []byte(good[at:])); err != nil || brief(&reply) != "ACK 1 1234" {
			t.Fatalf("split at %d: %+v, %v", at, reply, err)
		}
	}
	if reasons, _ := st.quarantine(); len(reasons) != 0 {
		t.Errorf("quarantine %v", reasons)
	}
}

func TestPipelinedFramesAreAnsweredInOrder(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			st := start(t, setting{clk: clock.Fixed(now)})
			var all strings.Builder
			var want []string
			n := 900
			if network == "udp" {
				n = 90 // the kernel keeps no more replies for a client that is slow
			}
			for i := 1; i <= n; i++ {
				switch i % 3 {
				case 0:
					all.WriteString(wire(fmt.Sprintf(`"SIA-DCS"%04dL0#nobody[#nobody|Nri1/BA3]`, i)))
					want = append(want, fmt.Sprintf("DUH %d nobody", i))
				default:
					all.WriteString(wire(fmt.Sprintf(`"SIA-DCS"%04dL0#1234[#1234|Nri1/BA%d]`, i, i)))
					want = append(want, fmt.Sprintf("ACK %d 1234", i))
				}
			}
			got := exchange(t, st, network, all.String(), n)
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("replies %q", got)
			}
			obs := st.observations()
			if len(obs) != n*2/3 {
				t.Fatalf("%d observations", len(obs))
			}
			for i, o := range obs {
				if want := i/2*3 + i%2 + 1; o.Alarm.Sequence != want {
					t.Fatalf("observation %d has sequence %d, want %d", i, o.Alarm.Sequence, want)
				}
			}
		})
	}
}

// exchange sends everything at once and reads n replies.
func exchange(t *testing.T, st *station, network, all string, n int) (got []string) {
	t.Helper()
	c := st.dial(network)
	reply, err := c.SendRaw(context.Background(), []byte(all))
	for err == nil {
		got = append(got, brief(&reply))
		if len(got) == n {
			return got
		}
		reply, err = c.SendRaw(context.Background(), nil)
	}
	t.Fatalf("after %d replies: %v", len(got), err)
	return nil
}

func TestUDPRepliesAreNotLongerThanFrames(t *testing.T) {
	for _, tt := range cases {
		f, err := codec.Parse([]byte(tt.wire))
		if tt.want == "" || err != nil {
			continue
		}
		for r := codec.ReplyACK; r <= codec.ReplyDUH; r++ {
			out, err := codec.AppendReply(nil, &f, r, testKey(t), now, nil)
			if err != nil && !errors.Is(err, codec.ErrEncode) {
				t.Fatal(err)
			}
			if len(out) > len(tt.wire)+48 {
				t.Errorf("%s: %d bytes draw a reply of %d", tt.name, len(tt.wire), len(out))
			}
		}
	}
}
