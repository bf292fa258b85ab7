package signed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Sign signs a message, of which cap.Encode wrote the bytes: an enveloped
// signature over the whole of it, exclusive canonical XML, SHA-256. The
// certificate goes into it, for those who look for whose it is.
func Sign(doc []byte, key crypto.Signer, cert *x509.Certificate) ([]byte, error) {
	if _, err := codec.Decode(doc); err != nil {
		return nil, err
	}
	signer, err := rawSigner(key)
	if err != nil {
		return nil, err
	}
	ctx, err := dsig.NewSigningContext(signer, [][]byte{cert.Raw})
	if err != nil {
		return nil, err
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	ctx.IdAttribute = "Id" // of which cap.Encode writes none: the reference is to the whole
	d := etree.NewDocument()
	if err := d.ReadFromBytes(doc); err != nil {
		return nil, fmt.Errorf("signing a message: %w", err)
	}
	root, err := ctx.SignEnveloped(d.Root())
	if err != nil {
		return nil, fmt.Errorf("signing a message: %w", err)
	}
	d.SetRoot(root)
	out, err := d.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("signing a message: %w", err)
	}
	return out, nil
}

// rawSigner makes a key sign as XML signatures want it.
func rawSigner(key crypto.Signer) (crypto.Signer, error) {
	switch pub := key.Public().(type) {
	case *rsa.PublicKey:
		return key, nil
	case *ecdsa.PublicKey:
		return sideBySide{key, (pub.Curve.Params().BitSize + 7) / 8}, nil
	default:
		return nil, errors.New("the key to sign with is neither RSA nor ECDSA: make another")
	}
}

// sideBySide gives r and s of an ECDSA signature one after the other, each as
// long as the curve's order (XML Signature 1.1, 6.4.3), where Go gives ASN.1.
type sideBySide struct {
	crypto.Signer
	size int
}

// Sign implements crypto.Signer.
func (s sideBySide) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	der, err := s.Signer.Sign(random, digest, opts)
	if err != nil {
		return nil, err
	}
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil, err
	}
	out := make([]byte, 2*s.size)
	v.R.FillBytes(out[:s.size])
	v.S.FillBytes(out[s.size:])
	return out, nil
}
