package dc09

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// round takes up the frames that have arrived together, and answers them in
// order once their commits are done. It belongs to one goroutine.
type round struct {
	r    *Receiver
	from string // who sends, for people
	via  transport

	slots   []*slot // n of them are in use; the others wait to be used again
	n       int
	wait    sync.WaitGroup // commits under way
	signals []codec.Signal
	out     []byte // replies
	ends    []int  // where each reply ends in out
}

// slot is a frame that will be answered.
type slot struct {
	round *round
	read  time.Time
	frame codec.Frame
	key   *codec.Key
	reply codec.Reply

	repeat      bool // of a frame that was taken up before
	fingerprint fingerprint
	flight      *flight // set when the memory is to be told the outcome
	err         error   // of the commit

	done func(uint64, error) // committed, bound once
}

// committed is called when the slot's observations are on disk or have failed.
func (s *slot) committed(_ uint64, err error) {
	if s.flight != nil {
		s.round.r.memory.settle(s.fingerprint, s.flight, err)
	}
	s.finish(err)
}

// finish lets the round answer. The slot must not be touched after it.
func (s *slot) finish(err error) {
	s.err = err
	s.round.wait.Done()
}

// full reports whether the round must be answered before it takes more.
func (rd *round) full() bool { return rd.n >= rd.r.cfg.MaxInFlight }

// take takes up one frame, and returns the reply that it will get unless the log
// fails.
func (rd *round) take(ctx context.Context, raw []byte) codec.Reply {
	r := rd.r
	read := r.now()
	v := r.judge(raw, rd.signals)
	rd.signals = v.signals
	if v.reply != codec.ReplyACK {
		if !r.refuse(ctx, rd, &v, raw) {
			v.reply = codec.ReplyNone
		}
		if v.reply == codec.ReplyNone {
			r.met.reply[codec.ReplyNone].Inc()
		} else {
			rd.slot(read, &v)
		}
		return v.reply
	}
	r.clocks.right(v.frame.Account)
	rd.accept(ctx, rd.slot(read, &v), &v, raw)
	return codec.ReplyACK
}

func (rd *round) slot(read time.Time, v *verdict) *slot {
	if rd.n == len(rd.slots) {
		s := &slot{round: rd}
		s.done = s.committed
		rd.slots = append(rd.slots, s)
	}
	s := rd.slots[rd.n]
	rd.n++
	s.read, s.frame, s.key, s.reply = read, v.frame, v.key, v.reply
	s.flight, s.err, s.repeat = nil, nil, false
	return s
}

// accept puts what a good frame says on the log, unless it is there already.
func (rd *round) accept(ctx context.Context, s *slot, v *verdict, raw []byte) {
	r := rd.r
	now := r.intake.Now()
	s.fingerprint = fingerprintOf(&s.frame)
	origin := now.Format(time.RFC3339Nano) + "/" + strconv.FormatUint(r.count.Add(1), 36)
	if canRepeat(&s.frame) {
		mine := r.memory.claim(s.fingerprint, origin, s)
		if mine == nil { // on disk, or waited for: either way the round answers it
			s.repeat = true
			return
		}
		s.flight, origin = mine, mine.origin
	}
	if s.frame.Account != "" && len(v.signals) > 0 && v.signals[0].Account != s.frame.Account {
		r.sayAccount(rd.from, &s.frame, v.signals[0].Account)
	}
	rd.wait.Add(1)
	if err := r.intake.ObserveTogether(ctx, s.done, r.observations(v, s.fingerprint, origin, raw, now)...); err != nil {
		s.committed(0, err)
	}
}

// answer waits for the commits and returns the replies, in the order of the
// frames, and where each ends. They are valid until the next call.
func (rd *round) answer() (replies []byte, ends []int) {
	rd.wait.Wait()
	rd.out, rd.ends = rd.out[:0], rd.ends[:0]
	r := rd.r
	for _, s := range rd.slots[:rd.n] {
		if s.err != nil {
			r.unheard(rd, s)
			s.reply = codec.ReplyNone
		}
		out, err := codec.AppendReply(rd.out, &s.frame, s.reply, s.key, r.intake.Now(), nil)
		if err != nil {
			r.logger.Error("a reply cannot be written; the panel will send again", "account", s.frame.Account, "reply", s.reply, "err", err)
			s.reply = codec.ReplyNone
		}
		r.met.reply[s.reply].Inc()
		if s.reply == codec.ReplyACK {
			if s.repeat {
				r.met.repeats[rd.via].Inc()
			} else {
				r.met.accepted[rd.via].Inc()
			}
			r.met.seconds.Observe(r.now().Sub(s.read).Seconds())
		}
		if len(out) > len(rd.out) {
			rd.out = out
			rd.ends = append(rd.ends, len(out))
		}
		s.frame, s.key, s.flight = codec.Frame{}, nil, nil // an idle panel keeps no frame alive
	}
	rd.n = 0
	return rd.out, rd.ends
}

// unheard notes that the log did not take a good frame, which gets no reply.
func (r *Receiver) unheard(rd *round, s *slot) {
	r.met.frames.WithLabelValues(rd.via.String(), "failed").Inc()
	if errors.Is(s.err, context.Canceled) || errors.Is(s.err, bus.ErrClosed) {
		return // stopping: the panel will send again
	}
	if r.say.Allow() {
		r.logger.Error("a signal could not be put on the log and was not acknowledged: the panel will send again",
			"from", rd.from, "account", s.frame.Account, "sequence", s.frame.Sequence, "err", s.err)
	}
}
