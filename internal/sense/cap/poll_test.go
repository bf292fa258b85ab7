package cap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// station serves a feed of warnings.
type station struct {
	*httptest.Server
	mu      sync.Mutex
	docs    map[string][]byte // by path
	entries []codec.Entry     // the newest first
	gone    map[string]bool
	looks   atomic.Int64 // at the feed
	same    atomic.Int64 // that were answered with 304
	fetched atomic.Int64 // messages
}

func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{docs: map[string][]byte{}, gone: map[string]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *station) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/feed.atom" {
		s.looks.Add(1)
		tag := fmt.Sprintf(`"%d"`, len(s.entries))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			s.same.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		data, _ := codec.EncodeFeed(codec.Atom{ID: "tag:x,2026:f", Title: "W", Author: "x", Updated: now}, s.entries)
		_, _ = w.Write(data)
		return
	}
	doc, ok := s.docs[r.URL.Path]
	switch {
	case strings.HasPrefix(r.URL.Path, "/to/"):
		http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/to/"), http.StatusFound)
	case !ok || s.gone[r.URL.Path]:
		http.NotFound(w, r)
	default:
		s.fetched.Add(1)
		w.Header().Set("Content-Type", codec.MediaType)
		_, _ = w.Write(doc)
	}
}

// put adds a message to the feed.
func (s *station) put(n, minutes int, doc []byte, link string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := fmt.Sprintf("/%d.xml", n)
	if link == "" {
		link = path
	}
	s.docs[path] = doc
	s.entries = slices.Insert(s.entries, 0, codec.Entry{ID: fmt.Sprint("tag:x,2026:", n), Title: "W", Link: link, Updated: now.Add(-time.Duration(minutes) * time.Minute)})
}

func newPoller(t *testing.T, p platform, r *Reader, every time.Duration, feeds ...string) *Poller {
	t.Helper()
	po, err := NewPoller(PollerConfig{Feeds: feeds, Every: every, eager: true}, r, p.log, p.intake, slog.New(slog.DiscardHandler))
	must(t, err)
	return po
}

// during runs a poller while fn looks on.
func during(t *testing.T, po *Poller, fn func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- po.Run(ctx) }()
	fn()
	stop()
	if err := <-done; err != nil {
		t.Errorf("the poller ended with %v", err)
	}
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestPollerObservesEachMessageOnce(t *testing.T) {
	s, p := newStation(t), newPlatform(t)
	for n := range 3 {
		s.put(n, 30-n, warning(t, n, 30-n), "")
	}
	r := newReader(t, Prefer)
	feed := s.URL + "/feed.atom"
	during(t, newPoller(t, p, r, time.Millisecond, feed), func() {
		waitFor(t, "three warnings", func() bool { return len(p.heard(t)) == 3 })
		waitFor(t, "looks at what has not changed", func() bool { return s.same.Load() >= 2 })
		s.put(3, 5, warning(t, 3, 5), "")
		waitFor(t, "a fourth", func() bool { return len(p.heard(t)) == 4 })
	})
	// A restart, with something new meanwhile.
	s.put(4, 4, warning(t, 4, 4), "")
	before := s.looks.Load()
	during(t, newPoller(t, p, r, time.Millisecond, feed), func() {
		waitFor(t, "a fifth", func() bool { return len(p.heard(t)) >= 5 })
		waitFor(t, "more looks", func() bool { return s.looks.Load() > before+3 })
	})
	if got := fmt.Sprint(p.heard(t)); got != "[SK-0 SK-1 SK-2 SK-3 SK-4]" {
		t.Errorf("heard %s", got)
	}
	if n := s.fetched.Load(); n != 5 {
		t.Errorf("%d messages were fetched, of 5", n)
	}
	if q := p.refused(t); len(q) != 0 {
		t.Errorf("refused: %+v", q)
	}
}

