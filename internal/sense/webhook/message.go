package webhook

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// message is the way of one request: who is it, may it send now, is it bounded
// and of a kind that we read, was it sent before; then the switchboard has it.
func (s *Server) message(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id, topic, ok := addressOf(r)
	switch {
	case !ok:
		s.refuse(w, problem{Status: http.StatusNotFound, Title: "Not found", Detail: "Send to /in/<device id>/<topic>, with a topic of 1 to 1024 bytes."})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		s.refuse(w, problem{Status: http.StatusMethodNotAllowed, Title: "Only POST", Detail: "Devices send with POST."})
		return
	}
	d, p := s.whois(r, id)
	if p.Status == 0 {
		p = s.leave(r, d, 1)
	}
	if p.Status != 0 {
		s.refuse(w, p)
		return
	}
	batch, p := kindOf(r)
	if p.Status != 0 {
		s.refuse(w, p)
		return
	}
	body, release, p := s.read(w, r, d, batch)
	if p.Status != 0 {
		s.refuse(w, p)
		return
	}
	defer release()
	a := s.once(r, d, topic, body, func() answer {
		if batch {
			return s.batch(r, d, topic, body)
		}
		return answerTo(s.take(r.Context(), d, topic, body))
	})
	s.met.seconds.Observe(time.Since(start).Seconds())
	s.reply(w, a)
}

// addressOf returns the device and topic that a request is addressed to.
func addressOf(r *http.Request) (device, topic string, ok bool) {
	device, topic, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/in/"), "/")
	if topic == "" || device == "" {
		return "", "", false
	}
	if r.URL.RawQuery != "" {
		topic += "?" + r.URL.RawQuery
	}
	return device, topic, len(topic) <= maxTopic && !strings.ContainsRune(topic, 0)
}

// whois returns the device that sends, as its credential says.
func (s *Server) whois(r *http.Request, id string) (*registry.Device, problem) {
	from := addressFrom(r)
	if wait := s.doors.closed(from, id); wait > 0 {
		s.met.refused.WithLabelValues("credential").Inc()
		return nil, busy(wait, "Too many wrong credentials have come from your address.")
	}
	user, secret := s.credential(r, id)
	d, err := s.reg.Authenticate(user, secret)
	if err != nil {
		s.doors.knocked(from)
		s.met.refused.WithLabelValues("credential").Inc()
		s.wrong(r.Context(), user, from, secret == "")
		return nil, problem{
			Status: http.StatusUnauthorized, Title: "No such device with this credential", Reason: "credential",
			Detail:    "Send the device's id and secret as HTTP Basic, or its secret as bearer or in the header " + s.cfg.SecretHeader + ".",
			challenge: true,
		}
	}
	s.doors.opened(from, user)
	if user != id {
		s.met.refused.WithLabelValues("device").Inc()
		s.misuse.note(r.Context(), d.ID, d.ID, event.MisuseTopic, "It sent in the name of another device.", from)
		return nil, problem{
			Status: http.StatusForbidden, Title: "Not your address", Reason: "device",
			Detail: "A device may send below its own id only: send to /in/" + user + "/...",
		}
	}
	return d, problem{}
}

// wrong notes a wrong credential. Who is not enrolled, or no longer, is not told
// apart: the name is the sender's invention.
func (s *Server) wrong(ctx context.Context, user, from string, none bool) {
	what := "It came with a wrong credential."
	if none {
		what = "It came without a credential."
	}
	device := unknownDevice
	if d, err := s.reg.Device(user); err == nil && !d.Revoked {
		device = d.ID
	} else if err == nil {
		device, what = d.ID, "It came with a credential of before it was revoked, or a wrong one."
	}
	s.misuse.note(ctx, device, "", event.MisuseCredential, what, from)
}

// credential returns who a request says it comes from, and the secret.
func (s *Server) credential(r *http.Request, id string) (user, secret string) {
	if user, secret, ok := r.BasicAuth(); ok {
		return user, secret
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return id, strings.TrimSpace(token)
	}
	return id, r.Header.Get(s.cfg.SecretHeader)
}

// addressFrom is the network address of a request's sender.
func addressFrom(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// leave asks whether the device may send n messages now.
func (s *Server) leave(r *http.Request, d *registry.Device, n int) problem {
	wait := s.allow.Take(d, n)
	if wait == 0 {
		return problem{}
	}
	s.met.refused.WithLabelValues("flood").Inc()
	s.misuse.note(r.Context(), d.ID, d.ID, event.MisuseFlood, "sends faster than its limit", addressFrom(r))
	return busy(wait, "The device sends faster than its limit.")
}

var seed = maphash.MakeSeed()

// take hands one message over and waits for the commit.
func (s *Server) take(ctx context.Context, d *registry.Device, topic string, payload []byte) error {
	done := make(chan error, 1)
	if err := s.hand(ctx, d, topic, payload, func(err error) { done <- err }); err != nil {
		return err
	}
	late := time.NewTimer(commitWait)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errors.New("the log does not answer")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) hand(ctx context.Context, d *registry.Device, topic string, payload []byte, done func(error)) error {
	mine := &s.order[maphash.String(seed, d.ID)%stripes]
	mine.Lock()
	defer mine.Unlock()
	return s.board.Take(ctx, &sense.Message{Device: d, Topic: topic, Payload: payload, Received: s.in.Now()}, done)
}

// answerTo says what became of a message.
func answerTo(err error) answer {
	p := problemOf(err)
	if p.Status == 0 {
		return answer{status: http.StatusNoContent}
	}
	return p.answer()
}

// problemOf is what to tell a sender of an error; Status is 0 for none.
func problemOf(err error) problem {
	switch {
	case err == nil:
		return problem{}
	case errors.Is(err, sense.ErrUnknownTopic):
		return problem{Status: http.StatusUnprocessableEntity, Title: "Unknown topic", Reason: "topic", Detail: "In quarantine: " + err.Error() + "."}
	case errors.Is(err, sense.ErrUnreadable):
		return problem{Status: http.StatusUnprocessableEntity, Title: "Not understood", Reason: "unreadable", Detail: "In quarantine: " + err.Error() + "."}
	case errors.Is(err, sense.ErrRefused):
		return problem{Status: http.StatusForbidden, Title: "May not be kept", Reason: "basis", Detail: err.Error() + "."}
	default:
		return problem{
			Status: http.StatusServiceUnavailable, Title: "Not now", Reason: "log", retry: 5 * time.Second,
			Detail: "It could not be put on the log: send it again.", err: err,
		}
	}
}
