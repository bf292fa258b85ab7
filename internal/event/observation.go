package event

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/place"
)

// Kind says what an observation or an alert is about. Kinds are dotted, the
// general before the particular.
type Kind string

// Kinds of observation.
const (
	KindAlarm     Kind = "alarm"           // a signal of an alarm panel; see Alarm
	KindSilent    Kind = "device.silent"   // a device was not heard within its reporting time; see Supervision
	KindReturned  Kind = "device.returned" // a silent device was heard again; see Supervision
	KindUnknown   Kind = "device.unknown"  // a device has not been heard since the platform began to listen; see Supervision
	KindFlow      Kind = "net.flow"        // a network connection; see Flow
	KindLogin     Kind = "net.login"       // an attempt to log in over the network; see Login
	KindNetNotice Kind = "net.notice"      // a network monitor's own finding; see Notice
	KindClockTick Kind = "clock.tick"      // time passed; carries only Received

	KindState     Kind = "sensor.state"     // the condition of a sensor; see Reading
	KindMeasure   Kind = "sensor.measure"   // a measured quantity; see Reading
	KindCount     Kind = "sensor.count"     // people or vehicles counted; see Count
	KindDetection Kind = "camera.detection" // an object that a camera recognised; see Detection
	KindGunshot   Kind = "acoustic.gunshot" // gunfire located by its sound; see Gunshot
	KindPlate     Kind = "plate.read"       // a number plate read by a camera; see Plate

	KindUplink Kind = "radio.uplink" // a frame of a radio device; see Radio
	KindJoin   Kind = "radio.join"   // a radio device joined its network; see Radio

	KindHealth  Kind = "device.health"  // what a device says of its own condition; see Health
	KindGone    Kind = "device.gone"    // a device went away: its last will, or its hub said so
	KindPresent Kind = "device.present" // a device is there (again)
	KindMisuse  Kind = "device.misuse"  // a device did what it may not; see Misuse

	KindDNS     Kind = "net.dns"     // a name looked up; see DNS
	KindHTTP    Kind = "net.http"    // a web request; see HTTP
	KindTLS     Kind = "net.tls"     // an encrypted session set up; see TLS
	KindAnomaly Kind = "net.anomaly" // traffic that breaks its protocol's rules; see Notice

	KindWarning Kind = "warning" // a public warning; see Warning
)

