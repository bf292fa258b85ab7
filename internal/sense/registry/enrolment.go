package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Bounds and defaults of enrolment.
const (
	DefaultInvitation = 24 * time.Hour      // how long an invitation holds
	MaxInvitation     = 90 * 24 * time.Hour // and the longest that one may
	DefaultOverlap    = 24 * time.Hour      // how long the old credential holds beside a new one
	MaxOverlap        = 31 * 24 * time.Hour
	maxCredentials    = 8 // that hold at once
	secretBytes       = 32
	changeTries       = 8 // against other processes that change the same device
)

// Errors of enrolment.
var (
	// ErrInvitation: there is no such invitation, or it was used up or taken
	// back, or its time is over. It does not say which.
	ErrInvitation = errors.New("no such invitation: it may have been used already, or be out of time; ask for a new one")
	// ErrState: the device's present state does not allow it; the text says why.
	ErrState = errors.New("not possible now")
)

// Invite makes a token by which whoever sets the device up enrols it, once. It
// replaces an earlier invitation. A valid of 0 means DefaultInvitation. The token
// is shown once: the log holds only its hash.
//
// Errors: ErrUnknown, ErrInvalid, ErrState when the device is revoked.
func (r *Registry) Invite(ctx context.Context, by, id string, valid time.Duration) (token string, err error) {
	if valid == 0 {
		valid = DefaultInvitation
	}
	if valid < 0 || valid > MaxInvitation {
		return "", fmt.Errorf("%w: an invitation holds for up to %v, not %v", ErrInvalid, MaxInvitation, valid)
	}
	token, hash := newSecret()
	_, err = r.change(ctx, by, id, func(d *Device) error {
		if d.Revoked {
			return fmt.Errorf("%w: device %s is revoked: reinstate it first", ErrState, id)
		}
		now := r.clock.Now()
		until := now.Add(valid)
		d.Invitation, d.InvitedBy = &Credential{Hash: hash, Issued: now, Expires: &until}, by
		return nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// Invited returns the device that a token invites, without using it up.
//
// Errors: ErrInvitation.
func (r *Registry) Invited(token string) (*Device, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.devices[r.invitations[sha256.Sum256([]byte(token))]]
	if d == nil || d.Revoked || d.Invitation == nil || !d.Invitation.opens(token, r.clock.Now()) {
		return nil, ErrInvitation
	}
	return d, nil
}

// Enrol takes an invitation up and returns the device with its secret, which is
// told only here. Of several that come with one token, one gets the device,
// whatever processes they come to. What credentials the device had end: an
// invitation says that a thing is set up anew.
//
// Errors: ErrInvitation.
func (r *Registry) Enrol(ctx context.Context, token string) (Device, string, error) {
	invited, err := r.Invited(token)
	if err != nil {
		return Device{}, "", err
	}
	secret, hash := newSecret()
	d, err := r.change(ctx, "enrolment", invited.ID, func(d *Device) error {
		now := r.clock.Now()
		if d.Revoked || d.Invitation == nil || !d.Invitation.opens(token, now) {
			return ErrInvitation
		}
		d.Invitation = nil
		d.Credentials = []Credential{{Hash: hash, Issued: now}}
		d.EnrolledAt, d.EnrolledBy = &now, d.InvitedBy
		return nil
	})
	if err != nil {
		return Device{}, "", err
	}
	return d, secret, nil
}

// Rotate gives a device a new secret, and returns it. Those that it had hold for
// the overlap yet, so that the device can be told; a negative overlap means
// DefaultOverlap, 0 that they end at once.
//
// Errors: ErrUnknown, ErrInvalid, ErrState when the device is revoked.
func (r *Registry) Rotate(ctx context.Context, by, id string, overlap time.Duration) (secret string, err error) {
	if overlap < 0 {
		overlap = DefaultOverlap
	}
	if overlap > MaxOverlap {
		return "", fmt.Errorf("%w: an old credential can hold for up to %v yet, not %v", ErrInvalid, MaxOverlap, overlap)
	}
	secret, hash := newSecret()
	_, err = r.change(ctx, by, id, func(d *Device) error {
		if d.Revoked {
			return fmt.Errorf("%w: device %s is revoked: reinstate it first", ErrState, id)
		}
		now := r.clock.Now()
		d.Credentials = append(ending(d.Credentials, now, now.Add(overlap)), Credential{Hash: hash, Issued: now})
		return nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// ending returns the credentials that still hold, each until the given time at
// the latest. Beyond the bound the oldest go.
func ending(cs []Credential, now, until time.Time) []Credential {
	var out []Credential
	for _, c := range cs {
		if c.Expires == nil || until.Before(*c.Expires) {
			c.Expires = &until
		}
		if now.Before(*c.Expires) {
			out = append(out, c)
		}
	}
	return out[max(0, len(out)-maxCredentials+1):]
}

// Revoke takes a device's enrolment back: its credentials and its invitation end
// for good, and nothing that comes from it is kept.
//
// Errors: ErrUnknown, ErrState when it is revoked already.
func (r *Registry) Revoke(ctx context.Context, by, id string) error {
	_, err := r.change(ctx, by, id, func(d *Device) error {
		if d.Revoked {
			return fmt.Errorf("%w: device %s is revoked already", ErrState, id)
		}
		d.Revoked, d.Credentials, d.Invitation = true, nil, nil
		return nil
	})
	return err
}

// Reinstate lets a revoked device be enrolled again. The credentials that it had
// stay void: invite it anew.
//
// Errors: ErrUnknown, ErrState when it is not revoked.
func (r *Registry) Reinstate(ctx context.Context, by, id string) error {
	_, err := r.change(ctx, by, id, func(d *Device) error {
		if !d.Revoked {
			return fmt.Errorf("%w: device %s is not revoked", ErrState, id)
		}
		d.Revoked = false
		return nil
	})
	return err
}

// Withdraw ends the owner's consent now: from here on nothing that needs it is
// kept. What was kept before expires as it would have.
//
// Errors: ErrUnknown, ErrState when nothing rests on the owner's consent, or it
// has been withdrawn.
func (r *Registry) Withdraw(ctx context.Context, by, id string) error {
	_, err := r.change(ctx, by, id, func(d *Device) error {
		switch {
		case d.Basis != event.Consent || d.Consent == nil:
			return fmt.Errorf("%w: what device %s senses is not kept on its owner's consent", ErrState, id)
		case d.Consent.Withdrawn != nil:
			return fmt.Errorf("%w: the consent for device %s was withdrawn already", ErrState, id)
		}
		now, c := r.clock.Now(), *d.Consent
		c.Withdrawn = &now
		d.Consent = &c
		return nil
	})
	return err
}

// AmendDevices adds devices, or changes what is said of those with the same id.
// Credentials, invitations and revocation stay as they are. All are checked
// before any is written.
//
// Errors: ErrInvalid.
func (r *Registry) AmendDevices(ctx context.Context, by string, ds ...Device) error {
	r.putting.Lock()
	defer r.putting.Unlock()
	if err := r.checkDevices(ds); err != nil {
		return err
	}
	for some := range slices.Chunk(ds, bus.MaxBatch) {
		for try := 0; len(some) > 0; try++ {
			if try == changeTries {
				return fmt.Errorf("%w: device %s and %d others are being changed by someone else: try again", ErrState, some[0].ID, len(some)-1)
			}
			var err error
			if some, err = r.amend(ctx, by, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// amend writes devices, and returns those whose change came to nothing because
// another was first.
func (r *Registry) amend(ctx context.Context, by string, ds []Device) ([]Device, error) {
	stored := make([]storedDevice, len(ds))
	for i, d := range ds {
		old, _ := r.Device(d.ID)
		if old != nil {
			d.Revoked, d.Credentials, d.Invitation = old.Revoked, old.Credentials, old.Invitation
			d.InvitedBy, d.EnrolledAt, d.EnrolledBy = old.InvitedBy, old.EnrolledAt, old.EnrolledBy
		}
		d.By, d.Updated = by, r.clock.Now()
		after := old.position()
		stored[i] = storedDevice{Device: d, After: &after}
	}
	first, err := r.append(ctx, stored)
	if err != nil {
		return nil, err
	}
	var lost []Device
	for i, d := range ds {
		if !r.took(d.ID, first+uint64(i)) {
			lost = append(lost, d)
		}
	}
	return lost, nil
}

// change writes a changed version of one device, unless fn refuses, and returns
// it. When another process has changed the device meanwhile, it tries again on
// that version.
//
// Errors: ErrUnknown, ErrInvalid, ErrState, and those of fn.
func (r *Registry) change(ctx context.Context, by, id string, fn func(*Device) error) (Device, error) {
	r.putting.Lock()
	defer r.putting.Unlock()
	for range changeTries {
		old, err := r.Device(id)
		if err != nil {
			return Device{}, err
		}
		d, after := *old, old.seq
		d.Credentials = slices.Clone(old.Credentials)
		if err := fn(&d); err != nil {
			return Device{}, err
		}
		d.By, d.Updated = by, r.clock.Now()
		at, err := r.append(ctx, []storedDevice{{Device: d, After: &after}})
		if err != nil {
			return Device{}, err
		}
		if r.took(id, at) {
			return d, nil
		}
	}
	return Device{}, fmt.Errorf("%w: device %s is being changed by someone else: try again", ErrState, id)
}

// took reports whether the record at a position became a version of the device,
// and did not come to nothing; others may have followed it already.
func (r *Registry) took(id string, at uint64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.devices[id]
	return d != nil && slices.Contains(d.line, at)
}

// newSecret returns a random secret of 256 bits as text, and its hash.
func newSecret() (secret string, hash []byte) {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails
	secret = base64.RawURLEncoding.EncodeToString(b)
	sum := sha256.Sum256([]byte(secret))
	return secret, sum[:]
}
