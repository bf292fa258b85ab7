package edge

import (
	"io"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Lines is readLines for tests: how many lines a post has.
func Lines(src io.Reader, encoding string) (int, error) {
	lines, err := readLines(src, encoding)
	return len(lines), err
}

// Confirmed is the position that the centre has confirmed.
func (f *Forwarder) Confirmed(s bus.Stream) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sure[s.Name]
}
