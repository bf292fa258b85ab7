package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// The words for what the log holds as codes. The islands have the same ones in
// web/src/lib.

var gradeWords = map[event.Grade]string{
	event.Ungraded:                  "Not graded",
	event.Immediate:                 "Immediate",
	event.Prompt:                    "Prompt",
	event.Scheduled:                 "Scheduled",
	event.ResolvedWithoutDeployment: "Resolved",
}

var gradeClasses = map[event.Grade]string{
	event.Ungraded:                  "ungraded",
	event.Immediate:                 "immediate",
	event.Prompt:                    "prompt",
	event.Scheduled:                 "scheduled",
	event.ResolvedWithoutDeployment: "resolved",
}

var stateWords = map[incident.State]string{
	incident.Open:         "Open",
	incident.Acknowledged: "Acknowledged",
	incident.Attending:    "Attending",
	incident.Closed:       "Closed",
}

var codeWords = map[event.ClosingCode]string{
	event.ClosedTrue:      "True: a real cause, dealt with",
	event.ClosedFalse:     "False alarm",
	event.ClosedDuplicate: "Duplicate of another incident",
	event.ClosedTest:      "Test or maintenance",
}

var changeWords = map[event.ChangeType]string{
	event.ChangeOpened:       "Opened",
	event.ChangeAlertAdded:   "Further alert",
	event.ChangeAcknowledged: "Acknowledged",
	event.ChangeGraded:       "Graded",
	event.ChangeNoted:        "Note",
	event.ChangeAssigned:     "Assigned",
	event.ChangeAttending:    "A unit is attending",
	event.ChangeClosed:       "Closed",
	event.ChangeReopened:     "Opened again",
}

var kindWords = map[string]string{
	"intruder":                            "Intruder",
	"hold_up":                             "Hold-up",
	"network_attack":                      "Network attack",
	"fire":                                "Fire",
	"medical":                             "Medical",
	"tamper":                              "Tamper",
	"fault":                               "Fault",
	string(event.KindIntruderUnconfirmed): "Unconfirmed intruder alarm",
	string(event.KindIntruderConfirmed):   "Confirmed intruder alarm",
	string(event.KindHoldUpConfirmed):     "Confirmed hold-up",
	string(event.KindAlarmOther):          "Other alarm",
	string(event.KindRestored):            "Restored",
	string(event.KindDeviceSilent):        "Panel fell silent",
	string(event.KindDeviceReturned):      "Panel heard again",
	string(event.KindUnknown):             "Panel never heard",
	string(event.KindScanHorizontal):      "Scan across a network",
	string(event.KindScanVertical):        "Scan of one machine",
	string(event.KindScanInbound):         "Probes from many sources",
	string(event.KindBruteForce):          "Password guessing",
	string(event.KindAlarm):               "Alarm signal",
	string(event.KindFlow):                "Network connection",
	string(event.KindLogin):               "Log-in attempt",
	string(event.KindNetNotice):           "Monitor's notice",
}

var sourceWords = map[string]string{
	"anpr":          "Number plates",
	"cap":           "Public warnings (CAP)",
	"chirpstack":    "LoRaWAN (ChirpStack)",
	"dc09":          "Alarm panels (SIA DC-09)",
	"edge":          "Edge gateways",
	"esphome":       "ESPHome",
	"eve":           "Network monitors (Suricata)",
	"gunshot":       "Gunshot sensors",
	"homeassistant": "Home Assistant",
	"mapping":       "Mappings (JSON)",
	"mqtt":          "MQTT itself",
	"street":        "Street sensors (SenML)",
	"tts":           "LoRaWAN (The Things Stack)",
	"webhook":       "HTTP itself",
	"zeek":          "Network monitors (Zeek)",
	"zigbee2mqtt":   "Zigbee2MQTT",
}

// deviceWords are a device's state as a class of the theme and in words.
var deviceWords = map[sense.DeviceState][2]string{
	sense.Heard:   {"ok", "Heard"},
	sense.Silent:  {"bad", "Silent"},
	sense.Unknown: {"unknown", "Never heard"},
	sense.Gone:    {"bad", "Gone"},
}

