package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

func hub() registry.Device {
	return registry.Device{
		ID: "hub-7", Name: "Hub of number 7", Kind: "hub", Owner: registry.Owner{Name: "Wilhelmina Quill", Contact: "01632 960123"},
		Basis: event.Consent, Purpose: "burglary", Consent: &registry.Consent{Given: start.Add(-time.Hour), How: "form 12"},
	}
}

func TestInviteEnrolRotateRevoke(t *testing.T) {
	h := newHouse(t)
	r, set := h.held()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	opens := func(secret string, want bool) {
		t.Helper()
		for name, r := range map[string]*registry.Registry{"same": r, "read again": func() *registry.Registry { r, _ := h.held(); return r }()} {
			if name == "read again" && !want {
				continue // its clock stands at the start
			}
			if _, err := r.Authenticate("hub-7", secret); (err == nil) != want {
				t.Fatalf("%s: %v, want %v", name, err, want)
			}
		}
	}
	_, err := r.Invite(ctx, "alice", "hub-7", 0)
	is(err, registry.ErrUnknown)
	ok(r.AmendDevices(ctx, "alice", hub()))
	_, err = r.Invite(ctx, "alice", "hub-7", registry.MaxInvitation+1)
	is(err, registry.ErrInvalid)

	first, err := r.Invite(ctx, "alice", "hub-7", time.Hour)
	ok(err)
	token, err := r.Invite(ctx, "bob", "hub-7", time.Hour)
	ok(err)
	if d, err := r.Invited(token); err != nil || d.ID != "hub-7" {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, wrong := range []string{"", "x", first, token + "x"} {
		_, _, err := r.Enrol(ctx, wrong)
		is(err, registry.ErrInvitation)
	}
	set(start.Add(time.Hour))
	_, _, err = r.Enrol(ctx, token)
	is(err, registry.ErrInvitation) // out of time
	set(start.Add(time.Hour - time.Second))
	d, secret, err := r.Enrol(ctx, token)
	ok(err)
	if d.ID != "hub-7" || d.EnrolledBy != "bob" || d.EnrolledAt == nil || d.Owner.Name == "" || len(secret) < 43 {
		t.Fatalf("%+v", d)
	}
	opens(secret, true)
	opens(secret+"x", false)
	opens(token, false)
	_, _, err = r.Enrol(ctx, token)
	is(err, registry.ErrInvitation) // used up

	second, err := r.Rotate(ctx, "alice", "hub-7", -1)
	ok(err)
	opens(secret, true)
	opens(second, true)
	set(start.Add(time.Hour + registry.DefaultOverlap))
	opens(secret, false)
	opens(second, true)
	third, err := r.Rotate(ctx, "alice", "hub-7", 0)
	ok(err)
	opens(second, false)
	opens(third, true)
	_, err = r.Rotate(ctx, "alice", "hub-7", registry.MaxOverlap+1)
	is(err, registry.ErrInvalid)

	changed := hub()
	changed.Firmware = "2.1"
	ok(r.AmendDevices(ctx, "carol", changed))
	opens(third, true) // a change of the entry leaves the credentials

	is(r.Reinstate(ctx, "alice", "hub-7"), registry.ErrState)
	token, err = r.Invite(ctx, "alice", "hub-7", 0)
	ok(err)
	ok(r.Revoke(ctx, "alice", "hub-7"))
	is(r.Revoke(ctx, "alice", "hub-7"), registry.ErrState)
	opens(third, false)
	_, _, err = r.Enrol(ctx, token)
	is(err, registry.ErrInvitation)
	_, err = r.Invite(ctx, "alice", "hub-7", 0)
	is(err, registry.ErrState)
	_, err = r.Rotate(ctx, "alice", "hub-7", 0)
	is(err, registry.ErrState)
	ok(r.AmendDevices(ctx, "carol", hub()))
	if d, _ := r.Device("hub-7"); !d.Revoked {
		t.Fatal("a change of the entry reinstated the device")
	}
	ok(r.Reinstate(ctx, "alice", "hub-7"))
	opens(third, false) // for good

	ok(r.Withdraw(ctx, "alice", "hub-7"))
	is(r.Withdraw(ctx, "alice", "hub-7"), registry.ErrState)
	if d, _ := r.Device("hub-7"); d.Consent.Stands(start.Add(2*time.Hour + registry.DefaultOverlap)) {
		t.Fatal("the consent still stands")
	}
}

// TestOneTokenEnrolsOnce has many come with one token, to several processes.
func TestOneTokenEnrolsOnce(t *testing.T) {
	h := newHouse(t)
	rs := []*registry.Registry{h.open("key"), h.open("key"), h.open("key")}
	following, stop := context.WithCancel(ctx)
	var followers, racers sync.WaitGroup
	for _, r := range rs {
		followers.Go(func() {
			if err := r.Follow(following); err != nil {
				t.Error(err)
			}
		})
	}
	if err := rs[0].AmendDevices(ctx, "alice", registry.Device{ID: "hub-7", Name: "x"}); err != nil {
		t.Fatal(err)
	}
	token, err := rs[0].Invite(ctx, "alice", "hub-7", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		eventually(t, func() bool { _, err := r.Invited(token); return err == nil })
	}
	var won atomic.Pointer[string]
	var wins atomic.Int64
	for i := range 12 {
		racers.Go(func() {
			_, secret, err := rs[i%len(rs)].Enrol(ctx, token)
			switch {
			case err == nil:
				wins.Add(1)
				won.Store(&secret)
			case !errors.Is(err, registry.ErrInvitation):
				t.Error(err)
			}
		})
	}
	racers.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d enrolled", wins.Load())
	}
	for _, r := range append(rs, h.open("key")) {
		eventually(t, func() bool { _, err := r.Authenticate("hub-7", *won.Load()); return err == nil })
	}
	stop()
	followers.Wait()
}

