package home

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// template is a value template of Home Assistant, of which this much is
// understood: one expression in {{ }}, which is value, value_json with .key,
// ['key'], [0] and .get('key'), a text or a number, each with the filters float,
// int, round, lower, upper, trim, string, bool, is_defined, default(x) and
// replace(a, b); and "a if b else c", where b may compare with ==, !=, <, >, <=,
// >= and may begin with not. All else is opaque.
type template struct {
	bytes          int // of its text
	opaque         bool
	then, or, cond *operand // only then where there is no if
	right          *operand
	op             string
	not            bool
}

// Bounds of a template.
const (
	maxTemplate = 1024 // bytes
	maxTokens   = 120
)

// operand is a value with filters.
type operand struct {
	value    bool // the payload as text
	json     bool // the payload as JSON, then path
	path     []any
	constant any
	filters  []filter
}

type filter struct {
	name string
	args []any
}

// size is roughly how many bytes the template takes: every word of it may be a
// step of a path, or a filter.
func (t *template) size() int {
	if t == nil {
		return 0
	}
	return 300 + 20*t.bytes
}

// undefined is what a path leads to where there is nothing.
type undefined struct{}

// payload is a message's payload, whose JSON is read once, when it is asked for.
type payload struct {
	raw   []byte
	v     any
	tried bool
}

func (p *payload) json() any {
	if !p.tried {
		p.tried = true
		v, err := decode(p.raw)
		if err != nil {
			v = undefined{}
		}
		p.v = v
	}
	return p.v
}

// render returns what the template makes of a payload; not ok where that is
// nothing. An opaque template gives the payload as it is.
func (t *template) render(p *payload) (string, bool) {
	if t == nil || t.opaque {
		return string(p.raw), true
	}
	o := t.then
	if t.cond != nil && t.holds(p) == t.not {
		o = t.or
	}
	v := o.eval(p)
	if _, none := v.(undefined); none || v == nil {
		return "", false
	}
	switch v.(type) {
	case map[string]any, []any:
		return "", false
	}
	return word(v), true
}

func (t *template) holds(p *payload) bool {
	l := t.cond.eval(p)
	if t.op == "" {
		return truthy(l)
	}
	r := t.right.eval(p)
	lf, lok := number(l)
	rf, rok := number(r)
	equal := word(l) == word(r)
	if lok && rok {
		equal = lf == rf
	}
	switch t.op {
	case "==":
		return equal
	case "!=":
		return !equal
	case "<":
		return lok && rok && lf < rf
	case ">":
		return lok && rok && lf > rf
	case "<=":
		return lok && rok && lf <= rf
	default:
		return lok && rok && lf >= rf
	}
}

// truthy is Jinja's idea of truth.
func truthy(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	case json.Number:
		f, ok := number(v)
		return ok && f != 0
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

func (o *operand) eval(p *payload) any {
	v := o.constant
	switch {
	case o.value:
		v = string(p.raw)
	case o.json:
		v = walk(p.json(), o.path)
	}
	for i := range o.filters {
		v = o.filters[i].apply(v)
	}
	return v
}

func walk(v any, path []any) any {
	for _, step := range path {
		var ok bool
		switch step := step.(type) {
		case string:
			o, _ := v.(map[string]any)
			v, ok = o[step]
		case int:
			l, _ := v.([]any)
			if step < 0 {
				step += len(l)
			}
			if ok = step >= 0 && step < len(l); ok {
				v = l[step]
			}
		}
		if !ok {
			return undefined{}
		}
	}
	return v
}

func (f *filter) apply(v any) any {
	if _, none := v.(undefined); none {
		switch {
		case f.name == "default" || f.name == "d":
			return f.args[0]
		case (f.name == "float" || f.name == "int") && len(f.args) > 0:
			return f.args[0]
		}
		return v
	}
	switch f.name {
	case "lower":
		return strings.ToLower(word(v))
	case "upper":
		return strings.ToUpper(word(v))
	case "trim":
		return strings.TrimSpace(word(v))
	case "string":
		return word(v)
	case "bool":
		if b, ok := truth(v); ok {
			return b
		}
	case "replace":
		return replace(word(v), word(f.args[0]), word(f.args[1]))
	case "float", "int", "round":
		return f.number(v)
	}
	return v
}

// replace is bounded: what a template replaces must not make a text that grows.
func replace(s, from, to string) string {
	if from == "" || len(s) > maxTemplate {
		return s
	}
	return clean(strings.ReplaceAll(s, from, to), maxTemplate)
}

func (f *filter) number(v any) any {
	x, ok := number(v)
	if b, is := v.(bool); is {
		ok = true
		if b {
			x = 1
		}
	}
	switch {
	case !ok && f.name != "round" && len(f.args) > 0:
		return f.args[0]
	case !ok:
		return undefined{}
	case f.name == "int":
		return math.Trunc(x)
	case f.name == "round":
		digits := 0.0
		if len(f.args) > 0 {
			digits, _ = number(f.args[0])
		}
		text := strconv.FormatFloat(x, 'f', int(math.Max(0, math.Min(digits, 10))), 64)
		x, _ = strconv.ParseFloat(text, 64)
	}
	return x
}
