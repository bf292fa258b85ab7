package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
)

// A new mapping begins with something that works.
const (
	exampleProgram = `// What arrives is in body. Yield a map, or a list of maps.
{
  "property": "contact",
  "state": body.door == 1.0 ? "open" : "closed",
  "active": body.door == 1.0,
  "time": body.ts
}`
	exampleSample = `{"door": 1, "ts": 1772918038, "battery": 97}`
)

// mappingData is what a mapping's page shows.
type mappingData struct {
	M       *mapping.Mapping // nil: a new one
	Name    string
	Version int // that the program is of; 0: of none, or changed since

	Program, Sample, Topic, Device, Why string

	Tried   bool // the program was tried on the sample, and this came of it
	Said    []saidData
	Problem string // why what was sent was not done
	Line    string // of the program that is wrong, with a mark under the place

	Work       bool // the visitor may change it
	Kinds      []string
	Conditions []event.Property
	Measures   []event.Property
}

// saidData is one observation that a mapping made.
type saidData struct {
	Title string
	Rows  []row
}

func (s *Site) mappings(w http.ResponseWriter, r *http.Request) {
	var list []*mapping.Mapping
	if s.Mappings != nil {
		list = s.Mappings.Mappings()
	}
	s.render(w, r, http.StatusOK, page{Name: "mappings", Title: "Mappings", Section: "/mappings", Class: "page-wide", Data: list})
}

func (s *Site) mappingNew(w http.ResponseWriter, r *http.Request) {
	s.showMapping(w, r, http.StatusOK, &mappingData{Program: exampleProgram, Sample: exampleSample})
}

