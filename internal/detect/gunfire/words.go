package gunfire

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// alert says what is known of a cause now.
func (d *Detector) alert(c *cause) event.Alert {
	at := c.At
	a := event.Alert{
		Rule: Rule, Kind: event.KindGunfire, Cause: Rule + "/" + c.Name, Revision: c.Revision,
		Start: c.Start, End: c.End, Place: &at,
		// No two bursts share a subject, so that the desk does not take two for one.
		Subject: fmt.Sprintf("gunfire near %.3f, %.3f at %s", at.Lat, at.Lon, c.Start.UTC().Format("15:04 UTC on 2 January 2006")),
		Score:   d.score(c), Reason: c.reason(), Clause: clauseBurst,
		Advice:       "Treat as gunfire until it is known not to be; ask callers near by what they heard",
		Observations: slices.Clone(c.Refs), Total: c.Total,
	}
	if c.Flood {
		a.Clause = clauseFlood
		a.Subject = "many reports " + strings.TrimPrefix(a.Subject, "gunfire ")
		a.Advice = "Fireworks are likely; look for callers who report injuries, or reports that stand out from those around them"
	}
	a.ID = event.NewAlertID(a.Rule, a.Cause, a.Revision)
	c.Revision++
	c.Said = c.Total
	return a
}

// score says how sure it is that there was gunfire: sensors cannot tell it from
// fireworks well, and nothing here has been checked against outcomes.
func (d *Detector) score(c *cause) float64 {
	s := 0.5
	if c.Multiple > 0 {
		s += 0.15
	}
	if len(c.Zones) > 1 {
		s += 0.15
	}
	if c.Bursts < c.Total { // reports that agree
		s += 0.1
	}
	if c.Score > 0 {
		s = (s + c.Score) / 2
	}
	if c.Flood {
		s = min(s, d.policy.FloodScore)
	}
	return s
}

func (c *cause) reason() string {
	var b strings.Builder
	if c.Flood {
		fmt.Fprintf(&b, "%s of gunfire in %s within %.0f m of %s, between %s: when it began, %d places of the city had been reported within half an hour, far more than on any ordinary night, as at a celebration with fireworks.",
			count(c.Total, "report"), count(c.Bursts, "burst"), max(c.Far, 100), c.At, between(c.Start, c.End), c.City)
		if c.Multiple > 0 {
			fmt.Fprintf(&b, " %d of them of several rounds.", c.Multiple)
		}
		return b.String()
	}
	kind := "a single shot"
	switch {
	case c.Rounds > 1:
		kind = fmt.Sprintf("up to %d rounds", c.Rounds)
	case c.Multiple > 0:
		kind = "several rounds"
	}
	fmt.Fprintf(&b, "Gunshot sensors reported %s at %s, %s", kind, c.At, between(c.Start, c.End))
	if c.Accuracy > 0 {
		fmt.Fprintf(&b, " (the position is true to about %.0f m)", c.Accuracy)
	}
	b.WriteString(".")
	if c.Total > 1 {
		fmt.Fprintf(&b, " %s agree, at most %.0f m apart from the first.", count(c.Total, "report"), c.Far)
	}
	if len(c.Zones) > 1 {
		fmt.Fprintf(&b, " %d zones of sensors heard it: %s.", len(c.Zones), strings.Join(c.Zones, ", "))
	}
	return b.String()
}

// between says a stretch of time.
func between(start, end time.Time) string {
	s := start.UTC().Format("15:04")
	if e := end.UTC().Format("15:04"); e != s {
		return s + " and " + e + " UTC on " + start.UTC().Format("2 January 2006")
	}
	return s + " UTC on " + start.UTC().Format("2 January 2006")
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// maxName bounds names from outside.
const maxName = 60

func short(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "")
}
