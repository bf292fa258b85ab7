package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Operation is what section 62(1) of the Data Protection Act 2018 calls the
// thing that was done to personal data; empty where none was touched.
type Operation string

// The operations of section 62(1).
const (
	Collection   Operation = "collection"
	Alteration   Operation = "alteration"
	Consultation Operation = "consultation"
	Disclosure   Operation = "disclosure"
	Combination  Operation = "combination"
	Erasure      Operation = "erasure"
)

// Action says what was done: "area.verb". Those here are the platform's own;
// a mission package adds its own for its objects.
type Action string

// Actions.
const (
	SignedIn       Action = "session.signed-in"
	SignInFailed   Action = "session.refused"
	SignedOut      Action = "session.signed-out"
	SessionsEnded  Action = "session.ended-all"
	SetUp          Action = "person.first-administrator"
	PersonAdded    Action = "person.added"
	RolesChanged   Action = "person.roles-changed"
	PasswordSet    Action = "person.password-set"
	PersonDisabled Action = "person.disabled"
	PersonEnabled  Action = "person.enabled"
	RecordOpened   Action = "record.opened"
	RecordExported Action = "record.exported"
)

// Entry is one thing that somebody did.
type Entry struct {
	Time      time.Time         `json:"time"`
	Actor     string            `json:"actor,omitempty"` // id of the person; empty: nobody signed in
	ActorName string            `json:"name,omitempty"`
	Role      string            `json:"role,omitempty"`
	Action    Action            `json:"action"`
	Operation Operation         `json:"operation,omitempty"`
	Object    string            `json:"object,omitempty"`  // "incident/0a1b..."
	Purpose   string            `json:"purpose,omitempty"` // which of the stated purposes
	Why       string            `json:"why,omitempty"`     // the person's own words
	Detail    map[string]string `json:"detail,omitempty"`
	Remote    string            `json:"remote,omitempty"` // network address it came from
}

// Bounds of an entry. Longer texts are cut: whoever is refused because of a long
// name must still leave a trace.
const (
	maxText   = 4000 // bytes of Why and of each detail
	maxName   = 300  // bytes of every other text
	maxDetail = 50   // details
)

// ErrNoAction: an entry does not say what was done.
var ErrNoAction = errors.New("an audit entry needs an action")

// Recorder appends entries. A process that is attached to another's log records
// too; the log's owner signs (see [Open]).
type Recorder struct {
	log *bus.Log
	now func() time.Time
}

// NewRecorder returns a recorder that appends to a log.
func NewRecorder(log *bus.Log, now func() time.Time) *Recorder {
	return &Recorder{log: log, now: now}
}

// Record appends an entry and returns when it is on disk. Do or show nothing
// that must be accounted for before it has returned nil. An entry without a time
// gets the present one.
//
// Errors: ErrNoAction, and those of bus.Log.Append.
func (r *Recorder) Record(ctx context.Context, e Entry) error {
	if e.Action == "" {
		return ErrNoAction
	}
	if e.Time.IsZero() {
		e.Time = r.now().UTC()
	}
	data, err := json.Marshal(e.fit())
	if err != nil {
		return fmt.Errorf("writing down %s: %w", e.Action, err)
	}
	if _, err := r.log.Append(ctx, bus.Audit, data); err != nil {
		return fmt.Errorf("recording %s in the audit log: %w", e.Action, err)
	}
	return nil
}

// fit cuts what is too long, and leaves nothing that a database refuses.
func (e Entry) fit() Entry {
	for _, s := range []*string{&e.Actor, &e.ActorName, &e.Role, (*string)(&e.Action), (*string)(&e.Operation), &e.Object, &e.Purpose, &e.Remote} {
		*s = cut(*s, maxName)
	}
	e.Why = cut(e.Why, maxText)
	var detail map[string]string
	for k, v := range e.Detail {
		if len(detail) == maxDetail {
			break
		}
		if detail == nil {
			detail = map[string]string{}
		}
		detail[cut(k, maxName)] = cut(v, maxText)
	}
	e.Detail = detail
	return e
}

func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most-len("…")]
		for len(s) > 0 && s[len(s)-1]&0xc0 == 0x80 { // within a character
			s = s[:len(s)-1]
		}
		if len(s) > 0 && s[len(s)-1] >= 0xc0 {
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return store.Text(s)
}

func parseEntry(record []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(record, &e); err != nil {
		return e, fmt.Errorf("an audit record cannot be read: %w", err)
	}
	if e.Action == "" {
		return e, ErrNoAction
	}
	return e, nil
}
