package cap

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Encode writes a message: UTF-8, in the order of the schema, times in UTC as
// "+00:00". Signatures and Flaws are not written.
//
// Errors: an *Error, which wraps ErrInvalid, for what Decode would not take.
func Encode(a *Alert) ([]byte, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	w := &writer{}
	w.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<alert xmlns="` + Namespace + `">` + "\n")
	w.depth = 1
	w.alert(a)
	w.b.WriteString("</alert>\n")
	if w.b.Len() > MaxMessage {
		return nil, documentError(0, "", "it would have %d bytes, at most %d are read", w.b.Len(), MaxMessage)
	}
	if _, err := Decode(w.b.Bytes()); err != nil {
		return nil, fmt.Errorf("what was written cannot be read: %w", err)
	}
	return w.b.Bytes(), nil
}

// writer writes elements, one a line.
type writer struct {
	b     bytes.Buffer
	depth int
}

func (w *writer) indent() {
	for range w.depth {
		w.b.WriteString("  ")
	}
}

// text writes an element, unless there is nothing in it.
func (w *writer) text(name, s string) {
	if s != "" {
		w.always(name, s)
	}
}

func (w *writer) always(name, s string) {
	w.indent()
	w.b.WriteString("<" + name + ">")
	_, _ = escape.WriteString(&w.b, clean(s)) // a buffer takes everything
	w.b.WriteString("</" + name + ">\n")
}

// escape leaves line ends as they are, for people who read messages.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// clean leaves only what XML can say. Line ends become one kind, so that what is
// read again, and signed, is what was written.
func clean(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "")
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}

func (w *writer) when(name string, t time.Time) {
	if !t.IsZero() {
		w.always(name, FormatTime(t))
	}
}

func (w *writer) group(name string, write func()) {
	w.indent()
	w.b.WriteString("<" + name + ">\n")
	w.depth++
	write()
	w.depth--
	w.indent()
	w.b.WriteString("</" + name + ">\n")
}

func (w *writer) pairs(name string, ps []Pair) {
	for _, p := range ps {
		w.group(name, func() {
			w.always("valueName", p.Name)
			w.always("value", p.Value)
		})
	}
}

func (w *writer) alert(a *Alert) {
	w.always("identifier", a.Identifier)
	w.always("sender", a.Sender)
	w.when("sent", a.Sent)
	w.always("status", string(a.Status))
	w.always("msgType", string(a.MsgType))
	w.text("source", a.Source)
	w.always("scope", string(a.Scope))
	w.text("restriction", a.Restriction)
	w.text("addresses", a.Addresses)
	for _, c := range a.Codes {
		w.always("code", c)
	}
	w.text("note", a.Note)
	refs := make([]string, len(a.References))
	for i, r := range a.References {
		refs[i] = r.String()
	}
	w.text("references", strings.Join(refs, " "))
	w.text("incidents", a.Incidents)
	for i := range a.Infos {
		w.group("info", func() { w.info(&a.Infos[i]) })
	}
}

func (w *writer) info(in *Info) {
	w.text("language", in.Language)
	for _, c := range in.Categories {
		w.always("category", string(c))
	}
	w.always("event", in.Event)
	for _, t := range in.ResponseTypes {
		w.always("responseType", string(t))
	}
	w.always("urgency", string(in.Urgency))
	w.always("severity", string(in.Severity))
	w.always("certainty", string(in.Certainty))
	w.text("audience", in.Audience)
	w.pairs("eventCode", in.EventCodes)
	w.when("effective", in.Effective)
	w.when("onset", in.Onset)
	w.when("expires", in.Expires)
	w.text("senderName", in.SenderName)
	w.text("headline", in.Headline)
	w.text("description", in.Description)
	w.text("instruction", in.Instruction)
	w.text("web", in.Web)
	w.text("contact", in.Contact)
	w.pairs("parameter", in.Parameters)
	for i := range in.Resources {
		w.group("resource", func() { w.resource(&in.Resources[i]) })
	}
	for i := range in.Areas {
		w.group("area", func() { w.area(&in.Areas[i]) })
	}
}

func (w *writer) resource(x *Resource) {
	w.always("resourceDesc", x.Desc)
	w.always("mimeType", x.MimeType)
	if x.Size > 0 {
		w.always("size", strconv.FormatInt(x.Size, 10))
	}
	w.text("uri", x.URI)
	w.text("derefUri", x.DerefURI)
	w.text("digest", x.Digest)
}

func (w *writer) area(x *Area) {
	w.always("areaDesc", x.Desc)
	for _, p := range x.Polygons {
		w.always("polygon", p.String())
	}
	for _, c := range x.Circles {
		w.always("circle", c.String())
	}
	w.pairs("geocode", x.Geocodes)
	if x.Altitude != nil {
		w.always("altitude", number(*x.Altitude))
	}
	if x.Ceiling != nil {
		w.always("ceiling", number(*x.Ceiling))
	}
}
