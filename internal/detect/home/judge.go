package home

import (
	"github.com/bluelamp/bluelamp/internal/event"
)

// family is what a condition is of; it names the rule.
type family string

const (
	smoke  family = "smoke"
	co     family = "co"
	gas    family = "gas"
	panicF family = "panic"
	glass  family = "glass"
	tamper family = "tamper"
	water  family = "water"
	lost   family = "lost" // a hub went away while its alarm was set
)

// families are the readings that are watched. Others are for the panel, and for
// what looks at sequences.
var families = map[event.Property]family{
	event.Smoke: smoke, event.CO: co, event.Gas: gas, event.Panic: panicF, event.Glass: glass, event.Tampered: tamper, event.Water: water,
}

// judgement is what is said of a family.
type judgement struct {
	kind, over     event.Kind
	score          float64
	what, ended    string
	again          string // what is said when it is back
	advice, clause string
}

const (
	clauseSensor = "Passed on as the home's own sensor reports it; no monitored panel vouches for it"
	clauseLost   = "A hub that cannot be heard while its alarm is set cannot report an intruder"
)

// judgements is the table by which conditions become alerts. People decide.
var judgements = map[family]judgement{
	smoke: {
		event.KindFire, event.KindRestored, 0.6, "Smoke detected", "Smoke no longer detected", "Smoke is back",
		"Call the premises, then pass to the fire and rescue service", clauseSensor,
	},
	co: {
		event.KindFire, event.KindRestored, 0.6, "Carbon monoxide alarm", "Carbon monoxide alarm over", "The carbon monoxide alarm is back",
		"Tell people there to get out into fresh air and stay out; pass to the fire and rescue service, and to the ambulance service if anybody is unwell", clauseSensor,
	},
	gas: {
		event.KindFire, event.KindRestored, 0.5, "Gas alarm", "Gas alarm over", "The gas alarm is back",
		"Tell people there to leave, and to touch no switch and light nothing; pass to the gas emergency service and the fire and rescue service", clauseSensor,
	},
	panicF: {
		event.KindHoldUp, event.KindRestored, 0.5, "Call for help", "Call for help over", "Another call for help",
		"Listen and call back if that is safe, then pass to police", clauseSensor,
	},
	glass: {
		event.KindIntruderUnconfirmed, event.KindRestored, 0.35, "Glass broken", "Glass sensor clear again", "Glass broken again",
		"Call the keyholder; do not pass to police unless a person at the scene reports an offence", clauseSensor,
	},
	tamper: {
		event.KindTamper, event.KindRestored, 0.25, "Sensor tampered with", "Sensor's tamper contact closed again", "Sensor tampered with again",
		"Call the keyholder", clauseSensor,
	},
	water: {
		event.KindAlarmOther, event.KindRestored, 0.3, "Water found", "Water sensor dry again", "Water found again",
		"Call the keyholder", clauseSensor,
	},
	lost: {
		event.KindDeviceSilent, event.KindDeviceReturned, 0.3, "Hub lost while its alarm was set", "Hub heard again", "Hub lost again while its alarm was set",
		"Call the keyholder: it may be the power, the line, or somebody at the hub", clauseLost,
	},
}
