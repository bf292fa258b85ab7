package zeek

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// combined separates the columns that some published label files write into one
// tab-separated column: "tunnel_parents   label   detailed-label".
const combined = "   "

// header is what the # lines of a TSV log say; rows are read by the newest.
type header struct {
	sep      []byte
	setSep   []byte
	empty    []byte
	unset    []byte
	path     string
	fields   []string
	types    []string
	columns  int            // tab-separated columns of a row
	parts    []uint8        // per column: how many fields it holds, nil when always one
	index    map[string]int // field name to place
	slots    []slot         // what each field is to the typed rows
	said     [7]string      // the newest line of each directive that rows depend on
	shaped   Kind           // what the fields look like
	open     string
	closed   string
	hasTypes bool
}

func newHeader() *header {
	return &header{sep: []byte{'\t'}, setSep: []byte{','}, empty: []byte("(empty)"), unset: []byte{'-'}}
}

// directives are those that rows depend on, in the order Zeek writes them.
var directives = [7]string{"separator", "set_separator", "empty_field", "unset_field", "path", "fields", "types"}

// apply takes one # line. A line it does not know is a comment.
func (h *header) apply(line []byte) (err error) {
	name, value, ok := h.directive(line)
	if !ok {
		return nil
	}
	if i := slices.Index(directives[:], name); i >= 0 {
		defer func() {
			if err == nil {
				h.said[i] = string(line)
			}
		}()
	}
	switch name {
	case "separator":
		sep, err := unescapeStrict(strings.TrimLeft(value, " \t"))
		if err != nil || len(sep) == 0 || len(sep) > 16 || bytes.ContainsAny(sep, "\r\n") {
			return fmt.Errorf("%w: #separator %q", ErrHeader, value)
		}
		// A separator opens a new header; nothing of the one before holds.
		*h = *newHeader()
		h.sep = sep
	case "set_separator":
		if value == "" {
			return fmt.Errorf("%w: empty #set_separator", ErrHeader)
		}
		h.setSep = []byte(value)
	case "empty_field":
		h.empty = []byte(value)
	case "unset_field":
		h.unset = []byte(value)
	case "path":
		h.path = value
	case "open":
		h.open = value
	case "close":
		h.closed = value
	case "fields":
		return h.setFields(value)
	case "types":
		return h.setTypes(value)
	}
	return nil
}

// directive splits "#name<separator>value". Only #separator itself is always
// followed by a space.
func (h *header) directive(line []byte) (name, value string, ok bool) {
	s := string(line[1:])
	if rest, found := strings.CutPrefix(s, "separator"); found {
		return "separator", rest, true
	}
	name, value, ok = strings.Cut(s, string(h.sep))
	if ok {
		return name, value, true
	}
	return strings.Cut(s, " ")
}

func (h *header) setFields(value string) error {
	cols := strings.Split(value, string(h.sep))
	if len(cols) > MaxFields {
		return fmt.Errorf("%w: %d columns, at most %d", ErrHeader, len(cols), MaxFields)
	}
	h.columns, h.parts, h.fields = len(cols), nil, h.fields[:0]
	h.index = make(map[string]int, len(cols))
	h.types, h.hasTypes = nil, false
	for i, c := range cols {
		names := strings.Split(c, combined)
		if len(names) > 1 && h.parts == nil {
			h.parts = make([]uint8, len(cols))
		}
		if len(names) > 16 {
			return fmt.Errorf("%w: column %d joins %d fields", ErrHeader, i+1, len(names))
		}
		if h.parts != nil {
			h.parts[i] = uint8(len(names))
		}
		for _, n := range names {
			n = canonical(strings.TrimSpace(n))
			if _, twice := h.index[n]; !twice {
				h.index[n] = len(h.fields)
			}
			h.fields = append(h.fields, n)
		}
	}
	h.compile()
	return nil
}

func (h *header) setTypes(value string) error {
	var types []string
	for c := range strings.SplitSeq(value, string(h.sep)) {
		for t := range strings.SplitSeq(c, combined) {
			types = append(types, strings.TrimSpace(t))
		}
		if len(types) > MaxFields {
			return fmt.Errorf("%w: more than %d types", ErrHeader, MaxFields)
		}
	}
	if len(types) != len(h.fields) {
		return fmt.Errorf("%w: %d types for %d fields", ErrHeader, len(types), len(h.fields))
	}
	h.types, h.hasTypes = types, true
	return nil
}

// compile finds once per header what each field is to the typed rows, so that a
// row costs no look-up by name.
func (h *header) compile() {
	h.slots = make([]slot, len(h.fields))
	for i, f := range h.fields {
		if h.index[f] == i {
			h.slots[i] = slotOf([]byte(f))
		}
	}
	h.shaped = kindOfFields(func(name string) bool { _, ok := h.index[name]; return ok })
}

// text returns the header lines in force, for one who will read on later.
func (h *header) text() string {
	var b strings.Builder
	for _, line := range h.said {
		if line != "" {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// canonical gives the one name under which the spellings of the label columns
// are known.
func canonical(field string) string {
	switch field {
	case "detailed-label", "detailed_label", "detailedLabel":
		return "detailedlabel"
	}
	return field
}

// split cuts a row into its fields.
func (h *header) split(row []byte, out [][]byte) ([][]byte, error) {
	out = out[:0]
	if h.columns == 0 {
		return out, ErrNoHeader
	}
	for col := 0; ; col++ {
		if col == h.columns {
			return out, fmt.Errorf("%w: more than %d", ErrColumns, h.columns)
		}
		var cell []byte
		i := indexSep(row, h.sep)
		if i < 0 {
			cell = row
		} else {
			cell, row = row[:i], row[i+len(h.sep):]
		}
		var err error
		if out, err = h.place(cell, col, out); err != nil {
			return out, err
		}
		if i < 0 {
			if col+1 != h.columns {
				return out, fmt.Errorf("%w: %d instead of %d", ErrColumns, col+1, h.columns)
			}
			return out, nil
		}
	}
}

// place appends a column's field, or its several when columns were joined.
func (h *header) place(cell []byte, col int, out [][]byte) ([][]byte, error) {
	if h.parts == nil || h.parts[col] < 2 {
		return append(out, cell), nil
	}
	for n := int(h.parts[col]); n > 1; n-- {
		head, tail, ok := bytes.Cut(cell, []byte(combined))
		if !ok {
			return out, fmt.Errorf("%w: column %d joins fewer fields than its header", ErrColumns, col+1)
		}
		out, cell = append(out, bytes.TrimSpace(head)), tail
	}
	return append(out, bytes.TrimSpace(cell)), nil
}

func indexSep(b, sep []byte) int {
	if len(sep) == 1 {
		return bytes.IndexByte(b, sep[0])
	}
	return bytes.Index(b, sep)
}
