package eve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Errors of a line; a LineError wraps them.
var (
	ErrJSON    = errors.New("line is not one JSON object")
	ErrValue   = errors.New("value does not fit its field")
	ErrNoEvent = errors.New("object is no event: it has no timestamp or no event_type")
)

// cursor moves along JSON. It decodes nothing by itself, and remembers the first
// fault; from then on every step says that there is nothing more.
type cursor struct {
	b     []byte
	i     int
	depth int
	steps int
	err   error
}

func (c *cursor) fail(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s at byte %d", ErrJSON, what, c.i+1)
		c.i = len(c.b)
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (c *cursor) peek() byte {
	for c.i < len(c.b) {
		switch b := c.b[c.i]; b {
		case ' ', '\t', '\r', '\n':
			c.i++
		default:
			return b
		}
	}
	return 0
}

// open enters a list or an object whose bracket is next, and reports whether
// there is a first element.
func (c *cursor) open(bracket byte) bool {
	if c.peek() != bracket {
		c.fail("another kind of value than expected")
		return false
	}
	c.i++
	if c.depth++; c.depth > maxDepth {
		c.fail("nested too deep")
		return false
	}
	if c.peek() == bracket+2 { // [ and ], { and } are two apart
		c.i++
		c.depth--
		return false
	}
	return c.err == nil
}

// more goes on to the next element of what was opened, or leaves it.
func (c *cursor) more(bracket byte) bool {
	switch c.peek() {
	case ',':
		c.i++
		if c.steps++; c.steps > maxList {
			c.fail("too many values")
		}
		return c.err == nil
	case bracket + 2:
		c.i++
		c.depth--
		return false
	}
	c.fail("no , or end")
	return false
}

// key reads a member's name and the colon. A name with escapes, of which none is
// ours, is returned as it is written.
func (c *cursor) key() []byte {
	c.peek()
	from := c.i
	c.str()
	if c.err != nil {
		return nil
	}
	name := c.b[from+1 : c.i-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = unquote(c.b[from:c.i])
	}
	if c.peek() != ':' {
		c.fail("no : after a name")
		return nil
	}
	c.i++
	return name
}

// value passes over the next value, and returns it as it is written.
func (c *cursor) value() []byte {
	b := c.peek()
	from := c.i
	switch b {
	case '"':
		c.str()
	case '{':
		for ok := c.open('{'); ok; ok = c.more('{') {
			c.key()
			c.value()
		}
	case '[':
		for ok := c.open('['); ok; ok = c.more('[') {
			c.value()
		}
	case 't':
		c.word("true")
	case 'f':
		c.word("false")
	case 'n':
		c.word("null")
	default:
		c.number()
	}
	if c.err != nil {
		return nil
	}
	return c.b[from:c.i]
}

func (c *cursor) word(w string) {
	if !bytes.HasPrefix(c.b[c.i:], []byte(w)) {
		c.fail("no value")
		return
	}
	c.i += len(w)
}

// str passes over a string.
func (c *cursor) str() {
	if c.i == len(c.b) || c.b[c.i] != '"' {
		c.fail("no \"")
		return
	}
	for i := c.i + 1; i < len(c.b); i++ {
		switch b := c.b[i]; {
		case b == '"':
			c.i = i + 1
			return
		case b < ' ':
			c.i = i
			c.fail("control character in a string")
			return
		case b == '\\':
			n := escape(c.b[i:])
			if n == 0 {
				c.i = i
				c.fail("bad escape")
				return
			}
			i += n - 1
		}
	}
	c.fail("string has no end")
}

// escape returns the length of the escape that b begins with, 0 for none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), b[1]) < 0 {
			return 0
		}
		return 2
	}
	if len(b) < 6 {
		return 0
	}
	for _, h := range b[2:6] {
		if h-'0' > 9 && h|0x20-'a' > 5 {
			return 0
		}
	}
	return 6
}

func (c *cursor) digits() bool {
	from := c.i
	for c.i < len(c.b) && c.b[c.i]-'0' <= 9 {
		c.i++
	}
	return c.i > from
}

func (c *cursor) eat(b byte) bool {
	if c.i < len(c.b) && c.b[c.i] == b {
		c.i++
		return true
	}
	return false
}

func (c *cursor) number() {
	c.eat('-')
	if !c.eat('0') && !c.digits() {
		c.fail("no value")
		return
	}
	if c.eat('.') && !c.digits() {
		c.fail("no digit after the point")
		return
	}
	if c.eat('e') || c.eat('E') {
		if !c.eat('+') {
			c.eat('-')
		}
		if !c.digits() {
			c.fail("no digit in the exponent")
		}
	}
}

// unquote decodes a string that str has passed over, without allocation when
// there is nothing to decode.
func unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var out string
	if err := json.Unmarshal(quoted, &out); err != nil {
		return inner // str admits no string that encoding/json refuses
	}
	return []byte(out)
}
