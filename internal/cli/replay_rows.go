package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// unzipped returns the plain text of a file that may be compressed.
func unzipped(src io.Reader) (io.Reader, error) {
	b := bufio.NewReader(src)
	if head, err := b.Peek(2); err != nil || head[0] != 0x1f || head[1] != 0x8b {
		return b, nil
	}
	return gzip.NewReader(b)
}

// remembered is how many bytes behind the newest a source can be asked for: more
// than any reader reads ahead, and a line of the greatest length.
const remembered = 4 << 20

// rowSource is a file that is being read, and remembers its newest rows: a reader
// that cannot understand one says only which.
type rowSource struct {
	src    io.Reader
	frames bool // rows end with any line end, and empty ones do not count
	whole  bool // a document of which a row is all from its first line on
	most   int  // bytes to remember

	buf   []byte
	first int   // number of the first row in buf, from 1
	ends  []int // where each row in buf ends
}

func newRowSource(format string, src io.Reader) *rowSource {
	r := &rowSource{src: src, frames: format == "dc09", whole: format == "cap", most: remembered, first: 1}
	if r.whole {
		r.most = codec.MaxDocument + 1
	}
	return r
}

// Read implements io.Reader.
func (r *rowSource) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.remember(p[:n])
	return n, err
}

func (r *rowSource) remember(p []byte) {
	at := len(r.buf)
	r.buf = append(r.buf, p...)
	for i := at; i < len(r.buf); i++ {
		switch {
		case r.buf[i] == '\n' && !r.frames:
			r.ends = append(r.ends, i+1)
		case r.frames && (r.buf[i] == '\n' || r.buf[i] == '\r'):
			if len(bytes.Trim(r.buf[r.start(len(r.ends)):i], "\r\n")) > 0 {
				r.ends = append(r.ends, i+1)
			}
		}
	}
	if len(r.buf) > 2*r.most {
		r.forget()
	}
}

// forget lets go of the oldest rows; of a row that is longer than all that is
// remembered, its beginning.
func (r *rowSource) forget() {
	cut, rows := len(r.buf)-r.most, 0
	for rows < len(r.ends) && r.ends[rows] <= cut {
		rows++
	}
	r.buf = append([]byte(nil), r.buf[cut:]...)
	r.ends = append([]int(nil), r.ends[rows:]...)
	for i := range r.ends {
		r.ends[i] -= cut
	}
	r.first += rows
}

func (r *rowSource) start(i int) int {
	if i == 0 {
		return 0
	}
	return r.ends[i-1]
}

// row returns the bytes of a row, nil when they are not remembered.
func (r *rowSource) row(n int) []byte {
	i := n - r.first
	if i < 0 || i > len(r.ends) || r.whole && n < 1 {
		return nil
	}
	end := len(r.buf)
	if i < len(r.ends) && !r.whole {
		end = r.ends[i]
	}
	return bytes.Clone(bytes.Trim(r.buf[r.start(i):end], "\r\n"))
}

// unread returns the row that an error of the file's reader is about.
func (r *rowSource) unread(name string, err error) unread {
	u := unread{from: name, reason: reasonOf(err), err: err}
	text := strings.TrimPrefix(err.Error(), name+": ")
	n := 0
	for _, form := range []string{"line %d:", "frame %d:", "the message at line %d:"} {
		if got, _ := fmt.Sscanf(text, form, &n); got == 1 {
			u.from = fmt.Sprintf("%s:%d", name, n)
			break
		}
	}
	if r.whole {
		n = max(n, 1)
	}
	if n > 0 {
		u.bytes = r.row(n)
	}
	return u
}

// of returns the row that an observation came from, for one that cannot be
// accepted.
func (r *rowSource) of(name string, o *event.Observation) unread {
	u := unread{from: name, bytes: o.Raw}
	for i := range r.ends {
		if bytes.Equal(bytes.Trim(r.buf[r.start(i):r.ends[i]], "\r\n"), o.Raw) {
			u.from = fmt.Sprintf("%s:%d", name, r.first+i)
			break
		}
	}
	return u
}
