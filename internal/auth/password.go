package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Length of a password, in characters. There are no other rules of composition:
// NCSC advises against them.
const (
	MinPassword = 12
	MaxPassword = 256
)

const (
	// hashersAtOnce bounds memory: a flood of sign-ins waits, 64 MiB each.
	hashersAtOnce = 2
	// hashersWaiting bounds the wait.
	hashersWaiting = 64

	saltBytes = 16
	keyBytes  = 32
	// Bounds of what a stored hash may ask for.
	maxHashMemory = 1 << 20 // KiB
	maxHashTime   = 16
	minNamePart   = 4 // characters of a name that a password must not contain
)

// HashCost is what one password hash takes (argon2id, RFC 9106).
type HashCost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultHashCost is the second recommendation of RFC 9106, section 4.
func DefaultHashCost() HashCost { return HashCost{Memory: 64 << 10, Time: 3, Threads: 4} }

// Errors about passwords.
var (
	// ErrPassword: a new password does not meet the rules; the text says why.
	ErrPassword = errors.New("this password cannot be used")
	// ErrBusy: too many sign-ins at once.
	ErrBusy = errors.New("too many people are signing in at once: try again in a moment")
)

// CheckPassword says whether a new password meets the rules.
//
// Errors: ErrPassword.
func CheckPassword(password string, names ...string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return fmt.Errorf("%w: it is not text", ErrPassword)
	case n < MinPassword:
		return fmt.Errorf("%w: it has %d characters, and needs at least %d; three random words make a good one", ErrPassword, n, MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("%w: it has %d characters, and may have at most %d", ErrPassword, n, MaxPassword)
	}
	lower := strings.ToLower(password)
	for _, name := range names {
		for _, part := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune(" .-_@", r) }) {
			if utf8.RuneCountInString(part) >= minNamePart && strings.Contains(lower, part) {
				return fmt.Errorf("%w: it contains the name %q", ErrPassword, part)
			}
		}
	}
	if strings.Count(password, string([]rune(password)[0])) == utf8.RuneCountInString(password) {
		return fmt.Errorf("%w: it is one character over and over", ErrPassword)
	}
	return nil
}

// hasher hashes and compares passwords, a few at a time.
type hasher struct {
	cost    HashCost
	turns   chan struct{}
	waiting atomic.Int64
	dummy   string // compared with when there is no such person
}

func newHasher(cost HashCost) (*hasher, error) {
	h := &hasher{cost: cost, turns: make(chan struct{}, hashersAtOnce)}
	var err error
	h.dummy, err = h.hash(context.Background(), "nobody has this password")
	return h, err
}

// turn waits for one of the few places.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	if h.waiting.Add(1) > hashersWaiting {
		h.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns a password's hash as a PHC string.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	key := argon2.IDKey([]byte(password), salt, h.cost.Time, h.cost.Memory, h.cost.Threads, keyBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Time, h.cost.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// matches compares a password with a PHC string. An empty one takes as long as
// any other and matches nothing.
func (h *hasher) matches(ctx context.Context, password, phc string) (bool, error) {
	nobody := phc == ""
	if nobody {
		phc = h.dummy
	}
	cost, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	got := argon2.IDKey([]byte(password), salt, cost.Time, cost.Memory, cost.Threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && !nobody, nil
}

var errPHC = errors.New("a stored password hash cannot be read")

// parsePHC reads a PHC string of argon2id, within bounds.
func parsePHC(s string) (cost HashCost, salt, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost, nil, nil, errPHC
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &cost.Threads); n != 3 || err != nil {
		return cost, nil, nil, errPHC
	}
	if cost.Time < 1 || cost.Time > maxHashTime || cost.Threads < 1 || cost.Memory > maxHashMemory || cost.Memory < 8 {
		return cost, nil, nil, errPHC
	}
	salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return cost, nil, nil, errPHC
	}
	key, err = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) < 16 || len(key) > 64 {
		return cost, nil, nil, errPHC
	}
	return cost, salt, key, nil
}
