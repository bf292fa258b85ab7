package web

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// signal is an observation as people read it.
type signal struct {
	Ref      event.Ref
	O        *event.Observation // nil: it cannot be read, and Problem says why
	Problem  string
	Brief    string // in a line
	Rows     []row  // what was decoded
	RawText  string // the bytes as text
	RawBytes string // the bytes in hexadecimal
	Own      bool   // the platform made it itself
}

// row is a name and its value.
type row struct{ Name, Value string }

// maxDump bounds the bytes of a dump.
const maxDump = 16 << 10

func (s *Site) readSignal(ctx context.Context, ref event.Ref) signal {
	out := signal{Ref: ref}
	if ref.Seq == 0 {
		out.Problem = "The alert does not say where on the log this signal is."
		return out
	}
	o, err := s.Sense.Observation(ctx, ref.Seq)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		out.Problem = "The log no longer holds this signal."
		return out
	case err != nil:
		s.logger.Error("a signal cannot be read", "position", ref.Seq, "err", err)
		out.Problem = "The log could not be read; the server's log says why."
		return out
	}
	out.O = &o
	out.Brief = brief(&o)
	out.Rows = s.decoded(&o)
	out.Own = o.Kind == event.KindMisuse || o.Kind == event.KindSilent || o.Kind == event.KindReturned || o.Kind == event.KindUnknown
	out.RawText, out.RawBytes = asText(o.Raw), dump(o.Raw)
	return out
}

func (s *Site) signal(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		s.fail(w, r, notFound("A signal's address ends in its position on the log, which is a number."))
		return
	}
	o, err := s.Sense.Observation(r.Context(), seq)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	sig := s.readSignal(r.Context(), o.Ref())
	s.render(w, r, http.StatusOK, page{Name: "signal", Title: "Signal " + r.PathValue("seq"), Section: "/incidents", Data: sig})
}

// brief says an observation in a line.
func brief(o *event.Observation) string {
	switch {
	case o.Alarm != nil:
		a := o.Alarm
		words := []string{inWords(string(a.Category)), string(a.State)}
		if a.Meaning != "" {
			words[0] = a.Meaning
		}
		if a.Zone != "" {
			zone := "zone " + a.Zone
			if a.ZoneName != "" {
				zone += " (" + a.ZoneName + ")"
			}
			words = append(words, zone)
		}
		return strings.Join(words, ", ")
	case o.Flow != nil:
		f := o.Flow
		return fmt.Sprintf("%s → %s port %d, %s %s", f.Orig, f.Resp, f.RespPort, f.Proto, f.State)
	case o.Login != nil:
		l := o.Login
		return fmt.Sprintf("%s → %s, %s, %s", l.Orig, l.Resp, l.Service, plural(l.Attempts, "attempt", "attempts"))
	case o.Notice != nil:
		return o.Notice.Name + " " + o.Notice.Text
	case o.Reading != nil:
		v := sense.Value{Property: o.Reading.Property, Channel: o.Reading.Channel, State: o.Reading.State, Active: o.Reading.Active, Value: o.Reading.Value, Unit: o.Reading.Unit}
		return strings.TrimSpace(o.Reading.Name+" "+v.What()) + ": " + v.Words()
	case o.Detection != nil:
		return fmt.Sprintf("%s, %s, camera %s", o.Detection.Label, inWords(string(o.Detection.Phase)), o.Detection.Camera)
	case o.Gunshot != nil:
		return "gunshot, rounds: " + o.Gunshot.Rounds
	case o.Misuse != nil:
		return o.Misuse.Detail
	case o.Warning != nil:
		return cmp.Or(o.Warning.Headline, o.Warning.Event)
	case o.Supervision != nil && o.Supervision.Class == event.ClassEnrolled:
		return fmt.Sprintf("device %s, due every %s", o.Device, spanWords(o.Supervision.Reporting))
	case o.Supervision != nil:
		return fmt.Sprintf("account %s, class %s, due every %s", o.Supervision.Account, o.Supervision.Class, spanWords(o.Supervision.Reporting))
	}
	return kindName(o.Kind)
}

// decoded lists what an observation says, field by field.
func (s *Site) decoded(o *event.Observation) []row {
	const layout = "2 Jan 2006 15:04:05.000 MST"
	rows := []row{
		{"Kind", kindName(o.Kind)},
		{"Source", sourceName(o.Source)},
		{"Device", o.Device},
		{"Event time", o.Time.In(s.zone).Format(layout)},
	}
	if o.DeviceTime != nil {
		rows = append(rows, row{"Device's clock", o.DeviceTime.In(s.zone).Format(layout)})
	}
	rows = append(rows, row{"Received", o.Received.In(s.zone).Format(layout)})
	if o.PremisesName != "" {
		rows = append(rows, row{"Premises", o.PremisesName})
	}
	if o.Place != nil {
		rows = append(rows, row{"Place", o.Place.String()})
	}
	for _, detail := range []any{
		o.Alarm, o.Supervision, o.Flow, o.Login, o.Notice, o.Reading, o.Count, o.Detection, o.Gunshot, o.Radio, o.Health, o.Misuse, o.Warning,
	} {
		rows = append(rows, fields(detail)...)
	}
	return append(rows, row{"Position on the log", strconv.FormatUint(o.Seq, 10)}, row{"Id", string(o.ID)})
}

// fields lists the fields of a detail that say something, whatever it is: what
// a detail gains is shown without a word here.
func fields(detail any) []row {
	v := reflect.ValueOf(detail)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	v = v.Elem()
	var rows []row
	for i := range v.NumField() {
		f := v.Field(i)
		for f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		if f.IsZero() && v.Field(i).Kind() != reflect.Pointer && f.Kind() != reflect.Bool {
			continue
		}
		value := fmt.Sprint(f.Interface())
		switch x := f.Interface().(type) {
		case time.Time:
			value = x.UTC().Format(utcTitle)
		case time.Duration:
			value = spanWords(x)
		}
		if f.Kind() == reflect.Bool {
			if v.Field(i).Kind() == reflect.Bool && !f.Bool() {
				continue
			}
			value = map[bool]string{true: "yes", false: "no"}[f.Bool()]
		}
		if f.Kind() == reflect.Pointer {
			continue
		}
		rows = append(rows, row{spaced(v.Type().Field(i).Name), value})
	}
	return rows
}

// spaced makes words of a field's name: "ZoneName" is "Zone name", "UID" stays.
func spaced(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && unicode.IsLower(runes[i-1]) {
			b.WriteByte(' ')
			if i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
				r = unicode.ToLower(r)
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// asText shows bytes as text: what cannot be printed is a dot.
func asText(b []byte) string {
	if len(b) > maxDump {
		b = b[:maxDump]
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\n' || r == '\t':
			out.WriteRune(r)
		case r == '\r':
		case r == utf8.RuneError && n <= 1, !unicode.IsPrint(r):
			out.WriteRune('·')
		default:
			out.WriteRune(r)
		}
		b = b[n:]
	}
	return strings.Trim(out.String(), "\n")
}

// dump shows bytes in hexadecimal beside their characters.
func dump(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxDump {
		return hex.Dump(b[:maxDump]) + fmt.Sprintf("… and %d bytes more\n", len(b)-maxDump)
	}
	return hex.Dump(b)
}