func (s *Site) mapping(w http.ResponseWriter, r *http.Request) {
	m, err := s.mappingNamed(r.PathValue("name"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	n, err := strconv.Atoi(r.URL.Query().Get("version"))
	if err != nil {
		if n = m.Live; n == 0 {
			n = m.Newest().Number
		}
	}
	v, err := m.Version(n)
	if err != nil {
		s.fail(w, r, notFound("The mapping has no such version."))
		return
	}
	s.showMapping(w, r, http.StatusOK, &mappingData{M: m, Program: v.Program, Version: v.Number})
}

func (s *Site) mappingNamed(name string) (*mapping.Mapping, error) {
	if s.Mappings == nil {
		return nil, notFound("This server keeps no mappings.")
	}
	m, err := s.Mappings.Mapping(name)
	if errors.Is(err, mapping.ErrUnknown) {
		return nil, notFound("There is no mapping of that name.")
	}
	return m, err
}

func (s *Site) showMapping(w http.ResponseWriter, r *http.Request, status int, d *mappingData) {
	title := "New mapping"
	if d.M != nil {
		d.Name, title = d.M.Name, "Mapping "+d.M.Name
	}
	d.Work = s.Mappings != nil && visitorOf(r).may(auth.WorkQuarantine)
	d.Kinds, d.Conditions, d.Measures = mapping.Kinds(), mapping.Conditions(), mapping.Measures()
	s.render(w, r, status, page{Name: "mapping", Title: title, Section: "/mappings", Class: "page-wide", Data: d})
}

// mappingSent takes the form of a mapping's page: try it, keep it, put it to work
// or stop it. A try keeps nothing of the sample: it may be somebody's.
func (s *Site) mappingSent(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	d := sentMapping(v)
	if s.Mappings == nil {
		s.fail(w, r, unavailable("This server keeps no mappings."))
		return
	}
	if name := r.PathValue("name"); name != "" {
		var err error
		if d.M, err = s.mappingNamed(name); err != nil {
			s.fail(w, r, err)
			return
		}
		d.Name = name
	} else if _, err := s.Mappings.Mapping(d.Name); err == nil && v.Get("do") != "try" {
		s.wrongMapping(w, r, d, errors.New("there is a mapping of this name already: choose another name, or change that one"))
		return
	}
	var err error
	switch v.Get("do") {
	case "draft":
		err = s.draftMapping(r, d)
	case "live":
		err = s.liveMapping(r, d)
	case "stop":
		err = s.recordMapping(r, d, "mapping.stopped", 0)
		if err == nil {
			err = s.Mappings.Live(r.Context(), d.Name, 0, visitorOf(r).ID, d.Why)
		}
	default:
		if err = s.try(d); err == nil {
			s.showMapping(w, r, http.StatusOK, d)
			return
		}
	}
	code := map[string]string{"draft": "draft", "live": "live", "stop": "stopped"}[v.Get("do")]
	if err == nil {
		done(w, r, "/mappings/"+url.PathEscape(d.Name), code)
		return
	}
	s.wrongMapping(w, r, d, err)
}

// wrongMapping shows the page again with what is wrong, or the failure.
func (s *Site) wrongMapping(w http.ResponseWriter, r *http.Request, d *mappingData, err error) {
	var f *failure
	var at *mapping.Error
	switch {
	case errors.As(err, &f), failureOf(err) != nil:
		s.fail(w, r, err)
		return
	case errors.As(err, &at):
		d.Problem, d.Line = upperFirst(at.Error())+".", markError(d.Program, at)
	default:
		d.Problem = sentence(err)
	}
	s.showMapping(w, r, http.StatusUnprocessableEntity, d)
}

func sentMapping(v url.Values) *mappingData {
	text := func(name string, most int) string {
		s := strings.ToValidUTF8(strings.ReplaceAll(v.Get(name), "\r\n", "\n"), "�")
		return s[:min(len(s), most)]
	}
	return &mappingData{
		Name: strings.TrimSpace(text("name", 100)), Program: text("program", mapping.MaxProgram+1), Sample: text("sample", maxForm),
		Topic: strings.TrimSpace(text("topic", 1024)), Device: strings.TrimSpace(text("device", 100)), Why: strings.TrimSpace(text("why", 500)),
	}
}

// try runs the program on the sample.
func (s *Site) try(d *mappingData) error {
	if strings.TrimSpace(d.Sample) == "" {
		return errors.New("paste a sample of what the device sends: a mapping goes live only after it was tried")
	}
	in := mapping.Input{Topic: d.Topic, Device: d.Device, Body: []byte(d.Sample), Received: s.clock.Now()}
	if in.Topic == "" {
		in.Topic = "json/" + d.Name
	}
	if in.Device == "" {
		in.Device = "some-device"
	}
	os, err := mapping.Try(d.Program, in)
	if err != nil {
		var at *mapping.Error
		if errors.As(err, &at) {
			return at
		}
		return fmt.Errorf("the sample was not understood: %s", strings.TrimPrefix(err.Error(), sense.ErrUnreadable.Error()+": "))
	}
	d.Tried = true
	for i, o := range os {
		said := saidData{Title: fmt.Sprintf("%d. %s", i+1, kindName(o.Kind))}
		said.Rows = append(said.Rows, row{"Device", o.Device}, row{"Event time", o.Time.In(s.zone).Format("2 Jan 2006 15:04:05 MST")})
		if o.DeviceTime == nil {
			said.Rows[1].Value += " (of arrival: the program yields no time)"
		}
		if o.Place != nil {
			said.Rows = append(said.Rows, row{"Place", o.Place.String()})
		}
		if o.Confidence > 0 {
			said.Rows = append(said.Rows, row{"Confidence", strconv.FormatFloat(o.Confidence, 'g', 3, 64)})
		}
		for _, detail := range []any{o.Reading, o.Count, o.Health, o.Detection, o.Gunshot} {
			said.Rows = append(said.Rows, fields(detail)...)
		}
		d.Said = append(d.Said, said)
	}
	return nil
}

func (s *Site) draftMapping(r *http.Request, d *mappingData) error {
	if _, err := mapping.Compile(d.Program); err != nil {
		return err
	}
	if err := s.recordMapping(r, d, "mapping.drafted", 0); err != nil {
		return err
	}
	_, err := s.Mappings.Draft(r.Context(), d.Name, d.Program, visitorOf(r).ID, d.Why)
	return err
}

// liveMapping tries a program once more and puts it to work: as the version that
// it is already, or as a new one.
func (s *Site) liveMapping(r *http.Request, d *mappingData) error {
	if err := s.try(d); err != nil {
		return err
	}
	if len(d.Said) == 0 {
		return errors.New("nothing came of the sample: try it on one that the program says something of")
	}
	version := 0
	if d.M != nil {
		for _, v := range d.M.Versions {
			if v.Program == d.Program {
				version = v.Number
			}
		}
	}
	if err := s.recordMapping(r, d, "mapping.live", version); err != nil {
		return err
	}
	if version == 0 {
		v, err := s.Mappings.Draft(r.Context(), d.Name, d.Program, visitorOf(r).ID, d.Why)
		if err != nil {
			return err
		}
		version = v.Number
	}
	return s.Mappings.Live(r.Context(), d.Name, version, visitorOf(r).ID, d.Why)
}

func (s *Site) recordMapping(r *http.Request, d *mappingData, what audit.Action, version int) error {
	detail := map[string]string{"mapping": d.Name, "version": "new"}
	if version > 0 {
		detail["version"] = strconv.Itoa(version)
	} else if what == "mapping.stopped" {
		delete(detail, "version")
	}
	if d.M != nil && d.M.Live > 0 {
		detail["live before"] = strconv.Itoa(d.M.Live)
	}
	return s.record(r.Context(), audit.Entry{Action: what, Object: "mapping/" + d.Name, Purpose: string(auth.Maintain), Why: d.Why, Detail: detail})
}

// markError shows the line of a program that is wrong, and where.
func markError(program string, at *mapping.Error) string {
	lines := strings.Split(program, "\n")
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	line := []rune(strings.ReplaceAll(lines[at.Line-1], "\t", " "))
	col := min(max(at.Column-1, 0), len(line))
	if from := max(0, col-60); from > 0 { // a long line is shown around the place
		line, col = line[from:], 60
	}
	return string(line[:min(len(line), 120)]) + "\n" + strings.Repeat(" ", col) + "^"
}
