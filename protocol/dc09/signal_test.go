package dc09

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestSignals(t *testing.T) {
	sia := func(s Signal) Signal {
		s.Format = TokenSIA
		if s.Account == "" {
			s.Account = "9"
		}
		return s
	}
	cid := func(s Signal) Signal { s = sia(s); s.Format = TokenCID; return s }
	for _, tt := range []struct {
		token Token
		data  string
		want  []Signal
	}{
		{TokenSIA, "#1234|Nri1/BA003", []Signal{sia(Signal{Account: "1234", Code: "BA", Category: Burglary, Qualifier: New, Partition: "1", Zone: "3"})}},
		{TokenSIA, "Nri1/WA000", []Signal{sia(Signal{Code: "WA", Category: Water, Qualifier: New, Partition: "1"})}},
		{TokenSIA, "|Nri1/CL501", []Signal{sia(Signal{Code: "CL", Category: Close, Qualifier: New, Partition: "1", User: "501"})}},
		{TokenSIA, "#|NBA1", []Signal{sia(Signal{Code: "BA", Category: Burglary, Qualifier: New, Zone: "1"})}},
		{TokenSIA, "1234|NFA129", []Signal{sia(Signal{Account: "1234", Code: "FA", Category: Fire, Qualifier: New, Zone: "129"})}},
		{TokenSIA, "#1234|NRR|Atest", []Signal{sia(Signal{Account: "1234", Code: "RR", Category: System, Qualifier: Status, Text: "test"})}},
		{TokenSIA, "#123456|Nri0KR1^TAST. 001 ^", []Signal{sia(Signal{Account: "123456", Code: "KR", Category: Environment, Qualifier: Restore, Zone: "1", Text: "TAST. 001"})}},
		{TokenSIA, "#A|Nti19:44/id12/ri4/OP", []Signal{sia(Signal{Account: "A", Code: "OP", Category: Open, Qualifier: New, Partition: "4", User: "12", Clock: "19:44"})}},
		{TokenSIA, "#A|Oid12HA1", []Signal{sia(Signal{Account: "A", Code: "HA", Category: HoldUp, Qualifier: New, Zone: "1", User: "12", Old: true})}},
		{TokenSIA, "Nri1/BA1/BV2*K\xfcche*|OTA3", []Signal{
			sia(Signal{Code: "BA", Category: Burglary, Qualifier: New, Partition: "1", Zone: "1"}),
			sia(Signal{Code: "BV", Category: VerifiedBurglary, Qualifier: New, Partition: "1", Zone: "2", Text: "Küche"}),
			sia(Signal{Code: "TA", Category: Tamper, Qualifier: New, Zone: "3", Old: true}),
		}},
		{TokenSIA, "NQQ7", []Signal{sia(Signal{Code: "QQ", Category: Unknown, Qualifier: Status, Zone: "7"})}},
		{TokenSIA, "NBC2|P123", []Signal{sia(Signal{Code: "BC", Category: Burglary, Qualifier: Cancel, User: "2"})}},
		{TokenCID, "#1234|1130 00 015", []Signal{cid(Signal{Account: "1234", Code: "130", Category: Burglary, Qualifier: New, Zone: "15"})}},
		{TokenCID, "3130 02 015", []Signal{cid(Signal{Code: "130", Category: Burglary, Qualifier: Restore, Partition: "2", Zone: "15"})}},
		{TokenCID, "113901A0F", []Signal{cid(Signal{Code: "139", Category: VerifiedBurglary, Qualifier: New, Partition: "1", Zone: "A0F"})}},
		{TokenCID, "1401 01 007", []Signal{cid(Signal{Code: "401", Category: Open, Qualifier: New, Partition: "1", User: "7"})}},
		{TokenCID, "3401 01 007", []Signal{cid(Signal{Code: "401", Category: Close, Qualifier: New, Partition: "1", User: "7"})}},
		{TokenCID, "6129 01 002", []Signal{cid(Signal{Code: "129", Category: VerifiedHoldUp, Qualifier: Status, Partition: "1", Zone: "2", Old: true})}},
		{TokenCID, "1602 00 000", []Signal{cid(Signal{Code: "602", Category: Test, Qualifier: Status})}},
		{TokenCID, "1406 01 003", []Signal{cid(Signal{Code: "406", Category: Cancelled, Qualifier: Cancel, Partition: "1", User: "3"})}},
		{TokenCID, "1999 00 001|AHall", []Signal{cid(Signal{Code: "999", Category: Unknown, Qualifier: New, Zone: "1", Text: "Hall"})}},
		{TokenNull, "", nil},
	} {
		f := Frame{Token: tt.token, Account: "9", Data: tt.data}
		got, err := f.Signals()
		if err != nil {
			t.Errorf("%s: %v", tt.data, err)
			continue
		}
		for i := range got {
			if (got[i].Meaning == "") != (got[i].Category == Unknown) {
				t.Errorf("%s: meaning %q of category %s", tt.data, got[i].Meaning, got[i].Category)
			}
			got[i].Meaning = ""
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.data, got, tt.want)
		}
	}
}

