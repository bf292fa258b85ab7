package event

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strconv"
)

// ID names a fact: 26 characters of lower-case base32, 128 bits of SHA-256 over
// what made the fact. Two facts with one cause have one ID.
type ID string

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns the id of the fact of the given kind that follows from parts.
// Each part is hashed with its length, so ("ab", "c") and ("a", "bc") differ.
func NewID(kind string, parts ...string) ID {
	buf := make([]byte, 0, 256)
	buf = appendPart(buf, kind)
	for _, p := range parts {
		buf = appendPart(buf, p)
	}
	sum := sha256.Sum256(buf)
	var out [26]byte
	idEncoding.Encode(out[:], sum[:16])
	return ID(out[:])
}

func appendPart(b []byte, p string) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}

// Ref points at a fact: its id and, once the fact is on the log, the log
// position at which its bytes can be read again. Name is what the source calls
// it, such as a Zeek uid, where it calls it anything.
type Ref struct {
	ID   ID     `json:"id"`
	Seq  uint64 `json:"seq,omitempty"`
	Name string `json:"name,omitempty"`
}

func itoa(n int) string { return strconv.Itoa(n) }
