package issue

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// State is how far a warning is.
type State string

// The states. A message that was issued stays issued; whether it stands depends on
// the messages after it and the time, see Warning.Stands.
const (
	Drafted   State = "drafted"
	Issued    State = "issued"
	Discarded State = "discarded"
)

// Draft is what people write of a warning.
type Draft struct {
	Status      codec.Status       `json:"status"` // Actual, Exercise or Test
	Category    codec.Category     `json:"category"`
	Event       string             `json:"event"`
	Response    codec.ResponseType `json:"response,omitempty"`
	Urgency     codec.Urgency      `json:"urgency"`
	Severity    codec.Severity     `json:"severity"`
	Certainty   codec.Certainty    `json:"certainty"`
	Headline    string             `json:"headline"`
	Description string             `json:"description"`
	Instruction string             `json:"instruction,omitempty"`
	Contact     string             `json:"contact,omitempty"`
	Area        string             `json:"area"`              // in words
	Polygon     string             `json:"polygon,omitempty"` // as CAP writes one
	Circle      string             `json:"circle,omitempty"`  // the same
	Onset       time.Time          `json:"onset,omitzero"`
	Expires     time.Time          `json:"expires"`
}

// Warning is one message to the public, and how it came about.
type Warning struct {
	ID      event.ID      `json:"id"`
	Version int           `json:"version"`
	Change  event.ID      `json:"change"` // that made this version
	State   State         `json:"state"`
	MsgType codec.MsgType `json:"msg_type"`     // Alert, Update or Cancel
	Of      event.ID      `json:"of,omitempty"` // the message that it updates or cancels
	Root    event.ID      `json:"root"`         // the first message about this matter

	Draft
	Authors []string  `json:"authors"` // everybody who wrote a version of it
	Written time.Time `json:"written"` // the newest version
	Why     string    `json:"why,omitempty"`

	Approver   string    `json:"approver,omitempty"`
	Sent       time.Time `json:"sent,omitzero"` // to the second
	Identifier string    `json:"identifier,omitempty"`
	Sender     string    `json:"sender,omitempty"`
	ReplacedBy event.ID  `json:"replaced_by,omitempty"` // the message that updates or cancels it
	Discarder  string    `json:"discarder,omitempty"`
}

// Stands reports whether people should act on the message at a time.
func (w *Warning) Stands(at time.Time) bool {
	return w.State == Issued && w.MsgType != codec.MsgCancel && w.ReplacedBy == "" && w.Expires.After(at)
}

// Ref names an issued message as CAP does.
func (w *Warning) Ref() codec.Reference {
	return codec.Reference{Sender: w.Sender, Identifier: w.Identifier, Sent: w.Sent}
}

// ChangeType is what happened to a warning.
type ChangeType string

// The types of change.
const (
	ChangeDrafted   ChangeType = "drafted"
	ChangeRevised   ChangeType = "revised"
	ChangeDiscarded ChangeType = "discarded"
	ChangeIssued    ChangeType = "issued"
)

// Change is the record of one step on the log.
type Change struct {
	ID      event.ID   `json:"id"`
	Warning event.ID   `json:"warning"`
	Version int        `json:"version"`
	Type    ChangeType `json:"type"`
	By      string     `json:"by"`
	Time    time.Time  `json:"time"`
	Why     string     `json:"why,omitempty"`

	MsgType codec.MsgType `json:"msg_type,omitempty"` // drafted
	Of      event.ID      `json:"of,omitempty"`       // drafted
	Draft   *Draft        `json:"draft,omitempty"`    // drafted, revised

	Identifier string    `json:"identifier,omitempty"` // issued
	Sender     string    `json:"sender,omitempty"`     // issued
	Sent       time.Time `json:"sent,omitzero"`        // issued
	Document   []byte    `json:"document,omitempty"`   // issued: the signed CAP message
}

// errStale: the change is not the next of its warning. It was written twice, or
// somebody else was first.
var errStale = errors.New("the change is not the next of its warning")

// apply takes a change up, and returns the warnings that are other than before.
// get returns a warning, nil for none.
func apply(get func(event.ID) (*Warning, error), c *Change) ([]*Warning, error) {
	w, err := get(c.Warning)
	if err != nil {
		return nil, err
	}
	if c.Type == ChangeDrafted {
		return begin(get, w, c)
	}
	if w == nil || c.Version != w.Version+1 || w.State != Drafted {
		return nil, fmt.Errorf("%w: %s %s, version %d", errStale, c.Type, c.Warning, c.Version)
	}
	next := *w
	next.Version, next.Change = c.Version, c.ID
	switch c.Type {
	case ChangeRevised:
		if c.Draft == nil {
			return nil, fmt.Errorf("%w: %s without a draft", errStale, c.Type)
		}
		next.Draft, next.Written, next.Why = *c.Draft, c.Time, c.Why
		if !slices.Contains(next.Authors, c.By) {
			next.Authors = append(slices.Clone(next.Authors), c.By)
		}
	case ChangeDiscarded:
		next.State, next.Discarder, next.Why = Discarded, c.By, c.Why
	case ChangeIssued:
		return issued(get, &next, c)
	default:
		return nil, fmt.Errorf("%w: of the unknown type %q", errStale, c.Type)
	}
	return []*Warning{&next}, nil
}

func begin(get func(event.ID) (*Warning, error), known *Warning, c *Change) ([]*Warning, error) {
	if known != nil || c.Version != 1 || c.Draft == nil {
		return nil, fmt.Errorf("%w: %s %s", errStale, c.Type, c.Warning)
	}
	w := &Warning{
		ID: c.Warning, Version: 1, Change: c.ID, State: Drafted, MsgType: c.MsgType, Of: c.Of, Root: c.Warning,
		Draft: *c.Draft, Authors: []string{c.By}, Written: c.Time, Why: c.Why,
	}
	if c.Of != "" {
		of, err := get(c.Of)
		if err != nil {
			return nil, err
		}
		if of == nil {
			return nil, fmt.Errorf("%w: it is about %s, which is not there", errStale, c.Of)
		}
		w.Root = of.Root
	}
	return []*Warning{w}, nil
}

func issued(get func(event.ID) (*Warning, error), next *Warning, c *Change) ([]*Warning, error) {
	next.State, next.Approver = Issued, c.By
	next.Identifier, next.Sender, next.Sent = c.Identifier, c.Sender, c.Sent
	if next.Of == "" {
		return []*Warning{next}, nil
	}
	of, err := get(next.Of)
	if err != nil {
		return nil, err
	}
	if of == nil || of.ReplacedBy != "" {
		return nil, fmt.Errorf("%w: %s is not the newest message about its matter", errStale, next.Of)
	}
	old := *of
	old.ReplacedBy = next.ID
	return []*Warning{next, &old}, nil
}
