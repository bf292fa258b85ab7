package cap

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Decode reads one message. It keeps nothing of data.
//
// Errors: an *Error, which wraps ErrInvalid and lists what is wrong, with lines.
func Decode(data []byte) (*Alert, error) {
	root, signatures, err := readTree(data)
	if err != nil {
		return nil, err
	}
	p := &problems{lines: map[string]int{"": root.line}}
	switch {
	case root.name.Local != "alert":
		return nil, documentError(root.line, "", "the document is a <%.60s>, not an <alert>", root.name.Local)
	case root.name.Space != Namespace:
		return nil, documentError(root.line, "", "its namespace is %s: only CAP 1.2 is read, %s", excerpt(root.name.Space), Namespace)
	}
	a := &Alert{Signatures: signatures}
	r := reader{problems: p, n: root}
	r.alert(a)
	p.check(a)
	slices.SortStableFunc(p.list, func(x, y Problem) int { return cmp.Compare(x.Line, y.Line) })
	a.Flaws, err = p.split()
	if err != nil {
		return nil, err
	}
	return a, nil
}

// reader reads the children of one element in the order of the schema.
type reader struct {
	*problems
	n    *node
	path string
	next int // child that follows the newest one that was used
	used map[*node]bool
}

func (r *reader) at(name string) string {
	if r.path == "" {
		return name
	}
	return r.path + "/" + name
}

// all returns the children of a name. Those that stand before one that the schema
// has before them are a flaw.
func (r *reader) all(name string) []*node {
	if r.used == nil {
		r.used = map[*node]bool{}
	}
	var out []*node
	for i, k := range r.n.kids {
		if k.name.Local != name || k.name.Space != Namespace {
			continue
		}
		path := r.at(name)
		if len(out) > 0 || multiple[name] {
			path = fmt.Sprintf("%s[%d]", path, len(out)+1)
		}
		r.lines[path] = k.line
		if i < r.next {
			r.flaw(path, "it is not where the schema wants it")
		} else {
			r.next = i + 1
		}
		r.used[k] = true
		out = append(out, k)
	}
	return out
}

// multiple are the elements of which there may be several.
var multiple = map[string]bool{
	"code": true, "info": true, "category": true, "responseType": true, "eventCode": true, "parameter": true,
	"resource": true, "area": true, "polygon": true, "circle": true, "geocode": true,
}

// one returns the text of an element of which there is at most one.
func (r *reader) one(name string) string {
	found := r.all(name)
	if len(found) == 0 {
		return ""
	}
	if len(found) > 1 {
		r.wrong(r.at(name)+"[2]", "there may be only one <%s>", name)
	}
	return r.text(found[0], r.at(name))
}

// must is one of an element that has to be there and say something.
func (r *reader) must(name string) string {
	s := r.one(name)
	r.demand(name, s)
	return s
}

// demand notes that an element is missing, or says nothing.
func (r *reader) demand(name, s string) {
	if strings.TrimSpace(s) != "" {
		return
	}
	if _, ok := r.lines[r.at(name)]; !ok {
		r.lines[r.at(name)] = r.n.line
	}
	r.wrong(r.at(name), "it is missing or empty, and must be there")
}

// text returns an element's text, which has no elements within.
func (r *reader) text(n *node, path string) string {
	if len(n.kids) > 0 {
		r.flaw(path, "it has elements within its text, which are left out")
	}
	return n.text.String()
}

// many returns the texts of all elements of a name.
func (r *reader) many(name string) []string {
	var out []string
	for i, n := range r.all(name) {
		out = append(out, r.text(n, fmt.Sprintf("%s[%d]", r.at(name), i+1)))
	}
	return out
}

// code is one for a code value. The schema knows no white space around it.
func (r *reader) code(name string, required bool) string {
	s := r.one(name)
	if required {
		r.demand(name, s)
	}
	return r.trimmed(r.at(name), s)
}

func (r *reader) trimmed(path, s string) string {
	t := strings.TrimSpace(s)
	if t != s && t != "" {
		r.flaw(path, "there is white space around %s", excerpt(t))
	}
	return t
}

// when is one for a time.
func (r *reader) when(name string, required bool) time.Time {
	s := r.one(name)
	if required {
		r.demand(name, s)
	}
	if strings.TrimSpace(s) == "" {
		if _, ok := r.lines[r.at(name)]; ok && !required {
			r.flaw(r.at(name), "it is empty: leave it out")
		}
		return time.Time{}
	}
	t, flaw, err := parseTime(s)
	if err != nil {
		r.wrong(r.at(name), "%s", cause(err))
	}
	if flaw != "" {
		r.flaw(r.at(name), "%s", flaw)
	}
	return t
}

