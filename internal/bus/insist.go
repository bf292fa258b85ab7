package bus

import (
	"context"
	"log/slog"
	"time"
)

// Waits between the attempts of Insist.
const (
	insistFirst = 100 * time.Millisecond
	insistMost  = 5 * time.Second
)

// Insist does something until it succeeds or the context ends. A stage whose
// decisions follow from what it has read cannot take them back when the disk is
// full: it waits. what says in words what is done ("writing alerts"). The attempts may have succeeded unseen, so what they write
// must bear being written twice.
func Insist(ctx context.Context, logger *slog.Logger, what string, do func() error) error {
	wait := insistFirst
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		logger.Error(what+" failed: trying again", "wait", wait, "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
		wait = min(2*wait, insistMost)
	}
}
