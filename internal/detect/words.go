package detect

import (
	"fmt"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// lateFrom is how late a signal is when its alert says so.
const lateFrom = 2 * time.Minute

// Late says that a signal came long after its event, as those do that a panel kept
// in its memory while its line was down. what names the signal: "It".
func Late(o *event.Observation, what string) string {
	by := o.Received.Sub(o.Time)
	if by < lateFrom {
		return ""
	}
	return fmt.Sprintf(" %s came late: it happened at %s, %s before it was received.", what, When(o.Time, o.Received), Span(by))
}

// When says a time of day, with the date where it is not that of now.
func When(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05 UTC")
	}
	return t.Format("15:04:05 UTC on 2 January")
}

// Span says how long in words.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second), " 0 s")
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute), " 0 min")
	default:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
