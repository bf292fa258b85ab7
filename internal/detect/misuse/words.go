package misuse

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Advice that alerts give. People decide.
const (
	adviceAsk    = "Ask the owner whether the device was set up wrongly or is in other hands; revoke its credential if nobody can say"
	adviceRenew  = "Ask the owner whether the device was replaced or reset; if not, somebody else is trying its name"
	adviceFlood  = "Nothing is lost of what was acknowledged. Ask the owner; raise the device's limit if its rate is what it should be"
	adviceReplay = "Treat what the device says as doubtful; let the network's operator give it new keys by a fresh join"
)

// words is how an alert speaks of one kind of misuse.
type words struct {
	kind   event.Kind
	score  float64
	what   string // in a sentence after the device's name
	advice string
	clause string
}

func wording(what string) words {
	w := words{kind: event.KindDeviceMisused, score: 0.4, advice: adviceAsk}
	switch what {
	case event.MisuseTopic:
		w.score, w.what = 0.5, "tried topics that are not its own"
		w.clause = "A device publishes and subscribes below its own id only"
	case event.MisuseCredential:
		w.score, w.what, w.advice = 0.4, "was refused for its credential", adviceRenew
		w.clause = "A device comes with the secret that it was enrolled with"
	case event.MisuseFlood:
		w.score, w.what, w.advice = 0.3, "sent faster than its limit", adviceFlood
		w.clause = "A device keeps to the limits in its entry of the registry"
	case event.MisuseSize:
		w.score, w.what = 0.4, "sent more at once than its limit"
		w.clause = "A device keeps to the limits in its entry of the registry"
	case event.MisuseReplay:
		w.kind, w.score, w.what, w.advice = event.KindRadioReplay, 0.6, "used radio frame numbers again", adviceReplay
		w.clause = "LoRaWAN 1.0.4, 4.3.1.5: a frame counter never goes back within a session"
	default:
		w.what = fmt.Sprintf("did what it may not (%.40s)", what)
		w.clause = "A device does what it was enrolled for"
	}
	return w
}

// reason says in words what happened.
func (c *cause) reason(w *words, o *event.Observation, count int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Device %s", c.Device)
	if c.PremisesName != "" {
		fmt.Fprintf(&b, " at %s", c.PremisesName)
	}
	fmt.Fprintf(&b, " %s", w.what)
	if count > 1 {
		fmt.Fprintf(&b, ", %d times since %s", count, c.Start.UTC().Format("15:04 UTC on 2 January"))
	}
	b.WriteString(".")
	if o.Misuse.Detail != "" {
		fmt.Fprintf(&b, " %s", o.Misuse.Detail)
	}
	if o.Misuse.From != "" {
		fmt.Fprintf(&b, " It came from %s.", o.Misuse.From)
	}
	return b.String()
}
