package network

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// benchTraffic is a real day of a host attacked from the internet, or a made one
// without BLUELAMP_DATA.
func benchTraffic(b *testing.B) (tr traffic) {
	if os.Getenv("BLUELAMP_DATA") != "" {
		for _, f := range load(b, "008-zeek-mixed/conn.log.labeled", malicious) {
			tr = append(tr, f.Conn)
		}
		return tr
	}
	for i := range 5000 {
		at := time.Duration(i) * 20 * time.Second
		if i%4 == 0 {
			tr.add(at, talked(laptop, ip("198.51.100.%d", i%100), 443, 5000, time.Second))
			continue
		}
		tr.add(at, unanswered(ip("203.0.%d.%d", i%8, i%200), laptop, uint16(i%3000)))
	}
	return tr
}

func report(b *testing.B, n int) {
	b.ReportAllocs()
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "conns/s")
}

func BenchmarkDay(b *testing.B) {
	tr := benchTraffic(b)
	b.ResetTimer()
	for b.Loop() {
		s := New(Config{})
		feed(s, tr)
		s.Flush()
	}
	report(b, len(tr))
}

// BenchmarkWorm is an infected device that scans telnet at 200 addresses a second.
func BenchmarkWorm(b *testing.B) {
	var tr traffic
	for i := range 100_000 {
		tr.add(time.Duration(i)*5*time.Millisecond, unanswered(camera, ip("198.%d.%d.%d", 51+i/62500, i/250%250, i%250), 23))
	}
	b.ResetTimer()
	for b.Loop() {
		s := New(Config{})
		feed(s, tr)
		s.Flush()
	}
	report(b, len(tr))
}

// BenchmarkUniqueHosts is the worst for memory: every connection has a new source.
func BenchmarkUniqueHosts(b *testing.B) {
	var tr traffic
	for i := range 100_000 {
		tr.add(time.Duration(i)*time.Millisecond, unanswered(ip("203.%d.%d.%d", i/62500, i/250%250, i%250), laptop, uint16(i)))
	}
	b.ResetTimer()
	for b.Loop() {
		s := New(Config{})
		feed(s, tr)
		s.Flush()
	}
	report(b, len(tr))
}

func BenchmarkSnapshot(b *testing.B) {
	s := New(Config{})
	feed(s, benchTraffic(b))
	for i := range 1000 {
		s.Add(Conn{Ref: event.Ref{ID: event.ID(fmt.Sprint(i))}, Time: t0, Orig: laptop, Resp: camera})
	}
	for b.Loop() {
		state, err := s.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(state)))
	}
}
