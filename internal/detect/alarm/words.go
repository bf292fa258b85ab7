package alarm

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

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
		return fmt.Sprintf("%s before %s", detect.Span(-d), other)
	} else {
		return fmt.Sprintf("%s after %s", detect.Span(d), other)
	}
}
