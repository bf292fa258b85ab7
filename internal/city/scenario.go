package city

import "time"

// Scenario says how much happens in the town.
type Scenario struct {
	Name string
	// PerDay is how often each kind of story begins, on average.
	PerDay map[Story]float64
	// Opening makes the first half hour eventful whatever the time of day: an
	// activation within a minute and a burglary within ten of the town's time.
	Opening bool
	// NetworkPerDay is how often each kind of attack on the homes' network begins.
	NetworkPerDay map[Attack]float64
	// FlowsPerMinute is the homes' ordinary traffic at its busiest hour.
	FlowsPerMinute float64
}

// Story is a kind of happening.
type Story string

// Stories.
const (
	UserError      Story = "user-error"      // somebody enters and fumbles the code
	Spider         Story = "spider"          // one detector trips for nothing, perhaps again
	Storm          Story = "storm"           // gusts trip several panels of a street
	Fault          Story = "fault"           // a detector or the line is in trouble, and mended
	PowerCut       Story = "power-cut"       // mains fail in part of a street, batteries tire
	TamperStory    Story = "tamper"          // a cover is opened
	Burglary       Story = "burglary"        // perimeter, then inside: confirmed by sequence
	Attempt        Story = "attempt"         // perimeter only: they ran
	LineCut        Story = "line-cut"        // the panel goes silent, then a burglary over its second path
	HoldUp         Story = "hold-up"         // one button
	HoldUpTwice    Story = "hold-up-twice"   // two devices, minutes apart
	FireStory      Story = "fire"            // smoke, perhaps toast
	Flood          Story = "flood"           // a pipe bursts
	MedicalStory   Story = "medical"         // somebody presses a pendant
	OneCauseTwice  Story = "one-cause-twice" // two panels of one building feel one burglar
	RestlessSignal Story = "restless-signal" // one activation, signalled again and again

	KitchenFire  Story = "kitchen-fire"  // a home's smoke sensor
	HomeBurglary Story = "home-burglary" // a home's own alarm panel is triggered
	WaterLeak    Story = "water-leak"    // a home's water sensor
	BatteryLow   Story = "battery-low"   // a sensor's battery tires: no incident
	HubLost      Story = "hub-lost"      // a hub goes away while its alarm is set
	Gunfire      Story = "gunfire"       // one burst, heard by two sensors
	Fireworks    Story = "fireworks"     // told from gunfire: no incident
	ClonedRadio  Story = "cloned-radio"  // a recorded LoRaWAN frame comes again
	StolenSecret Story = "stolen-secret" // a hub's credential tries another's topics
)

// stories of alarm panels in the order in which a day draws them.
var stories = []Story{
	UserError, Spider, Storm, Fault, PowerCut, TamperStory, Burglary, Attempt, LineCut, HoldUp,
	HoldUpTwice, FireStory, Flood, MedicalStory, OneCauseTwice, RestlessSignal,
}

// Everyday is a town as towns are: days with an incident or ten.
func Everyday() Scenario {
	return Scenario{
		Name: "everyday",
		PerDay: map[Story]float64{
			UserError: 4, Spider: 2, Storm: 0.05, Fault: 1.5, PowerCut: 0.3, TamperStory: 0.6, Burglary: 0.25,
			Attempt: 0.4, LineCut: 0.03, HoldUp: 0.15, HoldUpTwice: 0.03, FireStory: 0.4, Flood: 0.15,
			MedicalStory: 0.3, OneCauseTwice: 0.05, RestlessSignal: 0.2,
			KitchenFire: 0.1, HomeBurglary: 0.08, WaterLeak: 0.1, BatteryLow: 0.6, HubLost: 0.2, Gunfire: 0.02, Fireworks: 0.15,
			ClonedRadio: 0.05, StolenSecret: 0.05,
		},
		NetworkPerDay:  map[Attack]float64{HorizontalScan: 1.5, VerticalScan: 0.6, SSHGuessing: 0.8, TelnetGuessing: 0.8},
		FlowsPerMinute: 40,
	}
}

// Busy is a night shift that a demonstration can show: some eighty incidents a
// day, and an opening that shows one at once.
func Busy() Scenario {
	return Scenario{
		Name: "busy", Opening: true,
		PerDay: map[Story]float64{
			UserError: 20, Spider: 9, Storm: 0.6, Fault: 4, PowerCut: 1.2, TamperStory: 4, Burglary: 7,
			Attempt: 7, LineCut: 1.5, HoldUp: 4, HoldUpTwice: 1.6, FireStory: 5, Flood: 1.5,
			MedicalStory: 3, OneCauseTwice: 2.5, RestlessSignal: 2,
			KitchenFire: 3, HomeBurglary: 3, WaterLeak: 2, BatteryLow: 4, HubLost: 3, Gunfire: 2, Fireworks: 3,
			ClonedRadio: 2, StolenSecret: 2,
		},
		NetworkPerDay:  map[Attack]float64{HorizontalScan: 9, VerticalScan: 6, SSHGuessing: 6, TelnetGuessing: 6},
		FlowsPerMinute: 60,
	}
}

// hours weighs a story's beginnings over the day.
func (s Story) weight(hour int) float64 {
	night := hour >= 22 || hour < 5
	switch s {
	case UserError:
		if hour == 7 || hour == 8 || hour == 9 || hour == 17 || hour == 18 {
			return 1
		}
		return 0.35
	case Burglary, Attempt, LineCut, OneCauseTwice, HomeBurglary, Gunfire:
		if night {
			return 1
		}
		return 0.5
	case HoldUp, HoldUpTwice:
		if hour >= 9 && hour < 22 {
			return 1
		}
		return 0.05
	case Fireworks:
		if hour >= 18 {
			return 1
		}
		return 0.05
	case FireStory, Flood, MedicalStory, KitchenFire, WaterLeak:
		if night {
			return 0.5
		}
		return 1
	default:
		return 1
	}
}

// latest is how late on its day a story may begin: what keeps routine from being
// said ends on the day it began, so that a day can be told by itself.
func (s Story) latest() time.Duration {
	switch s {
	case LineCut, HubLost, WaterLeak:
		return 22*time.Hour + 30*time.Minute
	case HomeBurglary:
		return 22 * time.Hour
	case KitchenFire:
		return 23*time.Hour + 30*time.Minute
	case BatteryLow:
		return 21*time.Hour + 30*time.Minute
	default:
		return 24 * time.Hour
	}
}
