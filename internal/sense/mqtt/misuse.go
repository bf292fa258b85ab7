package mqtt

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Bounds of what is said of misuse.
const (
	misuseEvery = time.Minute // at most one observation of a device and kind of misuse
	misuseQuiet = time.Hour   // after which it begins anew
	maxHabits   = 20_000      // devices and kinds of misuse at once; more are only counted
)

// misuses turns what devices do that they may not into observations: at once the
// first time, then at most one a minute with the count. A device that does it a
// million times must not fill the log with it.
type misuses struct {
	intake *sense.Intake
	logger *slog.Logger
	met    *metrics
	now    func() time.Time // real time

	mu     sync.Mutex
	habits map[habitKey]*habit
	wake   chan struct{}
}

type habitKey struct {
	device string // as observations name it
	what   string
}

// habit is what one device does of one kind.
type habit struct {
	via          string // the device, where it may be named as the one that brought it
	began        time.Time
	count        int
	last         time.Time
	told         int // count when last told
	toldAt       time.Time
	detail, from string
}

func newMisuses(in *sense.Intake, logger *slog.Logger, met *metrics, now func() time.Time) *misuses {
	return &misuses{intake: in, logger: logger, met: met, now: now, habits: map[habitKey]*habit{}, wake: make(chan struct{}, 1)}
}

// note counts one misuse of an enrolled device; device "" is somebody who is not
// known.
func (m *misuses) note(device, what, detail, from string) {
	if device == "" {
		m.add(habitKey{Source, what}, "", detail, from)
		return
	}
	m.add(habitKey{device, what}, device, detail, from)
}

// noteRevoked is note for a device whose enrolment was revoked: nothing may be
// kept as having come from it, so the gateway itself is named before it.
func (m *misuses) noteRevoked(device, what, detail, from string) {
	m.add(habitKey{Source + "/" + device, what}, "", detail, from)
}

func (m *misuses) add(k habitKey, via, detail, from string) {
	m.met.misuse.WithLabelValues(k.what).Inc()
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.habits[k]
	if h == nil {
		if len(m.habits) >= maxHabits {
			return
		}
		h = &habit{via: via, began: m.intake.Now()}
		m.habits[k] = h
	}
	h.count++
	h.last, h.detail, h.from = now, detail, from
	if h.told == 0 {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// run tells until the context ends, and then once more.
func (m *misuses) run(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			m.tell(last)
			return
		case <-m.wake:
		case <-every.C:
		}
		m.tell(ctx)
	}
}

// tell writes what is due.
func (m *misuses) tell(ctx context.Context) {
	os := m.due()
	if len(os) == 0 {
		return
	}
	if err := m.intake.ObserveAll(ctx, os...); err != nil {
		m.logger.Error("misuse by devices could not be kept", "observations", len(os), "err", err)
	}
}

func (m *misuses) due() (out []*event.Observation) {
	now, at := m.now(), m.intake.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, h := range m.habits {
		if h.count > h.told && (h.told == 0 || now.Sub(h.toldAt) >= misuseEvery) {
			h.told, h.toldAt = h.count, now
			m.logger.Warn("a device did what it may not", "device", k.device, "what", k.what, "count", h.count, "from", h.from, "detail", h.detail)
			out = append(out, &event.Observation{
				ID:   event.NewID(string(event.KindMisuse), Source, k.device, k.what, h.began.Format(time.RFC3339Nano), strconv.Itoa(h.count)),
				Kind: event.KindMisuse, Source: Source, Device: k.device, Via: h.via, Time: at,
				Misuse: &event.Misuse{What: k.what, Detail: h.detail, Count: h.count, From: h.from},
			})
		} else if h.count == h.told && now.Sub(h.last) > misuseQuiet {
			delete(m.habits, k)
		}
	}
	return out
}
