package city

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// wantSites is how many premises have alarm panels.
const wantSites = 350

// site is premises with at least one alarm panel: a house, a shop, one tenant
// of a building.
type site struct {
	index      int
	id         string
	name       string
	address    string
	kind       string
	at         vec
	street     int
	urn        string
	panels     []*panelPlan
	keyholders []keyholder
	neighbour  int // another site in the same building, or -1
}

type keyholder struct{ name, phone string }

// panelPlan is an alarm panel as it was installed.
type panelPlan struct {
	index    int
	site     *site
	account  string
	class    string
	key      []byte     // AES, nil for a plain panel
	dialect  dc09.Token // SIA-DCS or ADM-CID
	udp      bool
	skew     time.Duration // how far its clock is off until a receiver corrects it
	verifies bool          // it says so itself when a second detector confirms the first
	reports  bool          // it reports every setting and unsetting
	texts    bool          // it names zones in words
	zones    []zone
	testAt   time.Duration // of its daily test, after midnight
}

// zone is a group of detectors.
type zone struct {
	name string
	kind event.ZoneKind
	what detector
}

// detector is what a zone's devices feel.
type detector uint8

const (
	entryDoor detector = iota + 1
	contact
	movement
	beam // outdoors
	button
	smoke
	leak
	pendant
)

// settle gives buildings their use and premises their panels.
func (t *Town) settle() {
	r := draw(t.seed, "trades")
	t.giveTrades(r)
	for _, i := range t.chooseGuarded() {
		t.addSite(&t.buildings[i], t.buildings[i].kind, t.buildings[i].name, -1)
	}
	t.addFlats()
	for _, s := range t.sites {
		t.equip(s)
	}
}

// giveTrades makes shops of the houses on shopping streets, and works of sheds.
func (t *Town) giveTrades(r *rand.Rand) {
	names := newNamer(r)
	shopping := map[string]float64{"High Street": 0.85, "Marine Parade": 0.6, "Dock Street": 0.5, "Bridge Street": 0.25}
	for i := range t.buildings {
		b := &t.buildings[i]
		if b.kind != "" {
			continue
		}
		part := shopping[t.streets[b.street].name]
		d := t.net.district(b.middle)
		switch {
		case b.width > 22 && d == estate:
			b.kind = pick(r, []string{"workshop", "warehouse", "warehouse", "factory"})
		case d == oldTown && r.Float64() < max(part, 0.16), d == terraces && r.Float64() < part*0.6:
			b.kind = pick(r, trades)
		default:
			b.kind = "home"
			continue
		}
		b.name = names.of(b.kind)
	}
}

// chooseGuarded returns the buildings that get alarm panels: all of some kinds,
// and as many homes as make up the number.
func (t *Town) chooseGuarded() []int {
	r := draw(t.seed, "guarded")
	var chosen, homes []int
	for i := range t.buildings {
		switch b := &t.buildings[i]; {
		case b.kind == "home":
			homes = append(homes, i)
		case b.kind == "lighthouse", b.kind == "church", len(chosen) >= wantSites-90:
		case b.width > 11 || r.Float64() < 0.8:
			chosen = append(chosen, i)
		}
	}
	r.Shuffle(len(homes), func(i, j int) { homes[i], homes[j] = homes[j], homes[i] })
	chosen = append(chosen, homes[:max(0, min(len(homes), wantSites-flats-len(chosen)))]...)
	sort.Ints(chosen)
	return chosen
}

func (t *Town) addSite(b *building, kind, name string, neighbour int) *site {
	s := &site{
		index: len(t.sites), id: fmt.Sprintf("skarrow-%04d", len(t.sites)+1), kind: kind, name: name,
		address: b.address(t.streets), at: b.middle, street: b.street, neighbour: neighbour,
	}
	if s.name == "" {
		s.name = strings.TrimSuffix(s.address, ", "+TownName)
	}
	t.sites = append(t.sites, s)
	return s
}

// flats is how many homes over shops have a panel of their own.
const flats = 10

// addFlats puts a second tenant into some buildings with shops: two panels there
// may feel one burglar.
func (t *Town) addFlats() {
	added := 0
	for i := range t.buildings {
		b := &t.buildings[i]
		for _, s := range t.sites {
			if added == flats {
				return
			}
			if s.neighbour < 0 && s.at == b.middle && tradesSet[s.kind] && i%3 == 0 {
				flat := t.addSite(b, "home", "Flat over "+s.name, s.index)
				flat.address = "Flat, " + flat.address
				s.neighbour = flat.index
				added++
			}
		}
	}
}

// twoPanels are kinds of premises that have a second panel, for the vault, the
// stores or the other wing.
var twoPanels = map[string]string{
	"bank": "Vault", "school": "Sports hall", "supermarket": "Cash office", "hotel": "Cellar",
	"museum": "Gallery", "town hall": "Archive", "brewery": "Bond store", "ice works": "Plant room",
	"jeweller": "Strong room", "post office": "Cash office", "hospital": "Pharmacy", "boatyard": "Engine store",
}

