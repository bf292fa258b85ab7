package tail

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"time"
)

// DefaultPoll is how often a Follower looks for more when it has read all.
const DefaultPoll = time.Second

const (
	markBytes  = 1024   // of a file's beginning, by which truncation is noticed
	maxSibling = 10_000 // directory entries searched for a rotated file
)

// ErrGap says that the file at which a Follower stopped is gone, so lines may be
// missing. The Follower goes on with the file that is there now.
var ErrGap = errors.New("the file read before is gone: lines may have been missed")

// Position says how far a Follower has read. It has a JSON form; hand it back in
// Follow to go on after the last line.
type Position struct {
	Inode  uint64 `json:"inode,omitempty"` // 0 where the system has none
	Offset int64  `json:"offset"`          // of the first byte not yet read
	Line   int64  `json:"line"`            // lines read
	// Mark is a checksum over the file's first MarkLen bytes. A file that was
	// emptied and written again has another, even when it has grown longer.
	Mark    uint64 `json:"mark,omitempty"`
	MarkLen int    `json:"mark_len,omitempty"`
}

// Options sets how a Follower reads. The zero value of a field means its default.
type Options struct {
	Poll    time.Duration // how long it waits before it looks again (DefaultPoll)
	MaxLine int           // longest line in bytes (DefaultMaxLine)
}

// Follower reads a log that is being written, through rotation (the file is
// renamed and made anew), truncation and copy-and-truncate. A last line without
// its end is held back until the end comes, or until the file has been rotated.
//
// It is not for use by several goroutines.
type Follower struct {
	path string
	poll time.Duration
	max  int

	file   *os.File
	seen   io.LimitedReader // file, up to the size at the last look
	lines  *Scanner
	base   int64 // of the Scanner's offset 0 in the file
	first  int64 // lines before those of the Scanner
	at     int64 // after the last whole line, in the file
	line   int64
	inode  uint64
	mark   uint64
	marked int
	ended  bool // the file was renamed away and no more will come
	resume *Position
}

// Follow returns a Follower of the file at path, which need not exist yet. A nil
// from starts at the beginning.
func Follow(path string, from *Position, o Options) *Follower {
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	f := &Follower{path: path, poll: o.Poll, max: o.MaxLine}
	if from != nil {
		p := *from
		f.resume = &p
	}
	return f
}

// Position returns the place after the last line that Next gave.
func (f *Follower) Position() Position {
	if f.file == nil {
		if f.resume != nil {
			return *f.resume
		}
		return Position{}
	}
	return Position{Inode: f.inode, Offset: f.at, Line: f.line, Mark: f.mark, MarkLen: f.marked}
}

// Close closes the file that is open, if any.
func (f *Follower) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// Next returns the next line, valid until the next call, and waits for one when
// there is none yet. It returns ctx's error when ctx ends, ErrLineTooLong with the
// beginning of an over-long line, an error wrapping ErrGap once when a rotated
// file could not be found again, and the system's errors. After each of them Next
// may be called again.
func (f *Follower) Next(ctx context.Context) (Line, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Line{}, err
		}
		if f.file == nil {
			opened, err := f.open()
			if err != nil {
				return Line{}, err
			}
			if !opened {
				if err := f.wait(ctx); err != nil {
					return Line{}, err
				}
				continue
			}
		}
		line, err := f.read()
		if !errors.Is(err, io.EOF) {
			return line, err
		}
		more, err := f.more()
		if err != nil {
			return Line{}, err
		}
		if !more {
			if err := f.wait(ctx); err != nil {
				return Line{}, err
			}
		}
	}
}

