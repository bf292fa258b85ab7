package dc09

import (
	"bytes"
	"fmt"
	"io"
	"iter"
)

// BadBytes reports bytes that are not a frame. Reason is ErrGarbage,
// ErrOversize or ErrTruncated; errors.Is finds it. The stream goes on: ask
// for the next piece.
type BadBytes struct { //nolint:errname // it is what was skipped, told as an error
	Reason error
	Bytes  []byte // without LF; valid until the next call, like a frame
}

func (b *BadBytes) Error() string { return fmt.Sprintf("%v: %d bytes", b.Reason, len(b.Bytes)) }

// Unwrap returns Reason.
func (b *BadBytes) Unwrap() error { return b.Reason }

// Scanner cuts a stream into frames. It holds at most the limit plus LF and
// CR in memory, starts with much less, and finds the next frame after
// anything: a frame begins at LF, ends at CR, and contains neither.
type Scanner struct {
	r          io.Reader
	max        int
	buf        []byte
	start, end int
	err        error
}

const (
	scanStart      = 512 // first buffer: most frames have under 120 bytes
	maxEmptyReads  = 100 // as in bufio
	lineFeed       = '\n'
	carriageReturn = '\r'
)

// NewScanner reads frames of at most maxFrame bytes (without LF and CR) from
// r. 0 or less means MaxFrame.
func NewScanner(r io.Reader, maxFrame int) *Scanner {
	if maxFrame <= 0 {
		maxFrame = MaxFrame
	}
	return &Scanner{r: r, max: maxFrame}
}

// Next returns the next frame without LF and CR, ready for [Parse]. The bytes
// are valid until the following call.
//
// A *BadBytes error reports skipped bytes; call Next again. Line ends between
// frames are skipped in silence. Any other error is the reader's, io.EOF
// included; it is final, and comes after everything read before it.
func (s *Scanner) Next() ([]byte, error) {
	for {
		eof := s.err != nil
		n, piece, reason := cut(s.buf[s.start:s.end], s.max, eof)
		s.start += n
		switch {
		case reason != nil:
			return nil, &BadBytes{Reason: reason, Bytes: piece}
		case piece != nil:
			return piece, nil
		case eof:
			return nil, s.err
		}
		s.fill()
	}
}

// Buffered returns how many bytes have been read and not yet returned. At 0
// the next call of Next will wait for the sender, so this is the moment to
// flush replies.
func (s *Scanner) Buffered() int { return s.end - s.start }

func (s *Scanner) fill() {
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		// cut leaves at most max+1 bytes unread, so max+2 always has room.
		grown := make([]byte, min(max(2*len(s.buf), scanStart), s.max+2))
		copy(grown, s.buf[:s.end])
		s.buf = grown
	}
	for range maxEmptyReads {
		n, err := s.r.Read(s.buf[s.end:])
		if n < 0 || n > len(s.buf)-s.end {
			s.err = fmt.Errorf("dc09: reader returned an impossible count %d", n)
			return
		}
		s.end += n
		s.err = err
		if n > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// Datagram cuts one UDP packet into its frames, as [Scanner.Next] does for a
// stream: each turn yields a frame without LF and CR, or a *BadBytes.
func Datagram(packet []byte, maxFrame int) iter.Seq2[[]byte, error] {
	if maxFrame <= 0 {
		maxFrame = MaxFrame
	}
	return func(yield func([]byte, error) bool) {
		rest := packet
		for {
			n, piece, reason := cut(rest, maxFrame, true)
			rest = rest[n:]
			switch {
			case reason != nil:
				if !yield(nil, &BadBytes{Reason: reason, Bytes: piece}) {
					return
				}
			case piece != nil:
				if !yield(piece, nil) {
					return
				}
			default:
				return
			}
		}
	}
}

// cut takes the first piece from w: a frame, or bad bytes with their reason,
// or nothing when more must be read (never at the end of the input). What it
// decides depends on the bytes alone, not on how they arrived. n is what it
// used up.
func cut(w []byte, limit int, eof bool) (n int, piece []byte, reason error) {
	for n < len(w) {
		rest := w[n:]
		switch {
		case rest[0] == carriageReturn:
			n++
		case rest[0] == lineFeed:
			used, piece, reason := cutFrame(rest, limit, eof)
			n += used
			if piece != nil || used == 0 {
				return n, piece, reason
			}
		default:
			used, piece := cutGarbage(rest, limit, eof)
			n += used
			if piece == nil {
				return n, nil, nil
			}
			return n, piece, ErrGarbage
		}
	}
	return n, nil, nil
}

// cutFrame takes from w, which begins with LF. Without a piece, used says how
// many line ends to skip, 0 that more must be read.
func cutFrame(w []byte, limit int, eof bool) (used int, piece []byte, reason error) {
	inner := w[1:min(len(w), limit+2)]
	// Of LF and CR the first counts; CR is the usual one.
	end := bytes.IndexByte(inner, carriageReturn)
	within := inner
	if end >= 0 {
		within = inner[:end]
	}
	if at := bytes.IndexByte(within, lineFeed); at == 0 {
		return 1, nil, nil
	} else if at > 0 {
		return 1 + at, inner[:at], ErrGarbage
	}
	switch {
	case end == 0:
		return 2, nil, nil
	case end > 0:
		return 1 + end + 1, inner[:end], nil
	case len(inner) > limit:
		return 1 + limit, inner[:limit], ErrOversize
	case eof && len(inner) > 0:
		return len(w), inner, ErrTruncated
	case eof:
		return 1, nil, nil
	}
	return 0, nil, nil
}

// cutGarbage takes from w, which begins outside any frame.
func cutGarbage(w []byte, limit int, eof bool) (used int, piece []byte) {
	within := w[:min(len(w), limit)]
	if at := bytes.IndexByte(within, lineFeed); at > 0 {
		return at, within[:at]
	}
	if len(within) == limit || eof {
		return len(within), within
	}
	return 0, nil
}
