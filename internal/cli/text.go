package cli

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// quiet is the logger of commands that do one thing and end: unless a level was
// asked for, only what goes wrong is worth a line beside their output.
func (e *env) quiet() *slog.Logger {
	if e.given("log-level") {
		return e.logger
	}
	c := e.root.Config
	c.LogLevel = "error"
	return newLogger(e.Err, c)
}

// progress shows on a terminal how far long work is, on one line. Elsewhere it
// says nothing: a file of output is read when the work is over.
type progress struct {
	w    io.Writer // nil: no terminal
	said time.Time
}

// progressEvery is how often a person can read another figure.
const progressEvery = 100 * time.Millisecond

func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		return &progress{w: w}
	}
	return &progress{}
}

func (p *progress) say(format string, args ...any) {
	if p.w == nil || time.Since(p.said) < progressEvery {
		return
	}
	p.said = time.Now()
	fmt.Fprint(p.w, "\r\x1b[K")
	fmt.Fprintf(p.w, format, args...)
}

// done clears the line.
func (p *progress) done() {
	if p.w != nil && !p.said.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.said = time.Time{}
	}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
