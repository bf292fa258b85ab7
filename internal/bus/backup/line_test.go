package backup

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Write lets tests change an index.
func (x *Index) Write(dir string) error { return x.write(dir) }

func TestLinesGiveBackRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.OneOf(
			rapid.SliceOf(rapid.Byte().Filter(func(b byte) bool { return b != '\n' })),
			rapid.SampledFrom([][]byte{[]byte(`{"a" : "<&>", "pos":1}`), []byte(`1`), []byte(`"}"`), nil}),
		).Draw(t, "data")
		r := bus.Record{
			Seq: rapid.Uint64Range(1, 1<<62).Draw(t, "pos"), Data: data,
			Time: time.Unix(0, rapid.Int64Range(0, 1<<61).Draw(t, "time")).UTC(),
		}
		line := appendLine(nil, r)
		got, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil || got.Seq != r.Seq || !got.Time.Equal(r.Time) || !bytes.Equal(got.Data, r.Data) || got.Data == nil {
			t.Fatalf("%s came back as %+v: %v", line, got, err)
		}
	})
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"pos":1024,"time":"2026-03-02T12:00:00Z","data":{"n":1}}`))
	f.Add([]byte(`{"pos":1024,"time":"2026-03-02T12:00:00.5Z","base64":"AAE="}`))
	f.Add([]byte(`{"pos":,"time":"","":}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseLine(line)
		if err != nil || bytes.IndexByte(line, '\n') >= 0 {
			return
		}
		again, err := parseLine(bytes.TrimSuffix(appendLine(nil, r), []byte("\n")))
		if err != nil || again.Seq != r.Seq || !bytes.Equal(again.Data, r.Data) {
			t.Fatalf("%q: %+v, then %+v: %v", line, r, again, err)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"version":1,"streams":{"AUDIT":{"copied":5,"end":1}},"segments":[{"file":"AUDIT/kept/x","stream":"AUDIT"}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex(data)
		if (x == nil) == (err == nil) {
			t.Fatalf("%v, %v", x, err)
		}
	})
}
