package lines_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/suricata"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
)

const secret = "correct-horse-battery"

// station is a listener with everything that it stands on.
type station struct {
	t    *testing.T
	log  *bus.Log
	reg  *registry.Registry
	l    *lines.Listener
	stop func()
}

func start(t *testing.T, cfg lines.Config) *station {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	log, err := bus.Open(ctx, bus.Config{Dir: dir, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	logger := slog.New(slog.DiscardHandler)
	sealer, err := seal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.New(ctx, log, sealer, clock.Wall(), logger)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(secret))
	keys := []registry.Credential{{Hash: hash[:]}}
	err = reg.PutDevices(ctx, "test",
		registry.Device{ID: "ids-1", Name: "IDS", Kind: "monitor", Credentials: keys},
		registry.Device{ID: "zeek-1", Name: "Zeek", Kind: "monitor", Speaks: []string{"zeek"}, Credentials: keys},
		registry.Device{ID: "gone-1", Name: "Gone", Kind: "monitor", Revoked: true, Credentials: keys})
	if err != nil {
		t.Fatal(err)
	}
	in := sense.NewIntake(log, clock.Wall(), reg, logger, nil)
	l, err := lines.NewListener(cfg, []lines.Dialect{suricata.Dialect(), zeek.Dialect()}, reg, in, logger, nil)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- l.Run(running) }()
	st := &station{t: t, log: log, reg: reg, l: l}
	st.stop = func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(st.stop)
	return st
}

