package city

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/bluelamp/bluelamp/internal/place"
)

// skarrow is the town that most tests share: it never changes once made.
var (
	skarrow   = sync.OnceValue(func() *Town { return New(1) })
	again     = sync.OnceValue(func() *Town { return New(1) }) // made anew from the same seed
	elsewhere = sync.OnceValue(func() *Town { return New(2) })
)

func TestSameSeedSameTown(t *testing.T) {
	a, b, c := skarrow(), again(), elsewhere()
	if string(a.GeoJSON()) != string(b.GeoJSON()) {
		t.Error("one seed drew two maps")
	}
	if !reflect.DeepEqual(a.Premises(), b.Premises()) {
		t.Error("one seed settled two towns")
	}
	if string(a.GeoJSON()) == string(c.GeoJSON()) {
		t.Error("two seeds drew one map")
	}
}

func TestTownsArePlausible(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			town := skarrow()
			switch seed {
			case 1:
			case 2:
				town = elsewhere()
			default:
				town = New(seed)
			}
			if n := len(town.buildings); n < 1050 || n > 1400 {
				t.Errorf("%d buildings, want about %d", n, wantBuildings)
			}
			if n := len(town.sites); n < 330 || n > 360 {
				t.Errorf("%d guarded premises, want about %d", n, wantSites)
			}
			kinds := map[string]int{}
			for _, s := range town.sites {
				kinds[s.kind]++
			}
			for _, kind := range []string{"bank", "school", "pub", "marina", "substation", "police station", "jeweller"} {
				if kinds[kind] == 0 {
					t.Errorf("no %s among the guarded premises: %v", kind, kinds)
				}
			}
			checkBuildings(t, town)
			checkMap(t, town.GeoJSON())
		})
	}
}

// checkBuildings holds every building on land, off the water and off its neighbours.
func checkBuildings(t *testing.T, town *Town) {
	t.Helper()
	for i := range town.buildings {
		b := &town.buildings[i]
		if b.kind != "amusements" && (town.g.shore.at(b.middle) < 0 || town.g.bank.at(b.middle) < 0) {
			t.Errorf("%s stands in the water", b.address(town.streets))
		}
		for k := range i {
			small, other := b.box, town.buildings[k].box
			small.width, small.depth = small.width-1, small.depth-1
			if small.overlaps(other) {
				t.Errorf("%s and %s overlap", b.address(town.streets), town.buildings[k].address(town.streets))
			}
		}
	}
}

func checkMap(t *testing.T, data []byte) {
	t.Helper()
	if len(data) > 1<<20 {
		t.Errorf("the map has %d bytes, want less than 1 MB", len(data))
	}
	var c struct {
		Type     string
		BBox     []float64
		Features []struct {
			Properties struct{ Class, Name, Kind string }
			Geometry   struct {
				Type        string
				Coordinates json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatalf("the map is not JSON: %v", err)
	}
	if c.Type != "FeatureCollection" || len(c.BBox) != 4 {
		t.Errorf("type %q and box %v, want a FeatureCollection with a box", c.Type, c.BBox)
	}
	count := map[string]int{}
	for _, f := range c.Features {
		count[f.Properties.Class]++
		var points [][2]float64
		if f.Geometry.Type == "Polygon" {
			var rings [][][2]float64
			if err := json.Unmarshal(f.Geometry.Coordinates, &rings); err != nil {
				t.Fatal(err)
			}
			points = rings[0]
			if len(points) < 4 || points[0] != points[len(points)-1] {
				t.Errorf("a %s of %d points is not closed", f.Properties.Class, len(points))
			}
		} else if err := json.Unmarshal(f.Geometry.Coordinates, &points); err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			if d := place.Distance(centre, place.Point{Lat: p[1], Lon: p[0]}); d > 3000 {
				t.Fatalf("%s %q lies %.0f m from the island's middle", f.Properties.Class, f.Properties.Name, d)
			}
		}
	}
	for _, class := range []string{"land", "water", "coast", "park", "road-major", "road-minor", "path", "building", "building-public", "pier", "beach"} {
		if count[class] == 0 {
			t.Errorf("nothing of class %q on the map: %v", class, count)
		}
	}
}

func TestPremisesAreFitForTheRegistry(t *testing.T) {
	accounts, ids := map[string]bool{}, map[string]bool{}
	var keys, panels, doubles int
	for _, p := range skarrow().Premises() {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		if ids[p.ID] {
			t.Errorf("premises %s twice", p.ID)
		}
		ids[p.ID] = true
		if len(p.Accounts) > 1 {
			doubles++
		}
		for _, a := range p.Accounts {
			if accounts[a.Number] {
				t.Errorf("account %s twice", a.Number)
			}
			accounts[a.Number] = true
			panels++
			if a.Key != nil {
				keys++
			}
			if len(a.Zones) < 4 {
				t.Errorf("account %s of %s has %d zones", a.Number, p.Name, len(a.Zones))
			}
		}
		if len(p.Keyholders) < 2 {
			t.Errorf("%s has %d keyholders", p.Name, len(p.Keyholders))
		}
		for _, k := range p.Keyholders {
			if !strings.HasPrefix(k.Phone, "01632 960") && !strings.HasPrefix(k.Phone, "07700 900") {
				t.Errorf("%s: %s could ring somewhere", p.Name, k.Phone)
			}
		}
	}
	if part := float64(keys) / float64(panels); part < 0.25 || part > 0.45 {
		t.Errorf("%d of %d panels encrypt, want about a third", keys, panels)
	}
	if doubles < 8 {
		t.Errorf("%d premises with two panels", doubles)
	}
}

func TestNoNameTwice(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range skarrow().streets {
		if s.name != "" && seen[s.name] {
			t.Errorf("two streets are called %s", s.name)
		}
		seen[s.name] = true
	}
	seen = map[string]bool{}
	for i := range skarrow().buildings {
		b := &skarrow().buildings[i]
		if a := b.address(skarrow().streets); seen[a] {
			t.Errorf("two buildings at %s", a)
		} else {
			seen[a] = true
		}
	}
}
