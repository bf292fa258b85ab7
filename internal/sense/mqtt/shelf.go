package mqtt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// shelf is where the log keeps a device's retained messages: each in a numbered
// slot, so that a device which goes through a million topics does not leave a
// million keys behind.
type shelf struct {
	kept  map[string]kept // by topic
	bytes int
	free  []int // slots that were used before
	next  int   // the first that never was
}

type kept struct{ slot, size int }

func newShelf() shelf { return shelf{kept: map[string]kept{}} }

// put finds a slot for a topic; ok is false when the device has no room.
func (s *shelf) put(topic string, size, most, mostBytes int) (slot int, ok bool) {
	old, known := s.kept[topic]
	if !known && len(s.kept) >= most || s.bytes-old.size+size > mostBytes {
		return 0, false
	}
	switch {
	case known:
		slot = old.slot
	case len(s.free) > 0:
		slot, s.free = s.free[len(s.free)-1], s.free[:len(s.free)-1]
	default:
		slot = s.next
		s.next++
	}
	s.bytes += size - old.size
	s.kept[topic] = kept{slot, size}
	return slot, true
}

// take empties a topic's slot.
func (s *shelf) take(topic string) (slot int, ok bool) {
	k, ok := s.kept[topic]
	if ok {
		delete(s.kept, topic)
		s.bytes -= k.size
		s.free = append(s.free, k.slot)
	}
	return k.slot, ok
}

// shelved is what the log holds of a slot; without a topic it is empty. Gone is of
// a device's own key, which tells whether its last will was the last of it, and
// Session of the key of one of its clients.
type shelved struct {
	Device  string    `json:"device"`
	Slot    int       `json:"slot,omitempty"`
	Topic   string    `json:"topic,omitempty"`
	Payload []byte    `json:"payload,omitempty"`
	QoS     byte      `json:"qos,omitempty"`
	Time    time.Time `json:"time"`
	Expiry  int64     `json:"expiry,omitempty"` // Unix time; 0: none
	Gone    *bool     `json:"gone,omitempty"`
	Session *openIDs  `json:"session,omitempty"`
}

// deviceKey is a device's part of a key. Ids may hold what subjects may not.
func deviceKey(device string) string {
	sum := sha256.Sum256([]byte(device))
	return hex.EncodeToString(sum[:16])
}

func slotKey(device string, slot int) string { return deviceKey(device) + "." + strconv.Itoa(slot) }
func goneKey(device string) string           { return deviceKey(device) + ".gone" }

// mayRetain reports whether an entry's message is to be retained, and may be: what
// must not be kept must not be kept on the shelf either. To forget is always
// allowed.
func (g *Gateway) mayRetain(e *entry) bool {
	dev, pk := e.c.device.Load(), &e.pk
	return pk.FixedHeader.Retain && (len(pk.Payload) == 0 ||
		g.switchboard.MayRetain(&sense.Message{Device: dev, Topic: topicBelow(dev.ID, pk.TopicName), Payload: pk.Payload}))
}

// retain puts an entry's message on its device's shelf, or takes what is there
// away when it is empty, and calls done when that is on disk. It does not block.
// A message that finds no room is delivered and not retained.
func (g *Gateway) retain(e *entry, done func(error)) {
	a, pk := e.c.account, &e.pk
	v := shelved{Device: a.id, Time: g.intake.Now()}
	a.mu.Lock()
	var ok bool
	if len(pk.Payload) == 0 {
		v.Slot, ok = a.shelf.take(pk.TopicName)
		e.keep = true // an empty message makes the broker forget
	} else {
		v.Slot, ok = a.shelf.put(pk.TopicName, len(pk.TopicName)+len(pk.Payload), g.cfg.Retained, g.cfg.RetainedBytes)
		v.Topic, v.Payload, v.QoS = pk.TopicName, pk.Payload, pk.FixedHeader.Qos
		if n := pk.Properties.MessageExpiryInterval; n > 0 {
			v.Expiry = g.now().Unix() + int64(n)
		}
		if e.keep = ok; !ok {
			g.met.refused.WithLabelValues("retained").Inc()
		}
	}
	if ok {
		// Under the lock, so that writes of one slot are in order.
		g.shelves.put(a.id, slotKey(a.id, v.Slot), v, done)
	}
	a.mu.Unlock()
	if !ok {
		done(nil)
	}
}

// unretain forgets a retained message that has expired.
func (g *Gateway) unretain(topic string) {
	device, _, _ := strings.Cut(topic, "/")
	g.mu.Lock()
	a := g.accounts[device]
	g.mu.Unlock()
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if slot, ok := a.shelf.take(topic); ok {
		g.shelves.put(device, slotKey(device, slot), shelved{Device: device, Slot: slot, Time: g.intake.Now()}, nil)
	}
}

