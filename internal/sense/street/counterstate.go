package street

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// How the memory outlives a restart: it is saved now and then together with the
// log's position, and what the log holds after that position is judged again.
// An uplink that was acknowledged is on the log, so none is ever forgotten; one
// that was not is sent again by the network server, and is the same message.
const (
	saveEvery   = 30 * time.Second
	countersKey = "street-counters" // in bus.Snapshots
	stateFormat = 1
	maxStateLen = 256 << 20 // bytes, unpacked
	sensibleKey = 256       // bytes of a server's id or a DevEUI in a saved state
)

// errState: the saved state contradicts itself.
var errState = errors.New("the saved frame counters are damaged")

// Recover takes up what is on the log. Nothing may be judged before.
func (c *Counters) Recover(ctx context.Context, log *bus.Log, logger *slog.Logger) error {
	packed, err := log.Value(ctx, bus.Snapshots, countersKey)
	var position uint64
	switch {
	case errors.Is(err, bus.ErrNotFound):
	case err != nil:
		return fmt.Errorf("reading the frame counters: %w", err)
	default:
		// A state that cannot be read must not keep the platform from starting: the
		// log has the frames of the last week.
		if position, err = c.unpack(packed); err != nil {
			logger.Error("the saved frame counters cannot be read: they are made anew from the log", "err", err)
			position = 0
		}
	}
	n := 0
	err = log.Each(ctx, bus.Observations, position, func(rec bus.Record) error {
		if c.replay(rec.Data) {
			n++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading radio frames back from the log: %w", err)
	}
	logger.Info("frame counters are known", "devices", c.Len(), "frames_read_back", n)
	return nil
}

// Run saves the memory now and then, and when the context ends; it returns nil
// then.
func (c *Counters) Run(ctx context.Context, log *bus.Log, logger *slog.Logger) error {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer stop()
			if err := c.save(last, log); err != nil {
				logger.Warn("the frame counters could not be saved: they will be read back from the log", "err", err)
			}
			return nil
		case <-t.C:
		}
		if err := c.save(ctx, log); err != nil && ctx.Err() == nil {
			logger.Warn("the frame counters could not be saved: a restart will read more of the log", "err", err)
		}
	}
}

// Len returns how many devices are remembered.
func (c *Counters) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.radios)
}

// save writes the memory. The log's position is read first: frames that come in
// between are in the memory as well, and are judged the same again.
func (c *Counters) save(ctx context.Context, log *bus.Log) error {
	last, err := log.Last(ctx, bus.Observations)
	if err != nil {
		return err
	}
	packed, err := c.pack(last)
	if err != nil || packed == nil {
		return err
	}
	return log.Put(ctx, bus.Snapshots, countersKey, packed)
}

// onLog is what of an observation tells of a frame.
type onLog struct {
	ID    event.ID     `json:"id"`
	Kind  event.Kind   `json:"kind"`
	Via   string       `json:"via"`
	Time  time.Time    `json:"time"`        // corrected
	Clock *time.Time   `json:"device_time"` // the network server's
	Edge  *event.Edge  `json:"edge"`
	Radio *event.Radio `json:"radio"`
}

// replay takes up a frame or a join that was accepted before, and reports whether
// the record was one. Most records are not, and are told by their bytes.
func (c *Counters) replay(record []byte) bool {
	if !bytes.Contains(record, []byte(`"radio":{`)) {
		return false
	}
	var o onLog
	if json.Unmarshal(record, &o) != nil || o.Radio == nil || o.Edge != nil {
		return false // what an edge gateway forwarded, it has judged itself
	}
	s := sighting{
		key: radioKey{o.Via, o.Radio.DevEUI}, session: sessionOf(o.Radio.DevAddr, o.Radio.Labels[labelSession]),
		at: o.Time, id: o.ID,
	}
	if o.Clock != nil {
		s.at = *o.Clock
	}
	switch {
	case o.Kind == event.KindJoin:
		c.join(s)
	case o.Kind == event.KindUplink && o.Radio.Counter != nil:
		s.counter = *o.Radio.Counter
		if o.Radio.Labels[labelCounter] == "reset" {
			c.anew(s)
		} else {
			c.judge(s)
		}
	default:
		return false
	}
	return true
}

