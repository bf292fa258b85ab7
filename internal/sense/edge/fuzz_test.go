package edge_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
)

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

// A post's framing is read within its bounds, whatever it holds.
func FuzzReadLines(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"position":1,"record":{}}`, `{"position":2,"record":{}}` + "\n" + `{"position":1,"record":{}}`,
		`{"position":-1}`, `{"position":1e400}`, "\n\n", strings.Repeat("{}\n", bus.MaxBatch+1), `{"position":1,"record":"` + strings.Repeat("x", 70000) + `"}`,
	} {
		f.Add([]byte(text), false)
		f.Add(zipped(text), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, packed bool) {
		encoding := map[bool]string{true: "gzip"}[packed]
		n, err := edge.Lines(bytes.NewReader(body), encoding)
		if n > bus.MaxBatch || err != nil && n > 0 {
			t.Errorf("%d lines, %v", n, err)
		}
	})
}

// Whatever a gateway posts as a record is taken care of: no record holds up those
// behind it.
func FuzzReceiver(f *testing.F) {
	for _, rec := range []string{
		`{}`, `null`, `[]`, `"x"`, `{"id":1}`, `{"kind":"clock.tick"}`,
		`{"id":"a","kind":"sensor.state","source":"x","device":"hub1","via":"hub1","received":"2026-01-01T00:00:00Z","retain":"month","reading":{}}`,
		`{"id":"a","kind":"sensor.state","source":"x","device":"hub1","time":"9999-12-31T23:59:59Z","received":"9999-12-31T23:59:59Z","retain":"month"}`,
		`{"id":"a","kind":"device.misuse","source":"x","device":"stranger","received":"2026-01-01T00:00:00Z","retain":"for ever"}`,
		`{"id":"a","kind":"alarm","source":"x","device":"hub1","received":"2026-01-01T00:00:00Z","device_time":"0000-01-01T00:00:00Z","clock_error_s":1e308,"retain":"year"}`,
	} {
		f.Add([]byte(rec), int64(0))
		f.Add([]byte(rec), int64(3e9))
	}
	clk := clock.Wall()
	centre := newSite(f, clk)
	centre.enrol(gateway(clk.Now()), hub(1))
	h := edge.NewReceiver(centre.log, centre.in, centre.reg, clk, discard)
	position := 0
	f.Fuzz(func(t *testing.T, rec []byte, off int64) {
		if bytes.ContainsAny(rec, "\n\r") {
			t.Skip("a record is one line")
		}
		position++
		body := append(append(fmt.Appendf(nil, `{"position":%d,"record":`, position), rec...), '}')
		if n, err := edge.Lines(bytes.NewReader(body), ""); n != 1 || err != nil {
			t.Skip("not a line")
		}
		req := httptest.NewRequest(http.MethodPost, "/edge/observations", bytes.NewReader(body))
		req.SetBasicAuth("cab", secret)
		req.Header.Set("X-Bluelamp-Log", "fuzz")
		req.Header.Set("X-Bluelamp-After", "0")
		req.Header.Set("X-Bluelamp-Sent", clk.Now().Add(time.Duration(off)).Format(time.RFC3339Nano))
		req.Header.Set("X-Bluelamp-Health", string(rec))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
