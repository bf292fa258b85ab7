package home

import (
	"container/heap"
	"time"
)

// due is when something runs out, and its place in the queue.
type due struct {
	Until time.Time `json:"until"`
	index int       // -1 when it is not queued
}

func (d *due) place() *due { return d }

// timed is what a queue holds; its key makes the order total, so that it does
// not depend on what the queue went through.
type timed interface {
	place() *due
	key() string
}

// queue orders what is remembered by when it runs out, the soonest first.
type queue[T timed] struct{ items []T }

func (q *queue[T]) push(x T) { heap.Push(q, x) }

func (q *queue[T]) remove(x T) {
	if i := x.place().index; i >= 0 {
		heap.Remove(q, i)
	}
}

func (q *queue[T]) until(x T, t time.Time) {
	x.place().Until = t
	if i := x.place().index; i >= 0 {
		heap.Fix(q, i)
	}
}

// Len implements heap.Interface.
func (q *queue[T]) Len() int { return len(q.items) }

// Less implements heap.Interface.
func (q *queue[T]) Less(i, j int) bool {
	a, b := q.items[i], q.items[j]
	if !a.place().Until.Equal(b.place().Until) {
		return a.place().Until.Before(b.place().Until)
	}
	return a.key() < b.key()
}

// Swap implements heap.Interface.
func (q *queue[T]) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].place().index, q.items[j].place().index = i, j
}

// Push implements heap.Interface.
func (q *queue[T]) Push(x any) {
	q.items = append(q.items, x.(T))
	x.(T).place().index = len(q.items) - 1
}

// Pop implements heap.Interface.
func (q *queue[T]) Pop() any {
	last := len(q.items) - 1
	x := q.items[last]
	var none T
	q.items[last] = none
	q.items = q.items[:last]
	x.place().index = -1
	return x
}
