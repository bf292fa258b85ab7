package backup

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Dir is a backup's directory.
type Dir struct {
	path string
	now  func() time.Time
}

// At returns the backup at a path, which need not exist yet.
func At(path string, now func() time.Time) *Dir { return &Dir{path: path, now: now} }

// Added is what a run of Create added.
type Added struct {
	Segments int `json:"segments"`
	Records  int `json:"records"`
	Erased   int `json:"erased"` // records that went, see Dir.Apply
}

// Create adds to the backup what the log holds and the backup does not, and makes
// the backup where there is none. Whatever is interrupted, the index says what
// counts. progress, if not nil, is called with the stream under way.
//
// Errors: ErrInUse, ErrDamaged.
func (d *Dir) Create(ctx context.Context, log *bus.Log, progress func(stream string, records int)) (Added, error) {
	var added Added
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return added, fmt.Errorf("making the backup's directory: %w", err)
	}
	held, err := lock(d.path)
	if err != nil {
		return added, err
	}
	defer func() { _ = held.Close() }()
	x, err := ReadIndex(d.path)
	if errors.Is(err, ErrNoBackup) {
		x, err = &Index{Version: 1, Created: d.now().UTC(), Streams: map[string]Reach{}}, nil
	}
	if err != nil {
		return added, err
	}
	// The values first: they say how far stages have come, which must not be
	// farther than the copied streams.
	if err := d.copyValues(ctx, log, x); err != nil {
		return added, err
	}
	for _, s := range bus.Streams() {
		if s.Keyed {
			continue
		}
		c := copying{dir: d.path, stream: s, open: map[string]*segmentWriter{}}
		if progress != nil {
			c.progress = func(n int) { progress(s.Name, n) }
		}
		if err := c.run(ctx, log, x); err != nil {
			return added, fmt.Errorf("backing up stream %s: %w", s.Name, err)
		}
		added.Segments += len(c.made)
		added.Records += c.records
	}
	// What was erased since, and while we copied, goes. The whole ledger, since it
	// names records before they go, and we may have met them in between.
	x.Applied = 0
	added.Erased, err = d.follow(ctx, log, x)
	if err != nil {
		return added, err
	}
	x.Updated = d.now().UTC()
	return added, x.write(d.path)
}

// copying copies one stream.
type copying struct {
	dir      string
	stream   bus.Stream
	open     map[string]*segmentWriter // by class
	made     []Segment
	records  int
	progress func(records int)
}

func (c *copying) run(ctx context.Context, log *bus.Log, x *Index) error {
	reach := x.Streams[c.stream.Name]
	end, err := log.End(ctx, c.stream)
	if err != nil {
		return err
	}
	err = log.Each(ctx, c.stream, reach.Copied, func(r bus.Record) error {
		reach.Copied = r.Seq
		end = max(end, r.Frame())
		if r.Class == leftOut {
			return nil
		}
		c.records++
		if c.progress != nil {
			c.progress(c.records)
		}
		return c.add(r)
	})
	for _, w := range c.open {
		if err != nil {
			w.abandon()
		} else {
			err = c.finish(w)
		}
	}
	if err != nil {
		return err
	}
	reach.End = max(reach.End, end)
	x.Segments = append(x.Segments, c.made...)
	x.Streams[c.stream.Name] = reach
	return nil
}

func (c *copying) add(r bus.Record) error {
	w := c.open[r.Class]
	if w != nil && !w.span.Equal(r.Time.UTC().Truncate(period(r.Class))) {
		delete(c.open, r.Class)
		if err := c.finish(w); err != nil {
			return err
		}
		w = nil
	}
	if w == nil {
		var err error
		if w, err = newSegment(c.dir, c.stream, r); err != nil {
			return err
		}
		c.open[r.Class] = w
	}
	return w.add(r)
}

func (c *copying) finish(w *segmentWriter) error {
	seg, err := w.finish(c.dir)
	if err == nil {
		c.made = append(c.made, seg)
	}
	return err
}

// value is a line of a file of values.
type value struct {
	Key   string `json:"key"`
	Value string `json:"base64"`
}

// copyValues copies the keyed streams, whole each time.
func (d *Dir) copyValues(ctx context.Context, log *bus.Log, x *Index) error {
	x.Values = nil
	for _, s := range bus.Streams() {
		if !s.Keyed {
			continue
		}
		v := Values{Stream: s.Name, File: filepath.Join(s.Name, "values.jsonl.gz")}
		path := filepath.Join(d.path, v.File)
		err := replace(path, func(w io.Writer) error {
			zip := gzip.NewWriter(w)
			enc := json.NewEncoder(zip)
			err := log.EachValue(ctx, s, func(key string, data []byte) error {
				return enc.Encode(value{key, base64.StdEncoding.EncodeToString(data)})
			})
			return errors.Join(err, zip.Close())
		})
		if err == nil {
			v.Bytes, v.SHA256, err = checksum(path)
		}
		if err != nil {
			return fmt.Errorf("backing up stream %s: %w", s.Name, err)
		}
		x.Values = append(x.Values, v)
	}
	return nil
}
