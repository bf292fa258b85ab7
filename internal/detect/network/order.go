package network

import (
	"container/heap"
	"time"
)

// order holds connections until no earlier one is to be expected, and hands them
// out by time and id.
type order struct {
	Held   byTime
	Newest time.Time // event time
	Leaps  int       // observations in a row that were far ahead

	free []*Conn // to be used again, so that waiting costs no garbage
}

type byTime []*Conn

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return earlier(h[i], h[j]) }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(x any)        { *h = append(*h, x.(*Conn)) }
func (h *byTime) Pop() any {
	old := *h
	n := len(old) - 1
	x := old[n]
	old[n] = nil
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

func (o *order) push(c *Conn) {
	var held *Conn
	if n := len(o.free); n > 0 {
		held, o.free = o.free[n-1], o.free[:n-1]
	} else {
		held = new(Conn)
	}
	*held = *c
	heap.Push(&o.Held, held)
}

// pop hands out the earliest; give it back with done.
func (o *order) pop() *Conn { return heap.Pop(&o.Held).(*Conn) }

func (o *order) done(c *Conn) {
	if len(o.free) < 1024 {
		o.free = append(o.free, c)
	}
}

// before reports whether the earliest held connection lies before t.
func (o *order) before(t time.Time) bool { return len(o.Held) > 0 && o.Held[0].Time.Before(t) }
