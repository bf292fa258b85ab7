package event

import (
	"net/netip"
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
)

// Observation is one thing that was sensed: what, where, by which device, when
// by the device's own clock and by ours, and how sure.
//
// Exactly one of the detail pointers is set, as Kind says.
type Observation struct {
	ID     ID     `json:"id"`
	Kind   Kind   `json:"kind"`
	Source string `json:"source"` // protocol that brought it: "dc09", "zeek"
	Device string `json:"device"` // who sensed it, unique within the source: an account, a monitor's name

	// Time is the event's own time as best known, UTC. DeviceTime is what the
	// device's clock said, when it said anything. Received is when the platform
	// heard it, and never goes back along the log.
	Time       time.Time  `json:"time"`
	DeviceTime *time.Time `json:"device_time,omitempty"`
	Received   time.Time  `json:"received"`

	Premises     string       `json:"premises,omitempty"`      // registry id
	PremisesName string       `json:"premises_name,omitempty"` // as the control room says it
	Place        *place.Point `json:"place,omitempty"`
	Confidence   float64      `json:"confidence,omitempty"` // 0 to 1; 0 means not stated

	Alarm       *Alarm       `json:"alarm,omitempty"`
	Supervision *Supervision `json:"supervision,omitempty"`
	Flow        *Flow        `json:"flow,omitempty"`
	Login       *Login       `json:"login,omitempty"`
	Notice      *Notice      `json:"notice,omitempty"`

	Raw []byte `json:"raw,omitempty"` // the bytes as they were heard

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

// Supervision is the platform's own observation that a device kept, or did not
// keep, its promise to report.
type Supervision struct {
	Account   string        `json:"account"`
	Class     string        `json:"class"`               // reporting class, e.g. "SP4" (EN 50136)
	Reporting time.Duration `json:"reporting_ns"`        // the class's reporting time
	LastHeard *time.Time    `json:"last_heard,omitzero"` // nil: never heard
}

// Flow is one network connection as a monitor summed it up.
type Flow struct {
	UID       string     `json:"uid,omitempty"` // the monitor's name for it
	Orig      netip.Addr `json:"orig"`
	OrigPort  uint16     `json:"orig_port"`
	Resp      netip.Addr `json:"resp"`
	RespPort  uint16     `json:"resp_port"`
	Proto     string     `json:"proto"`             // "tcp", "udp", "icmp"
	Service   string     `json:"service,omitempty"` // as the monitor recognised it
	State     string     `json:"state,omitempty"`   // Zeek conn_state: S0, SF, REJ ...
	History   string     `json:"history,omitempty"`
	Duration  float64    `json:"duration_s,omitempty"`
	OrigBytes uint64     `json:"orig_bytes,omitempty"`
	RespBytes uint64     `json:"resp_bytes,omitempty"`
	OrigPkts  uint64     `json:"orig_pkts,omitempty"`
	RespPkts  uint64     `json:"resp_pkts,omitempty"`
	LocalOrig *bool      `json:"local_orig,omitempty"` // nil: the monitor did not say
	LocalResp *bool      `json:"local_resp,omitempty"`
}

// Login is one or more attempts to authenticate within one connection.
type Login struct {
	UID      string     `json:"uid,omitempty"`
	Orig     netip.Addr `json:"orig"`
	OrigPort uint16     `json:"orig_port"`
	Resp     netip.Addr `json:"resp"`
	RespPort uint16     `json:"resp_port"`
	Service  string     `json:"service"` // "ssh"
	Attempts int        `json:"attempts"`
	Success  *bool      `json:"success,omitempty"` // nil: not known
	Client   string     `json:"client,omitempty"`
}

// Notice is what a network monitor itself found worth saying.
type Notice struct {
	UID  string     `json:"uid,omitempty"`
	Name string     `json:"name"` // "SSH::Password_Guessing"
	Text string     `json:"text,omitempty"`
	Src  netip.Addr `json:"src,omitzero"`
	Dst  netip.Addr `json:"dst,omitzero"`
	Port uint16     `json:"port,omitempty"`
}
