package registry

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

const (
	useOwner      = "device's owner"
	useCredential = "device's credentials" //nolint:gosec // the name of a use
)

// storedDevice is a Device as the log holds it.
type storedDevice struct {
	Device
	SealedOwner       string `json:"sealed_owner,omitempty"`
	SealedCredentials string `json:"sealed_credentials,omitempty"`

	// After is the log position of the version that this one was made from (0:
	// from none). A record that does not follow that version counts for nothing,
	// so that of two processes that change a device at once one wins. Nil: it
	// counts in any case.
	After *uint64 `json:"after,omitempty"`
}

// credentials is what of a device opens doors.
type credentials struct {
	Credentials []Credential `json:"credentials,omitempty"`
	Invitation  *Credential  `json:"invitation,omitempty"`
}

// PutDevices adds devices or replaces those with the same id. All are checked
// before any is written; up to bus.MaxBatch at a time are written as one.
//
// Errors: ErrInvalid.
func (r *Registry) PutDevices(ctx context.Context, by string, ds ...Device) error {
	r.putting.Lock()
	defer r.putting.Unlock()
	return r.putDevices(ctx, by, ds)
}

// putDevices is PutDevices for who holds r.putting.
func (r *Registry) putDevices(ctx context.Context, by string, ds []Device) error {
	if err := r.checkDevices(ds); err != nil {
		return err
	}
	for some := range slices.Chunk(ds, bus.MaxBatch) {
		stored := make([]storedDevice, len(some))
		for i, d := range some {
			d.By, d.Updated = by, r.clock.Now()
			stored[i] = storedDevice{Device: d}
		}
		if _, err := r.append(ctx, stored); err != nil {
			return err
		}
	}
	return nil
}

// append writes devices, at most bus.MaxBatch, and takes them up with all that
// came before them. It returns the position of the first.
func (r *Registry) append(ctx context.Context, ds []storedDevice) (first uint64, err error) {
	records := make([][]byte, len(ds))
	for i := range ds {
		if records[i], err = r.sealedDevice(&ds[i]); err != nil {
			return 0, fmt.Errorf("sealing device %s: %w", ds[i].ID, err)
		}
	}
	last, err := r.log.Append(ctx, bus.Registry, records...)
	if err != nil {
		return 0, fmt.Errorf("putting devices: %w", err)
	}
	// What is written stands, whether or not the caller still waits.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer stop()
	if err := r.catchUp(ctx, last); err != nil {
		return 0, fmt.Errorf("reading back the devices that were put: %w", err)
	}
	// A call's records are neighbours in one frame, so their positions end at last.
	return last - uint64(len(ds)-1), nil
}

// readBack bounds the reading back of what was written.
const readBack = 30 * time.Second

func (r *Registry) sealedDevice(d *storedDevice) ([]byte, error) {
	owner, err := json.Marshal(d.Owner)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(credentials{d.Credentials, d.Invitation})
	if err != nil {
		return nil, err
	}
	d.SealedOwner, d.SealedCredentials = r.sealer.Seal(useOwner, owner), r.sealer.Seal(useCredential, secrets)
	return json.Marshal(struct {
		Device *storedDevice `json:"device"`
	}{d})
}

func (r *Registry) checkDevices(ds []Device) error {
	for _, err := range r.CheckDevices(ds) {
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckDevices reports what is wrong with each of some devices that are to be
// put together, by itself, with one another and with what is known already.
//
// Errors: ErrInvalid; nil for those that are right.
func (r *Registry) CheckDevices(ds []Device) []error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out, owner, ids := make([]error, len(ds)), map[string]string{}, map[string]bool{}
	for i := range ds {
		d := &ds[i]
		if out[i] = r.checkDevice(d, owner); out[i] == nil && ids[d.ID] {
			out[i] = fmt.Errorf("%w: device %q is there twice", ErrInvalid, d.ID)
		}
		ids[d.ID] = true
	}
	return out
}

// checkDevice is CheckDevices for one of them; owner knows the earlier ones'
// aliases.
func (r *Registry) checkDevice(d *Device, owner map[string]string) error {
	if err := d.Check(); err != nil {
		return err
	}
	if d.Premises != "" && r.premises[d.Premises] == nil {
		return fmt.Errorf("%w: device %q: there are no premises %q: add them first", ErrInvalid, d.ID, d.Premises)
	}
	for _, has := range []string{r.aliases[d.ID], owner[d.ID]} {
		if has != "" && has != d.ID {
			return fmt.Errorf("%w: %s is an alias of device %s already, so no other device can have it as its id", ErrInvalid, d.ID, has)
		}
	}
	for _, a := range d.Aliases {
		taken := owner[a]
		if taken == "" {
			taken = r.aliases[a]
		}
		if taken == "" && r.devices[a] != nil {
			taken = a
		}
		if taken != "" && taken != d.ID {
			return fmt.Errorf("%w: alias %s of device %s belongs to device %s already", ErrInvalid, a, d.ID, taken)
		}
		owner[a] = d.ID
	}
	return nil
}

// position is the log position of a version; 0 of none.
func (d *Device) position() uint64 {
	if d == nil {
		return 0
	}
	return d.seq
}

// applyDevice takes up one device's record.
func (r *Registry) applyDevice(s *storedDevice, seq uint64) {
	d := s.Device
	if plain, err := r.sealer.Open(useOwner, s.SealedOwner); err != nil {
		r.logger.Error("a device's owner cannot be opened", "device", d.ID, "err", err)
	} else if plain != nil {
		if err := json.Unmarshal(plain, &d.Owner); err != nil {
			r.logger.Error("a device's owner cannot be read", "device", d.ID, "err", err)
		}
	}
	var c credentials
	if plain, err := r.sealer.Open(useCredential, s.SealedCredentials); err != nil {
		r.logger.Error("a device's credentials cannot be opened: it will be refused", "device", d.ID, "err", err)
	} else if plain != nil {
		if err := json.Unmarshal(plain, &c); err != nil {
			r.logger.Error("a device's credentials cannot be read: it will be refused", "device", d.ID, "err", err)
		}
	}
	d.Credentials, d.Invitation, d.seq = c.Credentials, c.Invitation, seq

	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.devices[d.ID]
	if s.After != nil && *s.After != old.position() {
		return // another change came first
	}
	d.line = []uint64{seq}
	if old != nil {
		d.line = append(slices.Clone(old.line[max(0, len(old.line)-versions+1):]), seq)
		for _, a := range old.Aliases {
			if r.aliases[a] == d.ID {
				delete(r.aliases, a)
			}
		}
		if old.Invitation != nil && len(old.Invitation.Hash) == sha256.Size {
			delete(r.invitations, [sha256.Size]byte(old.Invitation.Hash))
		}
	}
	if d.Invitation != nil && len(d.Invitation.Hash) == sha256.Size {
		r.invitations[[sha256.Size]byte(d.Invitation.Hash)] = d.ID
	}
	r.version++
	r.devices[d.ID] = &d
	for _, a := range d.Aliases {
		r.aliases[a] = d.ID
	}
}
