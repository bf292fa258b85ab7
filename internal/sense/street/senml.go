package street

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// Figures of RFC 8428.
const (
	senmlVersion  = 10      // the version that the RFC defines, and the default
	senmlUnits    = 26      // the same with secondary units (RFC 9100, section 4)
	senmlRelative = 1 << 28 // times below are seconds from now (section 4.5.3)
	maxSenML      = 200     // records of one message
)

// senmlRecord is a record of a SenML pack as it is on the wire (RFC 8428, section
// 4): base fields hold for it and those that follow.
type senmlRecord struct {
	BaseName    *string  `json:"bn"`
	BaseTime    *float64 `json:"bt"`
	BaseUnit    *string  `json:"bu"`
	BaseValue   *float64 `json:"bv"`
	BaseSum     *float64 `json:"bs"`
	BaseVersion *int     `json:"bver"`

	Name   string   `json:"n"`
	Unit   string   `json:"u"`
	Value  *float64 `json:"v"`
	String *string  `json:"vs"`
	Bool   *bool    `json:"vb"`
	Data   *string  `json:"vd"`
	Sum    *float64 `json:"s"`
	Time   float64  `json:"t"`
	Update *float64 `json:"ut"`
}

// senmlFields are the names that a record may have, besides such as it need not
// be understood for.
var senmlFields = map[string]bool{
	"bn": true, "bt": true, "bu": true, "bv": true, "bs": true, "bver": true,
	"n": true, "u": true, "v": true, "vs": true, "vb": true, "vd": true, "s": true, "t": true, "ut": true,
}

// senmlResolved is a record by itself (section 4.6): a name, when, and one value.
type senmlResolved struct {
	name  string
	unit  string
	at    time.Time // zero: as the message came
	value *float64
	sum   *float64
	word  *string
	truth *bool
}

// senml reads a pack and resolves its records. now is what relative times are
// from. The errors wrap sense.ErrUnreadable.
func senml(payload []byte, now time.Time) ([]senmlResolved, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(payload, &raw); err != nil {
		return nil, fmt.Errorf("%w: want a list of SenML records (RFC 8428): %w", sense.ErrUnreadable, err)
	}
	if len(raw) == 0 || len(raw) > maxSenML {
		return nil, fmt.Errorf("%w: %d SenML records, want 1 to %d", sense.ErrUnreadable, len(raw), maxSenML)
	}
	var base senmlBase
	out := make([]senmlResolved, 0, len(raw))
	for i := range raw {
		rec, err := senmlParse(raw[i])
		if err == nil {
			var r senmlResolved
			var has bool
			if r, has, err = base.resolve(rec, now); has {
				out = append(out, r)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%w: SenML record %d: %w", sense.ErrUnreadable, i+1, err)
		}
	}
	return out, nil
}

// senmlParse reads a record. A field that it does not know and that ends in _
// must be understood (section 4.4), so it refuses the record.
func senmlParse(raw json.RawMessage) (*senmlRecord, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	for name := range fields {
		if strings.HasSuffix(name, "_") && !senmlFields[name] {
			return nil, fmt.Errorf("the field %.40q must be understood, and is not", name)
		}
	}
	var rec senmlRecord
	if err := json.Unmarshal(raw, &rec); err != nil {
		return nil, err
	}
	return &rec, nil
}

// senmlBase is what the base fields so far say.
type senmlBase struct {
	name, unit string
	time       float64
	value, sum float64
	version    int
}

func (b *senmlBase) take(rec *senmlRecord) error {
	if rec.BaseVersion != nil {
		v := *rec.BaseVersion
		if v != senmlVersion && v != senmlUnits || b.version != 0 && b.version != v {
			return fmt.Errorf("version %d: only %d and %d are understood, and one for the whole", v, senmlVersion, senmlUnits)
		}
		b.version = v
	}
	set(&b.name, rec.BaseName)
	set(&b.unit, rec.BaseUnit)
	set(&b.time, rec.BaseTime)
	set(&b.value, rec.BaseValue)
	set(&b.sum, rec.BaseSum)
	return nil
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// resolve returns a record by itself, and whether it says anything: one may hold
// base fields only.
func (b *senmlBase) resolve(rec *senmlRecord, now time.Time) (r senmlResolved, has bool, err error) {
	if err := b.take(rec); err != nil {
		return r, false, err
	}
	values := 0
	for _, set := range []bool{rec.Value != nil, rec.String != nil, rec.Bool != nil, rec.Data != nil} {
		if set {
			values++
		}
	}
	if values > 1 {
		return r, false, fmt.Errorf("it has %d values, want one", values)
	}
	if values == 0 && rec.Sum == nil {
		return r, false, nil
	}
	r = senmlResolved{name: b.name + rec.Name, unit: rec.Unit, word: rec.String, truth: rec.Bool}
	if r.unit == "" {
		r.unit = b.unit
	}
	if err := senmlName(r.name); err != nil {
		return r, false, err
	}
	if rec.Value != nil {
		v := *rec.Value + b.value
		r.value = &v
	}
	if rec.Sum != nil {
		v := *rec.Sum + b.sum
		r.sum = &v
	}
	r.at, err = senmlTime(b.time+rec.Time, now)
	return r, true, err
}

// senmlName complains about a name that is none (section 4.5.1).
func senmlName(n string) error {
	if n == "" || len(n) > maxKey*2 {
		return fmt.Errorf("its name has %d bytes, want 1 to %d", len(n), maxKey*2)
	}
	for i := range len(n) {
		c := n[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("-:./_", rune(c))) {
			return fmt.Errorf("its name %q has a character that SenML does not allow there", n)
		}
	}
	return nil
}

// senmlTime reads a time (section 4.5.3): 0 is now, numbers below 2^28 are from
// now, others are since 1970.
func senmlTime(sec float64, now time.Time) (time.Time, error) {
	switch {
	case sec == 0:
		return time.Time{}, nil
	case math.IsNaN(sec) || math.Abs(sec) >= 1<<36:
		return time.Time{}, fmt.Errorf("the time %v is out of all bounds", sec)
	case sec < senmlRelative:
		return now.Add(time.Duration(sec * float64(time.Second))).UTC(), nil
	}
	whole, part := math.Modf(sec)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
}