// anew takes up a counter that was believed to have begun anew.
func (c *Counters) anew(s sighting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, _ := c.radio(s.key)
	id := hashed(string(s.id))
	if slices.ContainsFunc(r.ring, func(h heard) bool { return h.id == id }) {
		return // it is in the saved memory, and so is what came after
	}
	r.session = hashed(s.session)
	r.ring, r.resetAt = r.ring[:0], s.at.UnixMilli()
	r.keep(heard{id: id, at: s.at.UnixMilli(), counter: s.counter})
}

// pack returns the memory for saving, or nil when nothing has changed since.
func (c *Counters) pack(position uint64) ([]byte, error) {
	plain := c.append(position)
	if plain == nil {
		return nil, nil
	}
	var b bytes.Buffer
	zip, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = zip.Write(plain)
	err = errors.Join(err, zip.Close())
	return b.Bytes(), err
}

// append writes the memory's binary form, each server's devices from the one
// longest unheard.
func (c *Counters) append(position uint64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	c.dirty = false
	b := binary.AppendUvarint(make([]byte, 0, 64+len(c.radios)*128), stateFormat)
	b = binary.AppendUvarint(b, position)
	b = binary.AppendUvarint(b, uint64(len(c.radios)))
	for _, of := range c.servers {
		for e := of.Back(); e != nil; e = e.Prev() {
			b = e.Value.(*radio).append(b)
		}
	}
	return b
}

func (r *radio) append(b []byte) []byte {
	for _, s := range []string{r.key.server, r.key.eui} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, v := range [...]uint64{r.session, r.past[0], r.past[1], r.joinID} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	joined := uint64(0)
	if r.joined {
		joined = 1
	}
	for _, v := range [...]uint64{joined, uint64(r.refused), uint64(r.candidate), uint64(r.steps)} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendVarint(b, r.resetAt)
	b = binary.AppendUvarint(b, uint64(len(r.ring)))
	for _, h := range r.ring {
		b = binary.BigEndian.AppendUint64(b, h.id)
		b = binary.AppendVarint(b, h.at)
		b = binary.AppendUvarint(b, uint64(h.counter))
		b = binary.AppendUvarint(b, uint64(h.missed))
	}
	return b
}

// unpack takes up a saved memory and returns the log's position that it belongs
// to. It changes nothing when it fails.
func (c *Counters) unpack(packed []byte) (position uint64, err error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxStateLen))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errState, err)
	}
	d := stateReader{b: plain}
	if d.uvarint() != stateFormat {
		return 0, fmt.Errorf("%w: it has another form", errState)
	}
	position = d.uvarint()
	n := d.uvarint()
	fresh := NewCounters()
	for range min(n, uint64(c.max)) {
		r := d.radio()
		if d.bad || fresh.radios[r.key] != nil {
			return 0, errState
		}
		fresh.put(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.radios, c.servers = fresh.radios, fresh.servers
	return position, nil
}

// stateReader reads the binary form; bad is set once it does not fit.
type stateReader struct {
	b   []byte
	bad bool
}

func (d *stateReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return advanced(d, v, n)
}

func (d *stateReader) varint() int64 {
	v, n := binary.Varint(d.b)
	return advanced(d, v, n)
}

func advanced[T any](d *stateReader, v T, n int) T {
	var none T
	if n <= 0 || d.bad {
		d.bad = true
		return none
	}
	d.b = d.b[n:]
	return v
}

func (d *stateReader) fixed() uint64 {
	if len(d.b) < 8 {
		d.bad = true
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *stateReader) text() string {
	n := d.uvarint()
	if n > sensibleKey || uint64(len(d.b)) < n {
		d.bad = true
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *stateReader) radio() *radio {
	r := &radio{key: radioKey{d.text(), d.text()}}
	r.session, r.past[0], r.past[1], r.joinID = d.fixed(), d.fixed(), d.fixed(), d.fixed()
	r.joined = d.uvarint() == 1
	r.refused, r.candidate, r.steps = int(min(d.uvarint(), 1<<31)), uint32(d.uvarint()), int(min(d.uvarint(), resetSteps))
	r.resetAt = d.varint()
	n := d.uvarint()
	if n > ringSize {
		d.bad = true
		return r
	}
	for range n {
		h := heard{id: d.fixed(), at: d.varint(), counter: uint32(d.uvarint()), missed: uint32(d.uvarint())}
		if len(r.ring) > 0 && h.counter <= r.ring[len(r.ring)-1].counter {
			d.bad = true
		}
		r.ring = append(r.ring, h)
	}
	return r
}
