package home

import (
	"math"
	"strings"
)

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
	t := &template{bytes: len(s)}
	if !p.template(t) || p.more() {
		return &template{opaque: true}
	}
	return t
}

// lexer takes a template apart. A token is a word, a text (with a quotation mark
// in front) or a sign.
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
	if !p.more() {
		return nil
	}
	switch p.next() {
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
				name, isConstant := p.constant()
				text, isText := name.(string)
				if !isConstant || !isText {
					return false
				}
				key = text
				if p.take(",") {
					c, ok := p.constant()
					if !ok {
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
