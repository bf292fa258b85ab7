package city

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/protocol/zeek"
)

func TestTrafficIsZeeksAndRepeatable(t *testing.T) {
	flows := take(skarrow().Traffic(monday, Busy()), 5000)
	var log []byte
	for i := range flows {
		log = flows[i].AppendJSON(log)
	}
	var second []byte
	for _, f := range take(again().Traffic(monday, Busy()), 5000) {
		second = f.AppendJSON(second)
	}
	if !bytes.Equal(log, second) {
		t.Error("one seed made two logs")
	}
	r := zeek.NewReader(bytes.NewReader(log))
	for i := range flows {
		want := &flows[i]
		rec, err := r.Read()
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		var c zeek.Conn
		if err := rec.Conn(&c); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		orig, resp := netip.AddrPortFrom(c.OrigH, c.OrigP), netip.AddrPortFrom(c.RespH, c.RespP)
		if !c.TS.Equal(want.Start) || c.UID != want.UID || orig != want.Orig || resp != want.Resp ||
			c.State != want.State || c.Duration != want.Duration || c.OrigBytes != uint64(want.OrigBytes) {
			t.Fatalf("line %d reads as %+v, meant %+v", i+1, c, want)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last line: %v", err)
	}
}

func TestTrafficKeepsToItsRanges(t *testing.T) {
	outside := []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"),
	}
	attacks, last := map[string]int{}, time.Time{}
	end := monday.AddDate(0, 0, 1)
	ordinary := 0
	for f := range skarrow().Traffic(monday, Busy()) {
		if f.End().After(end) {
			break
		}
		if f.End().Before(last) {
			t.Fatalf("a connection that ended at %v after one at %v", f.End(), last)
		}
		last = f.End()
		for _, a := range []netip.Addr{f.Orig.Addr(), f.Resp.Addr()} {
			known := local(a)
			for _, p := range outside {
				known = known || p.Contains(a)
			}
			if !known {
				t.Fatalf("%v belongs to somebody", a)
			}
		}
		if f.Attack != "" {
			attacks[f.Attack]++
		} else {
			ordinary++
		}
	}
	kinds := map[string]int{}
	for name, n := range attacks {
		kind, _, _ := strings.Cut(name, "/")
		kinds[kind]++
		if n < 20 {
			t.Errorf("%s has only %d connections", name, n)
		}
	}
	if len(kinds) != 4 || len(attacks) < 15 || len(attacks) > 50 {
		t.Errorf("attacks in a day: %v", kinds)
	}
	if ordinary < 20000 || ordinary > 90000 {
		t.Errorf("%d ordinary connections in a day", ordinary)
	}
}

// The opening's scan begins soon enough for a visitor to see it.
func TestOpeningHoldsAScan(t *testing.T) {
	for f := range skarrow().Traffic(monday, Busy()) {
		if f.Start.After(monday.Add(10 * time.Minute)) {
			t.Fatal("no scan in the first ten minutes")
		}
		if strings.HasPrefix(f.Attack, string(HorizontalScan)+"/opening") {
			return
		}
	}
}
