package city

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// trades are the kinds of small business that fill a house on a shopping street.
var trades = strings.Fields(`bakery butcher chemist cafe pub pub newsagent bookshop clothes-shop chip-shop chip-shop
	hairdresser ironmonger gift-shop gift-shop solicitors office off-licence restaurant guest-house antiques sweet-shop
	toy-shop fishmonger greengrocer chandlery florist phone-shop`)

var tradesSet = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range trades {
		m[t] = true
	}
	return m
}()

// What businesses and keyholders are called: gear and weather, so that nobody
// takes them for real.
var (
	tradeWords = strings.Fields(`Barnacle Bobbing Bosun Briny Capstan Cockleshell Crow's-Nest Dogwatch Doldrums Fathom
		Flotsam Foghorn Forecastle Gangplank Half-Hitch Halcyon Hornpipe Jetsam Jolly-Boat Keelson Landlubber Leeward
		Lobster-Pot Lubberline Mainbrace Marlinspike Mermaid's-Purse Midship Nor'easter Oilskin Periwinkle Plimsoll
		Poop-Deck Quarterdeck Reef-Knot Rowlock Scrimshaw Scuppers Sea-Biscuit Sextant Shipshape Spinnaker Spyglass
		Starboard Stowaway Taffrail Tidewrack Topgallant Windward Yardarm`)
	pubNames = []string{
		"The Drowned Bell", "The Salty Almanac", "The Three Lobsters", "The Becalmed", "The Wet Compass",
		"The Crooked Mast", "The Parrot & Sextant", "The Last Herring", "The Tin Lighthouse", "The Seven Knots",
		"The Anxious Gull", "The Slack Tide", "The Mended Net", "The Nervous Whale",
	}
	givenNames   = strings.Fields("Coral Marina Wren Rowan Kit Skipper Pearl Sandy Tamar Briar Robin Merle Misty Gale Tide Linnet Heath Storm")
	familyNames  = strings.Fields("Breakwater Capstan Halyard Keelson Lanyard Mainsail Bowsprit Driftwood Fathomless Quayside Shoreline Lobsterpot Mooring Rudderpost Seaboots Sou'wester Spindrift Tarpaulin Topgallant Windlass")
	trade2Suffix = map[string]string{"cafe": "Café", "solicitors": "Solicitors", "office": "Offices"}
)

// namer gives each business a name of its own.
type namer struct {
	r           *rand.Rand
	words, pubs []string
}

func newNamer(r *rand.Rand) *namer {
	n := &namer{r: r, words: append([]string(nil), tradeWords...), pubs: append([]string(nil), pubNames...)}
	r.Shuffle(len(n.words), func(i, j int) { n.words[i], n.words[j] = n.words[j], n.words[i] })
	r.Shuffle(len(n.pubs), func(i, j int) { n.pubs[i], n.pubs[j] = n.pubs[j], n.pubs[i] })
	return n
}

func (n *namer) of(kind string) string {
	if kind == "pub" && len(n.pubs) > 0 {
		name := n.pubs[0]
		n.pubs = n.pubs[1:]
		return name
	}
	word := strings.ReplaceAll(n.words[0], "-", " ")
	n.words = append(n.words[1:], n.words[0])
	suffix, ok := trade2Suffix[kind]
	if !ok {
		suffix = strings.ToUpper(kind[:1]) + strings.ReplaceAll(kind[1:], "-", " ")
	}
	return word + " " + suffix
}

// newKeyholder draws a name and a number from the ranges that Ofcom keeps free
// for drama: they ring nowhere.
func newKeyholder(r *rand.Rand) keyholder {
	k := keyholder{name: pick(r, givenNames) + " " + pick(r, familyNames)}
	if r.IntN(3) == 0 {
		k.phone = fmt.Sprintf("01632 960%03d", r.IntN(1000))
	} else {
		k.phone = fmt.Sprintf("07700 900%03d", r.IntN(1000))
	}
	return k
}