func (s *station) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.l.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *station) send(c net.Conn, text string) {
	s.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *station) observed() (os []event.Observation) {
	s.t.Helper()
	err := s.log.Each(context.Background(), bus.Observations, 0, func(rec bus.Record) error {
		var o event.Observation
		err := json.Unmarshal(rec.Data, &o)
		os = append(os, o)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return os
}

func (s *station) quarantined() (qs []event.Quarantined) {
	s.t.Helper()
	err := s.log.Each(context.Background(), bus.Quarantine, 0, func(rec bus.Record) error {
		var q event.Quarantined
		err := json.Unmarshal(rec.Data, &q)
		qs = append(qs, q)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return qs
}

// wait waits until the log holds n observations.
func (s *station) wait(n int) []event.Observation {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		os := s.observed()
		if len(os) >= n || time.Now().After(deadline) {
			if len(os) != n {
				s.t.Fatalf("%d observations, want %d", len(os), n)
			}
			return os
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// closed waits until the other end has closed.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: %v; want it closed", err)
	}
}

func alert(n int) string {
	return fmt.Sprintf(`{"timestamp":"2026-03-01T12:00:%02d.000000+0000","flow_id":%d,"event_type":"alert","src_ip":"192.0.2.1","dest_ip":"10.0.0.1","proto":"TCP","alert":{"signature_id":%d,"severity":1}}`+"\n", n%60, n, n)
}

func zeekLine(n int) string {
	return fmt.Sprintf(`{"ts":%d.5,"uid":"C%d","id.orig_h":"192.0.2.1","id.resp_h":"10.0.0.1","proto":"tcp","conn_state":"S0"}`+"\n", 1700000000+n, n)
}

func TestLinesOverTCP(t *testing.T) {
	s := start(t, lines.Config{TCP: "127.0.0.1:0", MaxLine: 4000})
	c := s.dial()
	s.send(c, "AUTH ids-1 "+secret+"\r\n\n"+alert(1)+`{"timestamp":"2026-03-01T12:00:00Z","event_type":"stats"}`+"\n"+"{broken\n"+strings.Repeat("x", 5000)+"\n"+alert(2)[:30])
	s.wait(1)
	s.send(c, alert(2)[30:]+alert(1)) // the last is a repetition
	os := s.wait(2)
	for _, o := range os {
		if o.Device != "ids-1" || o.Via != "ids-1" || o.Source != "suricata" || o.Kind != event.KindNetNotice {
			t.Errorf("%+v", o)
		}
	}
	if qs := s.quarantined(); len(qs) != 2 || qs[0].Device != "ids-1" || string(qs[0].Bytes) != "{broken" || !strings.Contains(qs[1].Detail, "longer") {
		t.Errorf("quarantine: %+v", qs)
	}
	// A second connection repeats what the first had sent, and goes on; a line
	// without its end is not believed.
	c.Close()
	c = s.dial()
	s.send(c, "AUTH ids-1 "+secret+"\n"+alert(2)+alert(3)+strings.TrimSuffix(alert(4), "\n"))
	s.wait(3)
	c.Close()
	// Zeek's lines are told apart by themselves, also in its tab-separated form.
	c = s.dial()
	s.send(c, "AUTH zeek-1 "+secret+"\n#separator \\x09\n#path\tweird\n#fields\tts\tname\n5\tstrange\n")
	if o := s.wait(4)[3]; o.Kind != event.KindAnomaly || o.Source != "zeek" || o.Notice.Name != "strange" {
		t.Errorf("%+v", o)
	}
}

func TestWhoMayNotSend(t *testing.T) {
	s := start(t, lines.Config{TCP: "127.0.0.1:0", FirstTimeout: 300 * time.Millisecond})
	for name, text := range map[string]string{
		"nothing said":      "",
		"no AUTH":           alert(1),
		"a wrong secret":    "AUTH ids-1 wrong\n" + alert(1),
		"nobody":            "AUTH nobody " + secret + "\n" + alert(1),
		"revoked":           "AUTH gone-1 " + secret + "\n" + alert(1),
		"another's dialect": "AUTH zeek-1 " + secret + "\n" + alert(1),
		"no monitor":        "AUTH ids-1 " + secret + "\nGET / HTTP/1.1\n",
		"only garbage":      "AUTH ids-1 " + secret + "\n" + `{"event_type":1}` + "\n" + strings.Repeat("{\n", 200),
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			_, _ = io.WriteString(c, text) // it may be closed while we write
			closed(t, c)
		})
	}
	if os := s.observed(); len(os) != 0 {
		t.Errorf("observed %+v", os)
	}
	for _, q := range s.quarantined() {
		if bytes.Contains(q.Bytes, []byte(secret)) || strings.Contains(q.Detail, secret) {
			t.Errorf("a secret is in the quarantine: %+v", q)
		}
	}
}

func TestRevokedWhileConnected(t *testing.T) {
	s := start(t, lines.Config{TCP: "127.0.0.1:0"})
	c := s.dial()
	s.send(c, "AUTH ids-1 "+secret+"\n"+alert(1))
	s.wait(1)
	d, err := s.reg.Device("ids-1")
	if err != nil {
		t.Fatal(err)
	}
	gone := *d
	gone.Revoked = true
	if err := s.reg.PutDevices(t.Context(), "test", gone); err != nil {
		t.Fatal(err)
	}
	s.send(c, alert(2))
	closed(t, c)
	s.wait(1)
}

// Who came with a secret that has ended since does not stay: it may be the thief.
func TestCredentialEndsWhileConnected(t *testing.T) {
	s := start(t, lines.Config{TCP: "127.0.0.1:0"})
	c := s.dial()
	s.send(c, "AUTH ids-1 "+secret+"\n"+alert(1))
	s.wait(1)
	if _, err := s.reg.Rotate(t.Context(), "jo", "ids-1", 0); err != nil {
		t.Fatal(err)
	}
	s.send(c, alert(2))
	closed(t, c)
	s.wait(1)
}

func TestStrangersHaveFewPlaces(t *testing.T) {
	s := start(t, lines.Config{TCP: "127.0.0.1:0", MaxStrangers: 2, MaxConns: 4})
	known := s.dial()
	s.send(known, "AUTH ids-1 "+secret+"\n"+alert(1))
	s.wait(1)
	var strangers []net.Conn
	for range 5 {
		strangers = append(strangers, s.dial())
	}
	for _, c := range strangers[2:] {
		closed(t, c)
	}
	s.send(known, alert(2))
	s.wait(2)
}

// TestEveryLineThatWasTakenIsKept stops the platform while a monitor sends: what
// was observed is a beginning of what was sent, without a gap.
func TestEveryLineThatWasTakenIsKept(t *testing.T) {
	s := start(t, lines.Config{TCP: "127.0.0.1:0", From: map[string]string{"127.0.0.0/8": "zeek-1"}})
	c := s.dial()
	go func() {
		for n := range 20_000 {
			if _, err := io.WriteString(c, zeekLine(n)); err != nil {
				return
			}
		}
	}()
	deadline := time.Now().Add(20 * time.Second)
	for len(s.observed()) < 500 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	s.stop()
	os := s.observed()
	if len(os) < 500 {
		t.Fatalf("%d observations", len(os))
	}
	for n, o := range os {
		if o.Flow.UID != fmt.Sprintf("C%d", n) || o.Device != "zeek-1" {
			t.Fatalf("observation %d is of %s by %s", n, o.Flow.UID, o.Device)
		}
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close() // as a killed server leaves it
	s := start(t, lines.Config{Sockets: map[string]string{path: "ids-1"}})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.send(c, alert(1))
	if o := s.wait(1)[0]; o.Device != "ids-1" {
		t.Errorf("%+v", o)
	}
}

// certify writes a certificate and its key, signed by parent or by itself.
func certify(t *testing.T, dir, name string, parent *tls.Certificate) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: parent == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	issuer, signer := form, any(key)
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, form, issuer, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return cert, certFile, keyFile
}

func TestLinesOverTLS(t *testing.T) {
	dir := t.TempDir()
	ca, caFile, _ := certify(t, dir, "ca", nil)
	_, certFile, keyFile := certify(t, dir, "server", &ca)
	mine, _, _ := certify(t, dir, "ids-1", &ca)
	nobodys, _, _ := certify(t, dir, "nobody", &ca)
	foreign, _, _ := certify(t, dir, "zeek-1", nil)
	s := start(t, lines.Config{TCP: "127.0.0.1:0", Cert: certFile, Key: keyFile, ClientCA: caFile})
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	dial := func(certs ...tls.Certificate) net.Conn {
		c := tls.Client(s.dial(), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", Certificates: certs})
		return c
	}
	c := dial(mine)
	s.send(c, alert(1)) // the certificate says who it is
	s.wait(1)
	c = dial()
	s.send(c, "AUTH ids-1 "+secret+"\n"+alert(2))
	s.wait(2)
	for _, cert := range []tls.Certificate{nobodys, foreign} {
		c := dial(cert)
		_, _ = io.WriteString(c, alert(3))
		closed(t, c)
	}
	plain := s.dial()
	s.send(plain, "AUTH ids-1 "+secret+"\n"+alert(4))
	_, _ = io.Copy(io.Discard, plain) // an alert of TLS, and the end
	s.wait(2)
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for _, cfg := range []lines.Config{
		{Cert: "x"}, {ClientCA: "x"}, {From: map[string]string{"nowhere": "a"}}, {From: map[string]string{"192.0.2.0/99": "a"}},
	} {
		if err := cfg.Check(); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
