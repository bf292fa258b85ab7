package edge

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Bounds of a post. On a link so poor that posts fail they become smaller.
const (
	mostBytes  = 1 << 20 // of records, unpacked; one that is larger goes alone
	leastBytes = 8 << 10
	// quarantineLines keeps a post of quarantine entries, which the centre takes
	// slowly, within its timeouts.
	quarantineLines = quarantinePace
)

// packer makes posts. It belongs to one goroutine.
type packer struct {
	zip   *gzip.Writer
	text  []byte
	most  int // bytes of a post now
	lines int // of a post
}

func newPacker(path string) *packer {
	// Any level is valid that the package names.
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	p := &packer{zip: zip, most: mostBytes, lines: maxLines}
	if path == pathQuarantine {
		p.lines = quarantineLines
	}
	return p
}

// pack makes a post of what is first of the records, and returns it, how many of
// them it covers and how many are in it.
func (p *packer) pack(records []bus.Record, left func(bus.Record) bool) (body []byte, n, lines int, err error) {
	var out bytes.Buffer
	p.zip.Reset(&out)
	for size := 0; n < len(records) && lines < p.lines; n++ {
		rec := records[n]
		if lines > 0 && size+len(rec.Data) > p.most {
			break
		}
		if left(rec) {
			continue
		}
		size += len(rec.Data)
		lines++
		p.text = append(strconv.AppendUint(append(p.text[:0], `{"position":`...), rec.Seq, 10), `,"record":`...)
		p.text = append(append(p.text, rec.Data...), "}\n"...)
		if _, err := p.zip.Write(p.text); err != nil {
			return nil, 0, 0, fmt.Errorf("packing record %d: %w", rec.Seq, err)
		}
	}
	if err := p.zip.Close(); err != nil {
		return nil, 0, 0, fmt.Errorf("packing a post: %w", err)
	}
	return out.Bytes(), n, lines, nil
}

// way is what one stream's carrying goes by until the link fails.
type way struct {
	f      *Forwarder
	path   string
	name   string
	stream bus.Stream
	p      *packer
	before *repeats
	at     uint64 // confirmed
}

// left reports whether a record is left out.
func (w *way) left(rec bus.Record) bool {
	id, ok := travels(rec.Data)
	if !ok {
		return true
	}
	if w.before.again(id) {
		w.f.again.WithLabelValues(w.stream.Name).Inc()
		return true
	}
	return false
}

// send posts records in order.
func (w *way) send(ctx context.Context, records []bus.Record) error {
	for len(records) > 0 {
		w.behind(ctx, records[0].Time)
		body, n, lines, err := w.p.pack(records, w.left)
		if err != nil {
			return err
		}
		if lines > 0 {
			if err := w.post(ctx, body); err != nil {
				w.p.most = max(leastBytes, w.p.most/2)
				return err
			}
			w.p.most = min(mostBytes, 2*w.p.most)
		}
		records = records[n:]
	}
	w.behind(ctx, time.Time{})
	return nil
}

func (w *way) post(ctx context.Context, body []byte) error {
	req, err := w.f.centre.request(ctx, http.MethodPost, w.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set(headerAfter, strconv.FormatUint(w.at, 10))
	c, err := w.f.centre.do(req, w.name)
	if err != nil {
		return err
	}
	w.at = c.Position
	w.f.confirm(w.name, w.stream, w.at)
	return nil
}

// behind notes how much waits, the oldest of it since a time.
func (w *way) behind(ctx context.Context, oldest time.Time) {
	n, err := w.f.log.Behind(ctx, w.stream, w.at)
	if err != nil {
		return
	}
	w.f.waiting.WithLabelValues(w.stream.Name).Set(float64(n))
	if w.stream.Name == bus.Observations.Name {
		w.f.centre.state.behind(n, oldest)
	}
}
