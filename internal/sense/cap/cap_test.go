package cap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

var now = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// warning is message n, sent so many minutes before now.
func warning(t testing.TB, n, minutes int) []byte {
	t.Helper()
	doc, err := codec.Encode(&codec.Alert{
		Identifier: fmt.Sprintf("SK-%d", n), Sender: "weather@skerry.example", Sent: now.Add(-time.Duration(minutes) * time.Minute),
		Status: codec.Actual, MsgType: codec.MsgAlert, Scope: codec.Public,
		Infos: []codec.Info{
			{
				Language: "nb-NO", Categories: []codec.Category{"Met"}, Event: "Storm på kysten",
				Urgency: "Expected", Severity: codec.Severe, Certainty: codec.Likely,
			},
			{
				Language: "en-GB", Categories: []codec.Category{"Met"}, Event: "Storm",
				Urgency: "Expected", Severity: codec.Severe, Certainty: codec.Likely, Headline: "Storm at the coast",
				Areas: []codec.Area{{
					Desc:     "Skerrywick",
					Polygons: []codec.Polygon{{{Lat: 54.70, Lon: 2.64}, {Lat: 54.72, Lon: 2.64}, {Lat: 54.72, Lon: 2.70}, {Lat: 54.70, Lon: 2.64}}},
					Circles:  []codec.Circle{{Centre: codec.Point{Lat: 54.69, Lon: 2.65}, Radius: 1.5}},
				}},
			},
			{
				Language: "en-GB", Categories: []codec.Category{"Met"}, Event: "Rain",
				Urgency: "Expected", Severity: codec.Minor, Certainty: codec.Likely,
			},
		},
	})
	must(t, err)
	return doc
}

type signer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newSigner(t testing.TB, name string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return signer{key, cert}
}

func (s signer) sign(t testing.TB, doc []byte) []byte {
	t.Helper()
	out, err := signed.Sign(doc, s.key, s.cert)
	must(t, err)
	return out
}

func newReader(t testing.TB, p Policy, trusted ...*x509.Certificate) *Reader {
	t.Helper()
	r, err := NewReader(p, trusted, slog.New(slog.DiscardHandler))
	must(t, err)
	return r
}

func TestRead(t *testing.T) {
	os, err := newReader(t, Prefer).Read(warning(t, 1, 10), "test", now)
	must(t, err)
	if len(os) != 2 {
		t.Fatalf("%d observations, want one for each part in English", len(os))
	}
	o, w := os[0], os[0].Warning
	switch {
	case o.Kind != event.KindWarning || o.Source != "cap" || !o.Time.Equal(now.Add(-10*time.Minute)) || !o.DeviceTime.Equal(o.Time) || len(o.Raw) == 0:
		t.Errorf("%+v", o)
	case w.Event != "Storm" || w.Headline != "Storm at the coast" || w.Area != "Skerrywick" || w.Severity != "Severe" || w.Signed != "" || w.Expires != nil:
		t.Errorf("%+v", w)
	case len(w.Polygons) != 2 || len(w.Polygons[0]) != 4 || len(w.Polygons[1]) != circleSide+1:
		t.Errorf("polygons %v", w.Polygons)
	case o.Place == nil || o.Place.Lat != 54.71 || o.Place.Lon != 2.67:
		t.Errorf("place %v", o.Place)
	case os[1].Warning.Event != "Rain" || os[1].ID == o.ID:
		t.Errorf("the second part: %+v", os[1].Warning)
	}
	ahead, err := newReader(t, Prefer).Read(warning(t, 1, -60), "test", now)
	must(t, err)
	if !ahead[0].Time.Equal(now) || !ahead[0].DeviceTime.Equal(now.Add(time.Hour)) {
		t.Errorf("sent ahead: at %v", ahead[0].Time)
	}
}

func TestPolicies(t *testing.T) {
	met, other := newSigner(t, "Met"), newSigner(t, "Other")
	plain := warning(t, 1, 10)
	forged := bytes.Replace(met.sign(t, plain), []byte("Severe"), []byte("Minor"), 1)
	for _, c := range []struct {
		name   string
		doc    []byte
		policy Policy
		signed string
		ok     bool
	}{
		{"signed", met.sign(t, plain), Require, "Met", true},
		{"signed", met.sign(t, plain), Prefer, "Met", true},
		{"signed", met.sign(t, plain), Ignore, "", true},
		{"unsigned", plain, Require, "", false},
		{"unsigned", plain, Prefer, "", true},
		{"unsigned", plain, Ignore, "", true},
		{"a stranger's", other.sign(t, plain), Require, "", false},
		{"a stranger's", other.sign(t, plain), Prefer, "", true},
		{"forged", forged, Require, "", false},
		{"forged", forged, Prefer, "", false},
		{"forged", forged, Ignore, "", true},
	} {
		os, err := newReader(t, c.policy, met.cert).Read(c.doc, "test", now)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrPolicy) {
			t.Errorf("%s, %s: %v", c.name, c.policy, err)
			continue
		}
		if c.ok && os[0].Warning.Signed != c.signed {
			t.Errorf("%s, %s: signed by %q, want %q", c.name, c.policy, os[0].Warning.Signed, c.signed)
		}
	}
	a, err := newReader(t, Prefer, met.cert).Read(plain, "test", now)
	must(t, err)
	b, err := newReader(t, Prefer, met.cert).Read(met.sign(t, plain), "test", now)
	must(t, err)
	if a[0].ID == b[0].ID {
		t.Error("an unsigned message takes the place of the signed one")
	}
	if _, err := NewReader(Require, nil, nil); err == nil {
		t.Error("signatures are required of nobody")
	}
	if _, err := NewReader("maybe", nil, nil); err == nil {
		t.Error("an unknown policy is taken")
	}
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	for _, s := range []signer{newSigner(t, "A"), newSigner(t, "B")} {
		must(t, pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw}))
	}
	good, bad := filepath.Join(dir, "good.pem"), filepath.Join(dir, "bad.pem")
	must(t, os.WriteFile(good, b.Bytes(), 0o600))
	must(t, os.WriteFile(bad, []byte("hello"), 0o600))
	if certs, err := Certificates(good); err != nil || len(certs) != 2 {
		t.Errorf("%d %v", len(certs), err)
	}
	if _, err := Certificates(good, bad); err == nil || !strings.Contains(err.Error(), "bad.pem") {
		t.Errorf("%v", err)
	}
}