// inWords names a code that has no words of its own: "open_close" is "Open close".
func inWords(code string) string {
	s := strings.TrimSpace(strings.NewReplacer("_", " ", ".", " ").Replace(code))
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func kindName(kind any) string {
	k := fmt.Sprint(kind)
	if w, ok := kindWords[k]; ok {
		return w
	}
	if k == "" {
		return "Unknown"
	}
	return inWords(k)
}

func sourceName(source string) string {
	if w, ok := sourceWords[source]; ok {
		return w
	}
	return inWords(source)
}

// sureness says a score in words: a bare number explains nothing.
func sureness(score float64) string {
	switch {
	case score >= 0.85:
		return "very sure"
	case score >= 0.6:
		return "fairly sure"
	case score >= 0.3:
		return "unsure"
	default:
		return "a weak sign"
	}
}

// ageWords are a span in short words, the same as the islands': "8 s", "4 min",
// "1 h 05", "14 h", "2 d".
func ageWords(d time.Duration) string {
	s := max(0, int(d/time.Second))
	m, h := s/60, s/3600
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case m < 60:
		return fmt.Sprintf("%d min", m)
	case h < 10:
		return fmt.Sprintf("%d h %02d", h, m%60)
	case h < 48:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d d", h/24)
	}
}

// spanWords are an exact span in the largest unit that it is a whole number of:
// "25 h", "30 min", "90 s". What is no whole second is written as Go does.
func spanWords(d time.Duration) string {
	switch {
	case d%time.Second != 0:
		return d.String()
	case d != 0 && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d != 0 && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return fmt.Sprintf("%d s", d/time.Second)
	}
}

const utcTitle = "2006-01-02 15:04:05 UTC"

// stamp shows a time in the force's zone; its title is in UTC.
func (s *Site) stamp(t time.Time, layout string) template.HTML {
	if t.IsZero() {
		return `<span class="muted">never</span>`
	}
	return template.HTML(fmt.Sprintf(`<time datetime=%q title=%q>%s</time>`, //nolint:gosec // digits only
		t.UTC().Format(time.RFC3339), t.UTC().Format(utcTitle), t.In(s.zone).Format(layout)))
}

// age shows how long ago a time is, and is kept fresh by the page's script.
func (s *Site) age(t time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="muted">never</span>`
	}
	return template.HTML(fmt.Sprintf(`<time datetime=%q title=%q data-age>%s</time>`, //nolint:gosec // digits only
		t.UTC().Format(time.RFC3339), t.In(s.zone).Format("2 Jan 2006 15:04:05 MST")+", "+t.UTC().Format(utcTitle),
		ageWords(s.clock.Now().Sub(t))))
}

func (s *Site) funcs() template.FuncMap {
	return template.FuncMap{
		"when":       func(t time.Time) template.HTML { return s.stamp(t, "2 Jan 2006 15:04:05") },
		"clock":      func(t time.Time) template.HTML { return s.stamp(t, "15:04:05") },
		"day":        func(t time.Time) string { return t.In(s.zone).Format("Monday 2 January 2006") },
		"age":        s.age,
		"rfc":        func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"kind":       kindName,
		"source":     sourceName,
		"gradeName":  func(g event.Grade) string { return gradeWords[g] },
		"gradeClass": func(g event.Grade) string { return gradeClasses[g] },
		"stateName":  func(st incident.State) string { return stateWords[st] },
		"codeName":   func(c event.ClosingCode) string { return codeWords[c] },
		"changeName": func(t event.ChangeType) string { return changeWords[t] },
		"health":     func(st sense.DeviceState) [2]string { return deviceWords[st] },
		"sure":       sureness,
		"person":     s.personName,
		"plural":     plural,
		"inWords":    inWords,
		"factor":     factorName,
		"purposeForm": func(action string, purposes []option, problem string) map[string]any {
			return map[string]any{"Action": action, "Purposes": purposes, "Problem": problem}
		},
		"bytes":      byteSize,
		"trim":       shorten,
		"odd":        func(n int) int { return n % 2 },
		"span":       spanWords,
		"dict":       dict,
		"upperFirst": upperFirst,
	}
}

// dict makes a map of names and values, for a part that takes several.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// factorName names a factor; one that is no longer offered is named by its code.
func factorName(code string) string {
	if w := factorWords[code]; w != "" {
		return w
	}
	return inWords(code)
}

// plural counts: plural 1 "alert" "alerts" is "1 alert".
func plural(n any, one, many string) string {
	word := many
	if fmt.Sprint(n) == "1" {
		word = one
	}
	return fmt.Sprintf("%v %s", n, word)
}

func byteSize(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
}

// shorten cuts a text to n characters, marking the cut.
func shorten(n int, text string) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
