package zeek

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Reader reads the records of a log.
type Reader struct {
	lines *liner
	dec   *decoder
	line  int64
}

// Option sets how a Reader or a Follower reads.
type Option func(*options)

type options struct {
	name    string
	maxLine int
}

// Named gives the file's name, which is used in errors and, for a log that does
// not say its kind, to find it.
func Named(name string) Option { return func(o *options) { o.name = name } }

// MaxLine sets the longest line in bytes, DefaultMaxLine when it is not given.
func MaxLine(n int) Option { return func(o *options) { o.maxLine = n } }

// NewReader returns a Reader of src.
func NewReader(src io.Reader, opts ...Option) *Reader {
	var o options
	for _, set := range opts {
		set(&o)
	}
	return &Reader{lines: newLiner(src, o.maxLine), dec: newDecoder(o.name)}
}

// Read returns the next record, valid until the next call. It returns io.EOF at
// the end, a *LineError for a line that cannot be understood (reading can go on),
// and any other error of the underlying reader as it is.
func (r *Reader) Read() (*Record, error) {
	for {
		start := r.lines.offset
		line, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			line, err = r.lines.rest()
		}
		if err != nil && !errors.Is(err, ErrLineTooLong) {
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("reading zeek log after line %d: %w", r.line, err)
			}
			return nil, err
		}
		r.line++
		rec, err := r.dec.decode(line, err, r.line, start, r.lines.offset)
		if rec != nil || err != nil {
			return rec, err
		}
	}
}

// decoder turns lines into records; it remembers the newest header.
type decoder struct {
	name   string
	byName Kind
	head   *header
	rec    Record
	scan   scanner
}

func newDecoder(name string) *decoder {
	d := &decoder{name: name, head: newHeader()}
	if name != "" {
		d.byName = kindOfName(name)
	}
	d.rec.words = &intern{m: make(map[string]string)}
	return d
}

// decode returns nil, nil for a line that holds no record.
func (d *decoder) decode(line []byte, long error, number, offset, next int64) (*Record, error) {
	rec := &d.rec
	rec.Line, rec.Offset, rec.Next, rec.raw = number, offset, next, line
	err := long
	if err == nil {
		if number == 1 {
			line = start(line)
		}
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			return nil, nil
		case line[0] == '#':
			if err = d.head.apply(line); err == nil {
				return nil, nil
			}
		case line[0] == '{':
			err = d.json(line)
		case d.head.columns == 0 && (bytes.HasPrefix(line, []byte("ts\t")) || bytes.HasPrefix(line, []byte("ts|"))):
			if err = d.plainHeader(line); err == nil {
				return nil, nil
			}
		default:
			err = d.tsv(line)
		}
	}
	if err != nil {
		return nil, &LineError{Name: d.name, Line: number, Offset: offset, Raw: bytes.Clone(line), Err: err}
	}
	return rec, nil
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
func (d *decoder) plainHeader(line []byte) error {
	sep := string(line[2])
	if err := d.head.apply(fmt.Appendf(nil, "#separator \\x%02x", line[2])); err != nil {
		return err
	}
	return d.head.apply([]byte("#fields" + sep + string(line)))
}

func (d *decoder) tsv(line []byte) (err error) {
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

func (d *decoder) json(line []byte) error {
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