func TestDialect(t *testing.T) {
	d := NewDialect(newReader(t, Prefer))
	if !d.Matches("cap") || d.Matches("cap/x") || d.Name() != "cap" {
		t.Error("the topic")
	}
	m := &sense.Message{Device: &registry.Device{ID: "met-gateway"}, Topic: "cap", Payload: warning(t, 1, 10), Received: now}
	s := sense.NewSwitchboard(nil, d)
	a, _, err := s.Understand(m)
	must(t, err)
	if a[0].Device != "met-gateway" || a[0].Via != "met-gateway" {
		t.Errorf("%+v", a[0])
	}
	m.Received = now.Add(time.Hour)
	if b, _, err := s.Understand(m); err != nil || b[0].ID != a[0].ID {
		t.Errorf("sent twice, it is observed twice: %v", err)
	}
	m.Payload = []byte("<alert/>")
	if _, _, err := s.Understand(m); !errors.Is(err, sense.ErrUnreadable) {
		t.Errorf("%v", err)
	}
}

func TestFile(t *testing.T) {
	read := func(data string) (ids, fails []string) {
		var last time.Time
		for o, err := range File("test.xml", strings.NewReader(data)) {
			if err != nil {
				fails = append(fails, err.Error())
				continue
			}
			if o.Received.Before(last) {
				t.Errorf("received goes back to %v", o.Received)
			}
			last = o.Received
			ids = append(ids, o.Warning.Identifier)
		}
		return ids, fails
	}
	bare := func(n, minutes int) string {
		_, s, _ := strings.Cut(string(warning(t, n, minutes)), "?>")
		return s
	}
	ids, fails := read(string(warning(t, 2, 5)) + string(warning(t, 1, 10)))
	if fmt.Sprint(ids) != "[SK-1 SK-1 SK-2 SK-2]" || fails != nil {
		t.Errorf("%v %v", ids, fails)
	}
	feed := `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>2</id><content>` + bare(2, 5) + `</content></entry>
<entry><id>1</id><content>` + bare(1, 10) + `</content></entry><entry><id>0</id><link href="0.xml"/></entry>
<entry><id>3</id><content>` + strings.Replace(bare(3, 1), "Actual", "Real", 1) + `</content></entry></feed>`
	ids, fails = read(feed)
	if fmt.Sprint(ids) != "[SK-1 SK-1 SK-2 SK-2]" || len(fails) != 2 || !strings.Contains(fails[0], "line") || !strings.Contains(fails[1], "0.xml") {
		t.Errorf("%v %q", ids, fails)
	}
	if ids, fails = read("hello"); ids != nil || len(fails) != 1 {
		t.Errorf("%v %q", ids, fails)
	}
	if _, fails = read("<x/>"); len(fails) != 1 || !strings.Contains(fails[0], "no CAP 1.2 message") {
		t.Errorf("%q", fails)
	}
}

// platform is a log with an intake.
type platform struct {
	log    *bus.Log
	intake *sense.Intake
}

func newPlatform(t *testing.T) platform {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(log.Close)
	return platform{log, sense.NewIntake(log, clock.Fixed(now), nil, slog.New(slog.DiscardHandler), nil)}
}

// heard returns the identifiers that are on the log, in order.
func (p platform) heard(t *testing.T) []string {
	t.Helper()
	var out []string
	must(t, p.log.Each(context.WithoutCancel(t.Context()), bus.Observations, 0, func(rec bus.Record) error {
		var o event.Observation
		must(t, json.Unmarshal(rec.Data, &o))
		if o.Warning.Event != "Rain" {
			out = append(out, o.Warning.Identifier)
		}
		return nil
	}))
	return out
}

func (p platform) refused(t *testing.T) []event.Quarantined {
	t.Helper()
	var out []event.Quarantined
	must(t, p.log.Each(context.WithoutCancel(t.Context()), bus.Quarantine, 0, func(rec bus.Record) error {
		var q event.Quarantined
		must(t, json.Unmarshal(rec.Data, &q))
		out = append(out, q)
		return nil
	}))
	return out
}
