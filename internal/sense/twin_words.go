package sense

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Needs says in words what a device needs somebody to look after; nothing when
// all is well.
func Needs(d *registry.Device, v Vitals) []string {
	var out []string
	add := func(when bool, words string) {
		if when {
			out = append(out, words)
		}
	}
	if d.Revoked {
		return nil // nothing is expected of it
	}
	add(v.State == Silent, "silent")
	add(v.State == Gone, "gone")
	add(v.State == Unknown, "never heard")
	add(v.Lost == 1, "a sensor behind it is lost")
	add(v.Lost > 1, fmt.Sprintf("%d sensors behind it are lost", v.Lost))
	add(v.WeakBattery > 0, "battery")
	add(v.ClockWrong > 0, "clock is wrong")
	add(v.Problems > 0, "reports a problem")
	add(d.Basis == event.Consent && d.Consent != nil && d.Consent.Withdrawn != nil, "consent withdrawn")
	return out
}

// Rank orders devices by how much they need attention: 0 the most.
func Rank(d *registry.Device, v Vitals) int {
	switch {
	case d.Revoked:
		return 5
	case v.State == Silent, v.State == Gone:
		return 0
	case v.State == Unknown, v.Lost > 0:
		return 1
	case v.WeakBattery > 0, v.ClockWrong > 0, v.Problems > 0:
		return 2
	case v.State == "":
		return 4
	}
	return 3
}

// ranFor says how long a device runs, no finer than it matters.
func ranFor(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}

// HealthWords say in short what the device said of its condition.
func (t *Twin) HealthWords() string {
	var out []string
	say := func(name string, v *float64, unit string) {
		if v != nil {
			out = append(out, name+" "+number(*v)+unit)
		}
	}
	say("battery", t.Battery, " %")
	if t.Battery == nil && t.LowBattery != nil {
		out = append(out, map[bool]string{true: "battery low", false: "battery good"}[*t.LowBattery])
	}
	say("voltage", t.Voltage, " V")
	say("link", t.Link, " %")
	say("signal", t.RSSI, " dBm")
	if t.Firmware != "" {
		out = append(out, "firmware "+t.Firmware)
	}
	if t.Uptime != nil {
		out = append(out, "running for "+ranFor(*t.Uptime))
	}
	if t.Missed > 0 {
		out = append(out, fmt.Sprintf("%d radio frames missed", t.Missed))
	}
	if t.Problem != "" {
		out = append(out, "says: "+t.Problem)
	}
	return strings.Join(out, ", ")
}

// ClockWords say in short how its clock is; nothing when it says no times.
func (t *Twin) ClockWords() string {
	switch t.Clock {
	case ClockRight:
		return fmt.Sprintf("right within %v", ClockTolerance)
	case ClockWrong:
		d := time.Duration(t.ClockError * float64(time.Second)).Round(100 * time.Millisecond)
		if d < 0 {
			return fmt.Sprintf("%v behind; its times are corrected", -d)
		}
		return fmt.Sprintf("%v ahead; its times are corrected", d)
	case ClockNone:
		return "not set; the time of arrival is used"
	}
	return ""
}

// What names what a value is of: "contact", "temperature 2".
func (v *Value) What() string {
	return strings.TrimSpace(strings.ReplaceAll(string(v.Property), "_", " ") + " " + v.Channel)
}

// unitWords are UCUM codes as people write them.
func unitWords(code string) string {
	switch code {
	case "":
		return ""
	case "1":
		return ""
	case "Cel":
		return " °C"
	case "dB[A]":
		return " dB(A)"
	case "ug/m3":
		return " µg/m³"
	case "kW.h":
		return " kWh"
	}
	return " " + code
}

// Words say a value: "open", "21.5 °C".
func (v *Value) Words() string {
	switch {
	case v.Property == PropertyAlarm && v.State == string(event.OpenClose)+" "+string(event.AlarmNew):
		return "unset"
	case v.Property == PropertyAlarm && v.State == string(event.OpenClose)+" "+string(event.AlarmRestored):
		return "set"
	case v.Value != nil && v.State == "":
		return number(*v.Value) + unitWords(v.Unit)
	case v.State != "":
		return strings.ReplaceAll(v.State, "_", " ")
	case v.Active != nil && *v.Active:
		return "yes"
	case v.Active != nil:
		return "no"
	}
	return "–"
}

// number writes a number with no more digits than a sensor means.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// DefaultRetention returns how long a kind of observation is kept where neither
// its source nor its device says.
func DefaultRetention(k event.Kind) event.Retention { return retention(k) }
