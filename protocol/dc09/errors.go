package dc09

import (
	"errors"
	"fmt"
)

// The reasons for which a frame is not taken over. Every error of this
// package that concerns a frame wraps exactly one of them, and [ReplyFor]
// turns it into the reply that the rules ask for.
var (
	// ErrCRC: the checksum does not match; the line damaged the frame. No reply,
	// so the sender tries again.
	ErrCRC = errors.New("dc09: checksum does not match")

	// ErrLength: the length does not match the frame. No reply: like a wrong
	// checksum it says that these are not the bytes that were sent.
	ErrLength = errors.New("dc09: length does not match")

	// ErrFrame: what arrived has no checksum and length in front, so nobody can
	// tell whether it is intact. No reply.
	ErrFrame = errors.New("dc09: not a frame")

	// ErrSyntax: the frame is intact, yet not formed by the rules. DUH.
	ErrSyntax = errors.New("dc09: not formed by the rules")

	// ErrKey: the frame is encrypted and cannot be read: no key, the wrong key,
	// or a ciphertext that is no ciphertext. NAK.
	ErrKey = errors.New("dc09: encrypted frame cannot be read")

	// ErrTime: the time stamp is missing where it is required, malformed, or
	// outside the window. NAK, which carries the receiver's time.
	ErrTime = errors.New("dc09: time stamp not acceptable")

	// ErrUnable: a good frame that this receiver cannot process, such as an
	// unknown token, an unknown account, or a plain frame from an account that
	// must encrypt. Receivers wrap it for their own reasons. DUH.
	ErrUnable = errors.New("dc09: unable to process")

	// ErrContent: the data is neither SIA events nor Contact ID by its token. DUH.
	ErrContent = errors.New("dc09: event data not understood")
)

// Errors of the stream, found in [BadBytes.Reason].
var (
	// ErrGarbage: bytes outside any frame, or a frame broken off by the start
	// of the next.
	ErrGarbage = errors.New("dc09: bytes outside a frame")

	// ErrOversize: a frame started and reached the limit without ending.
	ErrOversize = errors.New("dc09: frame over the size limit")

	// ErrTruncated: the stream ended inside a frame.
	ErrTruncated = errors.New("dc09: stream ended inside a frame")
)

// ErrEncode: a Frame holds something that DC-09 cannot carry. The message
// names the field.
var ErrEncode = errors.New("dc09: frame cannot be encoded")

func syntaxError(body string, at int, want string) error {
	return fmt.Errorf("%w: expected %s at character %d of %d", ErrSyntax, want, at+1, len(body))
}