// annexes is the part of homes with a second panel in an annexe: where one can
// find two panels in an empty building while shops are open.
const annexes = 0.08

func (t *Town) equip(s *site) {
	r := draw(t.seed, "panels", uint64(s.index))
	t.addPanel(r, s, zonesOf(r, s.kind))
	room, two := twoPanels[s.kind]
	if s.kind == "home" && s.neighbour < 0 && r.Float64() < annexes {
		room, two = "Annexe", true
	}
	if two {
		t.addPanel(r, s, []zone{
			{room + " door", event.ZonePerimeter, contact},
			{room, event.ZoneInterior, movement},
			{room + " wall", event.ZoneInterior, movement},
			{room + " smoke", event.ZoneUnknown, smoke},
		})
	}
	if s.panels[0].class != "SP2" || r.Float64() < 0.8 {
		s.urn = fmt.Sprintf("SKW%05dX", 10000+s.index*37)
	}
	for range 2 + r.IntN(2) {
		s.keyholders = append(s.keyholders, newKeyholder(r))
	}
}

func (t *Town) addPanel(r *rand.Rand, s *site, zones []zone) {
	p := &panelPlan{
		index: len(t.panels), site: s, account: fmt.Sprintf("%d", 4001+len(t.panels)),
		class: classOf(r, s.kind), dialect: dc09.TokenSIA, zones: zones,
		verifies: r.Float64() < 0.3, reports: r.Float64() < 0.6, texts: r.Float64() < 0.35,
		testAt: time.Duration(r.Int64N(int64(24 * time.Hour))).Truncate(time.Second),
	}
	if r.Float64() < 0.4 {
		p.dialect = dc09.TokenCID
	}
	if r.Float64() < 0.34 || p.class == "SP5" {
		p.key = keyOf(t.seed, p.account, pick(r, []int{16, 16, 24, 32}))
		if r.Float64() < 0.12 {
			p.skew = time.Duration(between(r, -420, 420)) * time.Second
		}
	}
	p.udp = r.Float64() < 0.12
	s.panels = append(s.panels, p)
	t.panels = append(t.panels, p)
}

// keyOf derives a panel's AES key. Anyone with the seed can: the town is fiction
// and so are its secrets.
func keyOf(seed uint64, account string, size int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "skarrow key %d %s", seed, account))
	return sum[:size]
}

// classOf draws a reporting class: the more there is to lose, the closer the watch.
func classOf(r *rand.Rand, kind string) string {
	x := r.Float64()
	switch kind {
	case "bank", "jeweller":
		return "SP5"
	case "police station", "post office", "substation", "exchange", "supermarket", "museum":
		return "SP4"
	case "home":
		if x < 0.9 {
			return "SP2"
		}
		return "SP3"
	}
	switch {
	case x < 0.06:
		return "SP4"
	case x < 0.4:
		return "SP3"
	default:
		return "SP2"
	}
}

// zonesOf draws the zones of the first panel of premises of a kind.
func zonesOf(r *rand.Rand, kind string) []zone {
	perimeter := func(name string) zone { return zone{name, event.ZonePerimeter, contact} }
	inside := func(name string) zone { return zone{name, event.ZoneInterior, movement} }
	if kind == "home" {
		zones := []zone{
			{"Front door", event.ZonePerimeter, entryDoor},
			perimeter("Back door"),
			inside("Lounge"), inside("Hall"), perimeter("Kitchen window"),
			{"Smoke", event.ZoneUnknown, smoke},
		}
		for _, extra := range []zone{
			inside("Landing"),
			{"Garden beam", event.ZoneExternal, beam},
			{"Bedside button", event.ZoneHoldUp, button},
			{"Under the sink", event.ZoneUnknown, leak},
			{"Pendant", event.ZoneUnknown, pendant},
		} {
			if r.Float64() < 0.35 {
				zones = append(zones, extra)
			}
		}
		return zones
	}
	zones := []zone{
		{"Main entrance", event.ZonePerimeter, entryDoor},
		perimeter("Rear door"),
		inside("Ground floor"), inside("Stock room"), perimeter("Roof light"),
		{"Smoke", event.ZoneUnknown, smoke},
		{"Office", event.ZoneInterior, movement},
	}
	if kind == "workshop" || kind == "warehouse" || kind == "factory" || kind == "substation" || kind == "boatyard" {
		return append(zones, zone{"Yard beam", event.ZoneExternal, beam}, perimeter("Roller shutter"))
	}
	return append(zones,
		zone{"Counter button", event.ZoneHoldUp, button}, zone{"Back office button", event.ZoneHoldUp, button},
		zone{"Cellar", event.ZoneUnknown, leak})
}

// find returns the number of a zone with the detector, 0 when there is none;
// nth counts from 0.
func (p *panelPlan) find(what detector, nth int) int {
	for i, z := range p.zones {
		if z.what == what {
			if nth == 0 {
				return i + 1
			}
			nth--
		}
	}
	return 0
}
