package web

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// entryData is what the page of one entry shows.
type entryData struct {
	E        event.Quarantined
	Row      sense.QuarantineRow
	Expired  bool // its bytes are no longer on the log
	Size     int
	Sensor   *registry.Device // enrolled device that sent it, nil: not known
	Personal string           // why its bytes are personal data; empty: they are not
	Opened   string           // for what purpose they were opened
	Purposes []option

	Shown    bool // the bytes may be looked at
	Text     string
	RawBytes string

	Work    bool   // the visitor may work on it, and it is open
	Lost    bool   // an attempt is under way that seems lost
	Cannot  string // why it cannot be replayed as it is
	Way     bool   // there is a way back in
	As      string // how it is edited: "text" or "hex"
	Edit    string // in the editor
	Why     string // as it was sent
	Problem string
}

func (s *Site) quarantineEntry(w http.ResponseWriter, r *http.Request) {
	s.showEntry(w, r, http.StatusOK, &entryData{})
}

// showEntry completes what there is to show and shows it.
func (s *Site) showEntry(w http.ResponseWriter, r *http.Request, status int, d *entryData) {
	if err := s.completeEntry(r, d); err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, status, page{Name: "quarantine_entry", Title: "Quarantine entry", Section: "/quarantine", Data: d})
}

func (s *Site) completeEntry(r *http.Request, d *entryData) error {
	var err error
	if d.Row, err = s.Sense.QuarantineRow(r.Context(), event.ID(r.PathValue("id"))); err != nil {
		return err
	}
	d.E, err = s.Sense.QuarantineEntry(r.Context(), d.Row.ID)
	if errors.Is(err, bus.ErrNotFound) {
		x := d.Row
		d.Expired, err = true, nil
		d.E = event.Quarantined{ID: x.ID, Source: x.Source, From: x.From, Device: x.Device, Topic: x.Topic, Received: x.Received, Reason: x.Reason, Detail: x.Detail}
	}
	if err != nil {
		return err
	}
	d.Size, d.Purposes = d.Row.Size, purposes
	d.Sensor, d.Personal = s.whose(&d.E)
	if d.Personal == "" || d.Opened != "" {
		d.Shown = true
		d.Text, d.RawBytes = asText(d.E.Bytes), dump(d.E.Bytes)
	}
	d.Work = s.Quarantine != nil && d.Row.Outcome == sense.OutcomeOpen && visitorOf(r).may(auth.WorkQuarantine)
	if !d.Work {
		return nil
	}
	d.Lost = s.Quarantine.Lost(&d.Row)
	err = s.Quarantine.CannotReplay(&d.E)
	if err != nil {
		d.Cannot = afterColon(err)
	}
	d.Way = err == nil || d.E.Cut > 0
	if d.Shown && d.Edit == "" {
		d.As, d.Edit = editable(d.E.Bytes)
	}
	return nil
}

// accountIn finds the account of a DC-09 frame that is not encrypted.
var accountIn = regexp.MustCompile(`#([0-9A-Za-z]{3,16})`)

// whose says which enrolled device sent an entry, and why its bytes are personal
// data: what comes from a home tells of those who live there.
func (s *Site) whose(e *event.Quarantined) (*registry.Device, string) {
	if len(e.Bytes) == 0 {
		return nil, ""
	}
	home := func(id string) bool {
		p, err := s.Registry.Premises(id)
		return err == nil && p.Home()
	}
	if e.Device == "" {
		if m := accountIn.FindSubmatch(e.Bytes); m != nil {
			if f, ok := s.Registry.Account(string(m[1])); ok && f.Premises.Home() {
				return nil, "They name the alarm account of a home."
			}
		}
		return nil, ""
	}
	d, err := s.Registry.Device(e.Device)
	switch {
	case err != nil:
		return nil, "The device that sent them is no longer enrolled, so nobody knows whose they are."
	case home(d.Premises):
		return d, "They come from a home."
	case d.Premises == "" && d.Basis == event.Consent:
		return d, "They come from a device that its owner has consented to."
	}
	return d, ""
}

