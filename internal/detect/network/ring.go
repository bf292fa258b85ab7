package network

import "container/list"

// ring keeps things by key, the one longest silent first.
type ring[K comparable, T any] struct {
	at   map[K]*list.Element
	list *list.List // of *T
}

func newRing[K comparable, T any]() ring[K, T] {
	return ring[K, T]{at: make(map[K]*list.Element), list: list.New()}
}

func (r *ring[K, T]) len() int { return len(r.at) }

// get finds a thing and marks it as the last one heard.
func (r *ring[K, T]) get(k K) *T {
	e := r.at[k]
	if e == nil {
		return nil
	}
	r.list.MoveToBack(e)
	return e.Value.(*T)
}

func (r *ring[K, T]) put(k K, v *T) { r.at[k] = r.list.PushBack(v) }

func (r *ring[K, T]) remove(k K) {
	if e := r.at[k]; e != nil {
		r.list.Remove(e)
		delete(r.at, k)
	}
}

func (r *ring[K, T]) oldest() *T {
	if e := r.list.Front(); e != nil {
		return e.Value.(*T)
	}
	return nil
}

// all iterates from the one longest silent.
func (r *ring[K, T]) all() func(func(*T) bool) {
	return func(yield func(*T) bool) {
		for e := r.list.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(*T)) {
				return
			}
		}
	}
}
