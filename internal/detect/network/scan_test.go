package network

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// traffic is made of small pieces; each gives its connections ids of its own.
type traffic []Conn

func (tr *traffic) add(at time.Duration, c Conn) {
	c.Time = t0.Add(at)
	c.Received = c.Time
	c.Ref.ID = event.ID(fmt.Sprintf("o%06d", len(*tr)))
	if c.Proto == "" {
		c.Proto = "tcp"
	}
	*tr = append(*tr, c)
}

func ip(format string, args ...any) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf(format, args...))
}

// unanswered, refused, talked and halfOpen make the connections that Zeek would
// tell of.
func unanswered(from, to netip.Addr, port uint16) Conn {
	return Conn{Orig: from, Resp: to, RespPort: port, State: "S0", History: "S"}
}

func refused(from, to netip.Addr, port uint16) Conn {
	return Conn{Orig: from, Resp: to, RespPort: port, State: "REJ", History: "Sr", RespPkts: 1}
}

func talked(from, to netip.Addr, port uint16, bytes uint64, d time.Duration) Conn {
	return Conn{Orig: from, Resp: to, RespPort: port, State: "SF", History: "ShADadFf", OrigBytes: bytes, RespBytes: bytes, RespPkts: 9, Duration: d}
}

func halfOpen(from, to netip.Addr, port uint16) Conn {
	return Conn{Orig: from, Resp: to, RespPort: port, State: "RSTO", History: "ShR", RespPkts: 1}
}

func datagram(from, to netip.Addr, port uint16, answered bool) Conn {
	c := Conn{Proto: "udp", Orig: from, Resp: to, RespPort: port, State: "S0", History: "D", OrigBytes: 50}
	if answered {
		c.State, c.History, c.RespBytes, c.RespPkts = "SF", "Dd", 90, 1
	}
	return c
}

func login(from, to netip.Addr, known, accepted bool, attempts int, client bool) Conn {
	return Conn{Orig: from, Resp: to, RespPort: 22, Service: "SSH", Login: true, Known: known, Accepted: accepted, Attempts: attempts, Spoke: client}
}

func findAll(cfg Config, tr traffic) []Finding {
	s := New(cfg)
	var found []Finding
	for _, c := range tr {
		found = append(found, s.Add(c)...)
	}
	return newest(append(found, s.Flush()...))
}

var (
	camera   = ip("192.168.1.20")
	laptop   = ip("192.168.1.30")
	outsider = ip("203.0.113.66")
)

func TestAttacksAreFound(t *testing.T) {
	cases := map[string]struct {
		make    func(*traffic)
		kind    event.Kind
		subject netip.Addr
		total   int
		reason  string
	}{
		"an infected camera scans telnet outwards, amid its own traffic": {func(tr *traffic) {
			for i := range 300 {
				tr.add(time.Duration(i)*time.Second/4, unanswered(camera, ip("198.51.%d.%d", i%100, i%251), 23))
				if i%10 == 0 {
					tr.add(time.Duration(i)*time.Second/4, datagram(camera, ip("192.0.2.53"), 53, true))
					tr.add(time.Duration(i)*time.Second/4, talked(camera, ip("192.0.2.80"), 443, 9000, time.Second))
				}
			}
		}, event.KindScanHorizontal, camera, 300, "192.168.1.20 tried 23/tcp on 300 hosts in 1 min; 100 % of them gave no service there."},
		"a slow horizontal scan": {func(tr *traffic) {
			for i := range 60 {
				tr.add(time.Duration(i)*5*time.Minute, refused(outsider, ip("192.168.4.%d", i+1), 3389))
			}
		}, event.KindScanHorizontal, outsider, 60, "tried 3389/tcp on 60 hosts in 4 h 55 min"},
		"a ping sweep": {func(tr *traffic) {
			for i := range 50 {
				tr.add(time.Duration(i)*time.Second, Conn{Proto: "icmp", Orig: laptop, Resp: ip("192.168.1.%d", i+100), OrigPort: 8, State: "OTH"})
			}
		}, event.KindScanHorizontal, laptop, 50, "ICMP type 8"},
		"a half-open scan of one host with open ports": {func(tr *traffic) {
			for i := range 200 {
				c := refused(laptop, camera, uint16(i+1))
				if i%50 == 22 {
					c = halfOpen(laptop, camera, uint16(i+1))
				}
				tr.add(time.Duration(i)*time.Millisecond, c)
			}
		}, event.KindScanVertical, laptop, 200, "192.168.1.30 tried up to 200 ports on 192.168.1.20 in under a second; 100 % of them were shut."},
		"a connect scan of one host with open ports": {func(tr *traffic) {
			for i := range 100 {
				c := refused(laptop, camera, uint16(i+1))
				if i%25 == 21 {
					c = Conn{Orig: laptop, Resp: camera, RespPort: uint16(i + 1), State: "RSTO", History: "ShAR", RespPkts: 1}
				}
				tr.add(time.Duration(i)*time.Millisecond, c)
			}
		}, event.KindScanVertical, laptop, 100, "tried up to 96 ports"},
		"guessing seen only as connections": {func(tr *traffic) {
			for i := range 50 {
				tr.add(time.Duration(i)*5*time.Second, talked(outsider, camera, 22, 1800, 3*time.Second))
			}
		}, event.KindBruteForce, outsider, 50, "opened 50 sessions of the size of a failed log-in to SSH on 192.168.1.20 port 22 in 4 min"},
		"guessing that succeeds": {func(tr *traffic) {
			for i := range 30 {
				tr.add(time.Duration(i)*10*time.Second, login(outsider, camera, true, false, 3, true))
			}
			tr.add(time.Hour/4, login(outsider, camera, true, true, 1, true))
		}, event.KindBruteForce, outsider, 31, "90 refused, 0 of unknown outcome, 1 accepted. It got in after its guesses."},
		"many sources probe one host": {func(tr *traffic) {
			for i := range 40 {
				tr.add(time.Duration(i)*10*time.Minute, unanswered(ip("198.51.100.%d", i+1), camera, uint16(1000+i)))
			}
		}, event.KindScanInbound, camera, 40, "40 outside addresses that 192.168.1.20 never called tried 40 of its ports in 6 h 30 min"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var tr traffic
			c.make(&tr)
			found := findAll(Config{}, tr)
			if len(found) != 1 {
				t.Fatalf("found %d: %+v", len(found), found)
			}
			f := found[0]
			if f.Kind != c.kind || f.Subject != c.subject || f.Total != c.total || !strings.Contains(f.Reason, c.reason) {
				t.Errorf("got %s of %s, %d observations: %s", f.Kind, f.Subject, f.Total, f.Reason)
			}
			if f.Score <= 0.3 || f.Score > 1 || f.Advice == "" || len(f.Refs) != f.Total {
				t.Errorf("score %v, advice %q, %d references", f.Score, f.Advice, len(f.Refs))
			}
		})
	}
}

