package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// ndjson is the media type of a batch: a message on each line.
const ndjson = "application/x-ndjson"

// kindOf says whether a request is a batch, and refuses what no dialect reads.
func kindOf(r *http.Request) (batch bool, p problem) {
	switch enc := r.Header.Get("Content-Encoding"); strings.ToLower(enc) {
	case "", "identity", "gzip":
	default:
		return false, problem{Status: http.StatusUnsupportedMediaType, Title: "Unknown encoding", Reason: "type", Detail: "Send the body as it is, or with gzip."}
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" {
		return false, problem{}
	}
	t, _, err := mime.ParseMediaType(ct)
	if err == nil {
		switch {
		case t == ndjson:
			return true, problem{}
		case t == "application/json", t == "application/xml", t == "application/octet-stream",
			strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "+json"), strings.HasSuffix(t, "+xml"):
			return false, problem{}
		}
	}
	return false, problem{
		Status: http.StatusUnsupportedMediaType, Title: "Unknown media type", Reason: "type",
		Detail: fmt.Sprintf("%.80q is nothing that a dialect reads: send application/json, %s, text, XML or application/octet-stream.", ct, ndjson),
	}
}

// read reads a body that is bounded before and after inflation. release gives
// its memory back.
func (s *Server) read(w http.ResponseWriter, r *http.Request, d *registry.Device, batch bool) (body []byte, release func(), p problem) {
	most := int64(d.Limits.OrDefault().Bytes)
	if batch {
		most = max(most, maxBatch)
	}
	weight := most
	squeezed := strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip")
	if r.ContentLength >= 0 && !squeezed {
		weight = r.ContentLength
	}
	if weight > most {
		return nil, nil, s.tooLarge(w, r, d, most)
	}
	weight = min(weight, maxBodies)
	ctx, stop := context.WithTimeout(r.Context(), bodyWait)
	defer stop()
	if err := s.bodies.Acquire(ctx, weight); err != nil {
		return nil, nil, busyServer()
	}
	release = func() { s.bodies.Release(weight) }
	body, err := slurp(http.MaxBytesReader(w, r.Body, most), squeezed, most, weight)
	if err == nil {
		s.met.bytes.Add(float64(len(body)))
		return body, release, problem{}
	}
	release()
	var size *http.MaxBytesError
	if errors.As(err, &size) || errors.Is(err, errInflated) {
		return nil, nil, s.tooLarge(w, r, d, most)
	}
	return nil, nil, problem{Status: http.StatusBadRequest, Title: "Broken body", Reason: "body", Detail: "The body ended early or is not what its headers say: " + err.Error() + "."}
}

var errInflated = errors.New("too large when inflated")

func slurp(r io.Reader, squeezed bool, most, expect int64) ([]byte, error) {
	if !squeezed {
		b := bytes.NewBuffer(make([]byte, 0, min(expect, 64<<10)+bytes.MinRead))
		_, err := b.ReadFrom(r)
		return b.Bytes(), err
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(z, most+1))
	if err == nil && int64(len(body)) > most {
		err = errInflated
	}
	return body, err
}

func (s *Server) tooLarge(w http.ResponseWriter, r *http.Request, d *registry.Device, most int64) problem {
	w.Header().Set("Connection", "close") // the rest of the body is not read
	s.met.refused.WithLabelValues("size").Inc()
	s.misuse.note(r.Context(), d.ID, d.ID, event.MisuseSize, fmt.Sprintf("sent more than its limit of %d bytes at once", most), addressFrom(r))
	return problem{Status: http.StatusRequestEntityTooLarge, Title: "Too large", Reason: "size", Detail: fmt.Sprintf("At most %d bytes at once.", most)}
}

func busyServer() problem { return busy(time.Second, "The server has its hands full.") }
