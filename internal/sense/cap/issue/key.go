package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// KeyFile is where the key that was made at first use lies in the data directory.
const KeyFile = "warnings-key.pem"

// keyLasts is how long a certificate that we make ourselves is valid.
const keyLasts = 5 * 365 * 24 * time.Hour

// LoadKey reads the key that signs warnings, and its certificate, from a file of
// PEM. Without a file they are those of the data directory, made at first use: an
// ECDSA key on P-256 and a certificate that it signs itself, for name. now is the
// platform's time.
func LoadKey(file, dir, name string, now time.Time) (crypto.Signer, *x509.Certificate, error) {
	path := file
	if path == "" {
		path = filepath.Join(dir, KeyFile)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator's file, or ours
	if file == "" && errors.Is(err, fs.ErrNotExist) {
		data, err = makeKey(dir, path, name, now)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the key that signs warnings: %w", err)
	}
	key, cert, err := parseKey(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the key that signs warnings, %s: %w", path, err)
	}
	return key, cert, nil
}

// parseKey reads a private key and the first certificate that fits it.
func parseKey(data []byte) (key crypto.Signer, cert *x509.Certificate, err error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var parsed any
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			certs = append(certs, c)
			continue
		case "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		key, _ = parsed.(crypto.Signer)
	}
	if key == nil {
		return nil, nil, errors.New("there is no private key in it (PEM, not encrypted)")
	}
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, c := range certs {
		if ok && pub.Equal(c.PublicKey) {
			return key, c, nil
		}
	}
	return nil, nil, errors.New("there is no certificate of the key in it: add it to the file")
}

// makeKey writes a new key and its certificate whole or not at all.
func makeKey(dir, path, name string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(keyLasts),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	f, err := os.CreateTemp(dir, KeyFile+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		// Link fails where another process was first; then its key is the key.
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			data, err = os.ReadFile(path) //nolint:gosec // the data directory is ours
		}
	}
	return data, errors.Join(err, os.Remove(f.Name()))
}