func (f *Follower) wait(ctx context.Context) error {
	t := time.NewTimer(f.poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// read returns the next line of the open file, io.EOF when no whole one is left.
func (f *Follower) read() (Line, error) {
	l, err := f.lines.Next()
	if errors.Is(err, io.EOF) && f.ended {
		l, err = f.lines.Rest()
	}
	switch {
	case errors.Is(err, io.EOF):
		return Line{}, io.EOF
	case err != nil && !errors.Is(err, ErrLineTooLong):
		return Line{}, fmt.Errorf("following %s: %w", f.path, err)
	}
	l.Number, l.Offset, l.Next = f.first+l.Number, f.base+l.Offset, f.base+l.Next
	f.line, f.at = l.Number, l.Next
	return l, err
}

// more looks what became of the file after its end was reached, and reports
// whether there is something to read at once.
func (f *Follower) more() (bool, error) {
	if f.ended {
		return true, f.leave()
	}
	here, err := f.file.Stat()
	if err != nil {
		return false, fmt.Errorf("following %s: %w", f.path, err)
	}
	at := f.base + f.lines.offset + int64(f.lines.w-f.lines.r)
	if here.Size() < at || !f.sameStart(here.Size()) {
		return true, f.restart()
	}
	if here.Size() > at {
		// Only what was there when the beginning was compared is read: what
		// comes after a later truncation belongs to another text.
		f.seen.N = here.Size() - at
		return true, nil
	}
	there, err := os.Stat(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // renamed, and not made anew yet: more may still be written
	}
	if err != nil {
		return false, fmt.Errorf("following %s: %w", f.path, err)
	}
	if !os.SameFile(here, there) {
		// One more pass, for what was written between the last read and the rename.
		f.ended = true
		return true, nil
	}
	return false, nil
}

// leave closes a file that has ended.
func (f *Follower) leave() error {
	err := f.Close()
	f.ended, f.resume = false, nil
	if err != nil {
		return fmt.Errorf("closing rotated %s: %w", f.path, err)
	}
	return nil
}

// restart reads the open file from its beginning: it has been truncated.
func (f *Follower) restart() error {
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("following truncated %s: %w", f.path, err)
	}
	f.mark, f.marked = 0, 0
	f.begin(0, 0)
	return nil
}

// begin takes the open file up where it stands.
func (f *Follower) begin(offset, line int64) {
	f.base, f.at, f.first, f.line = offset, offset, line, line
	f.seen = io.LimitedReader{R: f.file}
	f.lines = NewScanner(&f.seen, f.max)
}

// sameStart compares the beginning of the file with the one seen before, and
// takes the mark when there is more to see than then.
func (f *Follower) sameStart(size int64) bool {
	want := int(min(size, markBytes))
	if want < f.marked {
		return false
	}
	buf := make([]byte, want)
	n, err := f.file.ReadAt(buf, 0)
	if n < f.marked || err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	table := crc64.MakeTable(crc64.ECMA)
	if f.marked > 0 && crc64.Checksum(buf[:f.marked], table) != f.mark {
		return false
	}
	f.mark, f.marked = crc64.Checksum(buf[:n], table), n
	return true
}

// open opens the file to read on, and reports false when there is none yet.
func (f *Follower) open() (bool, error) {
	if f.resume != nil {
		return f.reopen()
	}
	file, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("following a log: %w", err)
	}
	st, err := file.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a directory: name a log in it", f.path)
	}
	if err != nil {
		return false, errors.Join(fmt.Errorf("following a log: %w", err), file.Close())
	}
	if err := f.start(file, Position{}); err != nil {
		return false, err
	}
	f.sameStart(st.Size()) // takes the mark
	return true, nil
}

// reopen finds the file of a saved position: under its own name, or, when it has
// been rotated since, under another in the same directory.
func (f *Follower) reopen() (bool, error) {
	pos := *f.resume
	f.resume = nil
	if pos.Offset == 0 {
		return f.open()
	}
	for _, name := range f.candidates(pos.Inode) {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		if err := f.start(file, pos); err != nil {
			return false, err
		}
		if st, err := file.Stat(); err == nil && st.Size() >= pos.Offset && f.sameStart(st.Size()) {
			return true, nil
		}
		_ = f.Close() // opened for reading only: nothing can be lost
	}
	return false, fmt.Errorf("resuming %s at byte %d: %w", f.path, pos.Offset, ErrGap)
}

// candidates lists files that may be the one with the inode, at most a few.
func (f *Follower) candidates(inode uint64) []string {
	names := []string{f.path}
	if inode == 0 {
		return names
	}
	if st, err := os.Stat(f.path); err == nil && inodeOf(st) == inode {
		return names
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return nil
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(maxSibling) // a partial list is still worth searching
	names = nil
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && inodeOf(st) == inode {
			names = append(names, filepath.Join(filepath.Dir(f.path), e.Name()))
		}
	}
	return names
}

// start begins to read file at pos.
func (f *Follower) start(file *os.File, pos Position) error {
	st, err := file.Stat()
	if err == nil {
		_, err = file.Seek(pos.Offset, io.SeekStart)
	}
	if err != nil {
		_ = file.Close() // the error that matters is the one before
		return fmt.Errorf("following a log: %w", err)
	}
	f.file, f.inode, f.ended = file, inodeOf(st), false
	f.mark, f.marked = pos.Mark, min(max(pos.MarkLen, 0), markBytes)
	f.begin(pos.Offset, pos.Line)
	return nil
}
