package zeek

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

// Decoder turns lines into records, wherever the lines come from. It remembers
// the newest header, until a line numbered 1 begins another text.
//
// It is not for use by several goroutines.
type Decoder struct {
	name   string
	byName Kind
	head   *header
	rec    Record
	scan   scanner
}

// NewDecoder returns a Decoder. The name is used in errors and, for a log that
// does not say its kind, to find it; it may be empty.
func NewDecoder(name string) *Decoder {
	d := &Decoder{name: name, head: newHeader()}
	if name != "" {
		d.byName = kindOfName(name)
	}
	d.rec.words = &intern{m: make(map[string]string)}
	return d
}

// Header returns the header lines in force, for one who will read on later.
func (d *Decoder) Header() string { return d.head.text() }

// SetHeader takes up what Header returned.
//
// Errors: ErrHeader.
func (d *Decoder) SetHeader(text string) error {
	head := newHeader()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(line, "#") {
			return fmt.Errorf("the saved header is not one: %w", ErrHeader)
		}
		if err := head.apply([]byte(line)); err != nil {
			return fmt.Errorf("the saved header is not one: %w", err)
		}
	}
	d.head = head
	return nil
}

// Decode returns the record on a line, valid until the next call; nil and no
// error for a line that holds none, such as one of a header; a *LineError when it
// cannot be understood.
func (d *Decoder) Decode(l *tail.Line) (*Record, error) { return d.decode(l, nil) }

// decode is Decode for a line that may be too long.
func (d *Decoder) decode(l *tail.Line, long error) (*Record, error) {
	rec, line := &d.rec, l.Text
	rec.Line, rec.Offset, rec.Next, rec.raw = l.Number, l.Offset, l.Next, line
	if l.Number == 1 {
		d.head = newHeader()
		line = start(line)
	}
	err := long
	if err == nil {
		var has bool
		if has, err = d.read(line); err == nil && !has {
			return nil, nil
		}
	}
	if err != nil {
		return nil, d.bad(l, err)
	}
	return rec, nil
}

// read reads a line into the record, and reports whether it holds one.
func (d *Decoder) read(line []byte) (bool, error) {
	switch {
	case len(bytes.TrimSpace(line)) == 0:
		return false, nil
	case line[0] == '#':
		return false, d.head.apply(line)
	case line[0] == '{':
		return true, d.json(line)
	case d.head.columns == 0 && (bytes.HasPrefix(line, []byte("ts\t")) || bytes.HasPrefix(line, []byte("ts|"))):
		return false, d.plainHeader(line)
	}
	return true, d.tsv(line)
}

// start skips what copying may put before a file's first # or {: a byte order
// mark, white space.
func start(line []byte) []byte {
	bare := bytes.TrimLeft(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), " \t")
	if len(bare) > 0 && (bare[0] == '#' || bare[0] == '{') {
		return bare
	}
	return line
}

// plainHeader takes a line of names without a #, as Zeek's plain "tsv" mode
// writes it and, with | between the columns, some published data sets.
func (d *Decoder) plainHeader(line []byte) error {
	sep := string(line[2])
	if err := d.head.apply(fmt.Appendf(nil, "#separator \\x%02x", line[2])); err != nil {
		return err
	}
	return d.head.apply([]byte("#fields" + sep + string(line)))
}

func (d *Decoder) tsv(line []byte) (err error) {
	rec := &d.rec
	rec.Format, rec.head = TSV, d.head
	if rec.cells, err = d.head.split(line, rec.cells); err != nil {
		return err
	}
	rec.kind = d.head.path
	if rec.kind == "" {
		rec.kind = d.byName
	}
	if rec.kind == "" {
		rec.kind = d.head.shaped
	}
	return nil
}

func (d *Decoder) json(line []byte) error {
	rec := &d.rec
	rec.Format = JSON
	if err := d.scan.object(line); err != nil {
		return err
	}
	rec.json = d.scan.out
	rec.kind = d.byName
	for _, m := range rec.json {
		if string(m.name) == "_path" {
			rec.kind = rec.words.get(rec.text(m.value))
		}
	}
	if rec.kind == "" {
		rec.kind = kindOfFields(func(name string) bool {
			for _, m := range rec.json {
				if string(m.name) == name {
					return true
				}
			}
			return false
		})
	}
	return nil
}
