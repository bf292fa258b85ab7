package warning

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// score is how sure the sender is, less where nobody vouches that it is the sender.
func score(w *event.Warning) float64 {
	s := map[codec.Certainty]float64{codec.Observed: 0.95, codec.Likely: 0.85, codec.Possible: 0.6, codec.Unlikely: 0.3}[codec.Certainty(w.Certainty)]
	if s == 0 {
		s = 0.5
	}
	if w.Signed == "" {
		s -= 0.15
	}
	return s
}

func subject(w *event.Warning) string {
	if w.Headline != "" {
		return shorten(w.Headline, 200)
	}
	return shorten(w.Event, 200)
}

const (
	maxAdvice = 600 // characters
	stamp     = "2 January 15:04 UTC"
)

func advice(w *event.Warning) string {
	if w.Instruction == "" {
		return ""
	}
	return "The sender tells the public: " + shorten(w.Instruction, maxAdvice)
}

// reason says who warns of what, until when, where, and who vouches for it.
func reason(c *chain, w *event.Warning, how string, bounded bool) string {
	var b strings.Builder
	switch how {
	case "updated":
		fmt.Fprintf(&b, "%s has updated its warning", w.Sender)
	case "back":
		fmt.Fprintf(&b, "%s warns again", w.Sender)
	default:
		fmt.Fprintf(&b, "%s warns the public", w.Sender)
	}
	fmt.Fprintf(&b, " of %s (%s, %s, %s)", lower(shorten(w.Event, 100)), lower(w.Severity), lower(w.Urgency), lower(w.Certainty))
	if w.Area != "" {
		fmt.Fprintf(&b, " in %s", shorten(w.Area, 200))
	}
	fmt.Fprintf(&b, ", until %s", c.Until.UTC().Format(stamp))
	if w.Expires == nil {
		b.WriteString(" by our own rule, since it names no end")
	}
	b.WriteString(".")
	if bounded && len(w.Polygons) == 0 {
		b.WriteString(" Its area is given in words only: read whether it is ours.")
	}
	if w.Signed != "" {
		fmt.Fprintf(&b, " Signed by %s.", w.Signed)
	} else {
		b.WriteString(" Nobody we trust has signed it.")
	}
	return b.String()
}

func reasonCancelled(c *chain, w *event.Warning) string {
	s := fmt.Sprintf("%s has cancelled its warning: %s.", c.Sender, c.Subject)
	if why := shorten(w.Description, 300); why != "" {
		s += " It says: " + why
	}
	return s
}

func reasonLowered(c *chain, w *event.Warning) string {
	return fmt.Sprintf("%s has changed its warning, which no longer counts here (now %s, %s): %s.", c.Sender, lower(w.Severity), areaWords(w), c.Subject)
}

func areaWords(w *event.Warning) string {
	if w.Area == "" {
		return "no area named"
	}
	return "in " + shorten(w.Area, 200)
}

func reasonExpired(c *chain) string {
	return fmt.Sprintf("The warning of %s ran out on %s: %s.", c.Sender, c.Until.UTC().Format(stamp), c.Subject)
}

func lower(s string) string {
	if s == "" {
		return "unknown"
	}
	if len(s) > 1 && strings.ToUpper(s) == s {
		return s // an abbreviation
	}
	return strings.ToLower(s)
}

func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
