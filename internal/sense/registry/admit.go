package registry

import (
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Admit decides whether an observation may be kept, and completes it from what
// is known of its device and premises: which device it is, where it is, why it
// may be kept and how long. It implements sense.Admission.
//
// The sensor's own entry speaks before that of the device that brought it, and
// both before the premises'. A consent that does not hold stops whatever comes
// through the device that it was given for. What the platform itself says of a
// device (that it misbehaved, that it is silent) tells nothing of a home, and is
// kept in any case: a revoked device that goes on trying is worth knowing.
//
// Errors: ErrNoBasis, ErrRevoked.
func (r *Registry) Admit(o *event.Observation) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d, via := r.sensor(o.Device), r.devices[o.Via]
	if d == nil {
		d = via
	}
	if via == d {
		via = nil
	}
	var why lawful
	for _, d := range [...]*Device{d, via} {
		if d == nil {
			continue
		}
		if d.Revoked && !ours(o.Kind) {
			return fmt.Errorf("%w: %s", ErrRevoked, d.ID)
		}
		if d.Basis == event.Consent && !ours(o.Kind) && !d.Consent.Stands(r.clock.Now()) {
			return fmt.Errorf("%w: the consent for device %s does not hold: it has not begun, has ended or was withdrawn", ErrNoBasis, d.ID)
		}
		d.complete(o, &why)
	}
	p := r.premises[o.Premises]
	if p != nil {
		p.complete(o, &why)
		if why.basis == event.BasisNone && o.Basis == event.BasisNone && d == nil && p.guardedBy(o.Device) {
			// By the contract with the receiving centre an alarm's signals are passed
			// on. It says nothing of other devices there.
			why = lawful{event.Contract, ForAlarms}
		}
		if why.basis == event.BasisNone && o.Basis == event.BasisNone && p.Home() && !ours(o.Kind) {
			return fmt.Errorf("%w: %s is a home, and neither it nor the device %s states a basis", ErrNoBasis, p.ID, o.Device)
		}
	}
	if why.basis != event.BasisNone {
		o.Basis, o.Purpose = why.basis, why.purpose
	}
	return nil
}

// Kept reports whether what a device senses may be kept at a time, as far as the
// device's own entry says: it is not revoked, and its owner's consent holds where
// that is the basis.
func (d *Device) Kept(at time.Time) bool {
	return !d.Revoked && (d.Basis != event.Consent || d.Consent.Stands(at))
}

// lawful is why something may be kept.
type lawful struct {
	basis   event.Basis
	purpose string
}

// complete fills in what an observation leaves out, from its device's entry.
func (d *Device) complete(o *event.Observation, why *lawful) {
	if o.Enrolled == "" {
		o.Enrolled = d.ID
	}
	if o.Premises == "" {
		o.Premises = d.Premises
	}
	if o.Place == nil && d.Place != nil {
		at := *d.Place
		o.Place = &at
	}
	if why.basis == event.BasisNone {
		why.basis, why.purpose = d.Basis, d.Purpose
	}
	if o.Retain == event.RetainUntilReview {
		o.Retain = d.Retain
	}
}

// complete fills in what an observation leaves out, from its premises' entry.
func (p *Premises) complete(o *event.Observation, why *lawful) {
	if o.PremisesName == "" {
		o.PremisesName = p.Name
	}
	if o.Place == nil {
		at := p.Place
		o.Place = &at
	}
	if why.basis == event.BasisNone && o.Basis == event.BasisNone {
		why.basis, why.purpose = p.Basis, p.Purpose
	}
}

// ours reports whether the platform itself says such things.
func ours(k event.Kind) bool {
	switch k {
	case event.KindMisuse, event.KindSilent, event.KindReturned, event.KindUnknown:
		return true
	}
	return false
}
