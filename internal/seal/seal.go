// Package seal keeps secrets unreadable on the log: panel keys, password hashes,
// keyholders. It encrypts with AES-256-GCM under one key, which lies in a file
// of the data directory that only the server's user may read, and which no
// backup of the log contains.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// KeyFile is the name of the key's file in the data directory.
const KeyFile = "secret.key"

const keySize = 32

// ErrNoKey: the data directory has sealed values and no key.
var ErrNoKey = errors.New("there is no " + KeyFile + " in the data directory, and the log has values sealed with it")

// ErrOpen: a sealed value was made with another key, for another use, or was
// changed.
var ErrOpen = errors.New("a sealed value cannot be opened: was " + KeyFile + " replaced?")

// Sealer seals and opens values.
type Sealer struct {
	key  []byte
	aead cipher.AEAD
}

// Open returns the sealer of a data directory, and makes its key at first use.
func Open(dir string) (*Sealer, error) {
	path := filepath.Join(dir, KeyFile)
	key, err := os.ReadFile(path) //nolint:gosec // the data directory is ours
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sealing key: %w", err)
	}
	return New(key)
}

// Existing returns the sealer of a data directory that has a key, for when there
// are values that only that key opens.
//
// Errors: ErrNoKey.
func Existing(dir string) (*Sealer, error) {
	if _, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil {
		return nil, fmt.Errorf("%w: %s: restore it from your own safe copy", ErrNoKey, dir)
	}
	return Open(dir)
}

// New returns a sealer with the given key of 32 bytes.
func New(key []byte) (*Sealer, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("the sealing key has %d bytes, want %d: restore %s from your own safe copy", len(key), keySize, KeyFile)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{key: bytes.Clone(key), aead: aead}, nil
}

// makeKey writes a new key whole or not at all.
func makeKey(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, KeyFile+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	_, err = f.Write(key)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		// Link fails where another process was first; then its key is the key.
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			key, err = os.ReadFile(path) //nolint:gosec // as above
		}
	}
	return key, errors.Join(err, os.Remove(f.Name()))
}

// Seal returns plain, sealed for a use ("account key"): it opens only for that
// use. An empty value seals to an empty string.
func (s *Sealer) Seal(use string, plain []byte) string {
	if len(plain) == 0 {
		return ""
	}
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(use)))
}

// Key returns a key of 32 bytes for a use of its own, such as hashing number
// plates: always the same for one use, and of no help to find another (HKDF,
// RFC 5869).
func (s *Sealer) Key(use string) []byte {
	key, err := hkdf.Key(sha256.New, s.key, nil, use, keySize)
	if err != nil { // only a size that SHA-256 cannot give
		panic(err)
	}
	return key
}

// Open returns what was sealed.
//
// Errors: ErrOpen.
func (s *Sealer) Open(use, sealed string) ([]byte, error) {
	if sealed == "" {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", ErrOpen, use)
	}
	plain, err := s.aead.Open(nil, nil, b, []byte(use))
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", ErrOpen, use)
	}
	return plain, nil
}
