package web

import (
	"net/http"
	"strconv"
	"time"
)

const (
	streamWrite = 10 * time.Second // a browser that takes nothing for so long is let go
	streamLife  = 30 * time.Minute // then the browser comes back and is checked anew
)

// stream sends server-sent events: incident, tick and resync. A browser that
// comes back says what it saw last, and is sent what changed since.
func (s *Site) stream(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	b, ok := s.feed.join()
	if !ok {
		w.Header().Set("Retry-After", "10")
		s.fail(w, r, unavailable("Too many live boards are open. Close some of them, or try again in a moment."))
		return
	}
	defer s.feed.leave(b)
	_ = rc.SetReadDeadline(time.Time{}) // the server's is for requests that end
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not gather events
	send := func(event []byte) bool {
		// Not every writer has deadlines; one that has not is a test's.
		_ = rc.SetWriteDeadline(time.Now().Add(streamWrite))
		if _, err := w.Write(event); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	if !send(append([]byte("retry: 2000\n\n"), s.feed.tick()...)) || !s.resume(r, send) {
		return
	}
	check := time.NewTicker(tickEvery)
	defer check.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-check.C:
			if !s.stillAllowed(r) {
				return
			}
		case event, open := <-b.events:
			if !open || !send(event) {
				return
			}
		}
	}
}

// resume sends what changed since the event that the browser saw last.
func (s *Site) resume(r *http.Request, send func([]byte) bool) bool {
	word := r.Header.Get("Last-Event-ID")
	if word == "" {
		return true
	}
	after, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return send(resync)
	}
	for range resumePages {
		events, last, more, err := s.feed.changes(r.Context(), after)
		if err != nil {
			return send(resync)
		}
		if len(events) > 0 && !send(events) {
			return false
		}
		if !more {
			return true
		}
		after = last
	}
	return send(resync)
}
