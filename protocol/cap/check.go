package cap

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Check reports what is wrong with a message, its flaws apart: what Decode and
// Encode find of the values.
//
// Errors: an *Error, which wraps ErrInvalid.
func (a *Alert) Check() error {
	p := &problems{}
	p.present(a)
	p.check(a)
	_, err := p.split()
	return err
}

// languageForm is that of RFC 3066, as xs:language has it.
var languageForm = regexp.MustCompile(`^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$`)

// check notes what is wrong with values that are there.
func (p *problems) check(a *Alert) {
	for _, x := range []Pair{{"identifier", a.Identifier}, {"sender", a.Sender}} {
		if x.Value != "" && badName(x.Value) {
			p.wrong(x.Name, "%s must be without spaces, commas, < and &", excerpt(x.Value))
		}
	}
	oneOf(p, "status", a.Status, Statuses())
	oneOf(p, "msgType", a.MsgType, MsgTypes())
	oneOf(p, "scope", a.Scope, Scopes())
	switch {
	case a.Scope == Restricted && strings.TrimSpace(a.Restriction) == "":
		p.flaw("restriction", "the scope is Restricted: say who may see it")
	case a.Scope == Private && strings.TrimSpace(a.Addresses) == "":
		p.flaw("addresses", "the scope is Private: say for whom it is")
	}
	if len(a.References) == 0 {
		switch a.MsgType {
		case MsgCancel, MsgAck, MsgError:
			p.wrong("references", "a message of the type %s must name the messages that it is about", a.MsgType)
		case MsgUpdate:
			p.flaw("references", "an Update must name the messages that it updates: it counts as a new one")
		}
	}
	for i := range a.References {
		if a.References[i].Same(a.ID()) {
			p.wrong("references", "it refers to itself")
		}
	}
	for i := range a.Infos {
		p.info(fmt.Sprintf("info[%d]", i+1), &a.Infos[i], a.Sent)
	}
}

func (p *problems) info(path string, in *Info, sent time.Time) {
	if in.Language != "" && !languageForm.MatchString(in.Language) {
		p.flaw(path+"/language", "%s is no language tag such as en-GB", excerpt(in.Language))
	}
	if len(in.Categories) == 0 {
		p.wrong(path+"/category", "at least one must be there")
	}
	for i, c := range in.Categories {
		if c == "" {
			p.wrong(fmt.Sprintf("%s/category[%d]", path, i+1), "it is empty")
		}
		oneOf(p, fmt.Sprintf("%s/category[%d]", path, i+1), c, Categories())
	}
	for i, c := range in.ResponseTypes {
		if c == "" {
			p.wrong(fmt.Sprintf("%s/responseType[%d]", path, i+1), "it is empty")
		}
		oneOf(p, fmt.Sprintf("%s/responseType[%d]", path, i+1), c, ResponseTypes())
	}
	oneOf(p, path+"/urgency", in.Urgency, Urgencies())
	oneOf(p, path+"/severity", in.Severity, Severities())
	oneOf(p, path+"/certainty", in.Certainty, Certainties())
	if !in.Expires.IsZero() && in.Expires.Before(sent) {
		p.flaw(path+"/expires", "it had expired before it was sent")
	}
	for i := range in.Areas {
		p.area(fmt.Sprintf("%s/area[%d]", path, i+1), &in.Areas[i])
	}
}

func (p *problems) area(path string, x *Area) {
	for i, poly := range x.Polygons {
		if err := poly.check(); err != nil {
			p.wrong(fmt.Sprintf("%s/polygon[%d]", path, i+1), "%s", cause(err))
		}
	}
	for i, c := range x.Circles {
		if err := c.check(); err != nil {
			p.wrong(fmt.Sprintf("%s/circle[%d]", path, i+1), "%s", cause(err))
		}
	}
	if x.Ceiling != nil && x.Altitude == nil {
		p.flaw(path+"/ceiling", "a ceiling needs an altitude")
	}
}

// oneOf notes a code value that the standard does not have; one that is empty is
// noted as missing elsewhere.
func oneOf[T ~string](p *problems, path string, v T, all []T) {
	if v == "" || slices.Contains(all, v) {
		return
	}
	words := make([]string, len(all))
	for i, x := range all {
		words[i] = string(x)
	}
	p.wrong(path, "%s is none of %s", excerpt(string(v)), strings.Join(words, ", "))
}

// present notes what has to be there, for messages that were not read.
func (p *problems) present(a *Alert) {
	p.lines = map[string]int{}
	need := func(path, s string) {
		if strings.TrimSpace(s) == "" {
			p.wrong(path, "it is missing or empty, and must be there")
		}
	}
	need("identifier", a.Identifier)
	need("sender", a.Sender)
	if y := a.Sent.Year(); a.Sent.IsZero() || y < 1 || y > 9999 {
		p.wrong("sent", "it must be a time of the years 1 to 9999")
	}
	need("status", string(a.Status))
	need("msgType", string(a.MsgType))
	need("scope", string(a.Scope))
	for i := range a.Infos {
		in, path := &a.Infos[i], fmt.Sprintf("info[%d]", i+1)
		need(path+"/event", in.Event)
		need(path+"/urgency", string(in.Urgency))
		need(path+"/severity", string(in.Severity))
		need(path+"/certainty", string(in.Certainty))
		for j := range in.Areas {
			need(fmt.Sprintf("%s/area[%d]/areaDesc", path, j+1), in.Areas[j].Desc)
		}
		for j := range in.Resources {
			need(fmt.Sprintf("%s/resource[%d]/resourceDesc", path, j+1), in.Resources[j].Desc)
			need(fmt.Sprintf("%s/resource[%d]/mimeType", path, j+1), in.Resources[j].MimeType)
		}
		for j, x := range slices.Concat(in.EventCodes, in.Parameters) {
			need(fmt.Sprintf("%s/pair[%d]/valueName", path, j+1), x.Name)
		}
	}
}
