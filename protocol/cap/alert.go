package cap

import (
	"slices"
	"time"
)

// Namespace is that of CAP 1.2.
const Namespace = "urn:oasis:names:tc:emergency:cap:1.2"

// SignatureNamespace is that of XML signatures, which may end a message (3.3.2.1).
const SignatureNamespace = "http://www.w3.org/2000/09/xmldsig#"

// Media types of messages and feeds.
const (
	MediaType     = "application/cap+xml"
	FeedMediaType = "application/atom+xml"
)

// Alert is one message (3.2.1). A zero time, an empty string and an empty list
// stand for an element that is not there.
type Alert struct {
	Identifier  string
	Sender      string
	Sent        time.Time
	Status      Status
	MsgType     MsgType
	Source      string
	Scope       Scope
	Restriction string   // who may see it, where Scope is Restricted
	Addresses   string   // for whom it is, where Scope is Private
	Codes       []string // special handling
	Note        string
	References  []Reference // earlier messages that it is about
	Incidents   string
	Infos       []Info

	// Signatures counts the XML signatures that Decode met and did not verify.
	Signatures int
	// Flaws are the problems that leave no doubt about the meaning.
	Flaws []Problem
}

// Info says what is to be expected, in one language (3.2.2).
type Info struct {
	Language      string // RFC 3066; empty means "en-US"
	Categories    []Category
	Event         string
	ResponseTypes []ResponseType
	Urgency       Urgency
	Severity      Severity
	Certainty     Certainty
	Audience      string
	EventCodes    []Pair
	Effective     time.Time // zero: when it was sent
	Onset         time.Time
	Expires       time.Time // zero: the recipient decides
	SenderName    string
	Headline      string
	Description   string
	Instruction   string
	Web           string
	Contact       string
	Parameters    []Pair
	Resources     []Resource
	Areas         []Area
}

// Resource is a file that belongs to a message (3.2.3).
type Resource struct {
	Desc     string
	MimeType string
	Size     int64 // bytes; 0: not stated
	URI      string
	DerefURI string // the content itself, in base64
	Digest   string // SHA-1, in hexadecimal
}

// Area is where a message applies: the union of all its parts (3.2.4).
type Area struct {
	Desc     string
	Polygons []Polygon
	Circles  []Circle
	Geocodes []Pair
	Altitude *float64 // feet above mean sea level
	Ceiling  *float64 // feet; a range from Altitude up
}

// Pair is a value of somebody's own code list.
type Pair struct{ Name, Value string }

// Point is a position on WGS 84 in degrees.
type Point struct{ Lat, Lon float64 }

// Polygon is a closed line: its last point is its first.
type Polygon []Point

// Circle is a centre and a radius in kilometres.
type Circle struct {
	Centre Point
	Radius float64
}

// The code values of the standard.
type (
	// Status says how to handle a message.
	Status string
	// MsgType says what a message does.
	MsgType string
	// Scope says for whom a message is.
	Scope string
	// Category is the kind of event.
	Category string
	// ResponseType is what people should do.
	ResponseType string
	// Urgency is how soon people should act.
	Urgency string
	// Severity is how bad the event is.
	Severity string
	// Certainty is how sure the sender is.
	Certainty string
)

// Statuses: only Actual is for people to act on.
const (
	Actual   Status = "Actual"
	Exercise Status = "Exercise"
	System   Status = "System"
	Test     Status = "Test"
	Draft    Status = "Draft"
)

// Message types. All but MsgAlert act on the messages in References.
const (
	MsgAlert  MsgType = "Alert"
	MsgUpdate MsgType = "Update"
	MsgCancel MsgType = "Cancel"
	MsgAck    MsgType = "Ack"
	MsgError  MsgType = "Error"
)

// Scopes.
const (
	Public     Scope = "Public"
	Restricted Scope = "Restricted"
	Private    Scope = "Private"
)

// Severities.
const (
	Extreme         Severity = "Extreme"
	Severe          Severity = "Severe"
	Moderate        Severity = "Moderate"
	Minor           Severity = "Minor"
	UnknownSeverity Severity = "Unknown"
)

// Certainties.
const (
	Observed         Certainty = "Observed"
	Likely           Certainty = "Likely"
	Possible         Certainty = "Possible"
	Unlikely         Certainty = "Unlikely"
	UnknownCertainty Certainty = "Unknown"
)

// Past and AllClear are what a cancellation says of its event.
const (
	Past     Urgency      = "Past"
	AllClear ResponseType = "AllClear"
)

// Statuses lists the code values of status.
func Statuses() []Status { return []Status{Actual, Exercise, System, Test, Draft} }

// MsgTypes lists the code values of msgType.
func MsgTypes() []MsgType { return []MsgType{MsgAlert, MsgUpdate, MsgCancel, MsgAck, MsgError} }

// Scopes lists the code values of scope.
func Scopes() []Scope { return []Scope{Public, Restricted, Private} }

// Categories lists the code values of category.
func Categories() []Category {
	return []Category{"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"}
}

// ResponseTypes lists the code values of responseType.
func ResponseTypes() []ResponseType {
	return []ResponseType{"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", AllClear, "None"}
}

// Urgencies lists the code values of urgency, the most pressing first.
func Urgencies() []Urgency { return []Urgency{"Immediate", "Expected", "Future", Past, "Unknown"} }

// Severities lists the code values of severity, the worst first.
func Severities() []Severity { return []Severity{Extreme, Severe, Moderate, Minor, UnknownSeverity} }

// Certainties lists the code values of certainty, the surest first.
func Certainties() []Certainty {
	return []Certainty{Observed, Likely, Possible, Unlikely, UnknownCertainty}
}

// ID names the message among all messages of all senders (3.2.1: identifier,
// sender and sent together).
func (a *Alert) ID() Reference {
	return Reference{Sender: a.Sender, Identifier: a.Identifier, Sent: a.Sent}
}

// Info returns the information in the first of the given languages that the
// message has, or else its first; nil when it has none. A language matches
// exactly, or by its first part: "en-GB", then any other English.
func (a *Alert) Info(languages ...string) *Info {
	for _, want := range languages {
		for _, same := range []func(have, want string) bool{sameLanguage, samePrimary} {
			if i := slices.IndexFunc(a.Infos, func(in Info) bool { return same(in.language(), want) }); i >= 0 {
				return &a.Infos[i]
			}
		}
	}
	if len(a.Infos) == 0 {
		return nil
	}
	return &a.Infos[0]
}

// InfosIn returns all information in the language of Info: a message may tell of
// several areas, each with its own severity.
func (a *Alert) InfosIn(languages ...string) []*Info {
	first := a.Info(languages...)
	var out []*Info
	for i := range a.Infos {
		if sameLanguage(a.Infos[i].language(), first.language()) {
			out = append(out, &a.Infos[i])
		}
	}
	return out
}

// language is the standard's default where none is given.
func (i *Info) language() string {
	if i.Language == "" {
		return "en-US"
	}
	return i.Language
}
