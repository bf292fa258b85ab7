package zeek

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus repeats a real log's rows, or made ones when BLUELAMP_DATA is not set,
// to some 8 MB.
func corpus(b *testing.B, path, fallback string) (text []byte, rows int) {
	b.Helper()
	text = []byte(fallback)
	if dir := os.Getenv("BLUELAMP_DATA"); dir != "" {
		var err error
		if text, err = os.ReadFile(filepath.Join(dir, "network/zeek", path)); err != nil {
			b.Fatal(err)
		}
	}
	text = bytes.Repeat(text, 8<<20/len(text)+1)
	for l := range bytes.Lines(text) {
		if l[0] != '#' {
			rows++
		}
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	return text, rows
}

func rate(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

const jsonRow = `{"ts":1664462456.755299,"uid":"C5xhsO3uGtOfyrBlHh","id.orig_h":"192.0.2.11","id.orig_p":40042,"id.resp_h":"192.0.2.8","id.resp_p":53,"proto":"udp","service":"dns","duration":0.012166976928710938,"orig_bytes":0,"resp_bytes":111,"conn_state":"SHR","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"Cd","orig_pkts":0,"orig_ip_bytes":0,"resp_pkts":1,"resp_ip_bytes":139}` + "\n"

func benchReader(b *testing.B, text []byte, rows int, typed bool) {
	for b.Loop() {
		r := NewReader(bytes.NewReader(text), Named("conn.log"))
		n := 0
		for {
			rec, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if typed {
				var c Conn
				if err := rec.Conn(&c); err != nil {
					b.Fatal(err)
				}
			}
			n++
		}
		if n != rows {
			b.Fatalf("%d rows, want %d", n, rows)
		}
	}
	rate(b, rows)
}

func BenchmarkConnTSV(b *testing.B) {
	text, rows := corpus(b, "008-zeek-mixed/conn.log.labeled", connHead+strings.Repeat(connRow, 5000))
	benchReader(b, text, rows, true)
}

func BenchmarkRowsTSV(b *testing.B) {
	text, rows := corpus(b, "008-zeek-mixed/conn.log.labeled", connHead+strings.Repeat(connRow, 5000))
	benchReader(b, text, rows, false)
}

func BenchmarkConnJSON(b *testing.B) {
	text, rows := corpus(b, "002-zeek-scenario-port-scanning/conn.log", jsonRow)
	benchReader(b, text, rows, true)
}

func BenchmarkPeerCSV(b *testing.B) {
	text, rows := corpus(b, "008-zeek-mixed/conn.log.labeled", connHead+strings.Repeat(connRow, 5000))
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(text))
		r.Comma, r.Comment, r.ReuseRecord, r.LazyQuotes = '\t', '#', true, true
		n := 0
		for {
			_, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil && !errors.Is(err, csv.ErrFieldCount) {
				b.Fatal(err)
			}
			n++
		}
		if n != rows {
			b.Fatalf("%d rows, want %d", n, rows)
		}
	}
	rate(b, rows)
}

func BenchmarkPeerJSONMap(b *testing.B) {
	text, rows := corpus(b, "002-zeek-scenario-port-scanning/conn.log", jsonRow)
	for b.Loop() {
		for l := range bytes.Lines(text) {
			var m map[string]any
			if err := json.Unmarshal(l, &m); err != nil {
				b.Fatal(err)
			}
		}
	}
	rate(b, rows)
}

func BenchmarkPeerJSONStruct(b *testing.B) {
	text, rows := corpus(b, "002-zeek-scenario-port-scanning/conn.log", jsonRow)
	for b.Loop() {
		for l := range bytes.Lines(text) {
			var c struct {
				TS    json.Number `json:"ts"`
				UID   string      `json:"uid"`
				OrigH string      `json:"id.orig_h"`
				OrigP uint16      `json:"id.orig_p"`
				RespH string      `json:"id.resp_h"`
				RespP uint16      `json:"id.resp_p"`
				Proto string      `json:"proto"`
				State string      `json:"conn_state"`
			}
			if err := json.Unmarshal(l, &c); err != nil {
				b.Fatal(err)
			}
		}
	}
	rate(b, rows)
}

func ExampleReader() {
	r := NewReader(bytes.NewReader([]byte(connHead + connRow)))
	for {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println("put aside:", err)
			continue
		}
		var c Conn
		if err := rec.Conn(&c); err != nil {
			fmt.Println("put aside:", err)
			continue
		}
		fmt.Println(rec.Path(), c.OrigH, "to", c.RespH, c.State, c.Duration)
	}
	// Output: conn 192.0.2.1 to 2001:db8::5 SF 1.135424s
}

// The other kinds of log, typed, on real rows repeated.
func BenchmarkKinds(b *testing.B) {
	for _, c := range []struct {
		name, path, made string
		read             func(*Record) error
	}{
		{
			"DNS", "010-zeek-mixed/dns.log.labeled", tsvHead + "#path\tdns\n#fields\t" + idNames + "\tquery\n" + idValues + "\ta.example\n",
			func(r *Record) error { var d DNS; return r.DNS(&d) },
		},
		{
			"HTTP", "008-zeek-mixed/http.log.labeled", tsvHead + "#path\thttp\n#fields\t" + idNames + "\thost\n" + idValues + "\ta.example\n",
			func(r *Record) error { var h HTTP; return r.HTTP(&h) },
		},
		{
			"SSL", "010-zeek-mixed/ssl.log.labeled", tsvHead + "#path\tssl\n#fields\t" + idNames + "\tserver_name\n" + idValues + "\ta.example\n",
			func(r *Record) error { var s SSL; return r.SSL(&s) },
		},
		{
			"Weird", "010-zeek-mixed/weird.log.labeled", tsvHead + "#path\tweird\n#fields\t" + idNames + "\tname\n" + idValues + "\tx\n",
			func(r *Record) error { var w Weird; return r.Weird(&w) },
		},
	} {
		b.Run(c.name, func(b *testing.B) {
			text, rows := corpus(b, c.path, c.made)
			for b.Loop() {
				r := NewReader(bytes.NewReader(text))
				n := 0
				for rec, err := r.Read(); !errors.Is(err, io.EOF); rec, err = r.Read() {
					if err == nil {
						err = c.read(rec)
					}
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
			rate(b, rows)
		})
	}
}
