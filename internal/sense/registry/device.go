package registry

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// Device is something that speaks to the platform under a credential of its own:
// a home's hub, a camera, a network server of a city's sensors, a street
// cabinet; or a sensor behind one of these that is worth an entry of its own.
type Device struct {
	ID       string       `json:"id"` // also its user name and the first level of its topics
	Name     string       `json:"name"`
	Kind     string       `json:"kind"` // "hub", "camera", "sensor", "network server", "monitor", "edge gateway" ...
	Maker    string       `json:"maker,omitempty"`
	Model    string       `json:"model,omitempty"`
	Firmware string       `json:"firmware,omitempty"`
	Serial   string       `json:"serial,omitempty"`
	Premises string       `json:"premises,omitempty"` // id
	Place    *place.Point `json:"place,omitempty"`    // nil: that of its premises

	// Speaks lists the dialects that it may use, see sense.Dialect; empty: any.
	Speaks []string `json:"speaks,omitempty"`
	// Aliases are the names that protocols know it by: a DevEUI, "hub/child", a
	// camera's name. An alias has one owner.
	Aliases []string `json:"aliases,omitempty"`
	// Gateway is the edge gateway through which it comes; empty: directly.
	Gateway string `json:"gateway,omitempty"`
	MUD     string `json:"mud,omitempty"` // URL of its manufacturer usage description (RFC 8520)

	Owner   Owner           `json:"-"` // personal data: sealed on the log
	Basis   event.Basis     `json:"basis,omitempty"`
	Purpose string          `json:"purpose,omitempty"`
	Consent *Consent        `json:"consent,omitempty"` // where Basis is consent
	Retain  event.Retention `json:"retain,omitempty"`  // empty: the default for each kind of observation

	Reporting time.Duration `json:"reporting_ns,omitempty"` // it speaks at least this often; 0: no promise
	Limits    Limits        `json:"limits,omitzero"`

	Revoked     bool         `json:"revoked,omitempty"`
	Credentials []Credential `json:"-"` // hashes: sealed on the log
	Invitation  *Credential  `json:"-"` // enrolment token that is open; the same

	InvitedBy  string     `json:"invited_by,omitempty"`  // who made the newest invitation
	EnrolledAt *time.Time `json:"enrolled_at,omitempty"` // when an invitation was last taken up
	EnrolledBy string     `json:"enrolled_by,omitempty"` // who had made that invitation

	Updated time.Time `json:"updated"`
	By      string    `json:"by"`

	seq  uint64
	line []uint64 // log positions of this version and the latest before it
}

// versions is how many positions a device's line keeps: more than can be written
// between a change and the look at what became of it.
const versions = 64

// Owner is whose device it is.
type Owner struct {
	Name    string `json:"name,omitempty"`
	Contact string `json:"contact,omitempty"`
}

// Consent is what the owner agreed to, and until when.
type Consent struct {
	Given     time.Time  `json:"given"`
	Until     *time.Time `json:"until,omitempty"`
	Withdrawn *time.Time `json:"withdrawn,omitempty"`
	How       string     `json:"how,omitempty"` // "signed form 12", "in the app"
}

// Stands reports whether the consent holds at a time.
func (c *Consent) Stands(at time.Time) bool {
	return c != nil && !c.Given.IsZero() && !at.Before(c.Given) &&
		(c.Until == nil || at.Before(*c.Until)) && (c.Withdrawn == nil || at.Before(*c.Withdrawn))
}

// Limits bound what a device may send. A zero field means the default.
type Limits struct {
	Messages float64 `json:"messages_per_s,omitempty"`
	Burst    int     `json:"burst,omitempty"`
	Bytes    int     `json:"bytes,omitempty"` // of one message
}

// Default limits of a device.
const (
	DefaultMessages = 50.0 // a second
	DefaultBurst    = 500
	DefaultBytes    = 64 << 10
)

// OrDefault fills in the defaults.
func (l Limits) OrDefault() Limits {
	if l.Messages <= 0 {
		l.Messages = DefaultMessages
	}
	if l.Burst <= 0 {
		l.Burst = DefaultBurst
	}
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	return l
}

// Credential is a secret that was given out, as we keep it: its SHA-256. The
// secrets are random and long, so they need no slow hash.
type Credential struct {
	Hash    []byte     `json:"hash"`
	Issued  time.Time  `json:"issued"`
	Expires *time.Time `json:"expires,omitempty"`
}

// NewCredential returns what is kept of a secret.
func NewCredential(secret string, issued time.Time, expires *time.Time) Credential {
	sum := sha256.Sum256([]byte(secret))
	return Credential{Hash: sum[:], Issued: issued, Expires: expires}
}

