package signed

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Errors of Open.
var (
	// ErrUnsigned: the message has no signature.
	ErrUnsigned = errors.New("the message is not signed")
	// ErrSignature: there is a signature, and it is not a good one by anybody
	// whose certificate was given.
	ErrSignature = errors.New("the signature is not good")
)

// MaxTrusted is the most certificates that a signature is tried with.
const MaxTrusted = 200

// minRSA is the fewest bits of an RSA key whose signatures count.
const minRSA = 2048

// The algorithms that count. SHA-1 is not among them.
var (
	methods = map[string]bool{
		dsig.RSASHA256SignatureMethod: true, dsig.RSASHA384SignatureMethod: true, dsig.RSASHA512SignatureMethod: true,
		dsig.ECDSASHA256SignatureMethod: true, dsig.ECDSASHA384SignatureMethod: true, dsig.ECDSASHA512SignatureMethod: true,
	}
	digests = map[string]bool{
		"http://www.w3.org/2001/04/xmlenc#sha256":       true,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": true,
		"http://www.w3.org/2001/04/xmlenc#sha512":       true,
	}
	canonical = map[string]bool{
		string(dsig.CanonicalXML10ExclusiveAlgorithmId): true,
		string(dsig.CanonicalXML10RecAlgorithmId):       true,
		string(dsig.CanonicalXML11AlgorithmId):          true,
	}
)

// Open decodes a message and says whose certificate its signature was made with.
// Certificates count while they are valid at now.
//
// Errors: ErrUnsigned and ErrSignature, and those of cap.Decode. With the first
// two the message is returned all the same, as nobody vouches for it.
func Open(doc []byte, trusted []*x509.Certificate, now time.Time) (*codec.Alert, *x509.Certificate, error) {
	// First as it stands: this refuses what is no message, with lines, and bounds
	// what the XML library gets to see.
	plain, err := codec.Decode(doc)
	if err != nil {
		return nil, nil, err
	}
	if plain.Signatures == 0 {
		return plain, nil, ErrUnsigned
	}
	root, sig, err := shape(doc)
	if err != nil {
		return plain, nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// What a signature says of its own key counts for nothing, and the library
	// would want a certificate in it. It is not signed.
	if key := find(sig, "KeyInfo"); key != nil {
		sig.RemoveChild(key)
	}
	if len(trusted) > MaxTrusted {
		trusted = trusted[:MaxTrusted]
	}
	why := errors.New("no certificate was given to verify it with")
	for _, cert := range trusted {
		if err := suits(cert); err != nil {
			why = err
			continue
		}
		a, err := verify(root, sig, cert, now)
		if err == nil {
			return a, cert, nil
		}
		why = err
	}
	if len(trusted) > 1 {
		why = fmt.Errorf("it fits none of %d certificates, the last: %w", len(trusted), why)
	}
	return plain, nil, fmt.Errorf("%w: %w", ErrSignature, why)
}

// Claimed returns the certificate that a signature says it was made with, for
// people to read: anybody may claim anything. nil when it names none.
func Claimed(doc []byte) *x509.Certificate {
	if _, err := codec.Decode(doc); err != nil {
		return nil
	}
	_, sig, err := shape(doc)
	if err != nil {
		return nil
	}
	el := find(sig, "KeyInfo", "X509Data", "X509Certificate")
	if el == nil {
		return nil
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(el.Text()), ""))
	if err != nil {
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return cert
}

func suits(cert *x509.Certificate) error {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return fmt.Errorf("the RSA key of %s has %d bits, at least %d are needed", Name(cert), key.N.BitLen(), minRSA)
		}
		return nil
	case *ecdsa.PublicKey:
		return nil
	default:
		return fmt.Errorf("the key of %s is neither RSA nor ECDSA", Name(cert))
	}
}

// Name names whose certificate it is.
func Name(cert *x509.Certificate) string {
	if cert.Subject.CommonName != "" {
		return cert.Subject.CommonName
	}
	return cert.Subject.String()
}

// verify decodes what was signed, and nothing else.
func verify(root, sig *etree.Element, cert *x509.Certificate, now time.Time) (*codec.Alert, error) {
	if err := fit(sig, cert); err != nil {
		return nil, err
	}
	v := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
	v.IdAttribute = "Id" // shape has made sure that no such attribute matters
	v.Clock = dsig.NewFakeClockAt(now)
	signed, err := v.Validate(root)
	if err != nil {
		return nil, fmt.Errorf("with the certificate of %s: %w", Name(cert), err)
	}
	doc := etree.NewDocument()
	doc.SetRoot(signed)
	data, err := doc.WriteToBytes()
	if err != nil {
		return nil, err
	}
	a, err := codec.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("what was signed: %w", err)
	}
	for i := range a.Flaws {
		a.Flaws[i].Line = 0 // a line of the canonical form means nothing to anybody
	}
	return a, nil
}

