package web

import (
	"net/url"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// warningsForm is the form of a warning's text.
type warningsForm struct{ form }

// localTime is how a browser's date field writes a time, in the force's zone.
const localTime = "2006-01-02T15:04"

// newWarningForm makes the form; why is the label of the field for a reason,
// empty for none.
func (s *Site) newWarningForm(action, submit, why string) *warningsForm {
	f := &warningsForm{form{Action: action, Submit: submit, Hidden: map[string]string{}, Fields: []field{
		{Name: "status", Label: "Is it real?", Type: "radio", Required: true, Options: []option{
			{string(codec.Actual), "Actual", "People shall act on it."},
			{string(codec.Exercise), "Exercise", "Only those who take part act on it."},
			{string(codec.Test), "Test", "Nobody acts on it."},
		}},
		{Name: "headline", Label: "Headline", Hint: "What is the matter, in one line.", Required: true, Max: 160},
		{Name: "event", Label: "Event", Hint: "One or two words: Flood, Gas leak, Armed person.", Required: true, Max: 160},
		{Name: "category", Label: "Category", Type: "select", Required: true, Options: codes(codec.Categories(), categoryWords)},
		{Name: "severity", Label: "How bad is it?", Type: "select", Required: true, Options: codes(codec.Severities(), severityWords)},
		{Name: "urgency", Label: "How soon must people act?", Type: "select", Required: true, Options: codes(codec.Urgencies(), urgencyWords)},
		{Name: "certainty", Label: "How sure is it?", Type: "select", Required: true, Options: codes(codec.Certainties(), certaintyWords)},
		{Name: "description", Label: "Description", Hint: "What has happened, what is to be expected. No personal data: everybody reads it.", Type: "textarea", Rows: 5, Required: true, Max: 4000},
		{Name: "response", Label: "What should people do, in a word?", Type: "select", Options: codes(codec.ResponseTypes(), responseWords)},
		{Name: "instruction", Label: "Instruction", Hint: "What people should do, step by step.", Type: "textarea", Rows: 4, Max: 4000},
		{Name: "area", Label: "Where, in words", Required: true, Max: 400},
		{Name: "circle", Label: "Circle", Hint: "Latitude,longitude and the radius in kilometres, such as 54.7061,2.6612 0.8", Max: 60},
		{Name: "polygon", Label: "Polygon", Hint: "Corners as latitude,longitude, apart by spaces; the last is the first again. A circle or a polygon must be there.", Type: "textarea", Rows: 3, Max: 20000},
		{Name: "onset", Label: "Begins", Hint: "In the force’s time; empty: now.", Type: "datetime-local"},
		{Name: "expires", Label: "Ends", Hint: "In the force’s time. Update the warning if it lasts longer.", Type: "datetime-local", Required: true},
		{Name: "contact", Label: "Contact", Hint: "For people with questions: a telephone number or an address.", Max: 160},
	}}}
	if why != "" {
		f.Fields = append([]field{{Name: "why", Label: why, Required: true, Max: 1000}}, f.Fields...)
	}
	return f
}

// clean shows a form that was filled by us, not by a person: without complaints.
func (f *warningsForm) clean() *warningsForm {
	f.Problem = ""
	for i := range f.Fields {
		f.Fields[i].Error = ""
	}
	return f
}

// codes are the choices of a code value; an empty one comes first.
func codes[T ~string](values []T, words map[T]string) []option {
	out := []option{{"", "Choose", ""}}
	for _, v := range values {
		label := string(v)
		if w := words[v]; w != "" {
			label += ": " + w
		}
		out = append(out, option{string(v), label, ""})
	}
	return out
}

var (
	categoryWords = map[codec.Category]string{
		"Geo": "earth, landslide", "Met": "weather, flood", "Safety": "public safety", "Security": "police, military", "Rescue": "rescue and recovery",
		"Fire": "fire", "Health": "medicine, public health", "Env": "pollution", "Transport": "traffic", "Infra": "power, water, telephone",
		"CBRNE": "chemical, biological, radiological, nuclear, explosive",
	}
	severityWords = map[codec.Severity]string{
		codec.Extreme: "extraordinary threat to life or property", codec.Severe: "significant threat", codec.Moderate: "possible threat", codec.Minor: "little threat",
	}
	urgencyWords = map[codec.Urgency]string{
		"Immediate": "at once", "Expected": "within the hour", "Future": "soon", codec.Past: "no more",
	}
	certaintyWords = map[codec.Certainty]string{
		codec.Observed: "it has happened or goes on", codec.Likely: "more likely than not", codec.Possible: "not so likely", codec.Unlikely: "hardly",
	}
	responseWords = map[codec.ResponseType]string{
		"Shelter": "take shelter where you are", "Evacuate": "leave", "Prepare": "prepare", "Execute": "do what was planned", "Avoid": "keep away",
		"Monitor": "keep listening", "Assess": "see for yourself", codec.AllClear: "the danger is over", "None": "nothing",
	}
)

// draftOf reads a form.
func (s *Site) draftOf(f *warningsForm) issue.Draft {
	return issue.Draft{
		Status: codec.Status(f.value("status")), Category: codec.Category(f.value("category")), Event: f.value("event"),
		Response: codec.ResponseType(f.value("response")), Urgency: codec.Urgency(f.value("urgency")), Severity: codec.Severity(f.value("severity")),
		Certainty: codec.Certainty(f.value("certainty")), Headline: f.value("headline"), Description: f.value("description"),
		Instruction: f.value("instruction"), Contact: f.value("contact"), Area: f.value("area"), Polygon: f.value("polygon"), Circle: f.value("circle"),
		Onset: s.localField(f, "onset"), Expires: s.localField(f, "expires"),
	}
}

func (s *Site) localField(f *warningsForm, name string) time.Time {
	text := f.value(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(localTime, text, s.zone)
	if err != nil {
		f.wrong(name, "This is no date and time, such as 2026-03-07T21:30.")
		return time.Time{}
	}
	return t.UTC()
}

// warningValues is what the form shows of a warning.
func (s *Site) warningValues(x *issue.Warning) url.Values {
	local := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(s.zone).Format(localTime)
	}
	return url.Values{
		"status": {string(x.Status)}, "category": {string(x.Category)}, "event": {x.Event}, "response": {string(x.Response)},
		"urgency": {string(x.Urgency)}, "severity": {string(x.Severity)}, "certainty": {string(x.Certainty)}, "headline": {x.Headline},
		"description": {x.Description}, "instruction": {x.Instruction}, "contact": {x.Contact}, "area": {x.Area}, "polygon": {x.Polygon},
		"circle": {x.Circle}, "onset": {local(x.Onset)}, "expires": {local(x.Expires)},
	}
}
