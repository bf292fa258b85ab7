package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bluelamp/bluelamp/internal/bus"
)

const (
	useOwner      = "device's owner"
	useCredential = "device's credentials"
)

// storedDevice is a Device as the log holds it.
type storedDevice struct {
	Device
	SealedOwner       string `json:"sealed_owner,omitempty"`
	SealedCredentials string `json:"sealed_credentials,omitempty"`
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
		records := make([][]byte, len(some))
		for i, d := range some {
			d.By, d.Updated = by, r.clock.Now()
			data, err := r.sealedDevice(&d)
			if err != nil {
				return fmt.Errorf("sealing device %s: %w", d.ID, err)
			}
			records[i] = data
		}
		last, err := r.log.Append(ctx, bus.Registry, records...)
		if err != nil {
			return fmt.Errorf("putting devices: %w", err)
		}
		for i, data := range records {
			r.apply(bus.Record{Data: data, Seq: last - uint64(len(some)-1-i)})
		}
	}
	return nil
}

func (r *Registry) sealedDevice(d *Device) ([]byte, error) {
	owner, err := json.Marshal(d.Owner)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(credentials{d.Credentials, d.Invitation})
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Device storedDevice `json:"device"`
	}{storedDevice{*d, r.sealer.Seal(useOwner, owner), r.sealer.Seal(useCredential, secrets)}})
}

func (r *Registry) checkDevices(ds []Device) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	owner := map[string]string{}
	for i := range ds {
		d := &ds[i]
		if err := d.Check(); err != nil {
			return err
		}
		if d.Premises != "" && r.premises[d.Premises] == nil {
			return fmt.Errorf("%w: device %q: there are no premises %q: add them first", ErrInvalid, d.ID, d.Premises)
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
	}
	return nil
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
	if old := r.devices[d.ID]; old != nil {
		if seq <= old.seq {
			return
		}
		for _, a := range old.Aliases {
			if r.aliases[a] == d.ID {
				delete(r.aliases, a)
			}
		}
	}
	r.version++
	r.devices[d.ID] = &d
	for _, a := range d.Aliases {
		r.aliases[a] = d.ID
	}
}
