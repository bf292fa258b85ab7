package zeek

import (
	"bytes"
	"fmt"
)

// unescape undoes Zeek's \xHH. A backslash that starts no such sequence stands
// for itself, as Zeek writes text in which it occurs. It returns b itself when
// there is nothing to undo.
func unescape(b []byte) []byte {
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	out = append(out, b[:i]...)
	for i < len(b) {
		if v, ok := hexEscape(b[i:]); ok {
			out, i = append(out, v), i+4
			continue
		}
		if b[i] == '\\' && i+1 < len(b) && b[i+1] == '\\' {
			out, i = append(out, '\\'), i+2
			continue
		}
		out, i = append(out, b[i]), i+1
	}
	return out
}

// unescapeStrict refuses an incomplete \xHH; the header's separator is read so.
func unescapeStrict(s string) ([]byte, error) {
	b := []byte(s)
	for i := 0; i+1 < len(b); i++ {
		if b[i] == '\\' && b[i+1] == 'x' {
			if _, ok := hexEscape(b[i:]); !ok {
				return nil, fmt.Errorf("incomplete escape in %q", s)
			}
		}
	}
	return unescape(b), nil
}

func hexEscape(b []byte) (byte, bool) {
	if len(b) < 4 || b[0] != '\\' || b[1] != 'x' {
		return 0, false
	}
	hi, ok1 := hexDigit(b[2])
	lo, ok2 := hexDigit(b[3])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
