package cap

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The schema's form of a time: seconds, no fraction, and an offset in digits. The
// standard's text wants "-00:00" for UTC, the schema takes "+00:00" as well.
var stampForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[-+]\d{2}:\d{2}$`)

const stampLayout = "2006-01-02T15:04:05-07:00"

// FormatTime writes a time as messages do: to the second, in UTC, "+00:00".
func FormatTime(t time.Time) string { return t.UTC().Format(stampLayout) }

// ParseTime reads a time of a message.
//
// Errors: ErrInvalid, also for what Decode only calls a flaw.
func ParseTime(s string) (time.Time, error) {
	t, flaw, err := parseTime(s)
	if err == nil && flaw != "" {
		err = fmt.Errorf("%w: %s", ErrInvalid, flaw)
	}
	return t, err
}

// parseTime also returns what is not quite right with a time whose meaning is
// plain: "Z", or fractions of a second. A time without an offset may mean any
// hour of a day, and is wrong.
func parseTime(s string) (t time.Time, flaw string, err error) {
	s = strings.TrimSpace(s) // xs:dateTime collapses white space
	if stampForm.MatchString(s) {
		t, err = time.Parse(stampLayout, s)
	} else if t, err = time.Parse(time.RFC3339Nano, s); err == nil {
		flaw = fmt.Sprintf("the time %s is not in the form 2026-03-07T21:14:00+00:00", excerpt(s))
		if strings.HasSuffix(s, "Z") {
			flaw = fmt.Sprintf("the time %s ends in Z, which CAP forbids: write +00:00", excerpt(s))
		}
	}
	if err != nil {
		return time.Time{}, "", fmt.Errorf("%w: %s is not a time such as 2026-03-07T21:14:00+00:00", ErrInvalid, excerpt(s))
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 || t.IsZero() {
		return time.Time{}, "", fmt.Errorf("%w: the time %s lies beyond the years 1 to 9999", ErrInvalid, excerpt(s))
	}
	return t.UTC(), flaw, nil
}
