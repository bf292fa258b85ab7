package alarm

import (
	"fmt"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// lateFrom is how late a signal is when its alert says so.
const lateFrom = 2 * time.Minute

// late says that a signal came long after its event, as those do that a panel
// kept in its memory while its line was down.
func late(o *event.Observation) string {
	by := o.Received.Sub(o.Time)
	if by < lateFrom {
		return ""
	}
	return fmt.Sprintf(" The signal came late: it happened at %s, %s before it was received.", when(o.Time, o.Received), span(by))
}

// String names a zone as an operator would.
func (z zone) String() string {
	var parts []string
	if z.ID != "" {
		parts = append(parts, "zone "+z.ID)
	}
	switch {
	case z.Name != "":
		parts = append(parts, z.Name)
	case z.Kind != event.ZoneUnknown:
		parts = append(parts, strings.ReplaceAll(string(z.Kind), "_", "-"))
	}
	if len(parts) == 0 {
		return "no zone given"
	}
	return strings.Join(parts, ", ")
}

// after says how long after, or before, another zone this one was activated.
func (z zone) after(other zone) string {
	if d := z.At.Sub(other.At); d < 0 {
		return fmt.Sprintf("%s before %s", span(-d), other)
	} else {
		return fmt.Sprintf("%s after %s", span(d), other)
	}
}

// when says a time of day, with the date where it is not that of now.
func when(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05 UTC")
	}
	return t.Format("15:04:05 UTC on 2 January")
}

// span says how long in words.
func span(d time.Duration) string {
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
