package cap

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Source is the observations' source, and the dialect's name.
const Source = "cap"

// Policy says what becomes of messages without a good signature.
type Policy string

// The policies. Prefer takes an unsigned message and says that it is unsigned; it
// refuses one that claims the certificate of somebody trusted without being so.
const (
	Require Policy = "require"
	Prefer  Policy = "prefer"
	Ignore  Policy = "ignore" // signatures are not looked at
)

// ErrPolicy: a message lacks the signature that the policy asks for.
var ErrPolicy = errors.New("refused for its signature")

// Reader makes observations of messages. Its methods may be called from several
// goroutines.
type Reader struct {
	policy  Policy
	trusted []*x509.Certificate
	logger  *slog.Logger
}

// NewReader returns a reader that trusts messages signed with the given
// certificates. An empty policy is Prefer.
func NewReader(policy Policy, trusted []*x509.Certificate, logger *slog.Logger) (*Reader, error) {
	if policy == "" {
		policy = Prefer
	}
	if !slices.Contains([]Policy{Require, Prefer, Ignore}, policy) {
		return nil, fmt.Errorf("unknown policy for signatures of warnings %q: use require, prefer or ignore", policy)
	}
	if policy == Require && len(trusted) == 0 {
		return nil, errors.New("signatures of warnings are required, but no certificate is trusted: name the certificates of those who may warn")
	}
	if len(trusted) > signed.MaxTrusted {
		return nil, fmt.Errorf("%d certificates are trusted for warnings, at most %d can be", len(trusted), signed.MaxTrusted)
	}
	return &Reader{policy: policy, trusted: trusted, logger: logger}, nil
}

// Certificates reads the certificates in files of PEM, any number in each.
func Certificates(files ...string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, name := range files {
		data, err := os.ReadFile(name) //nolint:gosec // the operator names it
		if err != nil {
			return nil, fmt.Errorf("reading the certificates of those who may warn: %w", err)
		}
		n := len(out)
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				continue
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("reading a certificate in %s: %w", name, err)
			}
			out = append(out, cert)
		}
		if len(out) == n {
			return nil, fmt.Errorf("%s has no certificate in PEM form (-----BEGIN CERTIFICATE-----)", name)
		}
	}
	return out, nil
}

// open decodes a message and says who signed it; nobody is "".
//
// Errors: ErrPolicy, and those of the codec's Decode.
func (r *Reader) open(doc []byte, now time.Time) (*codec.Alert, string, error) {
	if r.policy == Ignore {
		a, err := codec.Decode(doc)
		return a, "", err
	}
	a, cert, err := signed.Open(doc, r.trusted, now)
	switch {
	case err == nil:
		return a, signed.Name(cert), nil
	case a == nil:
		return nil, "", err
	case r.policy == Require, r.claims(doc):
		return nil, "", fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return a, "", nil
}

// claims reports whether a message claims the certificate of somebody trusted.
func (r *Reader) claims(doc []byte) bool {
	c := signed.Claimed(doc)
	return c != nil && slices.ContainsFunc(r.trusted, c.Equal)
}

// Read returns what a message says: an observation for each part in the force's
// language, or one for a message that has none. from says in the log where it
// came from.
//
// Errors: ErrPolicy, and those of the codec's Decode.
func (r *Reader) Read(doc []byte, from string, now time.Time) ([]*event.Observation, error) {
	a, signer, err := r.open(doc, now)
	if err != nil {
		return nil, err
	}
	for _, f := range a.Flaws {
		r.logger.Warn("a warning is not quite as CAP wants it; it is taken all the same", "from", from, "sender", a.Sender, "identifier", a.Identifier, "flaw", f.String())
	}
	os := observe(a, signer, now)
	if len(doc) <= maxRaw {
		os[0].Raw = bytes.Clone(doc)
	}
	return os, nil
}

// maxRaw is the most bytes of a message that its observation carries.
const maxRaw = 16 << 10
