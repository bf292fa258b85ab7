package dc09

import (
	"context"
	"errors"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// refuse notes a frame that is not taken over. It reports whether the panel may
// be told: not when the frame could not even be kept.
func (r *Receiver) refuse(ctx context.Context, rd *round, v *verdict, raw []byte) bool {
	if errors.Is(v.reason, codec.ErrTime) && !v.frame.Time.IsZero() && r.clockOff(rd, v) {
		return true
	}
	return r.quarantine(ctx, rd, v.reason, raw)
}

// clockOff notes a frame whose only fault is the panel's clock. The NAK brings
// the time, and the panel sends again: nothing is lost, so nothing is kept. A
// panel that comes again with a wrong time is one that does not listen: false
// then, and the frame is kept.
func (r *Receiver) clockOff(rd *round, v *verdict) bool {
	if r.clocks.wrong(v.frame.Account) > 1 {
		return false
	}
	r.met.frames.WithLabelValues(rd.via.String(), "clock").Inc()
	if r.say.Allow() {
		r.logger.Warn("a panel's clock is off; it was told the time and should send again",
			"from", rd.from, "account", v.frame.Account, "reason", v.reason)
	}
	return true
}

// quarantine keeps what could not be taken over, and reports whether that
// succeeded.
func (r *Receiver) quarantine(ctx context.Context, rd *round, reason error, raw []byte) bool {
	what := refusalOf(reason)
	r.met.frames.WithLabelValues(rd.via.String(), what.class).Inc()
	err := r.intake.Quarantine(ctx, Source, rd.from, what.class, reason.Error()+": "+what.advice, raw)
	return err == nil
}

// sayAccount tells that a frame's data names another account than its header.
func (r *Receiver) sayAccount(from string, f *codec.Frame, inner string) {
	r.met.differs.Inc()
	if r.say.Allow() {
		r.logger.Warn("a frame's data names another account than its header, which counts",
			"from", from, "account", f.Account, "data_account", inner, "sequence", f.Sequence)
	}
}
