package city

import (
	"math/rand/v2"
	"strings"
)

// TownName is what the town is called; there is no such place.
const TownName = "Skarrow"

// The words of street names. Sea birds, weather, trades and gear: what British
// harbours name their streets after, and no person.
var (
	streetWords = strings.Fields(`Gannet Kittiwake Fulmar Guillemot Puffin Tern Curlew Plover Dunlin Cormorant Petrel Eider
		Sandpiper Turnstone Whimbrel Oystercatcher Razorbill Skua Heron Wigeon Teal Herring Mackerel Haddock Whiting Turbot
		Sprat Cockle Limpet Whelk Samphire Thrift Marram Campion Sorrel Bracken Heather Gorse Juniper Rowan Alder Hazel
		Beacon Capstan Anchor Halyard Windlass Bowsprit Mizzen Keel Rudder Compass Lantern Foghorn Bellbuoy Cooper
		Chandler Sailmaker Netmaker Saltpan Smokehouse Limekiln Brickfield Tannery Malthouse Windmill Orchard Quarry
		Chapel Minster Priory Almshouse Granary Ballast Pilot Trinity Coble Drifter
		Ketch Lugger Trawler Schooner Spindrift Breakers Fairway Spring Neap Ebb Undertow Longshore Shingle Pebble`)
	townEndings   = strings.Fields("Street Street Street Lane Row Yard Wynd Hill Passage")
	suburbEndings = strings.Fields("Road Road Road Avenue Drive Close Gardens Crescent Way Grove Terrace Rise")
	estateEndings = strings.Fields("Way Road Court")
)

// nameStreets names the streets that have none yet. No word is used twice, so
// that a name said over the radio means one street.
func nameStreets(seed uint64, n *network) {
	r := draw(seed, "street names")
	words := append([]string(nil), streetWords...)
	r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	next := 0
	for i := range n.streets {
		s := &n.streets[i]
		if s.name != "" || s.kind == footpath {
			continue
		}
		if closed(s.line) {
			s.name = n.nearestPark(s.line[0]) + " Road"
			continue
		}
		word := words[next%len(words)]
		if next >= len(words) {
			word = "Upper " + word // a town larger than the list
		}
		next++
		s.name = word + " " + n.ending(r, s.line)
	}
}

func (n *network) ending(r *rand.Rand, line path) string {
	switch n.district(line[len(line)/2]) {
	case oldTown:
		return pick(r, townEndings)
	case estate:
		return pick(r, estateEndings)
	default:
		return pick(r, suburbEndings)
	}
}

func (n *network) nearestPark(p vec) string {
	best := n.g.parks[0]
	for _, k := range n.g.parks {
		if k.middle.distance(p) < best.middle.distance(p) {
			best = k
		}
	}
	return best.name
}
