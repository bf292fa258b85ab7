package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Trim drops the frames of a stream before the one that holds a position, of all
// retention classes. It is for logs whose records were handed on to another: what
// was trimmed leaves no entry in the ledger of erasures, so that Get says
// ErrNotFound of it, and readers pass the gap. The newest frame always stays.
//
// Unlike Erase and Expire it overwrites nothing: the disk gives the space back,
// and the keys of sealed frames go when their class expires.
func (l *Log) Trim(ctx context.Context, s Stream, before uint64) error {
	if !s.mayLack() {
		return fmt.Errorf("stream %s keeps everything: nothing can be trimmed from it", s.Name)
	}
	l.erasing.Lock()
	defer l.erasing.Unlock()
	_, newest, err := l.ends(ctx, s)
	if err != nil {
		return err
	}
	frame := min(frameOf(before), newest)
	if frame <= 1 {
		return nil
	}
	refs, err := l.patchesOf(ctx, s, 0, frame, false)
	if err != nil {
		return fmt.Errorf("trimming stream %s: %w", s.Name, err)
	}
	for _, ref := range refs {
		if err := l.purge(ctx, patches, ref.subject); err != nil {
			return fmt.Errorf("trimming stream %s: %w", s.Name, err)
		}
	}
	st, err := l.js.Stream(ctx, s.Name)
	if err == nil {
		err = st.Purge(ctx, jetstream.WithPurgeSequence(frame))
	}
	if err != nil {
		return fmt.Errorf("trimming stream %s: %w", s.Name, err)
	}
	return nil
}

// FramesBack returns a position from which reading begins some frames before the
// one that holds pos; 0, the beginning, where there are not so many.
func FramesBack(pos, frames uint64) uint64 {
	f := frameOf(pos)
	if f <= frames+1 {
		return 0
	}
	return position(f-frames, 0) - 1
}