func TestOrdinaryTrafficIsNotFlagged(t *testing.T) {
	cases := map[string]func(*traffic){
		"browsing, with some failures": func(tr *traffic) {
			for i := range 400 {
				c := talked(laptop, ip("198.51.%d.%d", i/100, i%100), 443, 5000, time.Second)
				if i%5 == 0 {
					c = unanswered(c.Orig, c.Resp, 443)
				}
				tr.add(time.Duration(i)*time.Second, c)
			}
		},
		"known servers go down": func(tr *traffic) {
			for i := range 120 {
				c := talked(laptop, ip("198.51.100.%d", i%60), 443, 5000, time.Second)
				if i >= 60 {
					c = unanswered(c.Orig, c.Resp, 443)
				}
				tr.add(time.Duration(i)*time.Second, c)
			}
		},
		"discovery by multicast and broadcast": func(tr *traffic) {
			for i := range 200 {
				for _, to := range []string{"224.0.0.251", "239.255.255.250", "224.0.0.252", "192.168.1.255", "255.255.255.255", "ff02::fb"} {
					tr.add(time.Duration(i)*time.Second, datagram(laptop, ip("%s", to), uint16(1900+i), false))
				}
			}
		},
		"a resolver whose queries the monitor misses": func(tr *traffic) {
			for i := range 500 {
				tr.add(time.Duration(i)*time.Second, Conn{Proto: "udp", Orig: laptop, Resp: ip("192.0.2.%d", i%100), RespPort: 53, State: "SHR", History: "Cd", RespBytes: 90, RespPkts: 1})
			}
		},
		"peer to peer": func(tr *traffic) {
			for i := range 600 {
				to := ip("198.51.%d.%d", i/200, i%200)
				tr.add(time.Duration(i)*time.Second, datagram(laptop, to, uint16(20000+i*7%9000), i%3 == 0))
				if i%3 == 0 {
					tr.add(time.Duration(i)*time.Second, talked(laptop, to, 6881, 900, time.Minute))
				} else if i%3 == 1 {
					tr.add(time.Duration(i)*time.Second, unanswered(laptop, to, 6881))
				}
			}
		},
		"traceroute": func(tr *traffic) {
			for i := range 90 {
				tr.add(time.Duration(i)*time.Millisecond, datagram(laptop, ip("198.51.100.9"), uint16(33434+i), false))
			}
		},
		"answers of a server, seen as calls": func(tr *traffic) {
			server := ip("198.51.100.7")
			tr.add(0, talked(laptop, server, 8883, 500, time.Minute))
			for i := range 100 {
				c := Conn{Orig: server, Resp: laptop, RespPort: uint16(50000 + i), State: "OTH", History: "Da", OrigBytes: 31, RespPkts: 1}
				tr.add(2*time.Minute+time.Duration(i)*time.Second, c)
			}
		},
		"echoes of somebody else's forged packets": func(tr *traffic) {
			for i := range 100 {
				tr.add(time.Duration(i)*time.Second, Conn{Orig: outsider, Resp: ip("192.168.1.%d", i+1), RespPort: uint16(1000 + i), State: "OTH", History: "H"})
			}
		},
		"an availability monitor": func(tr *traffic) {
			for i := range 280 {
				tr.add(time.Duration(i)*5*time.Minute, login(outsider, camera, false, false, 0, false))
				tr.add(time.Duration(i)*5*time.Minute, talked(outsider, camera, 22, 40, time.Second))
			}
		},
		"a person who mistypes, and works all day": func(tr *traffic) {
			for i := range 60 {
				tr.add(time.Duration(i)*10*time.Minute, login(laptop, camera, true, i%4 != 0, 1, true))
			}
		},
		"customers of a server": func(tr *traffic) {
			for i := range 200 {
				c := talked(ip("198.51.100.%d", i%250), camera, 443, 900, time.Second)
				if i > 10 && i%7 == 0 {
					c = unanswered(c.Orig, c.Resp, 443)
				}
				tr.add(time.Duration(i)*time.Second, c)
			}
		},
	}
	for name, build := range cases {
		t.Run(name, func(t *testing.T) {
			var tr traffic
			build(&tr)
			for _, f := range findAll(Config{}, tr) {
				t.Errorf("%s: %s", f.Kind, f.Reason)
			}
		})
	}
}