// cause is an error's text without its class.
func cause(err error) string { return strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ") }

// rest notes what the schema does not know.
func (r *reader) rest() {
	for _, k := range r.n.kids {
		if r.used[k] {
			continue
		}
		path := r.at(fmt.Sprintf("%.60s", k.name.Local))
		r.lines[path] = k.line
		r.flaw(path, "the standard knows no such element here: it is left out")
	}
	if strings.TrimSpace(r.n.text.String()) != "" {
		r.flaw(r.path, "there is text between its elements, which is left out")
	}
}

func (r *reader) alert(a *Alert) {
	a.Identifier = r.code("identifier", true)
	a.Sender = r.code("sender", true)
	a.Sent = r.when("sent", true)
	a.Status = Status(r.code("status", true))
	a.MsgType = MsgType(r.code("msgType", true))
	a.Source = r.one("source")
	a.Scope = Scope(r.code("scope", true))
	a.Restriction = r.one("restriction")
	a.Addresses = r.one("addresses")
	a.Codes = r.many("code")
	a.Note = r.one("note")
	a.References = r.references()
	a.Incidents = r.one("incidents")
	for i, n := range r.all("info") {
		if i == MaxInfos {
			r.wrong(fmt.Sprintf("info[%d]", i+1), "there are more than %d infos", MaxInfos)
			break
		}
		in := reader{problems: r.problems, n: n, path: fmt.Sprintf("info[%d]", i+1)}
		a.Infos = append(a.Infos, in.info())
	}
	r.rest()
}

func (r *reader) references() []Reference {
	fields := strings.Fields(r.one("references"))
	if len(fields) > MaxRefs {
		r.wrong("references", "there are %d, at most %d are read", len(fields), MaxRefs)
		return nil
	}
	var out []Reference
	for _, f := range fields {
		ref, flaw, err := parseReference(f)
		if err != nil {
			r.wrong("references", "%s", cause(err))
			continue
		}
		if flaw != "" {
			r.flaw("references", "%s", flaw)
		}
		out = append(out, ref)
	}
	return out
}

func (r *reader) info() (in Info) {
	in.Language = r.code("language", false)
	for i, s := range r.many("category") {
		in.Categories = append(in.Categories, Category(r.trimmed(fmt.Sprintf("%s[%d]", r.at("category"), i+1), s)))
	}
	in.Event = r.must("event")
	for i, s := range r.many("responseType") {
		in.ResponseTypes = append(in.ResponseTypes, ResponseType(r.trimmed(fmt.Sprintf("%s[%d]", r.at("responseType"), i+1), s)))
	}
	in.Urgency = Urgency(r.code("urgency", true))
	in.Severity = Severity(r.code("severity", true))
	in.Certainty = Certainty(r.code("certainty", true))
	in.Audience = r.one("audience")
	in.EventCodes = r.pairs("eventCode")
	in.Effective = r.when("effective", false)
	in.Onset = r.when("onset", false)
	in.Expires = r.when("expires", false)
	in.SenderName = r.one("senderName")
	in.Headline = r.one("headline")
	in.Description = r.one("description")
	in.Instruction = r.one("instruction")
	in.Web = strings.TrimSpace(r.one("web"))
	in.Contact = r.one("contact")
	in.Parameters = r.pairs("parameter")
	for i, n := range r.all("resource") {
		x := reader{problems: r.problems, n: n, path: fmt.Sprintf("%s[%d]", r.at("resource"), i+1)}
		in.Resources = append(in.Resources, x.resource())
	}
	for i, n := range r.all("area") {
		if i == MaxAreas {
			r.wrong(fmt.Sprintf("%s[%d]", r.at("area"), i+1), "there are more than %d areas", MaxAreas)
			break
		}
		x := reader{problems: r.problems, n: n, path: fmt.Sprintf("%s[%d]", r.at("area"), i+1)}
		in.Areas = append(in.Areas, x.area())
	}
	r.rest()
	return in
}

func (r *reader) pairs(name string) []Pair {
	var out []Pair
	for i, n := range r.all(name) {
		x := reader{problems: r.problems, n: n, path: fmt.Sprintf("%s[%d]", r.at(name), i+1)}
		out = append(out, Pair{Name: x.must("valueName"), Value: x.one("value")})
		if _, ok := x.lines[x.at("value")]; !ok {
			x.wrong(x.path, "it has no <value>")
		}
		x.rest()
	}
	return out
}

func (r *reader) resource() (x Resource) {
	x.Desc, x.MimeType = r.must("resourceDesc"), r.must("mimeType")
	if s := strings.TrimSpace(r.one("size")); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			r.flaw(r.at("size"), "%s is no number of bytes: it is left out", excerpt(s))
			n = 0
		}
		x.Size = n
	}
	x.URI, x.DerefURI, x.Digest = strings.TrimSpace(r.one("uri")), r.one("derefUri"), r.one("digest")
	r.rest()
	return x
}

func (r *reader) area() (x Area) {
	x.Desc = r.must("areaDesc")
	for i, s := range r.many("polygon") {
		path := fmt.Sprintf("%s[%d]", r.at("polygon"), i+1)
		p, err := ParsePolygon(s)
		if err != nil {
			r.wrong(path, "%s", cause(err))
			continue
		}
		x.Polygons = append(x.Polygons, p)
	}
	for i, s := range r.many("circle") {
		c, err := ParseCircle(s)
		if err != nil {
			r.wrong(fmt.Sprintf("%s[%d]", r.at("circle"), i+1), "%s", cause(err))
			continue
		}
		x.Circles = append(x.Circles, c)
	}
	x.Geocodes = r.pairs("geocode")
	x.Altitude, x.Ceiling = r.feet("altitude"), r.feet("ceiling")
	r.rest()
	return x
}

func (r *reader) feet(name string) *float64 {
	s := strings.TrimSpace(r.one(name))
	if s == "" {
		return nil
	}
	v, err := parseNumber(s)
	if err != nil {
		r.flaw(r.at(name), "%s is no number of feet: it is left out", excerpt(s))
		return nil
	}
	return &v
}
