package webhook

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// problem is an RFC 9457 problem, which tells a sender why and what to do.
type problem struct {
	Title  string `json:"title,omitempty"`
	Status int    `json:"status,omitempty"`
	Detail string `json:"detail,omitempty"`
	Reason string `json:"reason,omitempty"` // a short class, for programs

	retry     time.Duration // 0: no use
	challenge bool          // ask for a credential
	err       error         // for the log
}

// answer is what a request is answered; it may be answered again.
type answer struct {
	status    int
	kind      string // media type of body
	body      []byte
	retry     time.Duration
	challenge bool
	err       error
}

func busy(wait time.Duration, why string) problem {
	return problem{Status: http.StatusTooManyRequests, Title: "Too fast", Reason: "flood", Detail: why + " Wait before you send again.", retry: wait}
}

func (p problem) answer() answer {
	if p.Status == 0 {
		return answer{}
	}
	body, err := json.Marshal(p)
	if err != nil {
		body = nil
	}
	return answer{status: p.Status, kind: "application/problem+json", body: body, retry: p.retry, challenge: p.challenge, err: p.err}
}

func (s *Server) refuse(w http.ResponseWriter, p problem) { s.reply(w, p.answer()) }

func (s *Server) reply(w http.ResponseWriter, a answer) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if a.challenge {
		h.Add("WWW-Authenticate", `Basic realm="bluelamp"`)
		h.Add("WWW-Authenticate", `Bearer realm="bluelamp"`)
	}
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.retry.Seconds()))))
	}
	if len(a.body) > 0 {
		h.Set("Content-Type", a.kind)
		h.Set("X-Content-Type-Options", "nosniff")
	}
	if a.err != nil {
		s.logger.Warn("a message by HTTP could not be put on the log: its sender was told to send again", "err", a.err)
	}
	s.met.requests.WithLabelValues(strconv.Itoa(a.status)).Inc()
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
