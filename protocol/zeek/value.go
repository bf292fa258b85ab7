package zeek

import (
	"bytes"
	"math"
	"math/big"
	"net/netip"
	"time"
)

// Truth is a bool that may be unset.
type Truth uint8

// Truth values.
const (
	Unknown Truth = iota
	False
	True
)

// Ptr returns nil for Unknown, else a pointer to the value.
func (t Truth) Ptr() *bool {
	if t == Unknown {
		return nil
	}
	v := t == True
	return &v
}

func parseBool(b []byte) Truth {
	switch string(b) {
	case "T", "true":
		return True
	case "F", "false":
		return False
	}
	return Unknown
}

func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

func parsePort(b []byte) (uint16, bool) {
	n, ok := parseUint(b)
	return uint16(n), ok && n <= math.MaxUint16
}

// parseAddr reads the dotted form itself, as a connection has two of them and
// netip.ParseAddr would have each copied to a string.
func parseAddr(b []byte) (netip.Addr, bool) {
	var quad [4]byte
	part, digits, n := 0, 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9' && digits < 3 && (digits == 0 || n > 0):
			n, digits = n*10+int(c-'0'), digits+1
		case c == '.' && digits > 0 && part < 3 && n <= 255:
			quad[part] = byte(n)
			part, digits, n = part+1, 0, 0
		default:
			return parseAddr6(b)
		}
	}
	if part != 3 || digits == 0 || n > 255 {
		return netip.Addr{}, false
	}
	quad[3] = byte(n)
	return netip.AddrFrom4(quad), true
}

func parseAddr6(b []byte) (netip.Addr, bool) {
	if len(b) > 45 || bytes.IndexByte(b, ':') < 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(string(b))
	return a, err == nil
}

// parseSeconds reads decimal seconds into whole seconds and nanoseconds, so that
// no digit is lost to a float64; digits beyond the ninth are cut.
func parseSeconds(b []byte) (sec int64, nsec int64, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	rest := b
	if neg {
		rest = b[1:]
	}
	i := 0
	for ; i < len(rest) && rest[i]-'0' <= 9; i++ {
		if i == 18 {
			return 0, 0, false
		}
		sec = sec*10 + int64(rest[i]-'0')
	}
	if i == 0 {
		return 0, 0, false
	}
	if i < len(rest) && rest[i] == '.' {
		scale := int64(100_000_000)
		for i++; i < len(rest) && rest[i]-'0' <= 9; i++ {
			nsec += int64(rest[i]-'0') * scale
			scale /= 10
		}
	}
	if i < len(rest) {
		return parseExponent(b)
	}
	if neg {
		sec, nsec = -sec, -nsec
	}
	return sec, nsec, true
}

// parseExponent reads the rare 1.66e9 exactly.
func parseExponent(b []byte) (sec, nsec int64, ok bool) {
	e := bytes.IndexAny(b, "eE")
	if e < 0 || len(b) > 40 || len(b)-e > 4 {
		return 0, 0, false
	}
	for _, c := range b {
		if bytes.IndexByte([]byte("0123456789+-.eE"), c) < 0 {
			return 0, 0, false
		}
	}
	r, ok := new(big.Rat).SetString(string(b))
	if !ok {
		return 0, 0, false
	}
	r.Mul(r, big.NewRat(1_000_000_000, 1))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() {
		return 0, 0, false
	}
	return n.Int64() / 1_000_000_000, n.Int64() % 1_000_000_000, true
}

// maxSeconds is the year 9999, the last that a time's text form can tell.
const maxSeconds = 253402300799

func parseTime(b []byte) (time.Time, bool) {
	if len(b) >= 19 && b[4] == '-' {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
			if t, err := time.Parse(layout, string(b)); err == nil {
				return t.UTC(), true
			}
		}
		return time.Time{}, false
	}
	sec, nsec, ok := parseSeconds(b)
	if !ok || sec > maxSeconds || sec < -62135596800 {
		return time.Time{}, false
	}
	return time.Unix(sec, nsec).UTC(), true
}

func parseInterval(b []byte) (time.Duration, bool) {
	sec, nsec, ok := parseSeconds(b)
	if !ok || sec > math.MaxInt64/int64(time.Second)-1 || sec < math.MinInt64/int64(time.Second)+1 {
		return 0, false
	}
	return time.Duration(sec)*time.Second + time.Duration(nsec), true
}

// intern keeps one copy of words that come again and again (protocols, states,
// histories), up to a bound; further ones are simply copied.
type intern struct{ m map[string]string }

const maxWords = 4096

func (w *intern) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := w.m[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= 64 && len(w.m) < maxWords {
		w.m[s] = s
	}
	return s
}