// opens reports whether the credential is for this secret and holds now.
func (c *Credential) opens(secret string, now time.Time) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(sum[:], c.Hash) == 1 && (c.Expires == nil || now.Before(*c.Expires))
}

// Errors of devices.
var (
	// ErrCredential: unknown device, wrong or expired secret, or revoked.
	ErrCredential = errors.New("no such device with this credential")
	// ErrNoBasis: an observation of a home without a lawful basis.
	ErrNoBasis = errors.New("no lawful basis to keep it")
	// ErrRevoked: the device's enrolment has been taken back.
	ErrRevoked = errors.New("the device is revoked")
)

// Bounds of a device's entry.
const (
	maxDeviceID = 64
	maxAliases  = 10_000
	maxText     = 200
)

// Check reports what is wrong with d by itself.
func (d *Device) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: device %q: %s", ErrInvalid, d.ID, fmt.Sprintf(format, args...))
	}
	switch {
	case d.ID == "" || len(d.ID) > maxDeviceID || strings.ContainsAny(d.ID, "/+#$ \t\r\n\x00"):
		return bad("the id must have 1 to %d bytes, without spaces and /, +, #, $", maxDeviceID)
	case d.Name == "" || len(d.Name) > maxText:
		return bad("the name must have 1 to %d bytes", maxText)
	case d.Place != nil && (!d.Place.Valid() || *d.Place == (place.Point{})):
		return bad("the place %v is not a position on the Earth", *d.Place)
	case d.Basis != event.BasisNone && !d.Basis.Valid():
		return bad("unknown lawful basis %q: use one of %v", d.Basis, event.Bases())
	case d.Basis == event.Consent && (d.Consent == nil || d.Consent.Given.IsZero()):
		return bad("the basis is consent: say when it was given")
	case !d.Retain.Valid():
		return bad("unknown retention %q: use one of %v", d.Retain, event.Retentions())
	case d.Reporting < 0 || d.Reporting > 400*24*time.Hour:
		return bad("the reporting time %v is not from 0 to 400 days", d.Reporting)
	case len(d.Aliases) > maxAliases:
		return bad("%d aliases, at most %d", len(d.Aliases), maxAliases)
	case slices.Contains(d.Aliases, ""):
		return bad("an alias is empty")
	}
	return nil
}

// Device returns the device with the given id.
//
// Errors: ErrUnknown.
func (r *Registry) Device(id string) (*Device, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if d := r.devices[id]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%w: device %q", ErrUnknown, id)
}

// Sensor returns the device that an observation's Device names: by its id or an
// alias, or the hub of "hub/child"; nil when none is known.
func (r *Registry) Sensor(name string) *Device {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sensor(name)
}

func (r *Registry) sensor(name string) *Device {
	if d := r.devices[name]; d != nil {
		return d
	}
	if d := r.devices[r.aliases[name]]; d != nil {
		return d
	}
	if hub, _, ok := strings.Cut(name, "/"); ok {
		return r.devices[hub]
	}
	return nil
}

// Devices returns every device, by id.
func (r *Registry) Devices() []*Device {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*Device, 0, len(r.devices))
	for _, d := range r.devices {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *Device) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Authenticate returns the device that comes with a secret.
//
// Errors: ErrCredential, which does not say what was wrong.
func (r *Registry) Authenticate(id, secret string) (*Device, error) {
	d, err := r.Device(id)
	if err != nil || d.Revoked {
		return nil, fmt.Errorf("%w: %q", ErrCredential, id)
	}
	now := r.clock.Now()
	for i := range d.Credentials {
		if d.Credentials[i].opens(secret, now) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrCredential, id)
}

// Matches reports whether every word is in what is said of a device. Its owner
// is personal data and is not searched.
func (d *Device) Matches(words string) bool {
	if words == "" {
		return true
	}
	text := strings.ToLower(strings.Join(append([]string{d.ID, d.Name, d.Kind, d.Maker, d.Model, d.Serial, d.Premises}, d.Aliases...), " "))
	for word := range strings.FieldsSeq(strings.ToLower(words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Lawful says in words why what it senses may be kept; empty: its own entry does
// not say.
func (d *Device) Lawful() string {
	if d.Basis == event.BasisNone {
		return ""
	}
	words := strings.ReplaceAll(string(d.Basis), "_", " ")
	if d.Purpose != "" {
		words += ", for " + d.Purpose
	}
	if c := d.Consent; d.Basis == event.Consent && c != nil {
		words += ", given " + c.Given.UTC().Format(time.DateOnly)
		if c.How != "" {
			words += " (" + c.How + ")"
		}
		switch {
		case c.Withdrawn != nil:
			words += ", withdrawn " + c.Withdrawn.UTC().Format(time.DateOnly)
		case c.Until != nil:
			words += ", until " + c.Until.UTC().Format(time.DateOnly)
		}
	}
	return words
}
