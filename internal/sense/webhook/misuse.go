package webhook

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

const (
	// misuseEvery bounds how often one device's misuse of one kind is told.
	misuseEvery = time.Minute
	// misuseOver ends a spell of misuse: the next one counts anew.
	misuseOver = 10 * time.Minute
	// unknownDevice stands for all who are not enrolled: their names are invented.
	unknownDevice = "unknown"
)

// misuse counts what devices do that they may not, and tells of it as
// observations: at once when it begins, then at most once in misuseEvery.
type misuse struct {
	in     Intake
	logger *slog.Logger
	mu     sync.Mutex
	by     map[misuseKey]*tally // no more than devices have kinds of misuse
}

type misuseKey struct{ device, what string }

type tally struct {
	via, detail, from string
	count, told       int
	began, last, said time.Time
}

func newMisuse(in Intake, logger *slog.Logger) *misuse {
	return &misuse{in: in, logger: logger, by: map[misuseKey]*tally{}}
}

// note counts one misuse. via is the device by whose credential we know it;
// empty when it had none.
func (m *misuse) note(ctx context.Context, device, via, what, detail, from string) {
	now := m.in.Now()
	k := misuseKey{device, what}
	m.mu.Lock()
	t := m.by[k]
	if t == nil || now.Sub(t.last) > misuseOver {
		t = &tally{began: now}
		m.by[k] = t
	}
	t.count++
	t.last, t.via, t.detail, t.from = now, via, detail, from
	o := t.observation(k, now)
	m.mu.Unlock()
	m.tell(ctx, o)
}

// observation returns what is to be told now, or nil.
func (t *tally) observation(k misuseKey, now time.Time) *event.Observation {
	if t.count == t.told || !t.said.IsZero() && now.Sub(t.said) < misuseEvery {
		return nil
	}
	t.told, t.said = t.count, now
	return &event.Observation{
		ID:   event.NewID("misuse", Source, k.device, k.what, t.began.Format(time.RFC3339Nano), strconv.Itoa(t.count)),
		Kind: event.KindMisuse, Source: Source, Device: k.device, Via: t.via, Time: t.last,
		Misuse: &event.Misuse{What: k.what, Detail: t.detail, Count: t.count, From: t.from},
	}
}

// flush tells what came since it was last told, and forgets what is over.
func (m *misuse) flush(ctx context.Context) {
	now := m.in.Now()
	var out []*event.Observation
	m.mu.Lock()
	for k, t := range m.by {
		if o := t.observation(k, now); o != nil {
			out = append(out, o)
		} else if now.Sub(t.last) > misuseOver {
			delete(m.by, k)
		}
	}
	m.mu.Unlock()
	for _, o := range out {
		m.tell(ctx, o)
	}
}

func (m *misuse) tell(ctx context.Context, o *event.Observation) {
	if o == nil {
		return
	}
	err := m.in.Observe(ctx, o, func(_ uint64, err error) {
		if err != nil {
			m.logger.Warn("a device's misuse could not be put on the log", "device", o.Device, "err", err)
		}
	})
	if err != nil {
		m.logger.Warn("a device's misuse could not be put on the log", "device", o.Device, "what", o.Misuse.What, "count", o.Misuse.Count, "err", err)
	}
}
