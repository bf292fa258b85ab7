package street

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// DefaultPlateScore is how sure a camera must be of a read for it to be looked up
// on the hotlist, where it says how sure it is.
const DefaultPlateScore = 0.8

// Plates is the dialect of cameras that read number plates: JSON under
// anpr/<camera>, one read or a list.
//
// A plate on no hotlist is hashed (HMAC-SHA-256) under a key of the day on which
// it was received: reads of one vehicle can be told to be one within a day, which
// a detector of convoys or circling needs, and not from day to day, which is what
// tracking needs. Neither the observation nor the quarantine holds the plate.
type Plates struct {
	key     []byte
	list    *Hotlist // may be nil: then no plate is looked for
	atLeast float64
}

var (
	_ sense.Dialect   = (*Plates)(nil)
	_ sense.Secretive = (*Plates)(nil)
)

// plateKeySize is the size of the key, in bytes.
const plateKeySize = 32

// NewPlates returns the dialect. key is secret, has 32 bytes, and is used for
// nothing else. atLeast is how sure a read must be to be looked up, 0 to 1.
func NewPlates(key []byte, list *Hotlist, atLeast float64) (*Plates, error) {
	if len(key) != plateKeySize {
		return nil, fmt.Errorf("the key of number plates has %d bytes, want %d", len(key), plateKeySize)
	}
	if !(atLeast >= 0 && atLeast <= 1) {
		return nil, fmt.Errorf("the least confidence of a number plate is %v, want 0 to 1", atLeast)
	}
	return &Plates{key: append([]byte(nil), key...), list: list, atLeast: atLeast}, nil
}

// Name implements sense.Dialect.
func (*Plates) Name() string { return "anpr" }

// Matches implements sense.Dialect.
func (*Plates) Matches(topic string) bool { return under(topic, "anpr") }

// Secret implements sense.Secretive.
func (*Plates) Secret(*sense.Message) bool { return true }

// plateRead is one read.
type plateRead struct {
	Plate      string          `json:"plate"`
	Time       json.RawMessage `json:"time"`
	Camera     string          `json:"camera"`
	Lane       json.RawMessage `json:"lane"` // a text or a number
	Direction  string          `json:"direction"`
	Speed      float64         `json:"speed"`      // km/h
	Confidence *float64        `json:"confidence"` // 0 to 1, or a percentage above 1
	Country    string          `json:"country"`
}

const (
	maxReads = 100 // in one message
	maxPlate = 16  // letters and digits
	maxSpeed = 500.0
)

// errRead replaces what the JSON decoder says: that may quote the plate.
var errRead = errors.New("it is no read such as {\"plate\": ..., \"time\": ...}, nor a list of them; what it holds is not said, since it may be a number plate")

// Observe implements sense.Dialect. Reads of one message are kept equally long,
// so a message with reads on no hotlist keeps all of them for a day.
func (p *Plates) Observe(m *sense.Message) ([]*event.Observation, error) {
	reads, err := listOf[plateRead](m.Payload, maxReads)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sense.ErrUnreadable, errRead)
	}
	path, _, _ := strings.Cut(m.Topic, "?")
	camera := strings.Trim(strings.TrimPrefix(path, "anpr"), "/")
	var plain, hits []*event.Observation
	for i := range reads {
		o, err := p.observation(m, &reads[i], camera)
		if err != nil {
			return nil, fmt.Errorf("%w: read %d: %w", sense.ErrUnreadable, i+1, err)
		}
		if o.Plate.Plate != "" {
			hits = append(hits, o)
		} else {
			plain = append(plain, o)
		}
	}
	return append(plain, hits...), nil
}

// observation returns what a read says. Its errors quote no plate.
func (p *Plates) observation(m *sense.Message, r *plateRead, camera string) (*event.Observation, error) {
	plate, err := normalPlate(r.Plate)
	if err != nil {
		return nil, err
	}
	if r.Camera != "" {
		camera = r.Camera
	}
	if camera == "" {
		camera = m.Device.ID
	}
	for name, v := range map[string]string{"camera": camera, "direction": r.Direction, "country": r.Country} {
		if len(v) > maxName {
			return nil, fmt.Errorf("%s has %d bytes, at most %d", name, len(v), maxName)
		}
	}
	if !(r.Speed >= 0 && r.Speed <= maxSpeed) {
		return nil, fmt.Errorf("the speed is not from 0 to %v km/h", maxSpeed)
	}
	score, stated, err := plateScore(r.Confidence)
	if err != nil {
		return nil, err
	}
	seen := m.Received
	if len(r.Time) > 0 && string(r.Time) != "null" {
		if seen, err = timeOf(r.Time); err != nil {
			return nil, err
		}
	}
	hash := p.hash(m.Received, plate)
	o := &event.Observation{
		// The id is of the hash, not of the message: from a hash without a key one
		// could find the plate by trying them all.
		ID:   event.NewID("plate", m.Device.ID, camera, seen.UTC().Format(time.RFC3339Nano), hash),
		Kind: event.KindPlate, Time: seen, DeviceTime: &seen, Confidence: score, Retain: event.RetainDay, Raw: []byte{},
		Plate: &event.Plate{
			Hash: hash, Camera: camera, Lane: lane(r.Lane), Direction: r.Direction, Country: r.Country,
			Speed: math.Round(r.Speed), Score: score,
		},
	}
	if camera != m.Device.ID {
		o.Device = m.Device.ID + "/" + camera
	}
	if stated && score < p.atLeast || p.list == nil {
		return o, nil
	}
	if e, ok := p.list.Find(plate); ok {
		o.Retain = event.RetainMonth
		o.Plate.Plate, o.Plate.Hotlist, o.Plate.Why = plate, e.List, e.Reason
		if !stated {
			o.Plate.Why += " (the camera does not say how sure its read is)"
		}
	}
	return o, nil
}

// hash names a plate for one day.
func (p *Plates) hash(on time.Time, plate string) string {
	day := hmac.New(sha256.New, p.key)
	day.Write([]byte("bluelamp number plates of " + on.UTC().Format(time.DateOnly)))
	h := hmac.New(sha256.New, day.Sum(nil))
	h.Write([]byte(plate))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// normalPlate returns a plate in capitals, without spaces and what else
// separates its groups. Letters and digits that look alike (O and 0, I and 1)
// stay as they were read: which it is, only a person can say.
func normalPlate(s string) (string, error) {
	if len(s) > 8*maxPlate {
		return "", fmt.Errorf("the plate has %d bytes, which no plate has", len(s))
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToUpper(r))
			n++
		case unicode.IsSpace(r) || strings.ContainsRune("-.·•_", r):
		default:
			return "", errors.New("the plate has a character that is neither letter nor digit")
		}
	}
	if n == 0 || n > maxPlate {
		return "", fmt.Errorf("the plate has %d letters and digits, want 1 to %d", n, maxPlate)
	}
	return b.String(), nil
}

// plateScore returns how sure a read is, 0 to 1, and whether the camera says so.
func plateScore(c *float64) (score float64, stated bool, err error) {
	switch {
	case c == nil:
		return 0, false, nil
	case *c >= 0 && *c <= 1:
		return *c, true, nil
	case *c > 1 && *c <= 100:
		return *c / 100, true, nil
	}
	return 0, false, errors.New("the confidence is neither from 0 to 1 nor a percentage")
}

// lane returns a lane that is given as a text or a number.
func lane(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && len(s) <= maxName {
		return s
	}
	var n int64
	if json.Unmarshal(raw, &n) == nil {
		return fmt.Sprint(n)
	}
	return ""
}