// quarantineOpen shows bytes that are personal data, for a purpose, and records
// that first.
func (s *Site) quarantineOpen(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	d := &entryData{}
	if purposeWords[v.Get("purpose")] == "" {
		d.Problem = "Choose what you need it for."
		s.showEntry(w, r, http.StatusUnprocessableEntity, d)
		return
	}
	row, err := s.Sense.QuarantineRow(r.Context(), event.ID(r.PathValue("id")))
	if err == nil {
		err = s.record(r.Context(), audit.Entry{
			Action: audit.RecordOpened, Operation: audit.Consultation, Object: "quarantine/" + string(row.ID),
			Purpose: v.Get("purpose"), Why: shorten(500, v.Get("why")),
			Detail: map[string]string{"opened": "bytes of a quarantine entry", "device": row.Device, "reason": row.Reason},
		})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d.Opened = purposeWords[v.Get("purpose")]
	s.showEntry(w, r, http.StatusOK, d)
}

// quarantineReplay replays an entry, as it is or as a person has mended it.
func (s *Site) quarantineReplay(w http.ResponseWriter, r *http.Request) {
	s.settle(w, r, "replayed", func(v url.Values, a *sense.Attempt, d *entryData) (string, error) {
		if as := v.Get("as"); as == "text" || as == "hex" {
			d.As, d.Edit = as, v.Get("bytes")
			var err error
			if a.Bytes, err = edited(as, d.Edit); err != nil {
				return upperFirst(err.Error()) + ".", nil
			}
		}
		return "", s.Quarantine.Replay(r.Context(), *a)
	})
}

// quarantineDiscard settles an entry that is worth nothing.
func (s *Site) quarantineDiscard(w http.ResponseWriter, r *http.Request) {
	s.settle(w, r, "discarded", func(_ url.Values, a *sense.Attempt, _ *entryData) (string, error) {
		if a.Why == "" {
			return "Say why this entry is worth nothing.", nil
		}
		return "", s.Quarantine.Discard(r.Context(), *a)
	})
}

// settle takes a form that settles an entry. do returns what is wrong with the
// form, or the error of the attempt.
func (s *Site) settle(w http.ResponseWriter, r *http.Request, outcome string, do func(url.Values, *sense.Attempt, *entryData) (string, error)) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	if s.Quarantine == nil {
		s.fail(w, r, unavailable("This server only shows the quarantine."))
		return
	}
	row, err := s.Sense.QuarantineRow(r.Context(), event.ID(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := sense.Attempt{Entry: row.ID, By: visitorOf(r).ID, Why: strings.TrimSpace(shorten(500, strings.ToValidUTF8(v.Get("why"), "�")))}
	if t, err := time.Parse(time.RFC3339Nano, v.Get("givenup")); err == nil {
		a.GivenUp = t
	}
	err = s.record(r.Context(), audit.Entry{
		Action: audit.Action("quarantine." + outcome), Object: "quarantine/" + string(row.ID), Purpose: string(auth.Maintain), Why: a.Why,
		Detail: map[string]string{"reason": row.Reason, "source": row.Source, "device": row.Device, "mended": v.Get("as")},
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d := &entryData{Why: a.Why}
	d.Problem, err = do(v, &a, d)
	switch {
	case err == nil && d.Problem == "":
		done(w, r, "/quarantine/entries/"+url.PathEscape(string(row.ID)), outcome)
	case d.Problem != "":
		s.showEntry(w, r, http.StatusUnprocessableEntity, d)
	case errors.Is(err, sense.ErrStillRefused), errors.Is(err, sense.ErrCannotReplay):
		d.Problem = sentence(err)
		s.showEntry(w, r, http.StatusUnprocessableEntity, d)
	case errors.Is(err, sense.ErrSettled), errors.Is(err, sense.ErrUnderWay):
		d.Problem = sentence(err)
		s.showEntry(w, r, http.StatusConflict, d)
	default:
		s.fail(w, r, quarantineFailure(err))
	}
}

// quarantineFailure finds words for the desk's errors.
func quarantineFailure(err error) error {
	switch {
	case errors.Is(err, sense.ErrUnsure):
		return &failure{http.StatusServiceUnavailable, "Not known", "The log did not say whether it took this. The entry stays under way; in ten minutes it can be tried again, and nothing is observed twice.", err}
	case errors.Is(err, sense.ErrTooMuch):
		return unavailable(sentence(err))
	}
	return err
}

// afterColon leaves out the general part of an error that a page says itself.
func afterColon(err error) string {
	_, words, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		words = err.Error()
	}
	return upperFirst(words) + "."
}

// editable returns bytes as they can be edited in a form without loss: as text
// where that is possible, else as hexadecimal digits.
func editable(b []byte) (as, text string) {
	if utf8.Valid(b) && strings.IndexFunc(string(b), func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }) < 0 {
		return "text", string(b)
	}
	var out strings.Builder
	for i, c := range b {
		switch {
		case i == 0:
		case i%16 == 0:
			out.WriteByte('\n')
		default:
			out.WriteByte(' ')
		}
		fmt.Fprintf(&out, "%02x", c)
	}
	return "hex", out.String()
}

// edited returns the bytes that a form's text stands for. Browsers send line
// breaks as CR LF, whatever they were.
func edited(as, text string) ([]byte, error) {
	if as == "text" {
		return []byte(strings.ReplaceAll(text, "\r\n", "\n")), nil
	}
	digits := strings.Join(strings.Fields(text), "")
	b, err := hex.DecodeString(digits)
	var wrong hex.InvalidByteError
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("%q is no hexadecimal digit", rune(wrong))
	case err != nil:
		return nil, errors.New("the hexadecimal digits do not come in pairs")
	case len(b) == 0:
		return nil, errors.New("nothing is left of it")
	}
	return b, nil
}
