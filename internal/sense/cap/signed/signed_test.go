package signed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

var now = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

// signer is somebody with a key and a certificate.
type signer struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newSigner(tb testing.TB, name string, key crypto.Signer) signer {
	tb.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(tb, err)
	cert, err := x509.ParseCertificate(der)
	must(tb, err)
	return signer{key, cert}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

var rsaKey = sync.OnceValue(func() crypto.Signer { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })

func ecKey(tb testing.TB, c elliptic.Curve) crypto.Signer {
	tb.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	must(tb, err)
	return k
}

func signers(tb testing.TB) map[string]signer {
	return map[string]signer{
		"rsa":  newSigner(tb, "Skerry Weather Service", rsaKey()),
		"p256": newSigner(tb, "Skerry Police", ecKey(tb, elliptic.P256())),
		"p521": newSigner(tb, "Skerry Coastguard", ecKey(tb, elliptic.P521())),
	}
}

const message = `<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>SK-1</identifier>
  <sender>weather@skerry.example</sender>
  <sent>2026-03-07T20:10:00+00:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <category>Met</category>
    <event>Storm</event>
    <urgency>Expected</urgency>
    <severity>Severe</severity>
    <certainty>Likely</certainty>
    <headline>Waves &amp; wind &lt;here&gt;, "quoted", £</headline>
    <description>Two
lines.</description>
  </info>
</alert>
`

func TestSignedIsOpened(t *testing.T) {
	all := signers(t)
	var certs []*x509.Certificate
	for _, s := range all {
		certs = append(certs, s.cert)
	}
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			doc, err := Sign([]byte(message), s.key, s.cert)
			must(t, err)
			a, by, err := Open(doc, certs, now)
			must(t, err)
			if !by.Equal(s.cert) || a.Identifier != "SK-1" || a.Signatures != 0 || a.Infos[0].Headline != `Waves & wind <here>, "quoted", £` {
				t.Errorf("%v: %+v", by.Subject, a)
			}
			if c := Claimed(doc); c == nil || !c.Equal(s.cert) {
				t.Error("it does not say whose it is")
			}
			if _, _, err := Open(doc, nil, now); !errors.Is(err, ErrSignature) {
				t.Errorf("without certificates: %v", err)
			}
			other := newSigner(t, "Other", ecKey(t, elliptic.P256()))
			if a, _, err := Open(doc, []*x509.Certificate{other.cert}, now); !errors.Is(err, ErrSignature) || a == nil {
				t.Errorf("with another's certificate: %v", err)
			}
			if _, _, err := Open(doc, certs, now.AddDate(2, 0, 0)); !errors.Is(err, ErrSignature) {
				t.Errorf("after the certificate has expired: %v", err)
			}
		})
	}
	if a, by, err := Open([]byte(message), certs, now); !errors.Is(err, ErrUnsigned) || a == nil || by != nil {
		t.Errorf("unsigned: %v", err)
	}
	if _, _, err := Open([]byte("<alert/>"), certs, now); !errors.Is(err, codec.ErrInvalid) {
		t.Errorf("no message: %v", err)
	}
}

