package cap

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Reference names a message: sender, identifier and when it was sent (3.2.1,
// references: the extended message identifier).
type Reference struct {
	Sender     string
	Identifier string
	Sent       time.Time
}

// String is the reference as messages write it: "sender,identifier,sent".
func (r Reference) String() string {
	return r.Sender + "," + r.Identifier + "," + FormatTime(r.Sent)
}

// Same reports whether both name one message, in whatever zone they say when it
// was sent.
func (r Reference) Same(other Reference) bool {
	return r.Sender == other.Sender && r.Identifier == other.Identifier && r.Sent.Equal(other.Sent)
}

// ParseReference reads "sender,identifier,sent".
func ParseReference(s string) (Reference, error) {
	r, flaw, err := parseReference(s)
	if err == nil && flaw != "" {
		err = fmt.Errorf("%w: %s", ErrInvalid, flaw)
	}
	return r, err
}

// parseReference also returns what is not quite right with it.
func parseReference(s string) (r Reference, flaw string, err error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 || badName(parts[0]) || badName(parts[1]) {
		return r, "", fmt.Errorf("%w: %s is no reference: it is written sender,identifier,sent", ErrInvalid, excerpt(s))
	}
	r = Reference{Sender: parts[0], Identifier: parts[1]}
	r.Sent, flaw, err = parseTime(parts[2])
	return r, flaw, err
}

// badName reports whether a sender or an identifier is empty or has what the
// standard forbids: spaces, commas, < and &.
func badName(s string) bool {
	return s == "" || strings.ContainsAny(s, ",<&") || strings.ContainsFunc(s, unicode.IsSpace)
}
