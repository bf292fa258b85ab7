package cap

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is something in a message that the standard does not allow.
type Problem struct {
	Line int    // of the document; 0: the message was not read from one
	Path string // element: "info[2]/area[1]/polygon[1]"; "" is the message itself
	What string // what is wrong, and what to do
	// Tolerable problems leave no doubt about the meaning.
	Tolerable bool
}

// String says where and what.
func (p Problem) String() string {
	where := p.Path
	if where == "" {
		where = "alert"
	}
	if p.Line > 0 {
		return fmt.Sprintf("line %d: %s: %s", p.Line, where, p.What)
	}
	return where + ": " + p.What
}

// ErrInvalid: a message is not CAP 1.2. Every [Error] wraps it.
var ErrInvalid = errors.New("not a valid CAP 1.2 message")

// Error lists what is wrong with a message, in the order of the document.
type Error struct{ Problems []Problem }

// maxNamed bounds the problems that an error's text names.
const maxNamed = 5

// Error names the first problems.
func (e *Error) Error() string {
	words := make([]string, 0, maxNamed+1)
	for i, p := range e.Problems {
		if i == maxNamed {
			words = append(words, fmt.Sprintf("and %d more", len(e.Problems)-i))
			break
		}
		words = append(words, p.String())
	}
	return ErrInvalid.Error() + ": " + strings.Join(words, "; ")
}

// Unwrap returns ErrInvalid.
func (e *Error) Unwrap() error { return ErrInvalid }

// maxProblems bounds what is noted of one message.
const maxProblems = 100

// problems collects what is wrong.
type problems struct {
	list  []Problem
	lines map[string]int // of the elements that were read
}

func (p *problems) note(path string, tolerable bool, format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, Problem{Line: p.line(path), Path: path, What: fmt.Sprintf(format, args...), Tolerable: tolerable})
	}
}

// line is that of an element, or of what it would be in.
func (p *problems) line(path string) int {
	for {
		if n, ok := p.lines[path]; ok || path == "" {
			return n
		}
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
}

// wrong notes a problem that makes the message unusable.
func (p *problems) wrong(path, format string, args ...any) { p.note(path, false, format, args...) }

// flaw notes a problem that leaves no doubt about the meaning.
func (p *problems) flaw(path, format string, args ...any) { p.note(path, true, format, args...) }

// split returns what cannot be borne as an error, and the rest.
func (p *problems) split() (flaws []Problem, err error) {
	var bad []Problem
	for _, x := range p.list {
		if x.Tolerable {
			flaws = append(flaws, x)
		} else {
			bad = append(bad, x)
		}
	}
	if bad != nil {
		return flaws, &Error{bad}
	}
	return flaws, nil
}

// Strict returns a message's flaws as an error, or nil when it has none.
func (a *Alert) Strict() error {
	if len(a.Flaws) == 0 {
		return nil
	}
	return &Error{a.Flaws}
}

// excerpt quotes what was found, in short.
func excerpt(s string) string { return fmt.Sprintf("%.80q", s) }
