package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

var ctx = context.Background()

type house struct {
	t    *testing.T
	dir  string
	log  *bus.Log
	said *bytes.Buffer
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), said: &bytes.Buffer{}}
	var err error
	if h.log, err = bus.Open(ctx, bus.Config{Dir: filepath.Join(h.dir, "data")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.log.Close)
	return h
}

// open opens a registry on the log, as another process would, with the sealing
// key of the given name.
func (h *house) open(key string) *registry.Registry {
	h.t.Helper()
	sealer, err := seal.Open(filepath.Join(h.dir, key))
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := registry.New(ctx, h.log, sealer, clock.Wall(), slog.New(slog.NewTextHandler(h.said, nil)))
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func shop() registry.Premises {
	return registry.Premises{
		ID: "shop", Name: "Corner shop", Place: place.Point{Lat: 54.5, Lon: 2.5},
		Accounts:   []registry.Account{{Number: "1234", Class: "SP4", Key: []byte("sixteen bytes k!")}},
		Keyholders: []registry.Keyholder{{Name: "Wilhelmina Quill", Phone: "01632 960123"}},
	}
}

func TestPutReplaceAndReadAgain(t *testing.T) {
	h := newHouse(t)
	r := h.open("key")
	if err := r.Put(ctx, "alice", shop()); err != nil {
		t.Fatal(err)
	}
	version := r.Version()
	p := shop()
	p.Name = "Corner café"
	p.Accounts = []registry.Account{{Number: "5678", Class: "SP6"}}
	if err := r.Put(ctx, "bob", p); err != nil {
		t.Fatal(err)
	}
	if r.Version() == version {
		t.Error("the version did not change")
	}
	for name, r := range map[string]*registry.Registry{"same": r, "read again": h.open("key")} {
		got, err := r.Premises("shop")
		if err != nil || got.Name != "Corner café" || got.By != "bob" || got.Updated.IsZero() || len(r.All()) != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if len(got.Keyholders) != 1 || got.Keyholders[0].Name != "Wilhelmina Quill" {
			t.Errorf("%s: keyholders %+v", name, got.Keyholders)
		}
		if _, ok := r.Account("1234"); ok {
			t.Errorf("%s: the account that was taken away is still there", name)
		}
		if f, ok := r.Account("5678"); !ok || f.Premises != got || f.Account.Class != "SP6" {
			t.Errorf("%s: account %+v", name, f)
		}
	}
	if _, err := r.Premises("none"); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("unknown premises: %v", err)
	}
}

func TestKeysOpenAgainWithTheirSealingKeyOnly(t *testing.T) {
	h := newHouse(t)
	if err := h.open("key").Put(ctx, "alice", shop()); err != nil {
		t.Fatal(err)
	}
	if f, _ := h.open("key").Account("1234"); string(f.Account.Key) != "sixteen bytes k!" {
		t.Errorf("key %q", f.Account.Key)
	}
	if f, ok := h.open("another").Account("1234"); !ok || f.Account.Key != nil {
		t.Errorf("with another sealing key: %+v", f.Account)
	}
	if !strings.Contains(h.said.String(), "cannot be opened") || strings.Contains(h.said.String(), "sixteen bytes") {
		t.Errorf("said %s", h.said)
	}
}

func TestSecretsAreNotInTheLogsFiles(t *testing.T) {
	h := newHouse(t)
	if err := h.open("key").Put(ctx, "alice", shop()); err != nil {
		t.Fatal(err)
	}
	h.log.Close()
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(h.dir, "data"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, s := range []string{"Corner shop", "sixteen bytes k!", "c2l4dGVlbiBieXRlcyBrI", "Quill", "960123"} {
			found[s] = found[s] || bytes.Contains(data, []byte(s))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for s, is := range found {
		if is != (s == "Corner shop") { // the name shows that this looks at the right files
			t.Errorf("%q in the log's files: %v", s, is)
		}
	}
}

func TestOneFollowsAnother(t *testing.T) {
	h := newHouse(t)
	a, b := h.open("key"), h.open("key")
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, r := range []*registry.Registry{a, b} {
		wg.Go(func() {
			if err := r.Follow(following); err != nil {
				t.Error(err)
			}
		})
	}
	var many []registry.Premises
	for i := range bus.MaxBatch + 10 {
		p := shop()
		p.ID, p.Accounts, p.Keyholders = fmt.Sprintf("p%d", i), []registry.Account{{Number: fmt.Sprintf("A%d", i), Class: "none"}}, nil
		many = append(many, p)
	}
	if err := a.Put(ctx, "alice", many...); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(ctx, "bob", shop()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(a.All()) != len(many)+1 || len(b.All()) != len(many)+1 {
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d premises, want %d", len(a.All()), len(b.All()), len(many)+1)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if f, ok := a.Account("1234"); !ok || string(f.Account.Key) != "sixteen bytes k!" || f.Premises.By != "bob" {
		t.Errorf("what the other put: %+v", f)
	}
	stop()
	wg.Wait()
}

func TestAnAccountHasOneOwner(t *testing.T) {
	h := newHouse(t)
	r := h.open("key")
	var wg sync.WaitGroup
	var put atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			p := shop()
			p.ID = fmt.Sprintf("shop%d", i)
			if err := r.Put(ctx, "alice", p); err == nil {
				put.Add(1)
			} else if !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), "1234") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if put.Load() != 1 || len(r.All()) != 1 {
		t.Errorf("%d premises took the account", put.Load())
	}
}

func TestPutRefusesWhatCannotBe(t *testing.T) {
	h := newHouse(t)
	r := h.open("key")
	for name, change := range map[string]func(*registry.Premises){
		"no id":         func(p *registry.Premises) { p.ID = "" },
		"id with space": func(p *registry.Premises) { p.ID = "a b" },
		"long id":       func(p *registry.Premises) { p.ID = strings.Repeat("x", 65) },
		"no name":       func(p *registry.Premises) { p.Name = "" },
		"no place":      func(p *registry.Premises) { p.Place = place.Point{} },
		"off the Earth": func(p *registry.Premises) { p.Place.Lat = 91 },
		"no number":     func(p *registry.Premises) { p.Accounts[0].Number = "" },
		"long number":   func(p *registry.Premises) { p.Accounts[0].Number = strings.Repeat("1", 17) },
		"no such class": func(p *registry.Premises) { p.Accounts[0].Class = "SP7" },
		"short key":     func(p *registry.Premises) { p.Accounts[0].Key = []byte("short") },
	} {
		good, bad := shop(), shop()
		good.ID, good.Accounts = "good", nil
		change(&bad)
		err := r.Put(ctx, "alice", good, bad)
		if !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "sixteen") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	if n := len(r.All()); n != 0 {
		t.Errorf("%d premises were put in spite of the others' faults", n)
	}
}

func TestClasses(t *testing.T) {
	for _, name := range registry.Classes() {
		if _, ok := registry.Class(name); !ok {
			t.Errorf("class %s has no reporting time", name)
		}
	}
	if d, ok := registry.Class("SP4"); !ok || d != 3*time.Minute {
		t.Errorf("SP4 = %v, %v", d, ok)
	}
	if _, ok := registry.Class("SP9"); ok {
		t.Error("SP9 is a class")
	}
}
