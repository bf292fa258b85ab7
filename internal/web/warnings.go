package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// What the public sees of the force's warnings, without signing in: a page, an
// Atom feed, and each message as signed CAP. These answers are the same for
// everybody, so that caches between us and a whole town may keep them.

const (
	feedSpan    = 14 * 24 * time.Hour
	feedEntries = 100
	// publicCache is short: a warning must reach people at once.
	publicCache = "public, max-age=15"
	// issuedCache: a message that was issued never changes.
	issuedCache = "public, max-age=31536000, immutable"
)

// warningsData is what the public's page shows.
type warningsData struct {
	Name string // of the force
	List []publicWarning
}

// publicWarning is a warning with the words for it.
type publicWarning struct {
	issue.Warning
	How string // "Severe. It is happening now."
}

// lines are the lines of a text that people wrote, each a paragraph.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// Lines is lines for templates.
func (publicWarning) Lines(text string) []string { return lines(text) }

// issuing reports whether the force issues warnings, and says so if not.
func (s *Site) issuing(w http.ResponseWriter, r *http.Request) bool {
	if s.Warnings == nil || s.PublicWarnings == nil {
		s.fail(w, r, notFound("No warnings to the public are issued here."))
		return false
	}
	return true
}

func (s *Site) warnings(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	list, err := s.PublicWarnings.Standing(r.Context(), s.clock.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d := warningsData{}
	_, d.Name = s.Warnings.Sender()
	h := sha256.New()
	fmt.Fprintln(h, s.Version, d.Name)
	for i := range list {
		d.List = append(d.List, publicWarning{list[i], warningWords(&list[i])})
		fmt.Fprintln(h, list[i].ID, list[i].Version)
	}
	s.renderPublic(w, r, `W/"`+hex.EncodeToString(h.Sum(nil)[:12])+`"`, page{Name: "warnings", Title: "Warnings to the public", Class: "page-narrow", Data: d})
}

// renderPublic answers with a page that is the same for everybody: it knows no
// visitor, and caches may keep it.
func (s *Site) renderPublic(w http.ResponseWriter, r *http.Request, etag string, p page) {
	h := w.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", publicCache)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	nobody := r.WithContext(withVisitor(r.Context(), nil))
	nobody.URL = &url.URL{Path: r.URL.Path}
	if err := s.complete(nobody, &p); err != nil {
		s.plainFailure(w, r, err)
		return
	}
	var b bytes.Buffer
	if err := s.pages[p.Name].Execute(&b, p); err != nil {
		s.plainFailure(w, r, fmt.Errorf("rendering page %s: %w", p.Name, err))
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func (s *Site) warningsFeed(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	data, err := s.feedOf(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.publicFile(w, r, codec.FeedMediaType+"; charset=utf-8", publicCache, data)
}

// feedOf writes the feed of what was issued lately, exercises and tests among it.
func (s *Site) feedOf(ctx context.Context) ([]byte, error) {
	sender, name := s.Warnings.Sender()
	list, err := s.PublicWarnings.Issued(ctx, s.clock.Now().Add(-feedSpan), feedEntries)
	if err != nil {
		return nil, err
	}
	about := codec.Atom{ID: feedID(sender), Title: name + ": warnings to the public", Author: name, Self: "feed.atom", Updated: time.Unix(0, 0)}
	var entries []codec.Entry
	for i := range list {
		x := &list[i]
		if x.Sent.After(about.Updated) {
			about.Updated = x.Sent
		}
		title := x.Headline
		if x.Status != codec.Actual {
			title = strings.ToUpper(string(x.Status)) + ": " + title
		}
		entries = append(entries, codec.Entry{
			ID: feedID(sender) + "/" + string(x.ID), Title: title, Summary: x.Description, Updated: x.Sent, Link: string(x.ID) + ".xml",
		})
	}
	return codec.EncodeFeed(about, entries)
}

// feedID names the feed for good (RFC 4151): a sender is a domain or an address.
func feedID(sender string) string { return "tag:" + sender + ",2026:warnings" }

func (s *Site) warningDocument(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	id, isDocument := strings.CutSuffix(r.PathValue("file"), ".xml")
	if !isDocument {
		s.lost(w, r)
		return
	}
	data, _, err := s.PublicWarnings.Document(r.Context(), event.ID(id))
	if err != nil {
		s.failWarning(w, r, err)
		return
	}
	s.publicFile(w, r, codec.MediaType, issuedCache, data)
}

func (s *Site) warningsCertificate(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	s.publicFile(w, r, "application/x-pem-file", publicCache, s.Warnings.Certificate())
}

// publicFile answers with bytes that are for everybody, programs of other sites
// among them.
func (s *Site) publicFile(w http.ResponseWriter, r *http.Request, kind, keep string, data []byte) {
	sum := sha256.Sum256(data)
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", keep)
	h.Set("ETag", etag)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// failWarning is fail for the errors of the office.
func (s *Site) failWarning(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, issue.ErrNotFound):
		err = &failure{http.StatusNotFound, "Not found", "There is no such warning here. It may have been a mistyped address.", err}
	case errors.Is(err, issue.ErrChanged):
		err = &failure{http.StatusConflict, "Changed meanwhile", "The warning has changed since you opened it: look at it again.", err}
	case errors.Is(err, issue.ErrOwnWork), errors.Is(err, issue.ErrNotAllowed):
		err = &failure{http.StatusUnprocessableEntity, "Not possible", warningProblem(err), err}
	}
	s.fail(w, r, err)
}

// warningProblem is what was not possible, as a sentence.
func warningProblem(err error) string {
	if errors.Is(err, issue.ErrOwnWork) {
		return "You have written on this warning, so somebody else must approve it."
	}
	return upperFirst(strings.TrimPrefix(err.Error(), issue.ErrNotAllowed.Error()+": ")) + "."
}

// warningWords say how bad, how sure and how soon, as a person would.
func warningWords(w *issue.Warning) string {
	words := string(w.Severity) + "."
	switch w.Urgency {
	case "Immediate":
		words += " Act at once."
	case "Expected":
		words += " Act within the hour."
	case "Future":
		words += " Act soon."
	}
	switch w.Certainty {
	case codec.Observed:
		words += " It is happening or has happened."
	case codec.Likely:
		words += " It is likely."
	case codec.Possible:
		words += " It is possible."
	case codec.Unlikely:
		words += " It is unlikely."
	}
	return words
}
