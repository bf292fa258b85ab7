package dc09

import (
	"crypto/aes"
	"crypto/rand"
	"fmt"
	"io"
)

// Encode appends the frame to dst, LF and CR included. A frame marked
// Encrypted needs a key and a Time. Pad bytes come from random, or from
// crypto/rand when it is nil.
//
// Errors wrap ErrEncode and name the field; dst comes back unchanged then.
func Encode(dst []byte, f *Frame, key *Key, random io.Reader) ([]byte, error) {
	if err := f.check(); err != nil {
		return dst, err
	}
	if f.Encrypted && key == nil {
		return dst, fmt.Errorf("%w: marked encrypted, and no key given", ErrEncode)
	}
	start := len(dst)
	out := dst
	out = append(out, "\n00000000\""...)
	body := start + 1 + headerSize
	out = f.appendHeader(out)
	var err error
	if f.Encrypted {
		out, err = f.appendSealed(out, key, random)
	} else {
		out = f.appendTail(out)
	}
	if err != nil {
		return dst, err
	}
	size := len(out) - body
	if size > MaxBody {
		return dst, fmt.Errorf("%w: %d characters, at most %d", ErrEncode, size, MaxBody)
	}
	putHex4(out[start+1:], checksum(out[body:]))
	putHex4(out[start+5:], uint16(size))
	return append(out, '\r'), nil
}

func (f *Frame) appendHeader(dst []byte) []byte {
	if f.Encrypted {
		dst = append(dst, '*')
	}
	dst = append(append(dst, f.Token...), '"')
	dst = appendDecimal(dst, int(f.Sequence), 4)
	if f.Receiver != "" {
		dst = append(append(dst, 'R'), f.Receiver...)
	}
	dst = append(append(dst, 'L'), f.Line...)
	if f.Account == "" {
		return append(append(dst, noAccount...), '[')
	}
	dst = append(append(dst, '#'), f.Account...)
	return append(dst, '[')
}

func (f *Frame) appendTail(dst []byte) []byte {
	dst = append(append(dst, f.Data...), ']')
	for i := range f.Extended {
		e := &f.Extended[i]
		dst = append(dst, '[')
		if e.ID != 0 {
			dst = append(dst, byte(e.ID))
		}
		dst = append(append(dst, e.Value...), ']')
	}
	if !f.Time.IsZero() {
		dst = appendStamp(dst, f.Time)
	}
	return dst
}

// appendSealed appends pad, bar, data and time, encrypted. A region that
// already fills its blocks gets 16 bytes of pad, never none (clause 5.4.4.3).
func (f *Frame) appendSealed(dst []byte, key *Key, random io.Reader) ([]byte, error) {
	size := 1 + len(f.Data) + 1 + stampSize
	for i := range f.Extended {
		size += 2 + len(f.Extended[i].Value)
		if f.Extended[i].ID != 0 {
			size++
		}
	}
	pad := aes.BlockSize - size%aes.BlockSize
	if random == nil {
		random = rand.Reader
	}
	at := len(dst)
	for range pad {
		dst = append(dst, 0)
	}
	if err := fillPad(dst[at:], random); err != nil {
		return dst, err
	}
	dst = f.appendTail(append(dst, '|'))
	return sealHex(dst, at, key.block), nil
}

// check makes sure that Parse gives back what Encode wrote.
func (f *Frame) check() error {
	bad := func(field, want string) error {
		return fmt.Errorf("%w: %s must be %s", ErrEncode, field, want)
	}
	noName := f.Token == TokenNAK || f.Token == TokenDUH
	switch {
	case f.Sealed():
		return bad("a sealed frame", "decrypted first")
	case !validToken(string(f.Token)):
		return bad("Token", "1 to 16 capitals, digits and hyphens")
	case f.Encrypted && noName:
		return bad("a NAK or DUH", "plain")
	case f.Sequence > 9999:
		return bad("Sequence", "0 to 9999")
	case len(f.Receiver) > maxNumber || hexRun(f.Receiver, 0) != len(f.Receiver):
		return bad("Receiver", "empty or 1 to 6 hexadecimal digits")
	case f.Line == "" || len(f.Line) > maxNumber || hexRun(f.Line, 0) != len(f.Line):
		return bad("Line", "1 to 6 hexadecimal digits")
	case f.Account == "" && (!noName || len(f.Line)+len(noAccount) > maxNumber):
		return bad("Account", "given")
	case len(f.Account) > maxAccount || accountRun(f.Account, 0) != len(f.Account):
		return bad("Account", "1 to 16 letters and digits")
	case !validText(f.Data):
		return bad("Data", "free of [, ], CR, LF and NUL")
	case len(f.Extended) > maxExtended:
		return bad("Extended", fmt.Sprintf("at most %d blocks", maxExtended))
	case f.Encrypted && f.Time.IsZero():
		return bad("Time", "set in an encrypted frame")
	}
	if y := f.Time.UTC().Year(); y < 1 || y > 9999 {
		return bad("Time", "in the years 1 to 9999")
	}
	for _, e := range f.Extended {
		if e.ID == 0 && e.Value != "" || e.ID == '[' || e.ID == ']' || e.ID == '\r' || e.ID == '\n' || !validText(e.Value) {
			return bad("an Extended block", "a letter and a value free of [, ], CR, LF and NUL")
		}
	}
	return nil
}

func putHex4(dst []byte, n uint16) {
	dst[0], dst[1], dst[2], dst[3] = upperHex[n>>12], upperHex[n>>8&15], upperHex[n>>4&15], upperHex[n&15]
}
