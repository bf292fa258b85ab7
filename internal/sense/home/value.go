package home

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// Bounds of what is read and kept of a message.
const (
	maxDepth  = 16   // nested objects and lists of JSON
	maxFields = 2000 // fields of an object that are looked at
	maxText   = 200  // bytes of a name
	maxWord   = 64   // bytes of a state
	maxTopic  = 512  // bytes of a topic that is learnt
)

// object reads a payload that must be a JSON object.
//
// Errors: sense.ErrUnreadable.
func object(payload []byte) (map[string]any, error) {
	v, err := decode(payload)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: expected a JSON object, got %s", sense.ErrUnreadable, what(v))
	}
	if len(o) > maxFields {
		return nil, fmt.Errorf("%w: the object has %d fields, at most %d", sense.ErrUnreadable, len(o), maxFields)
	}
	return o, nil
}

var errDepth = fmt.Errorf("%w: JSON nested deeper than %d", sense.ErrUnreadable, maxDepth)

// decode reads JSON; numbers stay text until somebody wants them.
//
// Errors: sense.ErrUnreadable.
func decode(payload []byte) (any, error) {
	if tooDeep(payload) {
		return nil, errDepth
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, fmt.Errorf("%w: expected JSON: %w", sense.ErrUnreadable, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: expected one JSON value, and more follows it", sense.ErrUnreadable)
	}
	return v, nil
}

// tooDeep reports whether brackets outside strings nest beyond the bound.
func tooDeep(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// what names the kind of a JSON value, for error messages.
func what(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case json.Number:
		return fmt.Sprintf("the number %.40s", v)
	default:
		return fmt.Sprint(v)
	}
}

// sort names the kind of a JSON value without what it says.
func sort(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	}
	return what(v)
}

// number returns a finite number, given as one or as text.
func number(v any) (float64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	if text == "" || len(text) > 40 || strings.ContainsAny(text, "xXpP_") { // Go's own forms
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// percent returns a number from 0 to 100.
func percent(v any) (float64, bool) {
	f, ok := number(v)
	return f, ok && f >= 0 && f <= 100
}

// text returns a string of the object, bounded; "" where there is none.
func text(o map[string]any, key string, bound int) string {
	switch v := o[key].(type) {
	case string:
		return clean(v, bound)
	case json.Number:
		return clean(v.String(), bound)
	case bool:
		return word(v)
	}
	return ""
}

// word says a JSON value as Home Assistant's templates do.
func word(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// clean returns text without control characters, valid, of at most so many bytes.
func clean(s string, bound int) string {
	if len(s) > bound*2 {
		s = s[:bound*2]
	}
	ok := len(s) <= bound
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= ' ' && s[i] < 0x7f
	}
	if ok {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	for len(s) > bound {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

// keys returns an object's keys in order, so that what is said has a fixed order.
func keys(o map[string]any) []string { return slices.Sorted(maps.Keys(o)) }
