package dc09

import "time"

const stampSize = len("_HH:MM:SS,MM-DD-YYYY")

// parseStamp reads exactly one time stamp, and refuses times that no clock
// shows (DC-09 clause 5.5.1.8).
func parseStamp(s string) (time.Time, bool) {
	if len(s) != stampSize || s[0] != '_' || s[3] != ':' || s[6] != ':' ||
		s[9] != ',' || s[12] != '-' || s[15] != '-' {
		return time.Time{}, false
	}
	hour, ok1 := decimal(s[1:3])
	minute, ok2 := decimal(s[4:6])
	second, ok3 := decimal(s[7:9])
	month, ok4 := decimal(s[10:12])
	day, ok5 := decimal(s[13:15])
	year, ok6 := decimal(s[16:20])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) ||
		hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || day < 1 || year < 1 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// time.Date turns 31 April into 1 May; the wire must not.
	return t, t.Day() == day
}

// appendStamp writes t in UTC; its year must lie in 1 to 9999.
func appendStamp(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDecimal(append(dst, '_'), hour, 2)
	dst = appendDecimal(append(dst, ':'), minute, 2)
	dst = appendDecimal(append(dst, ':'), second, 2)
	dst = appendDecimal(append(dst, ','), int(month), 2)
	dst = appendDecimal(append(dst, '-'), day, 2)
	return appendDecimal(append(dst, '-'), year, 4)
}

func decimal(s string) (n int, ok bool) {
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int(d)
	}
	return n, true
}

func appendDecimal(dst []byte, n, width int) []byte {
	start := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
