package city

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// word is one thing that a panel can say, in both of its dialects.
type word struct {
	sia      string // SIA DC-03 code
	cid      string // Contact ID qualifier and event (DC-05)
	category event.AlarmCategory
	state    event.AlarmState
	byUser   bool // the number is a user's, not a zone's
}

// What panels say. A word's Contact ID form for a burglary depends on the zone;
// see [panelPlan.say].
var (
	wordBurglary  = word{"BA", "1130", event.Burglary, event.AlarmNew, false}
	wordBurgOver  = word{"BR", "3130", event.Burglary, event.AlarmRestored, false}
	wordVerified  = word{"BV", "1139", event.BurglaryVerified, event.AlarmNew, false}
	wordVerOver   = word{"BR", "3139", event.BurglaryVerified, event.AlarmRestored, false}
	wordCancel    = word{"BC", "1406", event.Burglary, event.AlarmStatus, true}
	wordHoldUp    = word{"HA", "1122", event.HoldUp, event.AlarmNew, false}
	wordHoldOver  = word{"HR", "3122", event.HoldUp, event.AlarmRestored, false}
	wordPanic     = word{"PA", "1120", event.HoldUp, event.AlarmNew, false}
	wordPanicOver = word{"PR", "3120", event.HoldUp, event.AlarmRestored, false}
	wordHoldTwice = word{"HV", "1129", event.HoldUpVerified, event.AlarmNew, false}
	wordFire      = word{"FA", "1110", event.Fire, event.AlarmNew, false}
	wordFireOver  = word{"FR", "3110", event.Fire, event.AlarmRestored, false}
	wordTamper    = word{"TA", "1144", event.Tamper, event.AlarmNew, false}
	wordTampOver  = word{"TR", "3144", event.Tamper, event.AlarmRestored, false}
	wordMedical   = word{"MA", "1101", event.Medical, event.AlarmNew, false}
	wordMedOver   = word{"MR", "3101", event.Medical, event.AlarmRestored, false}
	wordWater     = word{"WA", "1154", event.Environment, event.AlarmNew, false}
	wordWaterOver = word{"WR", "3154", event.Environment, event.AlarmRestored, false}
	wordFault     = word{"BT", "1380", event.Fault, event.AlarmNew, false}
	wordFaultOver = word{"BJ", "3380", event.Fault, event.AlarmRestored, false}
	wordMains     = word{"AT", "1301", event.Power, event.AlarmNew, false}
	wordMainsOver = word{"AR", "3301", event.Power, event.AlarmRestored, false}
	wordBattery   = word{"YT", "1302", event.Power, event.AlarmNew, false}
	wordBattOver  = word{"YR", "3302", event.Power, event.AlarmRestored, false}
	wordComms     = word{"YC", "1350", event.Comms, event.AlarmNew, false}
	wordCommsOver = word{"YK", "3350", event.Comms, event.AlarmRestored, false}
	wordOpen      = word{"OP", "1401", event.OpenClose, event.AlarmNew, true}
	wordClose     = word{"CL", "3401", event.OpenClose, event.AlarmRestored, true}
	wordTest      = word{"RP", "1602", event.Test, event.AlarmStatus, false}
	wordLink      = word{"", "", event.Test, event.AlarmStatus, false}
)

// say turns a word into the signal of a panel. number is the zone's, or the
// user's where the word is about a user.
func (p *panelPlan) say(w word, number int) Signal {
	s := Signal{
		Panel: p.account, Premises: p.site.id,
		Alarm: event.Alarm{Account: p.account, Category: w.category, State: w.state, Partition: "1"},
	}
	var z zone
	if w.byUser {
		s.Alarm.User = digits(number)
	} else if s.Alarm.Zone = digits(number); number > 0 {
		z = p.zones[number-1]
		s.Alarm.ZoneKind, s.Alarm.ZoneName = z.kind, z.name
	}
	s.Frame = dc09.Frame{Token: p.dialect, Encrypted: p.key != nil, Receiver: "1", Line: "1", Account: p.account}
	switch {
	case w == wordLink:
		s.Frame.Token, s.Alarm.Partition = dc09.TokenNull, ""
	case p.dialect == dc09.TokenCID:
		code := cidFor(w, z)
		s.Alarm.Code = code[1:]
		s.Frame.Data = fmt.Sprintf("#%s|%s 01 %03d", p.account, code, number)
	default:
		s.Alarm.Code = w.sia
		s.Frame.Data = fmt.Sprintf("#%s|Nri1/%s%03d", p.account, w.sia, number)
		if p.texts && z.name != "" && !strings.ContainsAny(z.name, "^|*") {
			s.Alarm.Text = z.name
			s.Frame.Data += "^" + z.name + "^"
		}
	}
	return s
}

func digits(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// cidFor chooses the Contact ID event for where a burglar was felt.
func cidFor(w word, z zone) string {
	if w.cid[1:] != "130" {
		return w.cid
	}
	switch z.what {
	case entryDoor:
		return w.cid[:1] + "134"
	case contact:
		return w.cid[:1] + "131"
	case movement:
		return w.cid[:1] + "132"
	default:
		return w.cid
	}
}
