package eve

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// The readers below take the next value. null is as good as absent; numbers may
// stand in quotes, as some versions and shippers write them. What does not fit is
// a fault of the line.

func (p *Parser) unfit(field string, v []byte, want string) {
	if p.c.err == nil {
		p.c.err = fmt.Errorf("%w: %s is %.64q, want %s", ErrValue, field, v, want)
		p.c.i = len(p.c.b)
	}
}

// text takes a string, or a number or a truth value as it is written; of a list
// the first element.
func (p *Parser) text() []byte {
	if p.c.peek() == '[' {
		var first []byte
		for ok, n := p.c.open('['), 0; ok; ok, n = p.c.more('['), n+1 {
			if v := p.c.value(); n == 0 {
				first = plain(v)
			}
		}
		return first
	}
	return plain(p.c.value())
}

// plain gives the text of a value as written; nil for null, a list or an object.
func plain(v []byte) []byte {
	switch {
	case len(v) == 0 || v[0] == '{' || v[0] == '[' || string(v) == "null":
		return nil
	case v[0] == '"':
		return unquote(v)
	}
	return v
}

func (p *Parser) str(to *string)  { *to = string(p.text()) }
func (p *Parser) word(to *string) { *to = p.words.get(p.text()) }

func (p *Parser) uint(field string, to *uint64) {
	v := p.text()
	if len(v) == 0 {
		return
	}
	n, ok := parseUint(v)
	if !ok {
		p.unfit(field, v, "a count")
	}
	*to = n
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

func (p *Parser) port(field string, to *uint16) {
	var n uint64
	p.uint(field, &n)
	if n > math.MaxUint16 {
		p.unfit(field, fmt.Append(nil, n), "a port")
	}
	*to = uint16(n)
}

func (p *Parser) octet(field string, to *uint8) {
	var n uint64
	p.uint(field, &n)
	if n > math.MaxUint8 {
		p.unfit(field, fmt.Append(nil, n), "a number up to 255")
	}
	*to = uint8(n)
}

func (p *Parser) truth(field string, to *bool) {
	v := p.text()
	switch string(v) {
	case "true":
		*to = true
	case "false", "":
		*to = false
	default:
		p.unfit(field, v, "true or false")
	}
}

// flags takes TCP flags, which are written in hexadecimal without a prefix.
func (p *Parser) flags(field string, to *uint8) {
	v := p.text()
	if len(v) > 2 {
		p.unfit(field, v, "flags in hexadecimal")
		return
	}
	var n uint8
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | (c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | (c | 0x20 - 'a' + 10)
		default:
			p.unfit(field, v, "flags in hexadecimal")
		}
	}
	*to = n
}

func (p *Parser) addr(field string, to *netip.Addr) {
	v := p.text()
	if len(v) == 0 {
		return
	}
	a, ok := parseAddr(v)
	if !ok {
		p.unfit(field, v, "an address")
	}
	*to = a
}

// parseAddr reads the dotted form itself: netip.ParseAddr would have it copied to
// a string.
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
			if len(b) > 45 {
				return netip.Addr{}, false
			}
			a, err := netip.ParseAddr(string(b))
			return a, err == nil
		}
	}
	if part != 3 || digits == 0 || n > 255 {
		return netip.Addr{}, false
	}
	quad[3] = byte(n)
	return netip.AddrFrom4(quad), true
}

func (p *Parser) time(field string, to *time.Time) {
	v := p.text()
	if len(v) == 0 {
		return
	}
	t, ok := parseTime(v)
	if !ok {
		p.unfit(field, v, "a time such as 2017-04-07T22:24:37.251547+0100")
	}
	*to = t
}

// parseTime reads 2017-04-07T22:24:37.251547+0100, with or without a fraction and
// a zone; without one it is UTC. time.Parse takes several times as long, and needs
// a layout for each form.
func parseTime(b []byte) (time.Time, bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, false
	}
	ok := true
	num := func(b []byte) (n int) {
		for _, c := range b {
			if c-'0' > 9 {
				ok = false
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := num(b[0:4]), num(b[5:7]), num(b[8:10])
	hour, minute, sec := num(b[11:13]), num(b[14:16]), num(b[17:19])
	nsec, scale, i := 0, 100_000_000, 19
	if i < len(b) && b[i] == '.' {
		for i++; i < len(b) && b[i]-'0' <= 9; i++ {
			nsec += int(b[i]-'0') * scale
			scale /= 10
		}
	}
	zone, fine := parseZone(b[i:])
	if !ok || !fine || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || sec > 60 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, sec, nsec, time.UTC)
	return t.Add(-zone), t.Day() == day || sec == 60
}

// parseZone reads "", "Z", "+0100" or "+01:00".
func parseZone(b []byte) (time.Duration, bool) {
	switch {
	case len(b) == 0, len(b) == 1 && b[0] == 'Z':
		return 0, true
	case b[0] != '+' && b[0] != '-':
		return 0, false
	}
	var hours, minutes []byte
	switch {
	case len(b) == 5:
		hours, minutes = b[1:3], b[3:5]
	case len(b) == 6 && b[3] == ':':
		hours, minutes = b[1:3], b[4:6]
	default:
		return 0, false
	}
	h, ok1 := parseUint(hours)
	m, ok2 := parseUint(minutes)
	if !ok1 || !ok2 || h > 14 || m > 59 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if b[0] == '-' {
		d = -d
	}
	return d, true
}

// intern keeps one copy of words that come again and again, up to a bound.
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
	if len(s) <= 128 && len(w.m) < maxWords {
		w.m[s] = s
	}
	return s
}
