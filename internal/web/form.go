package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const maxForm = 256 << 10 // bytes of a request's body

// form is a form of simple fields, rendered by the part "form".
type form struct {
	Action  string
	Submit  string
	Danger  bool   // the button's colour
	Confirm string // asked before it is sent
	Problem string // why it was not taken
	Hidden  map[string]string
	Fields  []field
}

// field is one field of a form, rendered by the part "field".
type field struct {
	Name, Label, Hint string
	Type              string // text (when empty), password, email, number, textarea, select, radio, checkboxes
	Value             string
	Values            []string // checkboxes
	Options           []option
	Error             string
	Required          bool
	Autocomplete      string
	Max               int // characters
	Rows              int
}

// option is a choice of a select, radio or checkboxes field.
type option struct {
	Value, Label, Hint string
}

// ID is the element's id.
func (f field) ID() string { return "f-" + f.Name }

// Has reports whether a choice is chosen.
func (f field) Has(value string) bool {
	for _, v := range f.Values {
		if v == value {
			return true
		}
	}
	return f.Value == value && f.Value != ""
}

// Describes lists the ids of the elements that explain the field.
func (f field) Describes() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID()+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

// take fills a form's fields with what was sent, checks what every field asks
// for, and reports whether all is well.
func (f *form) take(v url.Values) bool {
	ok := true
	for i := range f.Fields {
		x := &f.Fields[i]
		if x.Type == "checkboxes" {
			x.Values = v[x.Name]
		} else {
			x.Value = strings.TrimSpace(v.Get(x.Name))
			if x.Type == "password" {
				x.Value = v.Get(x.Name)
			}
		}
		switch {
		case !utf8.ValidString(x.Value):
			x.Error = "This text has broken characters."
		case x.Required && x.Value == "" && len(x.Values) == 0:
			x.Error = missing(x)
		case x.Max > 0 && utf8.RuneCountInString(x.Value) > x.Max:
			x.Error = fmt.Sprintf("Use at most %d characters.", x.Max)
		}
		ok = ok && x.Error == ""
	}
	if !ok {
		f.Problem = "Something is missing or wrong: see below."
	}
	return ok
}

func missing(x *field) string {
	switch x.Type {
	case "select", "radio", "checkboxes":
		return "Choose one."
	}
	return "Fill this in."
}

// value returns what was sent for a field.
func (f *form) value(name string) string {
	for _, x := range f.Fields {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// wrong marks a field as wrong.
func (f *form) wrong(name, why string) {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			f.Fields[i].Error = why
		}
	}
	f.Problem = "Something is missing or wrong: see below."
}

// forget empties the secrets before a form is shown again.
func (f *form) forget() {
	for i := range f.Fields {
		if f.Fields[i].Type == "password" {
			f.Fields[i].Value = ""
		}
	}
}

// sent parses the form of a POST.
func (s *Site) sent(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, badRequest("The form could not be read: it is too large or broken.", err))
		return nil, false
	}
	return r.PostForm, true
}