// What was observed and not noted before a crash is not observed again.
func TestPollerAfterACrash(t *testing.T) {
	s, p := newStation(t), newPlatform(t)
	s.put(1, 10, warning(t, 1, 10), "")
	os, err := newReader(t, Prefer).Read(warning(t, 1, 10), "x", now)
	must(t, err)
	must(t, p.intake.ObserveAll(t.Context(), os...))
	during(t, newPoller(t, p, newReader(t, Prefer), time.Millisecond, s.URL+"/feed.atom"), func() {
		waitFor(t, "looks", func() bool { return s.same.Load() > 1 })
	})
	if got := p.heard(t); len(got) != 1 {
		t.Errorf("heard %v", got)
	}
}

func TestPollerKeepsWhatItCannotTake(t *testing.T) {
	s, p := newStation(t), newPlatform(t)
	met := newSigner(t, "Met")
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	s.put(1, 10, warning(t, 1, 10), "")
	s.put(2, 9, []byte("<alert/>"), "")
	s.put(3, 8, met.sign(t, warning(t, 3, 8)), "")
	s.put(4, 7, nil, "/none.xml")
	s.put(5, 6, nil, other.URL+"/elsewhere.xml")
	s.put(6, 5, nil, "/to/"+other.URL)
	s.put(7, 4, nil, "file:///etc/passwd")
	s.put(8, 3, nil, "/to/ftp://"+strings.TrimPrefix(s.URL, "http://"))
	r := newReader(t, Require, met.cert)
	during(t, newPoller(t, p, r, time.Millisecond, s.URL+"/feed.atom"), func() {
		waitFor(t, "all to be settled", func() bool { return len(p.refused(t)) == 7 })
		waitFor(t, "rest", func() bool { return s.same.Load() > 1 })
	})
	if got := fmt.Sprint(p.heard(t)); got != "[SK-3]" {
		t.Errorf("heard %s", got)
	}
	reasons := map[string]int{}
	for _, q := range p.refused(t) {
		reasons[q.Reason]++
		t.Logf("%s: %s", q.Reason, q.Detail)
	}
	if reasons["signature"] != 1 || reasons["unreadable message"] != 1 || reasons["message of a feed not to be had"] != 5 {
		t.Errorf("refused for %v", reasons)
	}
}

func TestPollerBearsBadFeeds(t *testing.T) {
	s, p := newStation(t), newPlatform(t)
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<!DOCTYPE feed><feed>"))
	}))
	t.Cleanup(bad.Close)
	s.put(1, 10, warning(t, 1, 10), "")
	during(t, newPoller(t, p, newReader(t, Prefer), time.Millisecond, bad.URL, s.URL+"/feed.atom"), func() {
		waitFor(t, "the good one", func() bool { return len(p.heard(t)) == 1 })
	})
	for _, feed := range []string{"", "ftp://x.example/", "/feed.atom", "http://"} {
		if _, err := NewPoller(PollerConfig{Feeds: []string{feed}}, nil, nil, nil, nil); err == nil {
			t.Errorf("%q is taken as a feed", feed)
		}
	}
	if _, err := NewPoller(PollerConfig{Every: time.Second}, nil, nil, nil, nil); err == nil {
		t.Error("a stranger's server is asked every second")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := &memory{Seen: map[string]time.Time{}, Tries: map[string]int{"old": 1}}
	for i := range maxSeen + 100 {
		m.done(fmt.Sprint(i), now)
	}
	m.done("ancient", now.Add(-2*forgetAfter))
	m.tidy(map[string]bool{"5": true}, now.Add(time.Hour))
	if _, ok := m.Seen["ancient"]; ok || len(m.Seen) != maxSeen || len(m.Tries) != 0 || !m.Seen["5"].Equal(now.Add(time.Hour)) {
		t.Errorf("%d seen, %d tries", len(m.Seen), len(m.Tries))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(warning(f, 1, 10))
	r := newReader(f, Prefer)
	f.Fuzz(func(t *testing.T, data []byte) {
		os, err := r.Read(data, "fuzz", now)
		if err == nil && len(os) == 0 {
			t.Fatal("a message says nothing")
		}
		for _, o := range os {
			for _, p := range o.Warning.Polygons {
				if len(p) < 4 || p[0] != p[len(p)-1] {
					t.Fatalf("polygon %v", p)
				}
			}
		}
	})
}