// Observation is one thing that was sensed: what, where, by which device, when
// by the device's own clock and by ours, and how sure.
//
// At most one of the detail pointers is set, as Kind says; the kinds gone, present
// and tick have none.
type Observation struct {
	ID     ID     `json:"id"`
	Kind   Kind   `json:"kind"`
	Source string `json:"source"`        // protocol that brought it: "dc09", "zeek"
	Device string `json:"device"`        // who sensed it, unique within the source: an account, a monitor's name, "hub/child"
	Via    string `json:"via,omitempty"` // the enrolled device that brought it, by whose credential we know

	// Time is the event's own time as best known, UTC. DeviceTime is what the
	// device's clock said, when it said anything. Received is when the platform
	// heard it, and never goes back along the log. ClockError is how many seconds
	// the device's clock was found to be ahead (behind: negative), where Time has
	// been corrected by it.
	Time       time.Time  `json:"time"`
	DeviceTime *time.Time `json:"device_time,omitempty"`
	Received   time.Time  `json:"received"`
	ClockError float64    `json:"clock_error_s,omitempty"`

	Premises     string       `json:"premises,omitempty"`      // registry id
	PremisesName string       `json:"premises_name,omitempty"` // as the control room says it
	Place        *place.Point `json:"place,omitempty"`
	Confidence   float64      `json:"confidence,omitempty"` // 0 to 1; 0 means not stated

	// Why it may be kept, and how long; the intake sets them from the registry.
	Basis   Basis     `json:"basis,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	Retain  Retention `json:"retain,omitempty"`

	// Edge is set on what an edge gateway took in and forwarded.
	Edge *Edge `json:"edge,omitempty"`

	Alarm       *Alarm       `json:"alarm,omitempty"`
	Supervision *Supervision `json:"supervision,omitempty"`
	Flow        *Flow        `json:"flow,omitempty"`
	Login       *Login       `json:"login,omitempty"`
	Notice      *Notice      `json:"notice,omitempty"`
	Reading     *Reading     `json:"reading,omitempty"`
	Count       *Count       `json:"count,omitempty"`
	Detection   *Detection   `json:"detection,omitempty"`
	Gunshot     *Gunshot     `json:"gunshot,omitempty"`
	Plate       *Plate       `json:"plate,omitempty"`
	Radio       *Radio       `json:"radio,omitempty"`
	Health      *Health      `json:"health,omitempty"`
	Misuse      *Misuse      `json:"misuse,omitempty"`
	DNS         *DNS         `json:"dns,omitempty"`
	HTTP        *HTTP        `json:"http,omitempty"`
	TLS         *TLS         `json:"tls,omitempty"`
	Warning     *Warning     `json:"warning,omitempty"`

	Raw []byte `json:"raw,omitempty"` // the bytes as they were heard

	// Enrolled is the registry's id of the device that sensed it, or of the one
	// that brought it where the sensor has no entry of its own; the intake sets it.
	Enrolled string `json:"enrolled,omitempty"`

	// Recorded says that it came from a recording that was kept later: it happened
	// at Time, and says nothing of whether its device is there at Received.
	Recorded bool `json:"recorded,omitempty"`

	Seq uint64 `json:"-"` // log position, set by whoever read it from the log
}

// Ref returns the observation's id and log position, and its source's name for it.
func (o *Observation) Ref() Ref {
	r := Ref{ID: o.ID, Seq: o.Seq}
	switch {
	case o.Flow != nil:
		r.Name = o.Flow.UID
	case o.Login != nil:
		r.Name = o.Login.UID
	case o.Notice != nil:
		r.Name = o.Notice.UID
	case o.DNS != nil:
		r.Name = o.DNS.UID
	case o.HTTP != nil:
		r.Name = o.HTTP.UID
	case o.TLS != nil:
		r.Name = o.TLS.UID
	}
	return r
}

// AlarmCategory groups the alarm codes of every panel dialect.
type AlarmCategory string

// Alarm categories. A verified signal is one that the panel itself has confirmed.
const (
	Burglary         AlarmCategory = "burglary"
	BurglaryVerified AlarmCategory = "burglary_verified"
	HoldUp           AlarmCategory = "hold_up" // hold-up, panic or duress: a person asks for help
	HoldUpVerified   AlarmCategory = "hold_up_verified"
	Fire             AlarmCategory = "fire"
	Tamper           AlarmCategory = "tamper"
	Medical          AlarmCategory = "medical"
	Environment      AlarmCategory = "environment" // water, gas, heat, freezing
	Fault            AlarmCategory = "fault"       // equipment trouble
	Power            AlarmCategory = "power"       // mains or battery
	Comms            AlarmCategory = "comms"       // the path to the receiver
	Bypass           AlarmCategory = "bypass"
	OpenClose        AlarmCategory = "open_close" // unset and set
	Test             AlarmCategory = "test"
	OtherAlarm       AlarmCategory = "other"
)

// AlarmState is what a signal says of its condition.
type AlarmState string

// Alarm states.
const (
	AlarmNew      AlarmState = "new"      // the condition begins (for OpenClose: unset)
	AlarmRestored AlarmState = "restored" // the condition ends (for OpenClose: set)
	AlarmStatus   AlarmState = "status"   // a report without change
)

// ZoneKind says what guards a zone; it decides whether an activation may
// contribute to confirmation (BS 8243).
type ZoneKind string

// Zone kinds.
const (
	ZoneUnknown   ZoneKind = ""
	ZonePerimeter ZoneKind = "perimeter" // contacts and glass-break on the building's skin
	ZoneInterior  ZoneKind = "interior"  // movement detectors inside
	ZoneExternal  ZoneKind = "external"  // outside the building: never contributes
	ZoneHoldUp    ZoneKind = "hold_up"   // a button that a person presses
)

// Alarm is a signal from an alarm panel, the same whatever dialect it spoke.
type Alarm struct {
	Account   string        `json:"account"`
	Category  AlarmCategory `json:"category"`
	State     AlarmState    `json:"state"`
	Code      string        `json:"code"` // as sent: "BA", "130"
	Meaning   string        `json:"meaning,omitempty"`
	Partition string        `json:"partition,omitempty"`
	Zone      string        `json:"zone,omitempty"`
	ZoneKind  ZoneKind      `json:"zone_kind,omitempty"`
	ZoneName  string        `json:"zone_name,omitempty"`
	User      string        `json:"user,omitempty"`
	Text      string        `json:"text,omitempty"`
	Old       bool          `json:"old,omitempty"` // sent late from the panel's memory
	Sequence  int           `json:"sequence"`
	Encrypted bool          `json:"encrypted,omitempty"`
	URL       string        `json:"url,omitempty"` // verification images or sound
}

// ClassEnrolled is the Supervision.Class of an enrolled device, whose entry in the
// registry says how often it speaks; panels have a class of EN 50136.
const ClassEnrolled = "enrolled device"

// Supervision is the platform's own observation that a device kept, or did not
// keep, its promise to report.
type Supervision struct {
	Account   string        `json:"account"`
	Class     string        `json:"class"`               // reporting class, e.g. "SP4" (EN 50136)
	Reporting time.Duration `json:"reporting_ns"`        // the class's reporting time
	LastHeard *time.Time    `json:"last_heard,omitzero"` // nil: never heard
}
