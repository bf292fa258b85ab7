package zeek

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"time"
)

// Format is how a record was written.
type Format uint8

// Formats.
const (
	TSV Format = iota + 1
	JSON
)

// String names the format.
func (f Format) String() string {
	switch f {
	case TSV:
		return "tsv"
	case JSON:
		return "json"
	}
	return "unknown"
}

// Record is one row of a log. It and all the bytes it hands out are valid until
// the next read; strings and typed rows are copies and stay valid.
type Record struct {
	Line   int64  // from 1; in a follower, within the file
	Offset int64  // of the line's first byte
	Next   int64  // of the byte after the line's end
	Format Format // of this line

	raw   []byte
	kind  Kind
	head  *header
	cells [][]byte
	json  []member
	words *intern
}

// Raw returns the line as it was read, without its end.
func (r *Record) Raw() []byte { return r.raw }

// Path returns the log's kind: from #path, from the row's own _path, from the
// file's name, or else from the fields that it has; "" when none of them tells.
func (r *Record) Path() Kind { return r.kind }

// Fields iterates over the names and raw values of the fields, unset ones too,
// in the order of the log.
func (r *Record) Fields() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if r.Format == TSV {
			for i, name := range r.head.fields {
				if !yield(name, r.cells[i]) {
					return
				}
			}
			return
		}
		for _, m := range r.json {
			if !yield(canonical(string(m.name)), m.value) {
				return
			}
		}
	}
}

// Type returns the Zeek type that the header declares for the field ("addr",
// "set[string]"); "" when there is none.
func (r *Record) Type(name string) string {
	if r.Format != TSV || !r.head.hasTypes {
		return ""
	}
	if i, ok := r.head.index[canonical(name)]; ok {
		return r.head.types[i]
	}
	return ""
}

// lookup finds a set field's value as written.
func (r *Record) lookup(name string) ([]byte, bool) {
	if r.Format == TSV {
		i, ok := r.head.index[name]
		if !ok {
			i, ok = r.head.index[canonical(name)]
		}
		if !ok || bytes.Equal(r.cells[i], r.head.unset) {
			return nil, false
		}
		return r.cells[i], true
	}
	for _, m := range r.json {
		if string(m.name) == name || canonical(string(m.name)) == name {
			return m.value, string(m.value) != "null"
		}
	}
	return nil, false
}

// Bytes returns a field's text, unescaped. ok is false when the field is unset
// or the log has no such field.
func (r *Record) Bytes(name string) (text []byte, ok bool) {
	v, ok := r.lookup(name)
	if !ok {
		return nil, false
	}
	return r.text(v), true
}

// text gives the plain text of a value as written.
func (r *Record) text(v []byte) []byte {
	if r.Format == JSON {
		if len(v) > 1 && v[0] == '"' {
			return unescape(unquote(v))
		}
		return v
	}
	if bytes.Equal(v, r.head.empty) {
		return nil
	}
	return unescape(v)
}

// String returns a field's text, or "" when it is unset.
func (r *Record) String(name string) string {
	b, _ := r.Bytes(name)
	return string(b)
}

// Strings returns the elements of a set or vector; nil when it is empty or unset.
func (r *Record) Strings(name string) ([]string, error) {
	v, ok := r.lookup(name)
	if !ok {
		return nil, nil
	}
	return r.elements(name, v)
}

// elements cuts a set or vector, as it is written, into its elements.
func (r *Record) elements(name string, v []byte) ([]string, error) {
	if r.Format == JSON {
		return jsonStrings(name, v)
	}
	if bytes.Equal(v, r.head.empty) {
		return nil, nil
	}
	var out []string
	for e := range bytes.SplitSeq(v, r.head.setSep) {
		out = append(out, string(unescape(e)))
	}
	return out, nil
}

func jsonStrings(name string, v []byte) ([]string, error) {
	if len(v) == 0 || v[0] != '[' {
		return nil, fieldError(name, v, "a list")
	}
	var elems []json.RawMessage
	if err := json.Unmarshal(v, &elems); err != nil {
		return nil, fieldError(name, v, "a list")
	}
	var out []string
	for _, e := range elems {
		if e[0] == '"' {
			e = unquote(e)
		}
		out = append(out, string(unescape(e)))
	}
	return out, nil
}

// The typed getters below return ok false for an unset or absent field, and an
// error wrapping ErrValue for one that does not fit.

// Addr returns an address.
func (r *Record) Addr(name string) (a netip.Addr, ok bool, err error) {
	v, ok := r.Bytes(name)
	if !ok {
		return a, false, nil
	}
	if a, ok = parseAddr(v); !ok {
		return a, false, fieldError(name, v, "an address")
	}
	return a, true, nil
}

// Uint returns a count or a port.
func (r *Record) Uint(name string) (n uint64, ok bool, err error) {
	v, ok := r.Bytes(name)
	if !ok {
		return 0, false, nil
	}
	if n, ok = parseUint(v); !ok {
		return 0, false, fieldError(name, v, "a count")
	}
	return n, true, nil
}

// Float returns a double.
func (r *Record) Float(name string) (f float64, ok bool, err error) {
	v, ok := r.Bytes(name)
	if !ok {
		return 0, false, nil
	}
	if f, err = strconv.ParseFloat(string(v), 64); err != nil {
		return 0, false, fieldError(name, v, "a number")
	}
	return f, true, nil
}

// Bool returns a bool.
func (r *Record) Bool(name string) (b, ok bool, err error) {
	v, ok := r.Bytes(name)
	if !ok {
		return false, false, nil
	}
	t := parseBool(v)
	if t == Unknown {
		return false, false, fieldError(name, v, "a truth value")
	}
	return t == True, true, nil
}

// Time returns a time in UTC, to the digits that are written.
func (r *Record) Time(name string) (t time.Time, ok bool, err error) {
	v, ok := r.Bytes(name)
	if !ok {
		return t, false, nil
	}
	if t, ok = parseTime(v); !ok {
		return t, false, fieldError(name, v, "a time")
	}
	return t, true, nil
}

// Interval returns a span of time.
func (r *Record) Interval(name string) (d time.Duration, ok bool, err error) {
	v, ok := r.Bytes(name)
	if !ok {
		return 0, false, nil
	}
	if d, ok = parseInterval(v); !ok {
		return 0, false, fieldError(name, v, "a duration in seconds")
	}
	return d, true, nil
}

func fieldError(name string, v []byte, want string) error {
	if len(v) > 64 {
		v = v[:64]
	}
	return fmt.Errorf("%w: %s is %q, want %s", ErrValue, name, v, want)
}
