package alarm

import "container/heap"

// dueHeap orders conditions by when they end, the soonest first.
type dueHeap []*condition

func (h *dueHeap) push(c *condition) { heap.Push(h, c) }
func (h *dueHeap) fix(c *condition)  { heap.Fix(h, c.index) }

func (h *dueHeap) remove(c *condition) {
	if c.index >= 0 {
		heap.Remove(h, c.index)
	}
}

// Len implements heap.Interface.
func (h dueHeap) Len() int { return len(h) }

// Less implements heap.Interface. The order is total, so that it does not depend
// on what the heap went through.
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case !a.Until.Equal(b.Until):
		return a.Until.Before(b.Until)
	case a.Key != b.Key:
		return a.Key < b.Key
	default:
		return a.Family < b.Family
	}
}

// Swap implements heap.Interface.
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) { c := x.(*condition); c.index = len(*h); *h = append(*h, c) }

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	c.index = -1
	*h = old[:len(old)-1]
	return c
}
