package dc09

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Reply is what a receiver sends back for a frame.
type Reply uint8

// The replies of DC-09 clause 5.5.3.
const (
	ReplyNone Reply = iota // nothing: the sender waits, and sends again
	ReplyACK               // taken over; encrypted when the frame was
	ReplyNAK               // time or encryption not acceptable; carries the receiver's time
	ReplyDUH               // intact, but this receiver cannot process it
	ReplyRSP               // answer to a remote command, with data
)

// String returns "none" or the reply's token.
func (r Reply) String() string {
	if t := r.token(); t != "" {
		return string(t)
	}
	return "none"
}

func (r Reply) token() Token {
	switch r {
	case ReplyACK:
		return TokenACK
	case ReplyNAK:
		return TokenNAK
	case ReplyDUH:
		return TokenDUH
	case ReplyRSP:
		return TokenRSP
	}
	return ""
}

// How far a sender's clock may be off (DC-09 clause 5.5.1.8).
const (
	DefaultAhead  = 20 * time.Second
	DefaultBehind = 40 * time.Second
)

// Rules are the receiver's settings for [ReplyFor]. The zero value is the
// standard's.
type Rules struct {
	// Ahead and Behind bound the sender's time stamp around the receiver's
	// time, both included. 0 means the default; a negative value means no bound.
	Ahead, Behind time.Duration

	// PlainTime applies the window to plain frames too. The standard asks for
	// it on encrypted frames only: a plain stamp proves nothing, and a plain
	// panel may have no way to set its clock, so a NAK would lose its alarms.
	PlainTime bool
}

// ReplyFor is the single statement of which reply the rules ask for. err is
// what [Parse], [Frame.Decrypt], [Frame.Signals] or the receiver itself found
// wrong, or nil. now is the receiver's time. The returned error is the reason
// for anything but an ACK, nil otherwise.
//
//	ErrFrame, ErrCRC, ErrLength         none   not received intact
//	an ACK, NAK, DUH or RSP             none   replies are not answered
//	ErrKey, or still sealed             NAK    encrypted, cannot be read
//	ErrTime, or outside the window      NAK    the panel sets its clock by it
//	ErrSyntax, ErrContent, ErrUnable    DUH    intact, cannot be processed
//	an unknown token                    DUH    likewise
//	any other error                     none   the receiver failed: a retry may succeed
//	nothing wrong                       ACK    after the event is on disk, not before
func ReplyFor(f *Frame, err error, now time.Time, rules Rules) (Reply, error) {
	switch {
	case errors.Is(err, ErrFrame), errors.Is(err, ErrCRC), errors.Is(err, ErrLength):
		return ReplyNone, err
	case f.Token.IsReply():
		return ReplyNone, err
	case errors.Is(err, ErrKey), errors.Is(err, ErrTime):
		return ReplyNAK, err
	case errors.Is(err, ErrSyntax), errors.Is(err, ErrContent), errors.Is(err, ErrUnable):
		return ReplyDUH, err
	case err != nil:
		return ReplyNone, err
	case f.Sealed():
		return ReplyNAK, fmt.Errorf("%w: no key for account %q", ErrKey, f.Account)
	}
	if err := rules.checkTime(f, now); err != nil {
		return ReplyNAK, err
	}
	if !f.Token.IsEvent() {
		return ReplyDUH, fmt.Errorf("%w: token %q", ErrUnable, f.Token)
	}
	return ReplyACK, nil
}

func (r Rules) checkTime(f *Frame, now time.Time) error {
	if f.Time.IsZero() {
		if f.Encrypted {
			return fmt.Errorf("%w: missing from an encrypted frame", ErrTime)
		}
		return nil
	}
	if !f.Encrypted && !r.PlainTime {
		return nil
	}
	ahead, behind := r.Ahead, r.Behind
	if ahead == 0 {
		ahead = DefaultAhead
	}
	if behind == 0 {
		behind = DefaultBehind
	}
	// Stamps are whole seconds, so the receiver's clock is read as one.
	off := f.Time.Sub(now.UTC().Truncate(time.Second))
	if ahead > 0 && off > ahead {
		return fmt.Errorf("%w: sender's clock is %v ahead, at most %v", ErrTime, off, ahead)
	}
	if behind > 0 && -off > behind {
		return fmt.Errorf("%w: sender's clock is %v behind, at most %v", ErrTime, -off, behind)
	}
	return nil
}

// Answer returns the frame of a reply to f: ACK, DUH and RSP echo sequence,
// receiver, line and account; ACK and RSP are encrypted when f was; NAK
// carries the receiver's time and names nobody (0000R0L0A0). A caller may add
// Data and Extended to an RSP. Where f's header could not be read, a DUH
// names nobody either. For ReplyNone the Frame is empty.
func (f *Frame) Answer(r Reply, now time.Time) Frame {
	a := Frame{Token: r.token(), Sequence: f.Sequence, Receiver: f.Receiver, Line: f.Line, Account: f.Account}
	switch r {
	case ReplyACK, ReplyRSP:
		if f.Encrypted {
			a.Encrypted, a.Time = true, stampTime(now)
		}
	case ReplyDUH:
		if f.Account == "" {
			a = Frame{Token: TokenDUH, Sequence: f.Sequence, Receiver: "0", Line: "0"}
		}
	case ReplyNAK:
		a = Frame{Token: TokenNAK, Receiver: "0", Line: "0", Time: stampTime(now)}
	default:
		return Frame{}
	}
	return a
}

// stampTime is t as the wire can carry it.
func stampTime(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// AppendReply encodes the reply to f onto dst; for ReplyNone it appends
// nothing. key and random are as for [Encode]: the key that opened f.
func AppendReply(dst []byte, f *Frame, r Reply, key *Key, now time.Time, random io.Reader) ([]byte, error) {
	if r == ReplyNone {
		return dst, nil
	}
	answer := f.Answer(r, now)
	return Encode(dst, &answer, key, random)
}
