package bus

import (
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

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

	class   string // retention class of what is appended, see Kept
	private bool   // the log's own: read by its name, from the leader
}

// Kept returns the stream for appending records of a retention class, one of
// event.Retentions, or "" for what is kept until a person reviews it. The log
// keeps each class in frames of its own, sealed with keys of their own, so that
// what has expired can go at once (keys.go). Readers see all classes in one order.
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

	keys    = Stream{Name: "KEYS", Prefix: "key", Purpose: "the keys of frames that expire", Keyed: true, private: true}
	patches = Stream{Name: "PATCHES", Prefix: "patch", Purpose: "what is left of frames from which records were erased", Keyed: true, private: true}
)

// Expires reports whether records can expire, or be erased, from the stream.
func (s Stream) Expires() bool { return s.mayLack() }

// Streams lists every stream of the log.
func Streams() []Stream {
	return []Stream{Observations, Alerts, Incidents, Quarantine, Registry, People, Audit, Mappings, Warnings, Erasures, Retained, Snapshots}
}

// frames is the subject of the stream's frames that never expire; those that do
// have their class and the id of their key behind it.
func (s Stream) frames() string { return s.Prefix + ".frame" }

// sealed is the subject of the frames that one key seals.
func (s Stream) sealed(class, key string) string { return s.frames() + "." + class + "." + key }

// sealedBy takes a subject apart: which class and which key its frames have.
// ok is false where the subject holds no frames.
func (s Stream) sealedBy(subject string) (class, key string, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.frames())
	if !ok || rest == "" {
		return "", "", ok
	}
	class, key, ok = strings.Cut(strings.TrimPrefix(rest, "."), ".")
	return class, key, ok && rest[0] == '.' && class != "" && key != ""
}

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
		AllowDirect:       replicas <= 1, // a copy that lags would make what it lacks look erased
		DenyDelete:        s.Forever,
		DenyPurge:         s.Forever,
		// Long enough for a commit's retries; see writer.publish.
		Duplicates: 2 * commitTimeout,
	}
	if s.Keyed {
		c.Discard = jetstream.DiscardOld
		c.MaxMsgsPerSubject = 1
	}
	if s.private { // nothing goes but by erasing it
		c.Discard, c.MaxMsgsPerSubject = jetstream.DiscardNew, -1
	}
	return c
}
