package dc09

import (
	"fmt"
	"strings"
)

// Parse reads one frame, with or without its LF and CR. It copies raw once,
// and the Frame shares that copy, so raw may be used again at once.
//
// Errors wrap ErrFrame, ErrCRC, ErrLength, ErrSyntax, ErrKey (an
// encrypted frame without a ciphertext) or ErrTime. Together with an error
// the Frame holds what could be read, so that a reply can echo it. An
// encrypted frame comes back sealed: its Data, Extended and Time are empty
// until [Frame.Decrypt].
func Parse(raw []byte) (Frame, error) {
	if len(raw) > MaxFrame+2 {
		return Frame{}, fmt.Errorf("%w: %d bytes, at most %d", ErrLength, len(raw), MaxFrame+2)
	}
	return ParseString(string(raw))
}

// ParseString is Parse without the copy: the Frame's strings are parts of raw.
func ParseString(raw string) (Frame, error) {
	var f Frame
	err := f.parse(raw)
	return f, err
}

func (f *Frame) parse(raw string) error {
	raw = trimLine(raw)
	if len(raw) <= headerSize || raw[headerSize] != '"' {
		return fmt.Errorf("%w: expected 4 characters of checksum, 4 of length and a quote", ErrFrame)
	}
	crc, ok1 := hex4(raw[:4])
	length, ok2 := hex4(raw[4:8])
	if !ok1 || !ok2 {
		return fmt.Errorf("%w: checksum and length %q are not hexadecimal", ErrFrame, raw[:headerSize])
	}
	body := raw[headerSize:]
	// The checksum goes first: a damaged length is damage too.
	if got := checksum(body); got != crc {
		return fmt.Errorf("%w: frame says %04X, computed %04X", ErrCRC, crc, got)
	}
	if int(length) != len(body) || len(body) > MaxBody {
		return fmt.Errorf("%w: frame says %d characters, has %d", ErrLength, length, len(body))
	}
	at, err := f.parseHeader(body)
	if err != nil {
		return err
	}
	if f.Encrypted {
		f.cipher = body[at:]
		if f.cipher == "" {
			return fmt.Errorf("%w: nothing after the bracket", ErrKey)
		}
		return nil
	}
	return f.parseTail(body, at)
}

func trimLine(raw string) string {
	if raw != "" && raw[0] == '\n' {
		raw = raw[1:]
	}
	if n := len(raw); n > 0 && raw[n-1] == '\r' {
		raw = raw[:n-1]
	}
	return raw
}

// parseHeader reads token, sequence, receiver, line and account, and returns
// the place after the first bracket. What was read stays in f on an error.
func (f *Frame) parseHeader(body string) (int, error) {
	end := strings.IndexByte(body[1:], '"') + 1
	if end < 1 {
		return 0, syntaxError(body, len(body), "the token's closing quote")
	}
	token := body[1:end]
	if strings.HasPrefix(token, "*") {
		f.Encrypted, token = true, token[1:]
	}
	if !validToken(token) {
		return 0, syntaxError(body, 1, "a token of 1 to 16 capitals, digits and hyphens")
	}
	f.Token = Token(token)
	at := end + 1

	if len(body) < at+4 {
		return 0, syntaxError(body, at, "a sequence number of 4 digits")
	}
	seq, ok := decimal(body[at : at+4])
	if !ok {
		return 0, syntaxError(body, at, "a sequence number of 4 digits")
	}
	f.Sequence = uint16(seq)
	at += 4

	if at < len(body) && body[at] == 'R' {
		n := hexRun(body, at+1)
		if n < 1 || n > maxNumber {
			return 0, syntaxError(body, at+1, "a receiver number of 1 to 6 hexadecimal digits")
		}
		f.Receiver = body[at+1 : at+1+n]
		at += 1 + n
	}
	return f.parseLine(body, at)
}

func (f *Frame) parseLine(body string, at int) (int, error) {
	if at >= len(body) || body[at] != 'L' {
		return 0, syntaxError(body, at, "R or L")
	}
	n := hexRun(body, at+1)
	if n < 1 || n > maxNumber {
		return 0, syntaxError(body, at+1, "a line number of 1 to 6 hexadecimal digits")
	}
	f.Line = body[at+1 : at+1+n]
	at += 1 + n

	if at < len(body) && body[at] == '#' {
		n := accountRun(body, at+1)
		if n < 1 || n > maxAccount {
			return 0, syntaxError(body, at+1, "an account of 1 to 16 letters and digits")
		}
		f.Account = body[at+1 : at+1+n]
		at += 1 + n
	} else if f.Token == TokenNAK || f.Token == TokenDUH {
		// These may name nobody: L0A0 stands for line 0, account 0, without #.
		if line, ok := strings.CutSuffix(f.Line, noAccount); ok && line != "" {
			f.Line = line
		}
	} else {
		return 0, syntaxError(body, at, "# and the account")
	}
	if at >= len(body) || body[at] != '[' {
		return 0, syntaxError(body, at, "[ and the data")
	}
	return at + 1, nil
}

// noAccount ends the line number of a reply that answers nobody by name.
const noAccount = "A0"

// parseTail reads data, extended blocks and time stamp from s[at:].
func (f *Frame) parseTail(s string, at int) error {
	end := strings.IndexByte(s[at:], ']')
	if end < 0 {
		return syntaxError(s, len(s), "] after the data")
	}
	data := s[at : at+end]
	if !validText(data) {
		return syntaxError(s, at, "data without [, CR, LF or NUL")
	}
	f.Data = data
	at += end + 1
	for at < len(s) && s[at] == '[' {
		end := strings.IndexByte(s[at:], ']')
		if end < 0 {
			return syntaxError(s, len(s), "] after an extended block")
		}
		block := s[at+1 : at+end]
		if !validText(block) {
			return syntaxError(s, at+1, "an extended block without [, CR, LF or NUL")
		}
		if len(f.Extended) == maxExtended {
			return fmt.Errorf("%w: more than %d extended blocks", ErrSyntax, maxExtended)
		}
		f.Extended = append(f.Extended, splitExtended(block))
		at += end + 1
	}
	if at == len(s) {
		return nil
	}
	if s[at] != '_' {
		return syntaxError(s, at, "[, _ or the end")
	}
	t, ok := parseStamp(s[at:])
	if !ok {
		return fmt.Errorf("%w: %q is not _HH:MM:SS,MM-DD-YYYY", ErrTime, s[at:])
	}
	f.Time = t
	return nil
}

func hex4(s string) (n uint16, ok bool) {
	for i := range 4 {
		d, ok := hexDigit(s[i])
		if !ok {
			return 0, false
		}
		n = n<<4 | uint16(d)
	}
	return n, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c-'A' <= 5:
		return c - 'A' + 10, true
	case c-'a' <= 5:
		return c - 'a' + 10, true
	}
	return 0, false
}

func hexRun(s string, at int) (n int) {
	for at+n < len(s) {
		if _, ok := hexDigit(s[at+n]); !ok {
			break
		}
		n++
	}
	return n
}

func isAlnum(c byte) bool { return c-'0' <= 9 || (c|0x20)-'a' <= 25 }

func accountRun(s string, at int) (n int) {
	for at+n < len(s) && isAlnum(s[at+n]) {
		n++
	}
	return n
}

func validToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c-'A' > 25 && c-'0' > 9 && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxToken
}

// validText refuses what frames the text, and NUL, which no text has and which
// Extended.ID keeps for an empty block.
func validText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '[' || c == ']' || c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}
