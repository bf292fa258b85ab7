package backup

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// maxLine bounds a line that is read, in bytes.
const maxLine = bus.MaxMessage/3*4 + 1024

// left out of backups: it expires before a backup is of use.
const leftOut = string(event.RetainHour)

// period returns the time that one segment of a class spans. A segment goes when
// the last of it has expired.
func period(class string) time.Duration {
	if class == string(event.RetainDay) {
		return time.Hour
	}
	return 24 * time.Hour
}

// segmentWriter writes one segment.
type segmentWriter struct {
	seg  Segment
	span time.Time // start of the period
	file *os.File
	buf  *bufio.Writer
	zip  *gzip.Writer
	line []byte
}

// newSegment begins the segment that a record is the first of.
func newSegment(dir string, s bus.Stream, r bus.Record) (*segmentWriter, error) {
	span := r.Time.UTC().Truncate(period(r.Class))
	folder, layout := r.Class, "2006-01-02"
	if folder == "" {
		folder = "kept"
	}
	if period(r.Class) < 24*time.Hour {
		layout = "2006-01-02T15"
	}
	name := filepath.Join(s.Name, folder, fmt.Sprintf("%s-%d.jsonl.gz", span.Format(layout), r.Seq))
	w := &segmentWriter{span: span, seg: Segment{File: name, Stream: s.Name, Class: r.Class}}
	err := w.open(filepath.Join(dir, name))
	return w, err
}

func (w *segmentWriter) open(path string) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		w.file, err = os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing a segment: %w", err)
	}
	w.buf = bufio.NewWriterSize(w.file, 1<<16)
	w.zip = gzip.NewWriter(w.buf)
	return nil
}

func (w *segmentWriter) add(r bus.Record) error {
	s := &w.seg
	if s.Records == 0 {
		s.First, s.Oldest, s.Newest = r.Seq, r.Time.UTC(), r.Time.UTC()
	}
	s.Last = r.Seq
	s.Records++
	if r.Time.Before(s.Oldest) {
		s.Oldest = r.Time.UTC()
	}
	if r.Time.After(s.Newest) {
		s.Newest = r.Time.UTC()
	}
	w.line = appendLine(w.line[:0], r)
	if _, err := w.zip.Write(w.line); err != nil {
		return fmt.Errorf("writing segment %s: %w", s.File, err)
	}
	return nil
}

// finish puts the segment in place.
func (w *segmentWriter) finish(dir string) (Segment, error) {
	err := errors.Join(w.zip.Close(), w.buf.Flush(), w.file.Sync(), w.file.Close())
	path := filepath.Join(dir, w.seg.File)
	if err == nil {
		w.seg.Bytes, w.seg.SHA256, err = checksum(path + ".new")
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return w.seg, fmt.Errorf("writing segment %s: %w", w.seg.File, err)
	}
	return w.seg, nil
}

// abandon removes what was written.
func (w *segmentWriter) abandon() {
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

// records reads a segment. An error ends it.
func (s Segment) records(dir string) iter.Seq2[bus.Record, error] {
	return func(yield func(bus.Record, error) bool) {
		var last uint64
		for line, err := range lines(filepath.Join(dir, s.File)) {
			var r bus.Record
			if err == nil {
				r, err = parseLine(line)
			}
			if err == nil && r.Seq <= last {
				err = fmt.Errorf("position %d comes after %d", r.Seq, last)
			}
			if err != nil {
				yield(r, fmt.Errorf("%w: %s: %w", ErrDamaged, s.File, err))
				return
			}
			last, r.Class = r.Seq, s.Class
			if !yield(r, nil) {
				return
			}
		}
	}
}

// lines reads the lines of a compressed file.
func lines(path string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }()
		var zip io.Reader
		if zip, err = gzip.NewReader(bufio.NewReader(f)); err != nil {
			yield(nil, err)
			return
		}
		scan := bufio.NewScanner(zip)
		scan.Buffer(make([]byte, 0, 1<<16), maxLine)
		for scan.Scan() {
			if !yield(scan.Bytes(), nil) {
				return
			}
		}
		if err := scan.Err(); err != nil {
			yield(nil, err)
		}
	}
}
