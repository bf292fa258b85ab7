package dc09

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// ExtendedID is the letter that opens an extended block and says what it is.
type ExtendedID byte

// The letters that DC-09 gives a meaning to. Others are kept as they come.
const (
	ExtAuthentication ExtendedID = 'A' // hash over the message
	ExtSupervision    ExtendedID = 'C' // number of paths and supervision category
	ExtOccurred       ExtendedID = 'H' // when it happened, if not when it was sent
	ExtText           ExtendedID = 'I' // description of, or comment on, the event
	ExtPath           ExtendedID = 'J' // maker's name of the network path used
	ExtKey            ExtendedID = 'K' // key exchange
	ExtLocation       ExtendedID = 'L' // where on the site
	ExtMAC            ExtendedID = 'M' // hardware address of the panel
	ExtNetworkAddress ExtendedID = 'N' // network address of the path used
	ExtBuilding       ExtendedID = 'O' // name of the building
	ExtProgramming    ExtendedID = 'P' // programming of the panel
	ExtRoom           ExtendedID = 'R' // room
	ExtSite           ExtendedID = 'S' // name of the site
	ExtTrigger        ExtendedID = 'T' // what set the alarm off
	ExtVerification   ExtendedID = 'V' // link to audio or video of the event
	ExtLongitude      ExtendedID = 'X'
	ExtLatitude       ExtendedID = 'Y'
	ExtAltitude       ExtendedID = 'Z'
)

// Extended is one extended block: [X006E07.7777777] has the ID 'X' and the
// value "006E07.7777777". An empty block [] has the ID 0.
type Extended struct {
	ID    ExtendedID
	Value string
}

func splitExtended(block string) Extended {
	if block == "" {
		return Extended{}
	}
	return Extended{ID: ExtendedID(block[0]), Value: block[1:]}
}

// Lookup returns the value of the first extended block with that letter.
func (f *Frame) Lookup(id ExtendedID) (value string, ok bool) {
	for i := range f.Extended {
		if f.Extended[i].ID == id {
			return f.Extended[i].Value, true
		}
	}
	return "", false
}

// Position returns the place in the X and Y blocks, in degrees of WGS 84,
// east and north positive. ok is false unless both are there and possible.
func (f *Frame) Position() (longitude, latitude float64, ok bool) {
	x, okX := f.Lookup(ExtLongitude)
	y, okY := f.Lookup(ExtLatitude)
	if !okX || !okY {
		return 0, 0, false
	}
	longitude, okX = parseAngle(x, 'E', 'W', 180)
	latitude, okY = parseAngle(y, 'N', 'S', 90)
	if !okX || !okY {
		return 0, 0, false
	}
	return longitude, latitude, true
}

// PositionBlocks returns the X and Y blocks of a place in degrees, to about
// two millimetres. ok is false when the place is not on the globe.
func PositionBlocks(longitude, latitude float64) (blocks [2]Extended, ok bool) {
	if !(math.Abs(longitude) <= 180) || !(math.Abs(latitude) <= 90) {
		return blocks, false
	}
	blocks[0] = Extended{ExtLongitude, formatAngle(longitude, 3, 'E', 'W')}
	blocks[1] = Extended{ExtLatitude, formatAngle(latitude, 2, 'N', 'S')}
	return blocks, true
}

// parseAngle reads degrees, a letter, and decimal minutes: 006E07.7777777.
func parseAngle(s string, plus, minus byte, most float64) (float64, bool) {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	if n < 1 || n > 3 || n == len(s) || len(s) > n+16 {
		return 0, false
	}
	sign := 1.0
	switch s[n] {
	case plus:
	case minus:
		sign = -1
	default:
		return 0, false
	}
	degrees, _ := decimal(s[:n])
	for _, c := range []byte(s[n+1:]) {
		if c-'0' > 9 && c != '.' { // ParseFloat alone would take "inf" and "1e9"
			return 0, false
		}
	}
	minutes, err := strconv.ParseFloat(s[n+1:], 64)
	if err != nil || minutes >= 60 {
		return 0, false
	}
	v := float64(degrees) + minutes/60
	return sign * v, v <= most
}

func formatAngle(v float64, width int, plus, minus byte) string {
	letter := plus
	if v < 0 {
		letter, v = minus, -v
	}
	const step = 1e6 // parts of a minute; counted whole so that 59.9999999 carries
	total := int64(math.Round(v * 60 * step))
	degrees, rest := total/(60*step), total%(60*step)
	return fmt.Sprintf("%0*d%c%02d.%06d", width, degrees, letter, rest/step, rest%step)
}

// MAC returns the panel's hardware address from the M block.
func (f *Frame) MAC() (mac [6]byte, ok bool) {
	s, ok := f.Lookup(ExtMAC)
	if !ok || len(s) != 12 {
		return mac, false
	}
	for i := range mac {
		hi, ok1 := hexDigit(s[2*i])
		lo, ok2 := hexDigit(s[2*i+1])
		if !ok1 || !ok2 {
			return [6]byte{}, false
		}
		mac[i] = hi<<4 | lo
	}
	return mac, true
}

// Occurred returns the time in the H block, UTC: when the event happened, for
// a panel that reports late.
func (f *Frame) Occurred() (time.Time, bool) {
	s, ok := f.Lookup(ExtOccurred)
	if !ok {
		return time.Time{}, false
	}
	if len(s) == stampSize-1 { // makers differ on the underscore
		s = "_" + s
	}
	return parseStamp(s)
}
