package dc09

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unsafe"
)

// Key is an AES key, expanded once. It is safe for concurrent use, and prints
// as a placeholder so that it never reaches a log.
type Key struct{ block cipher.Block }

// NewKey takes 16, 24 or 32 bytes: AES-128, AES-192 or AES-256.
func NewKey(secret []byte) (*Key, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("dc09: a key has 16, 24 or 32 bytes, not %d", len(secret))
	}
	return &Key{block}, nil
}

// ParseKey takes a key written as 32, 48 or 64 hexadecimal digits.
func ParseKey(digits string) (*Key, error) {
	secret, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("dc09: a key is written as 32, 48 or 64 hexadecimal digits; got %d characters", len(digits))
	}
	return NewKey(secret)
}

// String hides the key.
func (k *Key) String() string { return "dc09.Key(hidden)" }

// GoString hides the key.
func (k *Key) GoString() string { return k.String() }

// Decrypt opens a sealed frame and fills Data, Extended and Time. It does
// nothing to a frame that is not sealed.
//
// Errors wrap ErrKey when the key does not fit or the ciphertext is damaged;
// the frame then stays sealed, and another key may be tried. They wrap
// ErrTime when the key fits and the time stamp is missing or malformed.
// Nothing else is told apart, because DC-09 does not authenticate a frame and
// a receiver that says how a decryption failed helps an attacker.
func (f *Frame) Decrypt(key *Key) error {
	if !f.Sealed() {
		return nil
	}
	if key == nil {
		return fmt.Errorf("%w: no key for account %q", ErrKey, f.Account)
	}
	plain, err := openHex(f.cipher, key.block)
	if err != nil {
		return err
	}
	// The pad ends at a bar, or, when no data follows, at the bracket.
	end := strings.IndexAny(plain, "|]")
	if end < 0 {
		return fmt.Errorf("%w: the key does not fit", ErrKey)
	}
	if plain[end] == '|' {
		end++
	}
	var inner Frame
	err = inner.parseTail(plain, end)
	// A wrong key gives noise, which may hold a bracket by chance and then seems
	// to lack only its time stamp; but noise is not text.
	if err != nil && (!errors.Is(err, ErrTime) || !isText(plain[end:])) {
		return fmt.Errorf("%w: the key does not fit", ErrKey)
	}
	if err == nil && inner.Time.IsZero() && !isText(plain[end:]) {
		return fmt.Errorf("%w: the key does not fit", ErrKey)
	}
	f.Data, f.Extended, f.Time, f.cipher = inner.Data, inner.Extended, inner.Time, ""
	if err == nil && f.Time.IsZero() {
		err = fmt.Errorf("%w: missing from an encrypted frame", ErrTime)
	}
	return err
}

// isText reports whether s holds printable ASCII only.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// openHex decodes and decrypts AES-CBC with a zero vector.
func openHex(digits string, block cipher.Block) (string, error) {
	if len(digits)%(2*aes.BlockSize) != 0 {
		return "", fmt.Errorf("%w: %d hexadecimal digits are not whole AES blocks of 32", ErrKey, len(digits))
	}
	buf := make([]byte, len(digits)/2)
	for i := range buf {
		hi, ok1 := hexDigit(digits[2*i])
		lo, ok2 := hexDigit(digits[2*i+1])
		if !ok1 || !ok2 {
			return "", fmt.Errorf("%w: character %d of the ciphertext is not hexadecimal", ErrKey, 2*i+1)
		}
		buf[i] = hi<<4 | lo
	}
	// From the last block to the first, each still finds the ciphertext before
	// it unchanged, so no second buffer and no cipher.BlockMode is needed.
	for at := len(buf) - aes.BlockSize; at >= 0; at -= aes.BlockSize {
		b := buf[at : at+aes.BlockSize]
		block.Decrypt(b, b)
		if at > 0 {
			subtle.XORBytes(b, b, buf[at-aes.BlockSize:at])
		}
	}
	// buf is ours alone and never written again: it can become the string, as
	// in strings.Builder, which saves a copy of every encrypted frame.
	return unsafe.String(unsafe.SliceData(buf), len(buf)), nil
}

// sealHex encrypts dst[at:] in place and spreads it to upper case hexadecimal.
// The region must be whole AES blocks.
func sealHex(dst []byte, at int, block cipher.Block) []byte {
	n := len(dst) - at
	for i := at; i < len(dst); i += aes.BlockSize {
		b := dst[i : i+aes.BlockSize]
		if i > at {
			subtle.XORBytes(b, b, dst[i-aes.BlockSize:i])
		}
		block.Encrypt(b, b)
	}
	for range n {
		dst = append(dst, 0)
	}
	for i := n - 1; i >= 0; i-- { // backwards: digits 2i and 2i+1 never overtake byte i
		c := dst[at+i]
		dst[at+2*i], dst[at+2*i+1] = upperHex[c>>4], upperHex[c&15]
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// fillPad overwrites p with random letters and digits. DC-09 allows any byte
// but the bar and the brackets; only printable ones are sent, because some
// receivers decode the region as text. One to sixteen of them take the place
// of a random vector.
func fillPad(p []byte, random io.Reader) error {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."
	if _, err := io.ReadFull(random, p); err != nil {
		return fmt.Errorf("dc09: reading random bytes for the pad: %w", err)
	}
	for i := range p {
		p[i] = alphabet[p[i]%byte(len(alphabet))]
	}
	return nil
}
