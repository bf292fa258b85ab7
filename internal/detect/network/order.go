package network

import (
	"container/heap"
	"time"
)

// order holds connections until no earlier one is to be expected, and hands them
// out by time and id.
type order struct {
	Held   byTime
	Newest time.Time // event time; the watermark lies Lateness before it
	Leaps  int       // observations in a row that were far ahead
}

type byTime []Conn

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return earlier(&h[i], &h[j]) }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(x any)        { *h = append(*h, x.(Conn)) }
func (h *byTime) Pop() any {
	old := *h
	n := len(old) - 1
	x := old[n]
	old[n] = Conn{}
	*h = old[:n]
	return x
}

func earlier(a, b *Conn) bool {
	if !a.Time.Equal(b.Time) {
		return a.Time.Before(b.Time)
	}
	return a.Ref.ID < b.Ref.ID
}

// advance moves time to t, unless t is a leap that stands alone.
func (o *order) advance(t time.Time) {
	if !o.Newest.IsZero() && t.Sub(o.Newest) > MaxLeap {
		if o.Leaps++; o.Leaps < leapers {
			return
		}
	}
	o.Leaps = 0
	if t.After(o.Newest) {
		o.Newest = t
	}
}

func (o *order) push(c Conn) { heap.Push(&o.Held, c) }
func (o *order) pop() Conn   { return heap.Pop(&o.Held).(Conn) }

// due reports whether the earliest held connection need not wait longer.
func (o *order) due(lateness time.Duration, max int) bool {
	return len(o.Held) > 0 && (len(o.Held) > max || o.Held[0].Time.Before(o.Newest.Add(-lateness)))
}
