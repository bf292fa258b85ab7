package mapping

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// celTime makes a time of what devices call one: RFC 3339; or seconds,
// milliseconds or microseconds since 1970, which are told apart by size.
func celTime(v ref.Val) ref.Val {
	t, err := timeOf(native(v))
	if err != nil {
		return types.NewErr("time: %v", err)
	}
	return types.Timestamp{Time: t}
}

func timeOf(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case float64:
		return epoch(v)
	case string:
		s := strings.TrimSpace(v)
		if n, err := strconv.ParseFloat(s, 64); err == nil {
			return epoch(n)
		}
		t, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "T", 1))
		if err != nil {
			return t, fmt.Errorf("%.40q is neither RFC 3339 with a zone, such as 2026-03-07T21:14:00Z, nor a number", v)
		}
		return epochOK(t)
	}
	return time.Time{}, fmt.Errorf("a %s is no time", kindOf(v))
}

// epoch reads a number since 1970. Seconds have 9 or 10 digits in our time.
func epoch(n float64) (time.Time, error) {
	const seconds, millis, micros = 1e11, 1e14, 1e17
	switch {
	case !(n > 0 && n < micros):
		return time.Time{}, fmt.Errorf("%g is no time since 1970", n)
	case n < seconds:
		n *= 1e6
	case n < millis:
		n *= 1e3
	}
	return epochOK(time.UnixMicro(int64(math.Round(n))).UTC())
}

func epochOK(t time.Time) (time.Time, error) {
	if t = t.UTC(); t.Year() < 2000 || t.Year() > 2200 {
		return t, fmt.Errorf("the year %d is not of a device's clock", t.Year())
	}
	return t, nil
}

// celNumber makes a number of text, with a point or a comma, and of true and
// false.
func celNumber(v ref.Val) ref.Val {
	switch n := native(v).(type) {
	case float64:
		return types.Double(n)
	case bool:
		if n {
			return types.Double(1)
		}
		return types.Double(0)
	case string:
		f, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(n), ",", ".", 1), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return types.NewErr("number: %.40q is no number", n)
		}
		return types.Double(f)
	default:
		return types.NewErr("number: a %s is no number", kindOf(n))
	}
}

// celLower makes text lower case, as devices disagree about it.
func celLower(v ref.Val) ref.Val {
	s, ok := native(v).(string)
	if !ok {
		return types.NewErr("lower: a %s is no text", kindOf(native(v)))
	}
	return types.String(strings.ToLower(s))
}

// native returns a simple value as Go has it: bool, float64, string, time.Time;
// nil for null; anything else as it is.
func native(v ref.Val) any {
	switch v := v.(type) {
	case types.Bool:
		return bool(v)
	case types.Int:
		return float64(v)
	case types.Uint:
		return float64(v)
	case types.Double:
		return float64(v)
	case types.String:
		return string(v)
	case types.Timestamp:
		return v.Time
	case types.Null, nil:
		return nil
	case *types.Optional:
		if v.HasValue() {
			return native(v.GetValue())
		}
		return nil
	}
	return v
}

// kindOf names what a value is, without saying it.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case float64:
		return "number"
	case string:
		return "text"
	case time.Time:
		return "time"
	case ref.Val:
		return v.Type().TypeName()
	}
	return "value"
}

// sortValues orders a map's keys.
func sortValues(keys []ref.Val) {
	slices.SortFunc(keys, func(a, b ref.Val) int {
		x, y := native(a), native(b)
		if s, ok := x.(string); ok {
			if t, ok := y.(string); ok {
				return cmp.Compare(s, t)
			}
		}
		if s, ok := x.(float64); ok {
			if t, ok := y.(float64); ok {
				return cmp.Compare(s, t)
			}
		}
		return cmp.Or(cmp.Compare(kindOf(x), kindOf(y)), cmp.Compare(fmt.Sprint(x), fmt.Sprint(y)))
	})
}