func TestAScanIsToldEarlyAndAsItGrows(t *testing.T) {
	s := New(Config{Lateness: time.Second})
	var tr traffic
	for i := range 1000 {
		tr.add(time.Duration(i)*time.Second, unanswered(camera, ip("198.51.%d.%d", i/200, i%200), 23))
	}
	var totals []int
	for _, c := range tr {
		for _, f := range s.Add(c) {
			if f.Revision != len(totals) {
				t.Errorf("revision %d comes as the %d.", f.Revision, len(totals))
			}
			totals = append(totals, f.Total)
		}
	}
	for _, f := range s.Flush() {
		totals = append(totals, f.Total)
	}
	if got := fmt.Sprint(totals); got != "[20 40 80 160 320 640 1000]" {
		t.Errorf("told at %s observations", got)
	}
}

func TestBoundsOnWhatIsListedAndRemembered(t *testing.T) {
	cfg := Config{MaxRefs: 50, MaxDoors: 100}
	var tr traffic
	for i := range 1000 {
		tr.add(time.Duration(i)*time.Millisecond, unanswered(camera, ip("198.51.%d.%d", i/200, i%200), 23))
	}
	found := findAll(cfg, tr)
	if len(found) != 1 || found[0].Total != 1000 || len(found[0].Refs) != 50 || !strings.Contains(found[0].Reason, "at least 100 hosts") {
		t.Fatalf("%+v", found)
	}
}

func TestSilenceAndWrongClocks(t *testing.T) {
	s := New(Config{})
	var tr traffic
	for i := range 30 {
		tr.add(time.Duration(i)*time.Second, unanswered(camera, ip("198.51.100.%d", i), 23))
	}
	tr.add(1000*time.Hour, unanswered(laptop, ip("198.51.100.1"), 23)) // one monitor lives in the future
	for _, c := range tr {
		if f := s.Add(c); len(f) > 0 {
			t.Fatalf("told before earlier ones could come: %+v", f)
		}
	}
	found := s.Advance(t0.Add(5 * time.Minute))
	if len(found) != 1 || found[0].Kind != event.KindScanHorizontal {
		t.Fatalf("after a silence: %+v", found)
	}
	if got := s.Stats(); got.Late != 0 || got.Pending != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAlertsOfTheDetector(t *testing.T) {
	d := NewDetector(Config{})
	no := false
	var got []event.Alert
	for i := range 25 {
		got = append(got, d.Observe(&event.Observation{
			ID: event.ID(fmt.Sprint(i)), Kind: event.KindFlow, Time: t0.Add(time.Duration(i) * time.Second), Seq: uint64(i + 1),
			Flow: &event.Flow{Orig: camera, Resp: ip("198.51.100.%d", i), RespPort: 23, Proto: "tcp", State: "S0", History: "S", LocalOrig: &no},
		})...)
	}
	got = append(got, d.Observe(&event.Observation{Kind: event.KindAlarm})...)
	got = append(got, d.Observe(&event.Observation{Kind: event.KindFlow})...)
	got = append(got, d.Flush()...)
	if len(got) != 2 {
		t.Fatalf("%d alerts", len(got))
	}
	a := got[0]
	if a.ID != event.NewAlertID("network.scan.horizontal", a.Cause, 0) || a.Total != 20 || a.Observations[0] != (event.Ref{ID: "0", Seq: 1}) ||
		a.Cause != "scan.horizontal 192.168.1.20 2026-03-01T12:00:00Z" || got[1].Cause != a.Cause || got[1].Revision != 1 || got[1].Total != 25 {
		t.Errorf("%+v", got)
	}
}
