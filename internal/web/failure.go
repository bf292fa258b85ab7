package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// failure is why a request was not answered as asked, in words for the person
// who asked.
type failure struct {
	status int
	title  string
	words  string
	err    error // for the log
}

func (f *failure) Error() string {
	if f.err != nil {
		return f.words + ": " + f.err.Error()
	}
	return f.words
}

func (f *failure) Unwrap() error { return f.err }

func notFound(words string) error {
	return &failure{status: http.StatusNotFound, title: "Not found", words: words}
}

func forbidden(words string) error {
	return &failure{status: http.StatusForbidden, title: "Not allowed", words: words}
}

func badRequest(words string, err error) error {
	return &failure{status: http.StatusBadRequest, title: "Not understood", words: words, err: err}
}

func unavailable(words string) error {
	return &failure{status: http.StatusServiceUnavailable, title: "Not now", words: words}
}

// failureOf finds the words for an error; what nobody foresaw has none but a
// reference under which the log tells more.
func failureOf(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, incident.ErrNotFound), errors.Is(err, sense.ErrNotFound),
		errors.Is(err, registry.ErrUnknown), errors.Is(err, bus.ErrNotFound):
		return &failure{http.StatusNotFound, "Not found", "There is nothing of that name here. It may have been a mistyped address.", err}
	case errors.Is(err, auth.ErrNoPerson):
		return &failure{http.StatusNotFound, "Not found", "There is no such person.", err}
	case errors.Is(err, auth.ErrNotAllowed), errors.Is(err, auth.ErrLastAdministrator):
		return &failure{http.StatusForbidden, "Not possible", sentence(err), err}
	case errors.Is(err, auth.ErrThrottled), errors.Is(err, auth.ErrBusy):
		return &failure{http.StatusTooManyRequests, "Wait a moment", sentence(err), err}
	case errors.Is(err, incident.ErrChanged):
		return &failure{http.StatusConflict, "Changed meanwhile", "The incident has changed since you opened it: look at it again.", err}
	case errors.Is(err, incident.ErrNotAllowed):
		return &failure{http.StatusUnprocessableEntity, "Not possible", strings.TrimPrefix(err.Error(), incident.ErrNotAllowed.Error()+": "), err}
	case errors.Is(err, bus.ErrFull):
		return &failure{http.StatusServiceUnavailable, "The disk is full", "Nothing can be recorded until space is freed on the server. What you did was not recorded.", err}
	}
	return nil
}

// sentence makes a sentence of an error that was written for people.
func sentence(err error) string {
	words, _, _ := strings.Cut(err.Error(), "\n")
	return upperFirst(words) + "."
}

// problem is an RFC 9457 problem.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Reference finds the failure in the server's log.
	Reference string `json:"reference,omitempty"`
}

// fail answers with what went wrong: a page, or a problem to programs.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to be told
	}
	f := failureOf(err)
	reference := ""
	if f == nil {
		reference = newReference()
		s.logger.Error("a request failed", "reference", reference, "method", r.Method, "path", r.URL.Path, "err", err)
		f = &failure{
			status: http.StatusInternalServerError, title: "Something went wrong",
			words: "The server could not do this. Nothing you typed was recorded.",
		}
	}
	if forProgram(r) {
		writeProblem(w, problem{Title: f.title, Status: f.status, Detail: f.words, Reference: reference})
		return
	}
	s.render(w, r, f.status, page{Name: "failure", Title: f.title, Class: "page-narrow", Data: struct {
		Words, Reference string
	}{f.words, reference}})
}

// plainFailure tells of a failure without a page, for when pages fail.
func (s *Site) plainFailure(w http.ResponseWriter, r *http.Request, err error) {
	reference := newReference()
	s.logger.Error("a page could not be made", "reference", reference, "method", r.Method, "path", r.URL.Path, "err", err)
	http.Error(w, "The page could not be made. Reference: "+reference, http.StatusInternalServerError)
}

func forProgram(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

func writeProblem(w http.ResponseWriter, p problem) {
	data, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(data)
}

// newReference names a failure in words short enough to be said on the phone.
func newReference() string { return strings.ToLower(rand.Text()[:8]) }