func TestSignalErrors(t *testing.T) {
	for _, tt := range []struct {
		token Token
		data  string
		want  error
	}{
		{TokenSIA, "", ErrContent},
		{TokenSIA, "#12|", ErrContent},
		{TokenSIA, "#12|N", ErrContent},
		{TokenSIA, "Nri1/003", ErrContent},
		{TokenSIA, "Nri1/Ba", ErrContent},
		{TokenSIA, "N" + strings.Repeat("/BA", 129), ErrContent},
		{TokenSIA, "#<b>|NBA1", ErrContent},
		{TokenSIA, "Nri<b>/BA1", ErrContent},
		{TokenSIA, "Nti1234567890/BA1", ErrContent},
		{TokenSIA, "NBA12345678901234567", ErrContent},
		{TokenCID, "#1-2|1130 00 015", ErrContent},
		{TokenCID, "", ErrContent},
		{TokenCID, "1130 00", ErrContent},
		{TokenCID, "2130 00 015", ErrContent},
		{TokenCID, "1130 00 0155", ErrContent},
		{TokenCID, "11A0 00 015", ErrContent},
		{TokenCID, strings.Repeat("1130 00 015|", 128) + "1130 00 015", ErrContent},
		{TokenACK, "", ErrUnable},
		{"ITI-I", "x", ErrUnable},
	} {
		f := Frame{Token: tt.token, Data: tt.data}
		keep := []Signal{{Code: "kept"}}
		if got, err := AppendSignals(keep, &f); !errors.Is(err, tt.want) || len(got) != 1 {
			t.Errorf("%s %.20q: %d signals, %v; want %v", tt.token, tt.data, len(got), err, tt.want)
		}
	}
	sealed, err := Parse([]byte(wireEncrypted))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealed.Signals(); !errors.Is(err, ErrKey) {
		t.Errorf("sealed: %v", err)
	}
}

func TestSignalTextFromExtendedBlock(t *testing.T) {
	f := Frame{Token: TokenSIA, Data: "NBA1^Hall^/BA2", Extended: []Extended{{ExtText, "Caf\xe9 \x80"}}}
	got, err := f.Signals()
	if err != nil || len(got) != 2 || got[0].Text != "Hall" || got[1].Text != "Café €" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeText(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Hall": "Hall", "Küche": "Küche", "K\xfcche": "Küche", "\x80\x81\x93": "€\uFFFD“",
		"a\x1b[31m": "a [31m", "é\x00\u0085": "é  ", "\xe9\x07\x7f": "é  ",
	} {
		if got := DecodeText(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCodeTables(t *testing.T) {
	for code, c := range siaCodes {
		if c.Code != code || len(code) != 2 || c.Meaning == "" || c.Category == "" || c.Qualifier == "" {
			t.Errorf("SIA %s: %+v", code, c)
		}
		if _, ok := siaCodes[c.RestoralOf]; c.RestoralOf != "" && !ok {
			t.Errorf("SIA %s ends %s, which is not in the table", code, c.RestoralOf)
		}
		if c.Qualifier == Restore && c.RestoralOf == "" {
			t.Errorf("SIA %s restores nothing", code)
		}
	}
	lists := 0
	for _, group := range [][]CIDCode{cidAlarms, cidFaults, cidOpenings, cidSystem} {
		lists += len(group)
	}
	if lists != len(cidCodes) {
		t.Errorf("%d Contact ID codes in the lists, %d in the table: one is there twice", lists, len(cidCodes))
	}
	for _, must := range strings.Fields("BA BV BR BT BB BC CL OP HA HR HH HV PA PR FA FR TA TR RP RX YC YK YR YT AT AR WA WR GA GR KA MA QA ZA") {
		if _, ok := LookupSIA(must); !ok {
			t.Errorf("SIA %s missing", must)
		}
	}
	for _, must := range strings.Fields("110 120 121 122 129 130 131 132 134 137 139 144 301 302 350 354 401 602") {
		if _, ok := LookupCID(must); !ok {
			t.Errorf("Contact ID %s missing", must)
		}
	}
}

func TestParseSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"SIA-DCS|#1234|Nri1/BA003":            `"SIA-DCS"0001L0#1234[#1234|Nri1/BA003]`,
		"ADM-CID|#1234|1130 00 015":           `"ADM-CID"0001L0#1234[#1234|1130 00 015]`,
		"NULL|#1234":                          `"NULL"0001L0#1234[]`,
		"SIA-DCS|#1234|NBA1|AHall[I x][Y1N2]": `"SIA-DCS"0001L0#1234[#1234|NBA1|AHall][I x][Y1N2]`,
		"NULL|#12[M1234567890AB]":             `"NULL"0001L0#12[][M1234567890AB]`,
	} {
		f, err := ParseSpec(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		out, err := Encode(nil, &f, nil, nil)
		if err != nil || string(out[1+headerSize:len(out)-1]) != want {
			t.Errorf("%s: %q, %v; want %s", spec, out, err, want)
		}
	}
	if f, err := ParseSpec("*NULL|#1234"); err != nil || !f.Encrypted {
		t.Errorf("encrypted: %+v, %v", f, err)
	}
	for _, bad := range []string{
		"", "SIA-DCS", "SIA-DCS|1234|NBA1", "SIA|#1234|NBA1", "ACK|#1234", "NULL|#1234|x", "SIA-DCS|#1234",
		"SIA-DCS|#1234|", "SIA-DCS|#12-4|NBA1", "ADM-CID|#1234|NBA1", "SIA-DCS|#1234|1130 00 015", "NULL|#1234[", "NULL|#1234[x]y",
		"NULL|#12345678901234567", "NULL|#1\r[x]", "SIA-DCS|#1|NBA1\n", "NULL|#1[a[b]",
	} {
		if f, err := ParseSpec(bad); err == nil || !strings.Contains(err.Error(), "SIA-DCS|#1234|Nri1/BA003") {
			t.Errorf("%q: %+v, %v", bad, f, err)
		}
	}
}
