package lines

import (
	"bytes"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/tail"
)

// Dialect is what one kind of monitor writes.
type Dialect struct {
	Name  string   // the observations' source, and what devices' entries list under Speaks
	Files []string // the logs to follow where a directory is given
	// Recognises reports whether a connection that begins with this line speaks it.
	Recognises func(line []byte) bool
	// NewMapper returns a mapper for the lines of one monitor; file names the log
	// where the lines do not say which they belong to, and may be empty.
	NewMapper func(sensor, file string) Mapper
}

// Mapper turns the lines of one log into observations. It is used by one
// goroutine.
type Mapper interface {
	// Observe returns what a line says, and when the monitor wrote it as far as
	// that can be told. Nothing and no error is for a line that says nothing, or
	// nothing that is taken in. The observation has an id that follows from the
	// line. An error that wraps ErrValue says that the line can be read but not
	// believed.
	Observe(l *tail.Line) (o *event.Observation, written time.Time, err error)
	// State is what the mapper must be told, by Resume, to go on with the next
	// line: "" for most.
	State() string
	Resume(state string) error
}

// ErrValue: a line can be read, and has a value that cannot be.
var ErrValue = errors.New("bad value")

// reasonOf groups what is wrong with lines in the quarantine.
func reasonOf(err error) string {
	if errors.Is(err, ErrValue) {
		return "bad value"
	}
	return "unreadable line"
}

// fault is what was wrong with a line, with its bytes.
type fault struct {
	line int64
	text []byte
	err  error
}

func newFault(l *tail.Line, err error) *fault {
	return &fault{line: l.Number, text: bytes.Clone(l.Text), err: err}
}

// Bounds of what an observation repeats of texts that a stranger on the network
// chose.
const (
	MaxAnswers = 32   // answers to one look-up
	MaxText    = 2048 // bytes of a URL, a client's name, a certificate's subject
)

// Clip cuts a text to MaxText bytes, between characters.
func Clip(s string) string {
	if len(s) <= MaxText {
		return s
	}
	end := MaxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
