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

// parseTemplate reads a template; nil for none, which stands for {{ value }}.
func parseTemplate(s string) *template {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	inner, ok := strings.CutPrefix(s, "{{")
	inner, end := strings.CutSuffix(inner, "}}")
	inner = strings.Trim(inner, "-") // white space control
	p := lexer{}
	if !ok || !end || len(s) > maxTemplate || strings.Contains(inner, "{{") || !p.split(inner) {
		return &template{opaque: true}
	}
	t := &template{}
	if !p.template(t) || p.more() {
		return &template{opaque: true}
	}
	return t
}

// token is a word, a text ('"' in front) or a sign.
type lexer struct {
	tokens []string
	at     int
}

// split makes tokens, and reports whether it could.
func (p *lexer) split(s string) bool {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		n := 1
		switch c := s[0]; {
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[1:], c)
			if end < 0 || strings.Contains(s[1:1+end], `\`) {
				return false
			}
			p.tokens = append(p.tokens, `"`+s[1:1+end])
			s = s[end+2:]
			n = 0
		case isWord(c):
			for n < len(s) && (isWord(s[n]) || s[n] == '.' && isDigit(c) && n+1 < len(s) && isDigit(s[n+1])) {
				n++
			}
		case len(s) > 1 && s[1] == '=' && strings.IndexByte("=!<>", c) >= 0:
			n = 2
		case strings.IndexByte(".|()[],<>-", c) < 0:
			return false
		}
		if n > 0 {
			p.tokens = append(p.tokens, s[:n])
			s = s[n:]
		}
		if len(p.tokens) > maxTokens {
			return false
		}
	}
	return true
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c)
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *lexer) more() bool { return p.at < len(p.tokens) }

func (p *lexer) next() string {
	if !p.more() {
		return ""
	}
	p.at++
	return p.tokens[p.at-1]
}

func (p *lexer) take(t string) bool {
	if p.more() && p.tokens[p.at] == t {
		p.at++
		return true
	}
	return false
}

func (p *lexer) template(t *template) bool {
	if t.then = p.operand(); t.then == nil {
		return false
	}
	if !p.take("if") {
		return true
	}
	t.not = p.take("not")
	if t.cond = p.operand(); t.cond == nil {
		return false
	}
	for _, op := range [...]string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.take(op) {
			if t.op, t.right = op, p.operand(); t.right == nil {
				return false
			}
			break
		}
	}
	if !p.take("else") {
		return false
	}
	t.or = p.operand()
	return t.or != nil
}

// operand reads a value and its filters; nil where there is none.
func (p *lexer) operand() *operand {
	o := &operand{}
	switch t := p.next(); t {
	case "value":
		o.value = true
	case "value_json":
		o.json = true
		if !p.path(o) {
			return nil
		}
	default:
		p.at--
		c, ok := p.constant()
		if !ok {
			return nil
		}
		o.constant = c
	}
	for p.take("|") {
		f := filter{name: p.next()}
		if p.take("(") {
			for !p.take(")") {
				c, ok := p.constant()
				if !ok {
					return nil
				}
				f.args = append(f.args, c)
				p.take(",")
			}
		}
		if !f.known() {
			return nil
		}
		o.filters = append(o.filters, f)
	}
	return o
}

func (p *lexer) constant() (any, bool) {
	if !p.more() {
		return nil, false
	}
	sign := ""
	if p.take("-") {
		sign = "-"
	}
	t := p.next()
	switch {
	case strings.HasPrefix(t, `"`) && sign == "":
		return t[1:], true
	case t == "true" || t == "True":
		return true, sign == ""
	case t == "false" || t == "False":
		return false, sign == ""
	case t == "none" || t == "None":
		return nil, sign == ""
	}
	f, ok := number(sign + t)
	return f, ok
}

func (p *lexer) path(o *operand) bool {
	for {
		switch {
		case p.take("."):
			key := p.next()
			if key == "get" && p.take("(") {
				c, ok := p.constant()
				if key, ok = c.(string); !ok {
					return false
				}
				if p.take(",") {
					if c, ok = p.constant(); !ok {
						return false
					}
					o.filters = append(o.filters, filter{"default", []any{c}})
				}
				if !p.take(")") {
					return false
				}
			}
			if key == "" || !strings.HasPrefix(key, `"`) && key != "" && !isWord(key[0]) && len(key) < 2 {
				return false
			}
			o.path = append(o.path, key)
		case p.take("["):
			c, ok := p.constant()
			if !ok || !p.take("]") {
				return false
			}
			switch c := c.(type) {
			case string:
				o.path = append(o.path, c)
			case float64:
				o.path = append(o.path, int(math.Max(-1, math.Min(c, 1e6))))
			default:
				return false
			}
		default:
			return true
		}
	}
}

func (f *filter) known() bool {
	switch f.name {
	case "float", "int", "round", "lower", "upper", "trim", "string", "bool", "is_defined":
		return true
	case "default", "d":
		return len(f.args) >= 1
	case "replace":
		return len(f.args) == 2
	}
	return false
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
