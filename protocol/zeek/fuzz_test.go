package zeek

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func drain(t *testing.T, in []byte) {
	r := NewReader(bytes.NewReader(in), MaxLine(4096))
	var next int64
	for {
		rec, err := r.Read()
		var bad *LineError
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &bad):
			if bad.Offset < next || bad.Line < 1 {
				t.Fatalf("line error goes back: %+v", bad)
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		if rec.Offset < next || rec.Next < rec.Offset || rec.Next > int64(len(in)) {
			t.Fatalf("record at %d to %d after %d", rec.Offset, rec.Next, next)
		}
		next = rec.Next
		var c Conn
		var h SSH
		var n Notice
		_, _, _ = rec.Conn(&c), rec.SSH(&h), rec.Notice(&n)
		rec.kind = "" // so that every reader tries it
		_, _, _, _ = rec.DNS(new(DNS)), rec.HTTP(new(HTTP)), rec.SSL(new(SSL)), rec.Weird(new(Weird))
		for name := range rec.Fields() {
			_, _ = rec.Strings(name)
			_, _, _ = rec.Time(name)
			_, _, _ = rec.Addr(name)
			_ = rec.Type(name)
		}
	}
}

func FuzzReaderTSV(f *testing.F) {
	f.Add([]byte(connHead + connRow))
	f.Add([]byte(strings.Replace(connHead, `\x09`, `\x20\x20`, 1) + connRow))
	f.Add([]byte("#fields\ta   b\tc\n1   2\t3\n#fields\ta\n1\n#close\t1\n"))
	f.Add([]byte("ts\tx\n1\t\\x\\x4\\x41\n"))
	f.Add([]byte("#fields\tts\tid.orig_h\tid.resp_h\tquery\tanswers\trejected\n1\t::1\t::2\ta\\x2c\tb,(empty)\tF\n"))
	f.Fuzz(drain)
}

func FuzzReaderJSON(f *testing.F) {
	f.Add([]byte(`{"ts":1.5,"uid":"a","id":{"orig_h":"1.2.3.4","x":[{"y":1}]},"conn_state":null}`))
	f.Add([]byte(`{"a":"\u12","b":-0.1e+5,"c":[true,false,null,[]],"d":{}}`))
	f.Add([]byte(`{"a":01}{"b"}`))
	f.Add([]byte(`{"ts":1,"id.orig_h":"::1","id.resp_h":"::2","answers":["a",1,null],"established":true,"status_code":200,"name":"x"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		drain(t, in)
		if line, _, _ := bytes.Cut(in, []byte("\n")); len(line) < 4096 {
			agree(t, line)
		}
	})
}

// agree holds the scanner to what encoding/json takes and how it reads it.
func agree(t *testing.T, line []byte) {
	var s scanner
	err := s.object(line)
	trimmed := bytes.TrimLeft(line, " \t\r\n")
	valid := json.Valid(line) && len(trimmed) > 0 && trimmed[0] == '{'
	if err == nil && !valid {
		t.Fatalf("took %q, which is not JSON", line)
	}
	if err != nil && valid && !strings.Contains(err.Error(), "deep") && !strings.Contains(err.Error(), "many") {
		t.Fatalf("refused %q: %v", line, err)
	}
	if err != nil {
		return
	}
	for _, m := range s.out {
		if m.value[0] != '"' {
			continue
		}
		var want string
		if err := json.Unmarshal(m.value, &want); err != nil || want != string(unquote(m.value)) {
			t.Fatalf("%s: %q, want %q (%v)", m.value, unquote(m.value), want, err)
		}
	}
}
