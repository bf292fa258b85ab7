package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// batchAnswer is what a batch is answered.
type batchAnswer struct {
	problem
	Accepted    int       `json:"accepted"`
	Quarantined int       `json:"quarantined"` // not understood
	Refused     int       `json:"refused"`     // may not be kept
	Failed      int       `json:"failed"`      // not on the log: to be sent again
	Lines       []badLine `json:"lines,omitempty"`
}

// badLine is a line that was not accepted.
type badLine struct {
	Line   int    `json:"line"` // from 1
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// batch takes every line as a message. All are handed over before the first is
// waited for, so that they commit together as far as the log's frames go.
func (s *Server) batch(r *http.Request, d *registry.Device, topic string, body []byte) answer {
	lines := bytes.Split(body, []byte("\n"))
	n := 0
	for i := range lines {
		if lines[i] = bytes.TrimSpace(lines[i]); len(lines[i]) > 0 {
			n++
		}
	}
	burst := d.Limits.OrDefault().Burst
	switch {
	case n > maxLines:
		return tooMany(fmt.Sprintf("A batch has at most %d messages, this one has %d.", maxLines, n))
	case n > burst: // waiting would not help
		return tooMany(fmt.Sprintf("By its limits the device may send %d messages at once, this batch has %d.", burst, n))
	}
	if n > 1 {
		if p := s.leave(r, d, n-1); p.Status != 0 {
			return p.answer()
		}
	}
	return s.handAll(r, d, topic, lines).answer()
}

func tooMany(why string) answer {
	return problem{Status: http.StatusRequestEntityTooLarge, Title: "Too many lines", Reason: "size", Detail: why}.answer()
}

// lineDone is how one line of a batch ended.
type lineDone struct {
	line int
	err  error
}

func (s *Server) handAll(r *http.Request, d *registry.Device, topic string, lines [][]byte) *batchAnswer {
	a := &batchAnswer{}
	most := d.Limits.OrDefault().Bytes
	done := make(chan lineDone, len(lines))
	waiting := map[int]bool{}
	for i, line := range lines {
		if len(line) == 0 {
			continue
		}
		if len(line) > most {
			a.add(lineDone{i + 1, errLine}, most)
			continue
		}
		waiting[i+1] = true
		if err := s.hand(r.Context(), d, topic, line, func(err error) { done <- lineDone{i + 1, err} }); err != nil {
			delete(waiting, i+1)
			a.add(lineDone{i + 1, err}, most)
		}
	}
	late := time.NewTimer(commitWait)
	defer late.Stop()
	for len(waiting) > 0 {
		select {
		case l := <-done:
			delete(waiting, l.line)
			a.add(l, most)
		case <-late.C:
			for line := range waiting {
				a.add(lineDone{line, errors.New("the log does not answer")}, most)
			}
			return a
		case <-r.Context().Done():
			return a // nobody is there to be told
		}
	}
	return a
}

var errLine = errors.New("too large")

func (a *batchAnswer) add(l lineDone, most int) {
	p := problemOf(l.err)
	if errors.Is(l.err, errLine) {
		p = problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("At most %d bytes a line.", most)}
	}
	switch p.Status {
	case 0:
		a.Accepted++
		return
	case http.StatusUnprocessableEntity:
		a.Quarantined++
	case http.StatusServiceUnavailable:
		a.Failed++
		a.problem = p
	default:
		a.Refused++
	}
	if len(a.Lines) < told {
		a.Lines = append(a.Lines, badLine{l.line, p.Status, p.Detail})
	}
}

// answer is 200 with counts; where the log failed some lines, a problem with the
// same counts.
func (a *batchAnswer) answer() answer {
	out := a.problem.answer()
	if a.Status == 0 {
		out = answer{status: http.StatusOK, kind: "application/json"}
	}
	body, err := json.Marshal(a)
	if err != nil {
		return problemOf(err).answer()
	}
	out.body = body
	return out
}
