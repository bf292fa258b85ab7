package bus

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFrameGivesBackItsRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.SliceOf(rapid.Byte().Filter(func(b byte) bool { return b != '\n' })), 1, 40).Draw(t, "records")
		seq := rapid.Uint64Range(1, 1<<50).Draw(t, "frame")
		var data []byte
		for _, r := range records {
			data = appendRecord(data, r)
		}
		skip := rapid.IntRange(0, len(records)).Draw(t, "skip")
		after := position(seq, skip) - 1
		got := cutFrame(nil, data, seq, time.Time{}, "", after)
		if len(got) != len(records)-skip {
			t.Fatalf("%d records after %d of %d", len(got), skip, len(records))
		}
		for i, r := range got {
			if !bytes.Equal(r.Data, records[skip+i]) {
				t.Fatalf("record %d is %q, want %q", skip+i, r.Data, records[skip+i])
			}
			if frameOf(r.Seq) != seq || indexOf(r.Seq) != skip+i {
				t.Fatalf("record %d lies at %d/%d", skip+i, frameOf(r.Seq), indexOf(r.Seq))
			}
		}
	})
}

func TestPositionsGrow(t *testing.T) {
	if MaxBatch > 1<<indexBits {
		t.Fatalf("a frame of %d records does not fit %d bits", MaxBatch, indexBits)
	}
	rapid.Check(t, func(t *rapid.T) {
		frame := rapid.Uint64Range(1, 1<<53).Draw(t, "frame")
		a := rapid.IntRange(0, MaxBatch-1).Draw(t, "a")
		b := rapid.IntRange(0, MaxBatch-1).Draw(t, "b")
		if (a < b) != (position(frame, a) < position(frame, b)) || position(frame, a) >= position(frame+1, b) {
			t.Fatalf("positions of %d/%d and %d/%d are out of order", frame, a, frame, b)
		}
	})
}

// Anyone who may publish on the cluster may put any bytes in a frame.
func FuzzCutFrame(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":1}\n"), uint64(0))
	f.Add([]byte("no line break"), uint64(1<<indexBits))
	f.Add([]byte("\n\n"), uint64(1<<indexBits|1))
	f.Add([]byte{}, uint64(5))
	f.Fuzz(func(t *testing.T, data []byte, after uint64) {
		last := after
		for _, r := range cutFrame(nil, data, 1, time.Time{}, "", after) {
			if r.Seq <= last || bytes.IndexByte(r.Data, '\n') >= 0 {
				t.Fatalf("record %q at %d after %d", r.Data, r.Seq, last)
			}
			last = r.Seq
		}
	})
}

func indexOf(pos uint64) int { return int(pos & (1<<indexBits - 1)) }
