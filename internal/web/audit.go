package web

import (
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
)

const auditRows = 100

// auditData is what the audit page shows.
type auditData struct {
	Rows     []auditRow
	Actor    string
	Object   string
	Action   string
	From, To string // dates
	Older    string // address of the next page
	Problem  string
	Trouble  string
	Report   *audit.Report
}

// auditRow is an entry as the page shows it.
type auditRow struct {
	audit.Row
	Link string // to the object, when it has a page
}

// Details lists an entry's details in a definite order.
func (r auditRow) Details() []row {
	out := make([]row, 0, len(r.Detail))
	for k, v := range r.Detail {
		if v == "" {
			continue
		}
		out = append(out, row{inWords(k), v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// PurposeWords names the purpose.
func (r auditRow) PurposeWords() string {
	if w := purposeWords[r.Purpose]; w != "" {
		return w
	}
	return inWords(r.Purpose)
}

func (s *Site) auditLog(w http.ResponseWriter, r *http.Request) { s.showAudit(w, r, nil) }

// showAudit shows entries, the newest first. Reading them is recorded too.
func (s *Site) showAudit(w http.ResponseWriter, r *http.Request, report *audit.Report) {
	q := r.URL.Query()
	d := auditData{Report: report, Actor: q.Get("actor"), Object: q.Get("object"), Action: q.Get("action"), From: q.Get("from"), To: q.Get("to")}
	if err := s.Audit.Trouble(); err != nil {
		d.Trouble = err.Error()
	}
	aq := audit.Query{Actor: d.Actor, Object: d.Object, Action: d.Action, Limit: auditRows + 1}
	if d.From != "" {
		t, err := time.ParseInLocation(time.DateOnly, d.From, s.zone)
		if err != nil {
			d.Problem = "The first day is not a date."
		}
		aq.From = t
	}
	if d.To != "" {
		t, err := time.ParseInLocation(time.DateOnly, d.To, s.zone)
		if err != nil {
			d.Problem = "The last day is not a date."
		} else {
			aq.To = t.AddDate(0, 0, 1)
		}
	}
	if n, err := strconv.ParseInt(q.Get("before"), 10, 64); err == nil {
		aq.Before = &n
	} else if report == nil {
		err := s.record(r.Context(), audit.Entry{Action: "audit.read", Purpose: "audit", Detail: map[string]string{"search": q.Encode()}})
		if err != nil {
			s.fail(w, r, err)
			return
		}
	}
	rows, err := audit.Search(r.Context(), s.DB, aq)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(rows) > auditRows {
		rows = rows[:auditRows]
		more := url.Values{"before": {strconv.FormatInt(rows[len(rows)-1].Leaf, 10)}}
		for _, k := range []string{"actor", "object", "action", "from", "to"} {
			if v := q.Get(k); v != "" {
				more.Set(k, v)
			}
		}
		d.Older = "/audit?" + more.Encode()
	}
	for _, row := range rows {
		d.Rows = append(d.Rows, auditRow{row, objectPage(row.Object)})
	}
	s.render(w, r, http.StatusOK, page{Name: "audit", Title: "Audit", Section: "/audit", Class: "page-wide", Data: d})
}

// auditVerify walks the whole log and compares it with every signed checkpoint.
func (s *Site) auditVerify(w http.ResponseWriter, r *http.Request) {
	if err := s.record(r.Context(), audit.Entry{Action: "audit.verified", Purpose: "audit"}); err != nil {
		s.fail(w, r, err)
		return
	}
	if !s.verify.TryLock() {
		s.fail(w, r, unavailable("Somebody is verifying the audit log just now. Try again when that is done."))
		return
	}
	defer s.verify.Unlock()
	// A checkpoint over all that is there: what is not signed cannot be vouched for.
	if _, err := s.Audit.Checkpoint(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	report, err := audit.Verify(r.Context(), s.Log, audit.Evidence{Dir: s.Dir, Key: s.Audit.Key(), DB: s.DB})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showAudit(w, r, &report)
}

// objectPage is the address of what an entry is about, or empty.
func objectPage(object string) string {
	kind, id, ok := strings.Cut(object, "/")
	if !ok || id == "" {
		return ""
	}
	switch kind {
	case "incident":
		return "/incidents/" + url.PathEscape(id)
	case "premises":
		return "/premises/" + url.PathEscape(id)
	case "warning":
		return "/warnings/desk/" + url.PathEscape(id)
	}
	return ""
}
