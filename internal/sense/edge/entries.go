package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// taggedList is a gateway's list as it was at a version of the registry.
type taggedList struct {
	version uint64
	tag     string
}

// serveRegistry answers with the entries that a gateway serves: its own, those of
// the devices that come through it, and their premises.
func (r *Receiver) serveRegistry(w http.ResponseWriter, req *http.Request, gw *registry.Device) {
	version := r.reg.Version()
	r.mu.Lock()
	known := r.lists[gw.ID]
	r.mu.Unlock()
	asked := req.Header.Get("If-None-Match")
	var body []byte
	if known.tag == "" || known.version != version || asked != known.tag {
		var err error
		if body, err = json.Marshal(entriesOf(r.reg, gw.ID)); err != nil {
			r.unavailable(w, gw, err)
			return
		}
		// The tag follows from the content: a centre that was restored from a backup
		// may count its versions anew.
		sum := sha256.Sum256(body)
		known = taggedList{version, `"` + hex.EncodeToString(sum[:]) + `"`}
		r.mu.Lock()
		r.lists[gw.ID] = known
		r.mu.Unlock()
	}
	w.Header().Set("ETag", known.tag)
	w.Header().Set("Cache-Control", "no-store")
	if asked == known.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a link that breaks now asks again
}

func entriesOf(reg *registry.Registry, gateway string) list {
	l := list{Premises: []premises{}, Devices: []device{}}
	at := map[string]bool{}
	for _, d := range reg.Devices() {
		if d.ID != gateway && d.Gateway != gateway {
			continue
		}
		l.Devices = append(l.Devices, device{Device: *d, Credentials: d.Credentials})
		if p, err := reg.Premises(d.Premises); err == nil && !at[p.ID] {
			at[p.ID] = true
			// Alarm accounts and their keys stay at the centre: panels dial it.
			l.Premises = append(l.Premises, premises{registry.Premises{
				ID: p.ID, Name: p.Name, Kind: p.Kind, Place: p.Place, Basis: p.Basis, Purpose: p.Purpose, Updated: p.Updated, By: p.By,
			}})
		}
	}
	return l
}

// askEvery is how often a gateway asks for changes of its entries.
const askEvery = 10 * time.Second

// Follower keeps a gateway's registry the same as the centre's, as far as the
// gateway serves it. Without the link the entries stay as they were.
type Follower struct {
	centre *Centre
	reg    *registry.Registry
	logger *slog.Logger
	every  time.Duration
	tag    string
}

// NewFollower returns a follower that fills reg.
func NewFollower(c *Centre, reg *registry.Registry, logger *slog.Logger) *Follower {
	return &Follower{centre: c, reg: reg, logger: logger, every: askEvery}
}

// Run follows until the context ends, and returns nil then.
func (f *Follower) Run(ctx context.Context) error {
	lost, wait := false, firstWait
	for {
		err := f.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if lost != (err != nil) {
			lost = err != nil
			if lost {
				f.logger.Warn("the registry cannot be fetched from the centre; the entries stay as they are", "err", err)
			} else {
				f.logger.Info("the registry is followed again")
			}
		}
		wait = min(2*wait, f.every)
		if err == nil {
			wait = f.every
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		if err == nil {
			wait = firstWait
		}
	}
}

// ask fetches the entries if they have changed, and takes over what differs.
func (f *Follower) ask(ctx context.Context) error {
	req, err := f.centre.request(ctx, http.MethodGet, pathRegistry, nil)
	if err != nil {
		return err
	}
	if f.tag != "" {
		req.Header.Set("If-None-Match", f.tag)
	}
	res, err := f.centre.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusNotModified:
		return nil
	case http.StatusOK:
	default:
		return answerError(res)
	}
	var l list
	if err := json.NewDecoder(io.LimitReader(res.Body, maxListBytes)).Decode(&l); err != nil {
		return fmt.Errorf("reading the registry's entries: %w", err)
	}
	if err := f.takeOver(ctx, l); err != nil {
		return err
	}
	f.tag = res.Header.Get("ETag")
	return nil
}

// takeOver puts what is new or differs, and revokes the devices that do not come
// this way any more. Whoever loses something comes first, and an entry that cannot
// be put holds up no other: above all no revocation.
func (f *Follower) takeOver(ctx context.Context, l list) error {
	const by = "centre"
	var errs []error
	for _, p := range l.Premises {
		if old, err := f.reg.Premises(p.ID); err != nil || !same(premises{*old}, p) {
			errs = append(errs, f.reg.Put(ctx, by, p.Premises))
		}
	}
	lost, changed := f.differing(l)
	for _, ds := range [][]registry.Device{lost, changed} {
		if err := f.reg.PutDevices(ctx, by, ds...); err == nil || !errors.Is(err, registry.ErrInvalid) {
			errs = append(errs, err)
			continue
		}
		for _, d := range ds { // one of them cannot be put
			errs = append(errs, f.reg.PutDevices(ctx, by, d))
		}
	}
	return errors.Join(errs...)
}

// differing returns the devices whose entries are to be put: first those that
// lose their enrolment or an alias, which another may be about to get, then all
// that change.
func (f *Follower) differing(l list) (lost, changed []registry.Device) {
	served := map[string]bool{}
	for _, d := range l.Devices {
		served[d.ID] = true
		old, err := f.reg.Device(d.ID)
		if err == nil && same(device{Device: *old, Credentials: old.Credentials}, d) {
			continue
		}
		fresh := d.Device
		fresh.Credentials = d.Credentials
		changed = append(changed, fresh)
		if err != nil {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(old.Aliases), func(a string) bool { return !slices.Contains(fresh.Aliases, a) })
		if len(kept) < len(old.Aliases) {
			less := *old
			less.Aliases = kept
			lost = append(lost, less)
		}
	}
	for _, d := range f.reg.Devices() {
		if !served[d.ID] && (!d.Revoked || len(d.Aliases) > 0) {
			gone := *d
			gone.Revoked, gone.Aliases = true, nil
			lost = append(lost, gone)
		}
	}
	return lost, changed
}

// same compares two entries but for who put them when.
func same[T premises | device](a, b T) bool {
	x, errA := json.Marshal(plain(a))
	y, errB := json.Marshal(plain(b))
	return errA == nil && errB == nil && string(x) == string(y)
}

func plain[T premises | device](v T) any {
	switch e := any(v).(type) {
	case premises:
		e.By, e.Updated = "", time.Time{}
		return e
	case device:
		e.By, e.Updated = "", time.Time{}
		return e
	default:
		return nil
	}
}