// recall fills the broker's memory from the log, and tells the dialects.
func (g *Gateway) recall(ctx context.Context) error {
	used := map[*account]map[int]bool{}
	err := g.log.Each(ctx, bus.Retained, 0, func(r bus.Record) error {
		var v shelved
		if err := json.Unmarshal(r.Data, &v); err != nil {
			g.logger.Error("a retained message cannot be read and is left out", "position", r.Seq, "err", err)
			return nil
		}
		dev, err := g.registry.Device(v.Device)
		if err != nil {
			return nil // the device is no more
		}
		a := g.account(dev)
		a.mu.Lock()
		defer a.mu.Unlock()
		switch {
		case v.Gone != nil:
			a.gone = *v.Gone
			return nil
		case v.Session != nil:
			g.reload(a, &v)
			return nil
		}
		a.shelf.next = max(a.shelf.next, v.Slot+1)
		if v.Topic == "" || Allowed(dev.ID, Publish, v.Topic) != nil || dev.Revoked {
			return nil
		}
		if used[a] == nil {
			used[a] = map[int]bool{}
		}
		used[a][v.Slot] = true
		size := len(v.Topic) + len(v.Payload)
		a.shelf.kept[v.Topic] = kept{v.Slot, size}
		a.shelf.bytes += size
		g.remember(&v)
		g.tellDialects(&sense.Message{Device: dev, Topic: topicBelow(dev.ID, v.Topic), Payload: v.Payload, Retained: true, Received: v.Time})
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the retained messages: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.accounts {
		for slot := range a.shelf.next {
			if !used[a][slot] {
				a.shelf.free = append(a.shelf.free, slot)
			}
		}
	}
	g.met.retained.Set(float64(g.broker.Topics.Retained.Len()))
	return nil
}

// remember gives the broker a retained message of an earlier time.
func (g *Gateway) remember(v *shelved) {
	g.broker.Topics.RetainMessage(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: v.QoS, Retain: true},
		TopicName:   v.Topic, Payload: v.Payload, Created: v.Time.Unix(), Expiry: v.Expiry, ProtocolVersion: 5,
	})
}

// tellDialects tells the dialect that a message would go to.
func (g *Gateway) tellDialects(m *sense.Message) {
	for _, d := range g.cfg.Dialects {
		if !d.Matches(m.Topic) || len(m.Device.Speaks) > 0 && !slices.Contains(m.Device.Speaks, d.Name()) {
			continue
		}
		if r, ok := d.(Rememberer); ok {
			r.Remember(m)
		}
		return
	}
}

// shelves writes shelves to the log. Each device's writes are in order.
type shelves struct {
	log    *bus.Log
	logger *slog.Logger
	seed   maphash.Seed
	lines  [4]shelfLine // by device: a write is a sync, and syncs of several go together
}

type shelfLine struct {
	mu    sync.Mutex
	queue []shelfWrite
	ended bool // nobody writes any more
	wake  chan struct{}
}

type shelfWrite struct {
	key   string
	value shelved
	done  func(error) // may be nil
}

func newShelves(log *bus.Log, logger *slog.Logger) *shelves {
	s := &shelves{log: log, logger: logger, seed: maphash.MakeSeed()}
	for i := range s.lines {
		s.lines[i].wake = make(chan struct{}, 1)
	}
	return s
}

// put queues a write. What waits is bounded by the publishes under way.
func (s *shelves) put(device, key string, v shelved, done func(error)) {
	l := &s.lines[maphash.String(s.seed, device)%uint64(len(s.lines))]
	l.mu.Lock()
	ended := l.ended
	if !ended {
		l.queue = append(l.queue, shelfWrite{key, v, done})
	}
	l.mu.Unlock()
	if ended {
		if done != nil {
			go done(errEnd) // the caller may hold a lock that done wants
		}
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes until the context ends and what is queued has been tried.
func (s *shelves) run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range s.lines {
		wg.Go(func() { s.write(ctx, &s.lines[i]) })
	}
	wg.Wait()
}

func (s *shelves) write(ctx context.Context, l *shelfLine) {
	for {
		l.mu.Lock()
		queue := l.queue
		l.queue = nil
		if l.ended = len(queue) == 0 && ctx.Err() != nil; l.ended {
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		last := map[string]int{} // of several writes of one key only the newest counts
		for i := range queue {
			last[queue[i].key] = i
		}
		results := make(map[string]error, len(last))
		for i := range queue {
			if w := &queue[i]; last[w.key] == i {
				results[w.key] = s.store(ctx, w)
			}
		}
		for i := range queue {
			if w := &queue[i]; w.done != nil {
				w.done(results[w.key])
			}
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

func (s *shelves) store(ctx context.Context, w *shelfWrite) error {
	data, err := json.Marshal(w.value)
	if err != nil {
		return fmt.Errorf("encoding a retained message of %s: %w", w.value.Device, err)
	}
	// What the message says is on the log already, so this cannot be taken back.
	return bus.Insist(ctx, s.logger, "keeping a retained message", func() error { return s.log.Put(ctx, bus.Retained, w.key, data) })
}
