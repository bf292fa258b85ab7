package bus

import (
	"bytes"
	"errors"
	"time"
)

// Record is one entry of a stream: a line of JSON.
type Record struct {
	Data []byte
	Seq  uint64    // position: grows along the stream, not always by one
	Time time.Time // when the log took it

	Class string // retention class; empty: kept until review
}

// Frame returns the number of the frame that holds the record. The numbers of a
// stream's frames follow one another without a gap, but for what was erased.
func (r Record) Frame() uint64 { return frameOf(r.Seq) }

// Index returns the record's place within its frame, from 0.
func (r Record) Index() int { return int(r.Seq & (1<<indexBits - 1)) }

// ErrNotALine: a record holds a line break, which JSON text never needs.
var ErrNotALine = errors.New("a record must be one line")

// A position is the number of the frame, then the record's index within it.
const indexBits = 10

func position(frame uint64, index int) uint64 { return frame<<indexBits | uint64(index) }
func frameOf(pos uint64) uint64               { return pos >> indexBits }

// appendRecord adds a record to a frame.
func appendRecord(frame, data []byte) []byte {
	frame = append(frame, data...)
	return append(frame, '\n')
}

// cutFrame appends the records of a frame that lie after the given position.
// They share the frame's bytes. We never write a frame without records, or with
// more than its index can count; another client of a cluster might, and then the
// first holds one empty record and the second is cut off.
func cutFrame(out []Record, frame []byte, seq uint64, at time.Time, class string, after uint64) []Record {
	for i := 0; i == 0 || len(frame) > 0 && i < 1<<indexBits; i++ {
		line, rest, _ := bytes.Cut(frame, []byte{'\n'})
		frame = rest
		if pos := position(seq, i); pos > after {
			out = append(out, Record{Data: line, Seq: pos, Time: at, Class: class})
		}
	}
	return out
}
