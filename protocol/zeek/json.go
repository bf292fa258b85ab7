package zeek

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

const maxDepth = 32 // of nested JSON

// member is one name and value of a JSON object. The value is as written,
// strings with their quotes.
type member struct {
	name  []byte // unescaped
	value []byte
}

// scanner reads one JSON object into members without decoding its values.
// encoding/json would build a map and a value for every field of every row,
// which costs some ten times as much; the fuzz target holds the two equal.
type scanner struct {
	b   []byte
	i   int
	out []member
}

func (s *scanner) object(line []byte) error {
	s.b, s.i, s.out = line, 0, s.out[:0]
	s.space()
	if err := s.members(nil, 0); err != nil {
		return err
	}
	s.space()
	if s.i != len(s.b) {
		return s.fail("text after the object")
	}
	return nil
}

func (s *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrJSON, what, s.i+1)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) eat(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// members reads an object. A nested object's members are named with a dot,
// "id" and "orig_h" as "id.orig_h", as Zeek itself flattens them.
func (s *scanner) members(prefix []byte, depth int) error {
	if !s.eat('{') {
		return s.fail("no {")
	}
	if depth > maxDepth {
		return s.fail("nested too deep")
	}
	s.space()
	if s.eat('}') {
		return nil
	}
	for {
		s.space()
		name, err := s.name(prefix)
		if err != nil {
			return err
		}
		s.space()
		if !s.eat(':') {
			return s.fail("no : after a name")
		}
		s.space()
		if s.i < len(s.b) && s.b[s.i] == '{' {
			err = s.members(append(bytes.Clone(name), '.'), depth+1)
		} else {
			err = s.member(name, depth)
		}
		if err != nil {
			return err
		}
		s.space()
		if s.eat('}') {
			return nil
		}
		if !s.eat(',') {
			return s.fail("no , between members")
		}
	}
}

func (s *scanner) member(name []byte, depth int) error {
	from := s.i
	if err := s.value(depth); err != nil {
		return err
	}
	if len(s.out) == MaxFields {
		return s.fail("too many members")
	}
	s.out = append(s.out, member{name: name, value: s.b[from:s.i]})
	return nil
}

func (s *scanner) name(prefix []byte) ([]byte, error) {
	from := s.i
	if err := s.str(); err != nil {
		return nil, err
	}
	name := unquote(s.b[from:s.i])
	if prefix != nil {
		name = append(bytes.Clone(prefix), name...)
	}
	return name, nil
}

func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return s.fail("nested too deep")
	}
	if s.i == len(s.b) {
		return s.fail("no value")
	}
	switch c := s.b[s.i]; {
	case c == '"':
		return s.str()
	case c == '{':
		return s.skipObject(depth)
	case c == '[':
		return s.array(depth)
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return s.fail("no value")
	}
	s.i += len(w)
	return nil
}

// str skips a string.
func (s *scanner) str() error {
	if !s.eat('"') {
		return s.fail("no \"")
	}
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return nil
		case c < ' ':
			return s.fail("control character in a string")
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.fail("string has no end")
}

func (s *scanner) escape() error {
	if s.i == len(s.b) {
		return s.fail("string has no end")
	}
	c := s.b[s.i]
	s.i++
	if c != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0 {
			return s.fail("unknown escape")
		}
		return nil
	}
	for range 4 {
		if s.i == len(s.b) {
			return s.fail("string has no end")
		}
		if _, ok := hexDigit(s.b[s.i]); !ok {
			return s.fail("bad \\u escape")
		}
		s.i++
	}
	return nil
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

func (s *scanner) number() error {
	s.eat('-')
	if !s.eat('0') && !s.digits() {
		return s.fail("no value")
	}
	if s.eat('.') && !s.digits() {
		return s.fail("no digit after the point")
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		if !s.digits() {
			return s.fail("no digit in the exponent")
		}
	}
	return nil
}

func (s *scanner) array(depth int) error {
	s.i++
	s.space()
	if s.eat(']') {
		return nil
	}
	for {
		s.space()
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		if s.eat(']') {
			return nil
		}
		if !s.eat(',') {
			return s.fail("no , in an array")
		}
	}
}

// skipObject skips an object inside an array.
func (s *scanner) skipObject(depth int) error {
	s.i++
	s.space()
	if s.eat('}') {
		return nil
	}
	for {
		s.space()
		if err := s.str(); err != nil {
			return err
		}
		s.space()
		if !s.eat(':') {
			return s.fail("no : after a name")
		}
		s.space()
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		if s.eat('}') {
			return nil
		}
		if !s.eat(',') {
			return s.fail("no , between members")
		}
	}
}

// unquote decodes a scanned string, without allocation when it has no escape.
func unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var out string
	if err := json.Unmarshal(quoted, &out); err != nil {
		return inner // the scanner admits no string that encoding/json refuses
	}
	return []byte(out)
}
