package dc09

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Category says what kind of thing happened, whatever the panel's format.
type Category string

// The categories. Verified means confirmed on site by a second detector.
const (
	Unknown          Category = "unknown" // the code is in no table
	General          Category = "general" // an alarm of no stated kind
	Burglary         Category = "burglary"
	VerifiedBurglary Category = "verified-burglary"
	HoldUp           Category = "hold-up" // duress included
	VerifiedHoldUp   Category = "verified-hold-up"
	Panic            Category = "panic"
	Medical          Category = "medical"
	Emergency        Category = "emergency" // personal, of no stated kind
	Fire             Category = "fire"
	Gas              Category = "gas" // carbon monoxide included
	Water            Category = "water"
	Environment      Category = "environment" // heat, freeze, refrigeration
	Tamper           Category = "tamper"
	Trouble          Category = "trouble" // a fault of panel or detector
	Power            Category = "power"   // mains
	Battery          Category = "battery"
	Comms            Category = "comms" // line, radio, network
	Test             Category = "test"
	Open             Category = "open"  // unset, disarmed
	Close            Category = "close" // set, armed
	Bypass           Category = "bypass"
	Cancelled        Category = "cancel" // of an alarm of any kind, by a user
	Access           Category = "access"
	System           Category = "system" // programming, log, clock, reset
)

// Qualifier says whether something begins or ends.
type Qualifier string

// The qualifiers.
const (
	New     Qualifier = "new"
	Restore Qualifier = "restore" // the condition is over
	Cancel  Qualifier = "cancel"  // a user on site called it off
	Status  Qualifier = "status"  // neither: a test, a report, a repeat
)

// Signal is one thing that a panel reports, free of the panel's format.
//
// Partition, Zone and User are without leading zeros, so that "003" and "03"
// from two formats compare equal; a number of zeros alone means none and is
// "". Text is UTF-8.
type Signal struct {
	Account   string // the data's own account, or else the frame's
	Format    Token  // TokenSIA or TokenCID
	Code      string // as sent: "BA", "130"
	Meaning   string // of the code, in words; "" when it is unknown
	Category  Category
	Qualifier Qualifier
	Old       bool // reported before, or late (SIA block O, Contact ID qualifier 6)
	Partition string
	Zone      string
	User      string
	Text      string // what the panel adds in words
	Clock     string // the panel's time of day, HH:MM or HH:MM:SS, if it sent one
}

// maxSignals bounds how many signals one frame can expand to.
const maxSignals = 128

// Signals decodes the frame's data. A link test has none. A code that the
// tables lack is a signal of category Unknown.
//
// Errors wrap ErrContent (the data does not follow its token's grammar),
// ErrUnable (a token without a decoder, or a reply) or ErrKey (still sealed).
func (f *Frame) Signals() ([]Signal, error) { return AppendSignals(nil, f) }

// AppendSignals is Signals into a slice that the caller may use again. On an
// error dst comes back unchanged.
func AppendSignals(dst []Signal, f *Frame) ([]Signal, error) {
	if f.Sealed() {
		return dst, fmt.Errorf("%w: decrypt the frame first", ErrKey)
	}
	var out []Signal
	var err error
	switch f.Token {
	case TokenNull:
		return dst, nil
	case TokenSIA:
		out, err = appendSIA(dst, f.Account, f.Data)
	case TokenCID:
		out, err = appendCID(dst, f.Account, f.Data)
	default:
		return dst, fmt.Errorf("%w: no decoder for token %q", ErrUnable, f.Token)
	}
	if err != nil {
		return dst, err
	}
	if text, ok := f.Lookup(ExtText); ok {
		for i := len(dst); i < len(out); i++ {
			if out[i].Text == "" {
				out[i].Text = DecodeText(text)
			}
		}
	}
	return out, nil
}

// cutAccount takes "#1234|" off the data. Panels may leave out the mark, the
// account, or all of it; the frame's account holds then. at is where the rest
// begins.
func cutAccount(account, data string) (own string, at int, err error) {
	end := strings.IndexByte(data, '|')
	if end < 0 {
		return account, 0, nil
	}
	own = data[:end]
	switch {
	case own == "" || own == "#":
		return account, end + 1, nil
	case own[0] == '#':
		own = own[1:]
	case own[0]-'0' > 9 || accountRun(own, 0) != end:
		return account, 0, nil // the bar belongs to the events
	}
	if !validNumber(own) {
		return "", 0, contentError(data, 0, "# and an account of 1 to 16 letters and digits")
	}
	return own, end + 1, nil
}

// validNumber accepts what a zone, user, partition or account can be: it goes
// into other systems as an identifier, so nothing but letters and digits.
func validNumber(s string) bool {
	return s != "" && len(s) <= maxAccount && accountRun(s, 0) == len(s)
}

func contentError(data string, at int, want string) error {
	return fmt.Errorf("%w: expected %s at character %d of %d", ErrContent, want, at+1, len(data))
}

func trimZeros(s string) string { return strings.TrimLeft(s, "0") }

// DecodeText turns a text from the wire into UTF-8 without control
// characters, which become spaces. DC-09 texts are Windows-1252; one that is
// valid UTF-8 already stays that, since newer panels send it.
func DecodeText(s string) string {
	if isPrintable(s) {
		return s
	}
	if utf8.ValidString(s) {
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, s)
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/2)
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7F:
			b.WriteByte(' ')
		case c-0x80 < 0x20:
			b.WriteRune(windows1252[c-0x80])
		default:
			b.WriteRune(rune(c)) // elsewhere the same as Latin-1
		}
	}
	return b.String()
}

// isPrintable is the common case, ASCII, which needs no work.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i]-' ' > '~'-' ' {
			return false
		}
	}
	return true
}

// windows1252 maps 0x80 to 0x9F; the five unassigned bytes become U+FFFD.
var windows1252 = [32]rune{
	'€', '\uFFFD', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\uFFFD', 'Ž', '\uFFFD',
	'\uFFFD', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\uFFFD', 'ž', 'Ÿ',
}