// fit checks that the method suits the key, since the library asks only whether
// the one verifies with the other.
func fit(sig *etree.Element, cert *x509.Certificate) error {
	method := find(sig, "SignedInfo", "SignatureMethod").SelectAttrValue("Algorithm", "")
	_, isRSA := cert.PublicKey.(*rsa.PublicKey)
	if strings.Contains(method, "#rsa-") != isRSA {
		return fmt.Errorf("it was not made with the kind of key that %s has", Name(cert))
	}
	return nil
}

// shape returns the message and its one signature, in the form that we verify:
// it ends the message, covers the whole of it, and leaves nothing to interpretation.
func shape(doc []byte) (root, sig *etree.Element, err error) {
	d := etree.NewDocument()
	if err := d.ReadFromBytes(doc); err != nil {
		return nil, nil, err
	}
	root = d.Root()
	for _, el := range root.FindElements("//*") {
		if el.Tag == "Signature" && el.NamespaceURI() == dsig.Namespace {
			if sig != nil || el.Parent() != root {
				return nil, nil, errors.New("there must be one signature, directly within the message")
			}
			sig = el
		}
	}
	if sig == nil {
		return nil, nil, errors.New("there must be one signature, directly within the message")
	}
	info := find(sig, "SignedInfo")
	ref := find(sig, "SignedInfo", "Reference")
	method := find(sig, "SignedInfo", "SignatureMethod")
	c14n := find(sig, "SignedInfo", "CanonicalizationMethod")
	digest := find(sig, "SignedInfo", "Reference", "DigestMethod")
	value := find(sig, "SignatureValue")
	if info == nil || ref == nil || method == nil || c14n == nil || digest == nil || value == nil {
		return nil, nil, errors.New("a part of it is missing or there twice")
	}
	algorithm := func(el *etree.Element) string { return el.SelectAttrValue("Algorithm", "") }
	switch {
	case ref.SelectAttr("URI") == nil || ref.SelectAttrValue("URI", "") != "":
		return nil, nil, errors.New("it does not cover the whole message (its reference must be empty)")
	case !methods[algorithm(method)]:
		return nil, nil, fmt.Errorf("the method %.80q is not taken: use RSA or ECDSA with SHA-256", algorithm(method))
	case !canonical[algorithm(c14n)]:
		return nil, nil, fmt.Errorf("the canonicalisation %.80q is not taken", algorithm(c14n))
	case !digests[algorithm(digest)]:
		return nil, nil, fmt.Errorf("the digest %.80q is not taken: use SHA-256", algorithm(digest))
	}
	if err := transforms(ref); err != nil {
		return nil, nil, err
	}
	if err := normalise(sig, method, value); err != nil {
		return nil, nil, err
	}
	return root, sig, nil
}

// find follows a path of elements of which each is there once; nil otherwise.
func find(el *etree.Element, path ...string) *etree.Element {
	for _, name := range path {
		var next *etree.Element
		for _, k := range el.ChildElements() {
			if k.Tag != name {
				continue
			}
			if next != nil || k.NamespaceURI() != dsig.Namespace {
				return nil
			}
			next = k
		}
		if next == nil {
			return nil
		}
		el = next
	}
	return el
}

// transforms takes the signature out, then a canonical form, and nothing else:
// other transforms can leave out what was not to be signed.
func transforms(ref *etree.Element) error {
	ts := find(ref, "Transforms")
	if ts == nil {
		return errors.New("it has no transforms")
	}
	for i, t := range ts.ChildElements() {
		a := t.SelectAttrValue("Algorithm", "")
		if i == 0 && a != string(dsig.EnvelopedSignatureAltorithmId) || i == 1 && !canonical[a] || i > 1 {
			return fmt.Errorf("the transform %.80q is not taken: enveloped signature, then canonical XML", a)
		}
	}
	if len(ts.ChildElements()) != 2 {
		return errors.New("its transforms must be two: enveloped signature, then canonical XML")
	}
	return nil
}

// normalise brings a signature's value, which is not signed, to the form in which
// the library verifies it.
func normalise(sig, method, value *etree.Element) error {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value.Text()), ""))
	if err != nil {
		return errors.New("its value is not base64")
	}
	if strings.Contains(method.SelectAttrValue("Algorithm", ""), "#ecdsa-") {
		// XML signatures hold r and s side by side, the library wants ASN.1.
		if len(raw) == 0 || len(raw)%2 != 0 || len(raw) > 2*66 {
			return errors.New("its value is not that of an ECDSA signature")
		}
		half := len(raw) / 2
		raw, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
		if err != nil {
			return err
		}
	}
	value.SetText(base64.StdEncoding.EncodeToString(raw))
	return nil
}
