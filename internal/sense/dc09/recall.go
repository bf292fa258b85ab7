package dc09

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// recall fills the memory from the log, so that a panel that missed its ACK
// when the receiver stopped is recognised when it sends again.
//
// The window is counted back from the newest record: while nobody listened,
// panels could not get their ACK, and that time does not count.
func (r *Receiver) recall(ctx context.Context) error {
	since := r.now()
	last, err := r.log.Last(ctx, bus.Observations)
	if err == nil && last != 0 {
		var rec bus.Record
		if rec, err = r.log.Get(ctx, bus.Observations, last); err == nil && rec.Time.Before(since) {
			since = rec.Time
		}
	}
	if err != nil {
		return fmt.Errorf("reading back which frames were taken up: %w", err)
	}
	start, n := r.now(), 0
	limited, stop := context.WithTimeout(ctx, recallMost)
	defer stop()
	err = r.log.EachSince(limited, bus.Observations, since.Add(-r.cfg.DedupWindow), func(rec bus.Record) error {
		if p, ok := r.fingerprintOn(rec); ok {
			r.memory.recall(p)
			n++
		}
		return nil
	})
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		r.logger.Warn("too many signals to remember them all: one that a panel sends again may be taken for new", "read", n, "gave_up_after", recallMost)
	case err != nil:
		return fmt.Errorf("reading back which frames were taken up: %w", err)
	}
	r.logger.Info("receiving alarm panels", "tcp", r.TCPAddr(), "udp", r.UDPAddr(),
		"signals_remembered", n, "took", r.now().Sub(start).Round(time.Millisecond))
	return nil
}

// fingerprintOn returns the fingerprint of the frame that an observation on the log
// came from. The log holds the frame's bytes; a key that was replaced since
// cannot open them, and then the panel's next try is a new frame too.
func (r *Receiver) fingerprintOn(rec bus.Record) (fingerprint, bool) {
	raw, ok := rawOn(rec.Data)
	if !ok {
		return fingerprint{}, false
	}
	f, err := codec.Parse(raw)
	v := verdict{frame: f}
	if err != nil || r.open(&v) != nil || !canRepeat(&v.frame) {
		return fingerprint{}, false
	}
	return fingerprintOf(&v.frame), true
}

// rawOn finds the frame's bytes in an observation of this receiver without
// decoding the rest: millions of records may have to be read before the first
// panel is served. Within a JSON text a quote is escaped, so what looks like a
// name with its quotes is one.
func rawOn(record []byte) ([]byte, bool) {
	if !bytes.Contains(record, []byte(`"source":"`+Source+`"`)) {
		return nil, false
	}
	_, rest, ok := bytes.Cut(record, []byte(`"raw":"`))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return nil, false
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, rest[:end])
	return raw, err == nil
}
