package bus

import "github.com/nats-io/nats.go/jetstream"

// Stream names one stream of the log and the subjects that it holds.
type Stream struct {
	Name    string
	Prefix  string // its subjects are Prefix.something
	Purpose string

	// Keyed streams hold one value for each key, the newest (see Put); the
	// others hold frames of records.
	Keyed bool
	// Forever forbids deletion of anything in the stream.
	Forever bool

	class string // retention class of what is appended, see Kept
}

// Kept returns the stream for appending records of a retention class. The log
// keeps each class in frames of its own, so that what has expired can go at
// once. Readers see all classes in one order.
func (s Stream) Kept(class string) Stream {
	s.class = class
	return s
}

// The streams of the log.
var (
	Observations = Stream{Name: "OBSERVATIONS", Prefix: "obs", Purpose: "what devices said"}
	Alerts       = Stream{Name: "ALERTS", Prefix: "alert", Purpose: "what detectors found"}
	Incidents    = Stream{Name: "INCIDENTS", Prefix: "incident", Purpose: "every change of every incident"}
	Quarantine   = Stream{Name: "QUARANTINE", Prefix: "quarantine", Purpose: "what could not be accepted, with its bytes"}
	Registry     = Stream{Name: "REGISTRY", Prefix: "registry", Purpose: "premises, accounts and their keys (sealed)"}
	People       = Stream{Name: "PEOPLE", Prefix: "person", Purpose: "people, roles and credentials (sealed)"}
	Audit        = Stream{Name: "AUDIT", Prefix: "audit", Purpose: "who did what to what, and why", Forever: true}
	Mappings     = Stream{Name: "MAPPINGS", Prefix: "mapping", Purpose: "how JSON of unknown devices becomes observations"}
	Warnings     = Stream{Name: "WARNINGS", Prefix: "warning", Purpose: "public warnings that the force issued"}
	Erasures     = Stream{Name: "ERASURES", Prefix: "erasure", Purpose: "what was erased, when and why", Forever: true}
	Retained     = Stream{Name: "RETAINED", Prefix: "retained", Purpose: "MQTT messages that brokers keep for newcomers", Keyed: true}
	Snapshots    = Stream{Name: "SNAPSHOTS", Prefix: "snapshot", Purpose: "the stages' saved states", Keyed: true}
)

// Streams lists every stream of the log.
func Streams() []Stream {
	return []Stream{Observations, Alerts, Incidents, Quarantine, Registry, People, Audit, Mappings, Warnings, Erasures, Retained, Snapshots}
}

// frames is the subject of the stream's frames.
func (s Stream) frames() string { return s.Prefix + ".frame" }

func (s Stream) config(replicas int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:              s.Name,
		Description:       s.Purpose,
		Subjects:          []string{s.Prefix + ".>"},
		Storage:           jetstream.FileStorage,
		Replicas:          replicas,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		MaxMsgsPerSubject: -1,
		AllowDirect:       true,
		DenyDelete:        s.Forever,
		DenyPurge:         s.Forever,
		// Long enough for a commit's retries; see writer.publish.
		Duplicates: 2 * commitTimeout,
	}
	if s.Keyed {
		c.Discard = jetstream.DiscardOld
		c.MaxMsgsPerSubject = 1
	}
	return c
}
