package registry_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// held opens a registry on a clock that the test holds.
func (h *house) held() (*registry.Registry, func(time.Time)) {
	h.t.Helper()
	sealer, err := seal.Open(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	clk, set := clock.Held(start)
	r, err := registry.New(ctx, h.log, sealer, clk, slog.New(slog.NewTextHandler(h.said, nil)))
	if err != nil {
		h.t.Fatal(err)
	}
	return r, set
}

func at(lat float64) place.Point { return place.Point{Lat: lat, Lon: 2.5} }

func TestAdmit(t *testing.T) {
	h := newHouse(t)
	r, set := h.held()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.Put(ctx, "alice",
		registry.Premises{ID: "bare", Name: "Home without a basis", Kind: "Home", Place: at(54.1)},
		registry.Premises{ID: "told", Name: "Home with a basis", Kind: "home", Place: at(54.2), Basis: event.Contract, Purpose: "response"},
		registry.Premises{ID: "panel", Name: "Home with an alarm", Kind: "home", Place: at(54.3), Accounts: []registry.Account{{Number: "77", Class: "none"}}},
		registry.Premises{ID: "shop", Name: "Shop", Kind: "shop", Place: at(54.4)},
	))
	until, withdrawn, spot := start.Add(time.Hour), start.Add(-time.Minute), at(54.9)
	consent := func(c registry.Consent) registry.Device {
		return registry.Device{Name: "x", Premises: "bare", Basis: event.Consent, Purpose: "neighbourhood watch", Consent: &c}
	}
	for id, d := range map[string]registry.Device{
		"plain":     {Name: "x", Premises: "bare"},
		"athome":    {Name: "x", Premises: "told"},
		"own":       {Name: "x", Premises: "told", Basis: event.VitalInterests, Purpose: "care", Retain: event.RetainDay, Place: &spot},
		"inshop":    {Name: "x", Premises: "shop"},
		"nowhere":   {Name: "x"},
		"agreed":    consent(registry.Consent{Given: start.Add(-time.Hour), Until: &until}),
		"notyet":    consent(registry.Consent{Given: start.Add(time.Minute)}),
		"withdrawn": consent(registry.Consent{Given: start.Add(-time.Hour), Withdrawn: &withdrawn}),
		"revoked":   {Name: "x", Premises: "told", Revoked: true},
		"netserver": {Name: "x", Premises: "shop"},
		"lora":      {Name: "x", Premises: "told", Aliases: []string{"70b3d5", "netserver/door"}},
		"street": func() registry.Device {
			d := consent(registry.Consent{Given: start.Add(time.Minute)})
			d.Premises = ""
			return d
		}(),
	} {
		d.ID = id
		must(r.PutDevices(ctx, "alice", d))
	}
	for name, c := range map[string]struct {
		o        event.Observation
		err      error
		basis    event.Basis
		premises string
		enrolled string
		after    time.Duration
	}{
		"stranger":                      {o: event.Observation{Device: "stranger"}},
		"stranger at a home":            {o: event.Observation{Device: "stranger", Premises: "bare"}, err: registry.ErrNoBasis},
		"stranger states a basis":       {o: event.Observation{Device: "stranger", Premises: "bare", Basis: event.LegalObligation}, basis: event.LegalObligation, premises: "bare"},
		"home without basis":            {o: event.Observation{Device: "plain"}, err: registry.ErrNoBasis},
		"home with basis":               {o: event.Observation{Device: "athome"}, basis: event.Contract, premises: "told", enrolled: "athome"},
		"home with an alarm":            {o: event.Observation{Device: "77", Premises: "panel"}, basis: event.Contract, premises: "panel"},
		"device's own basis":            {o: event.Observation{Device: "own"}, basis: event.VitalInterests, premises: "told", enrolled: "own"},
		"shop needs none":               {o: event.Observation{Device: "inshop"}, premises: "shop", enrolled: "inshop"},
		"no premises":                   {o: event.Observation{Device: "nowhere"}, enrolled: "nowhere"},
		"consent":                       {o: event.Observation{Device: "agreed"}, basis: event.Consent, premises: "bare", enrolled: "agreed"},
		"consent has ended":             {o: event.Observation{Device: "agreed"}, after: time.Hour, err: registry.ErrNoBasis},
		"consent not yet":               {o: event.Observation{Device: "notyet"}, err: registry.ErrNoBasis},
		"consent begins":                {o: event.Observation{Device: "notyet"}, after: time.Minute, basis: event.Consent, premises: "bare", enrolled: "notyet"},
		"consent withdrawn":             {o: event.Observation{Device: "withdrawn"}, err: registry.ErrNoBasis},
		"consent needed outside a home": {o: event.Observation{Device: "street"}, err: registry.ErrNoBasis},
		"child of a hub":                {o: event.Observation{Device: "agreed/door", Via: "agreed"}, basis: event.Consent, premises: "bare", enrolled: "agreed"},
		"child of a withdrawn hub":      {o: event.Observation{Device: "withdrawn/door", Via: "withdrawn"}, err: registry.ErrNoBasis},
		"entry behind a withdrawn hub":  {o: event.Observation{Device: "athome", Via: "withdrawn"}, err: registry.ErrNoBasis},
		"revoked":                       {o: event.Observation{Device: "revoked"}, err: registry.ErrRevoked},
		"child of a revoked hub":        {o: event.Observation{Device: "revoked/door"}, err: registry.ErrRevoked},
		"through a revoked hub":         {o: event.Observation{Device: "inshop", Via: "revoked"}, err: registry.ErrRevoked},
		"unknown through a revoked hub": {o: event.Observation{Device: "thing", Via: "revoked"}, err: registry.ErrRevoked},
		"misuse of a revoked device":    {o: event.Observation{Kind: event.KindMisuse, Device: "revoked"}, basis: event.Contract, premises: "told", enrolled: "revoked"},
		"silence at a bare home":        {o: event.Observation{Kind: event.KindSilent, Device: "plain"}, premises: "bare", enrolled: "plain"},
		"alias":                         {o: event.Observation{Device: "70b3d5", Via: "netserver"}, basis: event.Contract, premises: "told", enrolled: "lora"},
		"alias that looks like a child": {o: event.Observation{Device: "netserver/door", Via: "netserver"}, basis: event.Contract, premises: "told", enrolled: "lora"},
		"sensor without an entry":       {o: event.Observation{Device: "bin-3", Via: "netserver"}, premises: "shop", enrolled: "netserver"},
	} {
		t.Run(name, func(t *testing.T) {
			set(start.Add(c.after))
			o := c.o
			if err := r.Admit(&o); !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if c.err != nil {
				return
			}
			if o.Basis != c.basis || o.Premises != c.premises || o.Enrolled != c.enrolled {
				t.Errorf("basis %q, premises %q, enrolled %q; want %q, %q, %q", o.Basis, o.Premises, o.Enrolled, c.basis, c.premises, c.enrolled)
			}
			if (o.Premises != "") != (o.PremisesName != "" && o.Place != nil) {
				t.Errorf("premises %q, but name %q and place %v", o.Premises, o.PremisesName, o.Place)
			}
		})
	}
	o := event.Observation{Device: "own"}
	must(r.Admit(&o))
	if o.Retain != event.RetainDay || *o.Place != spot || o.Purpose != "care" {
		t.Errorf("%+v", o)
	}
}