// TestChangesOfSeveralProcessesAllCount has several processes change one device
// at once, none of them following the others.
func TestChangesOfSeveralProcessesAllCount(t *testing.T) {
	h := newHouse(t)
	rs := []*registry.Registry{h.open("key"), h.open("key")}
	if err := rs[0].AmendDevices(ctx, "alice", registry.Device{ID: "hub-7", Name: "x"}); err != nil {
		t.Fatal(err)
	}
	rs[1] = h.open("key")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var secrets []string
	for i := range 6 {
		wg.Go(func() {
			s, err := rs[i%2].Rotate(ctx, "alice", "hub-7", time.Hour)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			secrets = append(secrets, s)
		})
		wg.Go(func() {
			d := registry.Device{ID: "hub-7", Name: fmt.Sprint("name ", i)}
			if err := rs[i%2].AmendDevices(ctx, "bob", d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	last := h.open("key")
	for _, s := range secrets {
		if _, err := last.Authenticate("hub-7", s); err != nil {
			t.Error("a secret that was given out does not open:", err)
		}
	}
}

func TestDevicesSecretsAndOwnersAreNotInTheLogsFiles(t *testing.T) {
	h := newHouse(t)
	r, _ := h.held()
	if err := r.AmendDevices(ctx, "alice", hub()); err != nil {
		t.Fatal(err)
	}
	token, err := r.Invite(ctx, "alice", "hub-7", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := r.Enrol(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	h.log.Close()
	found := map[string]bool{"Hub of number 7": false}
	for _, s := range []string{token, secret, "Quill", "960123"} {
		found[s] = false
	}
	err = filepath.WalkDir(filepath.Join(h.dir, "data"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for s := range found {
			found[s] = found[s] || bytes.Contains(data, []byte(s))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for s, is := range found {
		if is != strings.HasPrefix(s, "Hub") {
			t.Errorf("%q in the log's files: %v", s, is)
		}
	}
	if said := h.said.String(); strings.Contains(said, secret) || strings.Contains(said, token) {
		t.Error("a secret was logged")
	}
}

func TestAmendRefusesAllWhenOneIsWrong(t *testing.T) {
	h := newHouse(t)
	r := h.open("key")
	var many []registry.Device
	for i := range bus.MaxBatch + 5 {
		many = append(many, registry.Device{ID: fmt.Sprint("d", i), Name: "x"})
	}
	bad := append(slices.Clone(many), registry.Device{ID: "bad", Name: "x", Premises: "none"})
	if err := r.AmendDevices(ctx, "alice", bad...); !errors.Is(err, registry.ErrInvalid) || len(r.Devices()) != 0 {
		t.Fatalf("%v, %d devices", err, len(r.Devices()))
	}
	if err := r.AmendDevices(ctx, "alice", many...); err != nil || len(r.Devices()) != len(many) {
		t.Fatalf("%v, %d devices", err, len(r.Devices()))
	}
	for name, d := range map[string]registry.Device{
		"id is an alias":     {ID: "eui", Name: "x"},
		"alias is an id":     {ID: "new", Name: "x", Aliases: []string{"d2"}},
		"alias is another's": {ID: "new", Name: "x", Aliases: []string{"eui"}},
	} {
		if err := r.AmendDevices(ctx, "alice", registry.Device{ID: "d1", Name: "x", Aliases: []string{"eui"}}); err != nil {
			t.Fatal(err)
		}
		if err := r.AmendDevices(ctx, "alice", d); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 2000 {
		if holds() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("waited in vain")
}
