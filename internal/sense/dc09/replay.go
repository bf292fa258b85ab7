package dc09

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// errSince: a replay came too late.
var errSince = errors.New("the panel has sent it again since, and it was accepted then: discard the entry")

var _ sense.Replayer = (*Receiver)(nil)

// Replay takes a frame of the quarantine up again, by the rules of the door: its
// account must be in the registry, and a frame of an account that has a key must
// be encrypted with it. Only the time stamp is not held against it, which is as
// old as the entry. A frame that the panel has sent again meanwhile, as panels
// do, is not observed twice.
func (r *Receiver) Replay(ctx context.Context, entry event.Quarantined, raw []byte) error {
	f, err := codec.Parse(bytes.Trim(raw, "\r\n"))
	if err != nil {
		return err
	}
	if f.Token.IsReply() {
		return errReply
	}
	v := verdict{frame: f}
	if err := r.open(&v); err != nil {
		return err
	}
	if v.signals, err = codec.AppendSignals(nil, &v.frame); err != nil {
		return err
	}
	p, origin := fingerprintOf(&v.frame), "quarantine/"+string(entry.ID)
	settle := func(error) {}
	if canRepeat(&v.frame) {
		rd := &round{r: r, from: entry.From}
		s := rd.slot(r.now(), &v)
		mine := r.memory.claim(p, origin, s)
		if mine == nil {
			rd.wait.Wait()
			return errors.Join(s.err, errSince)
		}
		origin, settle = mine.origin, func(err error) { r.memory.settle(p, mine, err) }
	}
	os := r.observations(&v, p, origin, bytes.Clone(raw), entry.Received)
	for _, o := range os {
		if o.Time.IsZero() {
			o.Time = entry.Received
		}
	}
	done := make(chan error, 1)
	if err := r.intake.ObserveTogether(ctx, func(_ uint64, err error) { settle(err); done <- err }, os...); err != nil {
		settle(err)
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", sense.ErrUnsure, ctx.Err())
	}
}