// Whatever is changed, moved or put around a signature, nothing but what was
// signed counts as signed.
func TestTamperedIsRefused(t *testing.T) {
	s := signers(t)["rsa"]
	data, err := Sign([]byte(message), s.key, s.cert)
	must(t, err)
	good := string(data)
	from, to := strings.Index(good, "<ds:Signature"), strings.Index(good, "</ds:Signature>")+len("</ds:Signature>")
	sig := good[from:to]
	_, inner, _ := strings.Cut(good, "?>")
	forged := strings.Replace(message, "Severe", "Minor", 1)
	for name, doc := range map[string]string{
		"changed":              strings.Replace(good, "Severe", "Minor", 1),
		"comment in between":   strings.Replace(good, "Severe", "Minor<!---->", 1),
		"element added":        strings.Replace(good, "<scope>", "<source>me</source><scope>", 1),
		"signature moved":      strings.Replace(forged, "</alert>", sig+"</alert>", 1),
		"signature elsewhere":  strings.Replace(strings.Replace(good, sig, "", 1), "</info>", sig+"</info>", 1),
		"signature twice":      strings.Replace(good, sig, sig+sig, 1),
		"wrapped":              strings.Replace(forged, "</alert>", inner+"</alert>", 1),
		"wrapped in an object": strings.Replace(forged, "</alert>", strings.Replace(sig, "</ds:Signature>", "<ds:Object>"+inner+"</ds:Object></ds:Signature>", 1)+"</alert>", 1),
		"reference by id":      strings.Replace(strings.Replace(good, `URI=""`, `URI="#x"`, 1), "<scope>", `<scope Id="x">`, 1),
		"no reference URI":     strings.Replace(good, ` URI=""`, "", 1),
		"other method":         strings.Replace(good, "xmldsig-more#rsa-sha256", "xmldsig-more#ecdsa-sha256", 1),
		"weak method":          strings.Replace(good, "2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1", 1),
		"weak digest":          strings.Replace(good, "2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1", 1),
		"other transform":      strings.Replace(good, "2000/09/xmldsig#enveloped-signature", "TR/1999/REC-xpath-19991116", 1),
		"no value":             strings.Replace(good, "SignatureValue>", "SignatureValu>", 2),
		"value not base64":     strings.Replace(good, "<ds:SignatureValue>", "<ds:SignatureValue>!", 1),
		"two infos":            strings.Replace(good, "<ds:SignedInfo>", "<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo>", 1),
		"empty signature":      strings.Replace(message, "</alert>", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></alert>`, 1),
	} {
		if doc == good {
			t.Fatalf("%s changes nothing", name)
		}
		a, by, err := Open([]byte(doc), []*x509.Certificate{s.cert}, now)
		if err == nil || by != nil {
			t.Errorf("%s: taken as signed by %v: %+v", name, by, a)
		}
		if err != nil && !errors.Is(err, ErrSignature) && !errors.Is(err, codec.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
	// What does not change what is signed does not matter.
	a, _, err := Open([]byte(strings.Replace(good, "Severe", "Sev<!-- -->ere", 1)), []*x509.Certificate{s.cert}, now)
	if err != nil || a.Infos[0].Severity != codec.Severe {
		t.Errorf("a comment: %v", err)
	}
}

func TestShortKeysDoNotCount(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	s := newSigner(t, "short", key)
	doc, err := Sign([]byte(message), s.key, s.cert)
	must(t, err)
	if _, _, err := Open(doc, []*x509.Certificate{s.cert}, now); !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), "2048") {
		t.Errorf("%v", err)
	}
}

// xmlsec finds the real xmlsec1; without it the test is skipped, or fails where
// all is required.
func xmlsec(t *testing.T) func(args ...string) {
	t.Helper()
	path, err := exec.LookPath("xmlsec1")
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") == "1" {
			t.Fatalf("required: %v", err)
		}
		t.Skipf("no xmlsec1: %v", err)
	}
	return func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
			t.Errorf("xmlsec1 %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}

func write(t *testing.T, name, kind string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if kind != "" {
		data = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
	}
	must(t, os.WriteFile(file, data, 0o600))
	return file
}

func TestXmlsecVerifiesWhatWeSign(t *testing.T) {
	run := xmlsec(t)
	for name, s := range signers(t) {
		doc, err := Sign([]byte(message), s.key, s.cert)
		must(t, err)
		run("--verify", "--pubkey-cert-pem", write(t, name+".pem", "CERTIFICATE", s.cert.Raw), "--enabled-key-data", "rsa,ec,key-name", write(t, name+".xml", "", doc))
	}
}

// template is what xmlsec1 fills in.
const template = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>
  <CanonicalizationMethod Algorithm="C14N"/>
  <SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#METHOD"/>
  <Reference URI=""><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
    <Transform Algorithm="C14N"/></Transforms>
    <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/></Reference>
</SignedInfo><SignatureValue/><KeyInfo><X509Data/></KeyInfo></Signature>`

func TestXmlsecSignsWhatWeVerify(t *testing.T) {
	run := xmlsec(t)
	for name, s := range signers(t) {
		for _, c14n := range []string{"http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"} {
			method := "ecdsa-sha256"
			if name == "rsa" {
				method = "rsa-sha256"
			}
			der, err := x509.MarshalPKCS8PrivateKey(s.key)
			must(t, err)
			fill := strings.NewReplacer("METHOD", method, "C14N", c14n).Replace(template)
			in := write(t, "in.xml", "", []byte(strings.Replace(message, "</alert>", fill+"\n</alert>", 1)))
			out := filepath.Join(t.TempDir(), "out.xml")
			keys := write(t, "key.pem", "PRIVATE KEY", der) + "," + write(t, "cert.pem", "CERTIFICATE", s.cert.Raw)
			run("--sign", "--privkey-pem", keys, "--output", out, in)
			doc, err := os.ReadFile(out)
			must(t, err)
			a, by, err := Open(doc, []*x509.Certificate{s.cert}, now)
			if err != nil {
				t.Errorf("%s, %s: %v", name, c14n, err)
				continue
			}
			if !by.Equal(s.cert) || a.Infos[0].Description != "Two\nlines." {
				t.Errorf("%s: %+v", name, a)
			}
			if _, by, err := Open([]byte(strings.Replace(string(doc), "Severe", "Minor", 1)), []*x509.Certificate{s.cert}, now); err == nil {
				t.Errorf("%s: changed, and taken as signed by %v", name, by)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := newSigner(f, "x", ecKey(f, elliptic.P256()))
	doc, err := Sign([]byte(message), s.key, s.cert)
	must(f, err)
	f.Add(doc)
	f.Add([]byte(message))
	f.Add([]byte(strings.Replace(message, "</alert>", template+"</alert>", 1)))
	want, _, err := Open(doc, []*x509.Certificate{s.cert}, now)
	must(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		Claimed(data)
		a, by, err := Open(data, []*x509.Certificate{s.cert}, now)
		if err == nil && by != nil && (a.Identifier != want.Identifier || a.Infos[0].Severity != want.Infos[0].Severity) {
			t.Fatalf("forged: %s", data)
		}
	})
}
