package issue

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Bounds of what people write.
const (
	maxLine   = 160 // characters of a headline and other short texts
	maxText   = 4000
	maxShape  = 20_000 // characters of a polygon
	longest   = 14 * 24 * time.Hour
	maxEarly  = 90 * 24 * time.Hour // how far ahead an event may begin
	language  = "en-GB"
	cancelled = "Cancelled: "
)

// check reports in words what is wrong with a draft at a time.
func (d *Draft) check(now time.Time) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNotAllowed, fmt.Sprintf(format, args...))
	}
	for _, f := range []struct {
		what, text string
		most       int
		must       bool
	}{
		{"headline", d.Headline, maxLine, true},
		{"event", d.Event, maxLine, true},
		{"area in words", d.Area, maxText, true},
		{"description", d.Description, maxText, true},
		{"instruction", d.Instruction, maxText, false},
		{"contact", d.Contact, maxLine, false},
		{"polygon", d.Polygon, maxShape, false},
		{"circle", d.Circle, maxLine, false},
	} {
		switch n := utf8.RuneCountInString(f.text); {
		case f.must && strings.TrimSpace(f.text) == "":
			return no("the %s is missing", f.what)
		case n > f.most:
			return no("the %s has %d characters, at most %d", f.what, n, f.most)
		case !utf8.ValidString(f.text):
			return no("the %s has broken characters", f.what)
		}
	}
	switch {
	case d.Status != codec.Actual && d.Status != codec.Exercise && d.Status != codec.Test:
		return no("choose whether it is actual, an exercise or a test")
	case d.Polygon == "" && d.Circle == "":
		return no("say where: a circle or a polygon, so that machines can tell whom it concerns")
	case d.Expires.IsZero():
		return no("say when it ends")
	case !d.Expires.After(now):
		return no("it would have ended already: choose a later end")
	case d.Expires.After(now.Add(longest)):
		return no("it would last longer than %d days: choose an earlier end, and update it when needed", int(longest/(24*time.Hour)))
	case !d.Onset.IsZero() && (d.Onset.After(d.Expires) || d.Onset.After(now.Add(maxEarly))):
		return no("it would begin after it ends")
	}
	if _, err := d.area(); err != nil {
		return no("%s", strings.TrimPrefix(err.Error(), codec.ErrInvalid.Error()+": "))
	}
	return nil
}

// area is where the warning applies.
func (d *Draft) area() (codec.Area, error) {
	a := codec.Area{Desc: strings.TrimSpace(d.Area)}
	if s := strings.TrimSpace(d.Polygon); s != "" {
		p, err := codec.ParsePolygon(s)
		if err != nil {
			return a, err
		}
		a.Polygons = []codec.Polygon{p}
	}
	if s := strings.TrimSpace(d.Circle); s != "" {
		c, err := codec.ParseCircle(s)
		if err != nil {
			return a, err
		}
		a.Circles = []codec.Circle{c}
	}
	return a, nil
}

// letterhead is what every message of the force says.
type letterhead struct {
	sender string // CAP's sender
	name   string // in words
	web    string // where people can read more; empty: none
}

// compose makes the message of a warning.
func (l letterhead) compose(w *Warning, identifier string, sent time.Time, refs []codec.Reference) (*codec.Alert, error) {
	area, err := w.area()
	if err != nil {
		return nil, err
	}
	in := codec.Info{
		Language: language, Categories: []codec.Category{w.Category}, Event: w.Event, Urgency: w.Urgency, Severity: w.Severity,
		Certainty: w.Certainty, Effective: sent, Onset: w.Onset, Expires: w.Expires, SenderName: l.name, Headline: w.Headline,
		Description: w.Description, Instruction: w.Instruction, Web: l.web, Contact: w.Contact, Areas: []codec.Area{area},
	}
	if w.Response != "" {
		in.ResponseTypes = []codec.ResponseType{w.Response}
	}
	a := &codec.Alert{
		Identifier: identifier, Sender: l.sender, Sent: sent, Status: w.Status, MsgType: w.MsgType, Scope: codec.Public,
		Note: w.Why, References: refs, Infos: []codec.Info{in},
	}
	if err := a.Check(); err != nil {
		return nil, err
	}
	return a, nil
}

// cancellation is the draft that cancels a message.
func cancellation(of *Warning) Draft {
	d := of.Draft
	d.Urgency, d.Response, d.Instruction = codec.Past, codec.AllClear, ""
	d.Headline = strings.TrimPrefix(d.Headline, cancelled)
	if r := []rune(d.Headline); len(r) > maxLine-len(cancelled) {
		d.Headline = string(r[:maxLine-len(cancelled)-1]) + "…"
	}
	d.Headline = cancelled + d.Headline
	return d
}
