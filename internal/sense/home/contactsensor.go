package home

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// SourceContactSensor is the source of what ContactSensorFile reads.
const SourceContactSensor = "contact-sensor"

// ErrContactRow: a line of a file of contact sensors is not a row of it.
var ErrContactRow = errors.New("not a row of three whole numbers: start (seconds since 1970), duration (seconds), sensor")

// maxOpen bounds the contacts that are open at once.
const maxOpen = 100_000

// ContactSensorFile reads a recording of a home's contact sensors: a row for each
// time that a sensor was open, with its start in seconds since 1970, how many
// seconds it lasted and the sensor's number, between white space, ordered by
// start. Each row gives a reading "open" at its start and "closed" at its end;
// they come in the order of their times. The sensors are "file/number".
//
// A row that cannot be read gives an error that names its line, wrapping
// ErrContactRow, and the next can be read.
func ContactSensorFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		base := filepath.Base(name)
		f := contactFile{home: strings.TrimSuffix(base, filepath.Ext(base))}
		if f.home == "" || f.home == "-" {
			f.home = "home"
		}
		lines := bufio.NewScanner(src)
		lines.Buffer(nil, 4096)
		for n := 1; lines.Scan(); n++ {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			c, err := contactRow(lines.Text(), n)
			if err == nil && len(f.open) >= maxOpen {
				err = fmt.Errorf("%w: %d contacts are open at once already", ErrContactRow, maxOpen)
			}
			if err != nil {
				if !yield(nil, fmt.Errorf("%s: line %d: %w", name, n, err)) {
					return
				}
				continue
			}
			if !f.closeUntil(c.start, yield) || !yield(f.say(c, c.start, true), nil) {
				return
			}
			heap.Push(&f.open, c)
		}
		if !f.closeUntil(time.Unix(1<<40, 0), yield) {
			return
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("reading %s: %w", name, err))
		}
	}
}

// opening is a row.
type opening struct {
	start, end time.Time
	sensor     string
	line       int
}

func contactRow(line string, n int) (opening, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return opening{}, fmt.Errorf("%w: it has %d fields", ErrContactRow, len(fields))
	}
	var v [3]int64
	for i, f := range fields {
		x, err := strconv.ParseInt(f, 10, 64)
		if err != nil || x < 0 || x > 1<<33 {
			return opening{}, fmt.Errorf("%w: field %d is %.40q", ErrContactRow, i+1, f)
		}
		v[i] = x
	}
	start := time.Unix(v[0], 0).UTC()
	return opening{start, start.Add(time.Duration(v[1]) * time.Second), strconv.FormatInt(v[2], 10), n}, nil
}

// contactFile is what is known while a file is read.
type contactFile struct {
	home     string
	open     openings
	received time.Time
}

// closeUntil yields the ends that come no later than t.
func (f *contactFile) closeUntil(t time.Time, yield func(*event.Observation, error) bool) bool {
	for len(f.open) > 0 && !f.open[0].end.After(t) {
		c := heap.Pop(&f.open).(opening)
		if !yield(f.say(c, c.end, false), nil) {
			return false
		}
	}
	return true
}

func (f *contactFile) say(c opening, at time.Time, open bool) *event.Observation {
	if at.After(f.received) {
		f.received = at
	}
	rd := contact.say(open)
	return &event.Observation{
		ID:   event.NewID(SourceContactSensor, f.home, c.sensor, strconv.Itoa(c.line), rd.State),
		Kind: event.KindState, Source: SourceContactSensor, Device: f.home + "/" + c.sensor,
		Time: at, DeviceTime: &at, Received: f.received, Reading: rd,
	}
}

// openings is a heap by end, then by line.
type openings []opening

func (h openings) Len() int { return len(h) }
func (h openings) Less(i, j int) bool {
	if !h[i].end.Equal(h[j].end) {
		return h[i].end.Before(h[j].end)
	}
	return h[i].line < h[j].line
}
func (h openings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *openings) Push(x any)   { *h = append(*h, x.(opening)) }
func (h *openings) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}
