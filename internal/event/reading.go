package event

import "time"

// Property is what a sensor senses or a device does.
type Property string

// Properties that are conditions: Reading.State and Reading.Active tell them.
const (
	Contact   Property = "contact"   // open, closed: doors, windows, lids
	Motion    Property = "motion"    // detected, clear
	Occupancy Property = "occupancy" // occupied, clear
	Glass     Property = "glass"     // broken, clear
	Vibration Property = "vibration" // detected, clear
	Smoke     Property = "smoke"     // detected, clear
	CO        Property = "co"        // detected, clear: carbon monoxide alarm
	Gas       Property = "gas"       // detected, clear: combustible gas alarm
	Water     Property = "water"     // wet, dry
	Lock      Property = "lock"      // locked, unlocked, jammed ...
	Siren     Property = "siren"     // on, off
	Tampered  Property = "tamper"    // detected, clear
	Panic     Property = "panic"     // pressed: a person asks for help
	Switch    Property = "switch"    // on, off: plugs, relays, lights
	Cover     Property = "cover"     // open, closed, opening, closing: garage doors, shutters
	Sound     Property = "sound"     // detected, clear
	Presence  Property = "presence"  // home, away: of a person's own tracker
	Button    Property = "button"    // what was pressed
	Condition Property = "condition" // any other; State says which
)

// Properties that are measured: Reading.Value and Reading.Unit tell them.
const (
	Temperature Property = "temperature" // Cel
	Humidity    Property = "humidity"    // %
	Illuminance Property = "illuminance" // lx
	ActivePower Property = "power"       // W
	Energy      Property = "energy"      // kW.h
	NoiseLevel  Property = "noise"       // dB[A]
	PM25        Property = "pm2_5"       // ug/m3
	PM10        Property = "pm10"        // ug/m3
	NO2         Property = "no2"         // ug/m3
	Ozone       Property = "o3"          // ug/m3
	CO2         Property = "co2"         // ppm
	Fill        Property = "fill"        // %, of a bin
	Speed       Property = "speed"       // km/h
	Pressure    Property = "pressure"    // hPa
	Quantity    Property = "quantity"    // any other; Reading.Channel says which
)

// Reading is what one sensor of a device says: a condition in State, or a
// measurement in Value.
type Reading struct {
	Property Property `json:"property"`
	Channel  string   `json:"channel,omitempty"` // which of the device's, where it has several
	Name     string   `json:"name,omitempty"`    // as its owner calls it
	State    string   `json:"state,omitempty"`   // a word, see the properties
	Active   *bool    `json:"active,omitempty"`  // whether what the sensor watches for is there: open, motion, smoke
	Value    *float64 `json:"value,omitempty"`
	Unit     string   `json:"unit,omitempty"` // UCUM code
}

// Count is how many people or vehicles passed a counter in a period.
type Count struct {
	Of     string        `json:"of"` // "person", "car", "bicycle", "truck", "bus", "vehicle"
	In     int64         `json:"in,omitempty"`
	Out    int64         `json:"out,omitempty"`
	Inside *int64        `json:"inside,omitempty"` // there now, where it is known
	Lane   string        `json:"lane,omitempty"`
	Period time.Duration `json:"period_ns,omitempty"` // 0: since the counter last spoke
	Speed  float64       `json:"mean_speed_kmh,omitempty"`
}

// Phase is where a tracked detection is in its life.
type Phase string

// Phases of a detection.
const (
	PhaseNew    Phase = "new"
	PhaseUpdate Phase = "update"
	PhaseEnd    Phase = "end"
)

// Detection is an object that a camera's software recognised. It never says who
// a person is.
type Detection struct {
	Track   string     `json:"track"` // one object's observations share it
	Phase   Phase      `json:"phase"`
	Camera  string     `json:"camera"`
	Label   string     `json:"label"` // "person", "car", "dog"
	Score   float64    `json:"score"` // 0 to 1, the best so far
	Zones   []string   `json:"zones,omitempty"`
	Entered []string   `json:"entered_zones,omitempty"` // ever, in order
	Start   time.Time  `json:"start"`
	End     *time.Time `json:"end,omitempty"`
	Still   bool       `json:"still,omitempty"` // stationary
	HasClip bool       `json:"has_clip,omitempty"`
}

// Gunshot is gunfire that acoustic sensors located.
type Gunshot struct {
	Zone     string  `json:"zone,omitempty"` // the network of sensors
	Number   string  `json:"number"`         // the operator's number for it
	Rounds   string  `json:"rounds"`         // "single", "multiple", "unknown"
	Count    int     `json:"count,omitempty"`
	Accuracy float64 `json:"accuracy_m,omitempty"` // of the position, metres
}

// Plate is a number plate that a camera read. The plate itself is there only
// when it is on a hotlist.
type Plate struct {
	Hash      string  `json:"hash"`            // keyed, so that it tells equal plates but not which
	Plate     string  `json:"plate,omitempty"` // hotlisted only
	Hotlist   string  `json:"hotlist,omitempty"`
	Why       string  `json:"why,omitempty"` // what the hotlist says
	Country   string  `json:"country,omitempty"`
	Camera    string  `json:"camera"`
	Lane      string  `json:"lane,omitempty"`
	Direction string  `json:"direction,omitempty"`
	Speed     float64 `json:"speed_kmh,omitempty"`
	Score     float64 `json:"score,omitempty"` // 0 to 1
}
