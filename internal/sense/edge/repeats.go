package edge

import (
	"context"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// repeatWindow is among how many records of a stream a second copy is found, and
// also from how many frames back they are looked up after an interruption.
const repeatWindow = 4096

// repeats finds events that are on the gateway's log twice: a device that was not
// answered, because the gateway died or its connection broke, says again what was
// kept already. Where the message names its event both copies have one id, and
// the first is enough.
type repeats struct {
	ring [repeatWindow]event.ID
	next int
	have map[event.ID]bool
}

// again reports whether an id came before, and remembers it.
func (r *repeats) again(id event.ID) bool {
	if id == "" {
		return false
	}
	if r.have[id] {
		return true
	}
	if old := r.ring[r.next]; old != "" {
		delete(r.have, old)
	}
	r.ring[r.next], r.have[id] = id, true
	r.next = (r.next + 1) % repeatWindow
	return false
}

// lookBack returns what a forwarder that begins after a position must know of
// what came before it. The log itself says it, so that neither end's memory
// matters.
func lookBack(ctx context.Context, log *bus.Log, stream bus.Stream, at uint64) (*repeats, error) {
	r := &repeats{have: map[event.ID]bool{}}
	if at == 0 {
		return r, nil
	}
	from, err := log.Read(ctx, stream, bus.FramesBack(at, repeatWindow))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	for {
		records, err := from.NextTo(ctx, at)
		if err != nil || len(records) == 0 {
			return r, err
		}
		for _, rec := range records {
			if rec.Seq > at {
				return r, nil
			}
			if id, ok := travels(rec.Data); ok {
				r.again(id)
			}
		}
		if records[len(records)-1].Seq == at {
			return r, nil
		}
	}
}
