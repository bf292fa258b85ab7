package web

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/registry/enrol"
)

// deviceAction is a button on a device's page, with its form.
type deviceAction struct {
	Name string // of the address
	Form *form
	Open bool
}

// given is what an action gave out: it is shown once, on the answer to its form.
type given struct {
	Token, Link, Password string
	Code                  template.URL // QR code as a data: URL
	Until                 time.Time
	URLs                  enrol.URLs
}

// whyField asks for the reason that the audit log keeps.
func whyField(hint string) field {
	return field{Name: "why", Label: "Why", Hint: hint, Required: true, Max: 500}
}

// deviceActions are what can be done with a device now.
func (s *Site) deviceActions(d *registry.Device) []deviceAction {
	path := "/devices/" + url.PathEscape(d.ID) + "/do/"
	if d.Revoked {
		return []deviceAction{{Name: "reinstate", Form: &form{
			Action: path + "reinstate", Submit: "Let it be enrolled again",
			Fields: []field{whyField("Its old password stays void: invite it anew afterwards.")},
		}}}
	}
	out := []deviceAction{
		{Name: "invite", Form: &form{Action: path + "invite", Submit: "Invite the device", Fields: []field{
			{Name: "valid", Label: "The invitation holds for", Type: "select", Value: "24h", Options: []option{
				{"1h", "1 hour", ""}, {"24h", "1 day", ""}, {"168h", "7 days", ""}, {"720h", "30 days", ""},
			}},
			whyField("Such as: new hub fitted. When it is used, what password the device had ends."),
		}}},
		{Name: "rotate", Form: &form{Action: path + "rotate", Submit: "Give it a new password", Fields: []field{
			{Name: "overlap", Label: "The old one holds for", Type: "select", Value: "24h", Options: []option{
				{"0s", "no longer: it ends now", ""}, {"1h", "1 hour", ""}, {"24h", "1 day", ""}, {"168h", "7 days", ""},
			}},
			whyField("Such as: yearly change."),
		}}},
	}
	if d.Basis == event.Consent && d.Consent != nil && d.Consent.Withdrawn == nil {
		out = append(out, deviceAction{Name: "withdraw", Form: &form{
			Action: path + "withdraw", Submit: "End the consent", Danger: true,
			Confirm: "End the owner’s consent? From now on nothing that the device senses is kept.",
			Fields:  []field{whyField("Who withdrew it, and how. From then on nothing it senses is kept.")},
		}})
	}
	return append(out, deviceAction{Name: "revoke", Form: &form{
		Action: path + "revoke", Submit: "Revoke the device", Danger: true,
		Confirm: "Revoke the device? Its password ends for good, and nothing of it is kept.",
		Fields:  []field{whyField("Such as: stolen. Its password ends for good, and nothing of it is kept.")},
	}})
}

// Title names an action.
func (a deviceAction) Title() string { return a.Form.Submit }

// deviceDo does what a button asks for: on the audit log first.
func (s *Site) deviceDo(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	d, err := s.Registry.Device(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	what := r.PathValue("what")
	var f *form
	for _, a := range s.deviceActions(d) {
		if a.Name == what {
			f = a.Form
		}
	}
	if f == nil {
		s.fail(w, r, notFound("That cannot be done with this device now. Load its page again."))
		return
	}
	if !f.take(v) {
		s.showDevice(w, r, http.StatusUnprocessableEntity, &deviceData{Failed: what, Problem: "Say why: it goes on the audit log."})
		return
	}
	given, err := s.doDevice(r, d, what, f)
	switch {
	case errors.Is(err, registry.ErrState), errors.Is(err, registry.ErrInvalid):
		s.showDevice(w, r, http.StatusConflict, &deviceData{Failed: what, Problem: deviceProblem(err)})
	case err != nil:
		s.fail(w, r, err)
	case given != nil:
		s.showDevice(w, r, http.StatusOK, &deviceData{Given: given})
	default:
		done(w, r, "/devices/"+url.PathEscape(d.ID), deviceDone[what])
	}
}

// deviceDone are the codes of doneWords for actions that lead back to the page.
var deviceDone = map[string]string{"revoke": "revoked", "reinstate": "reinstated", "withdraw": "withdrawn"}

// deviceActs are what the audit log calls the actions.
var deviceActs = map[string]audit.Action{
	"invite": "device.invited", "rotate": "device.rotated", "revoke": "device.revoked",
	"reinstate": "device.reinstated", "withdraw": "device.consent-withdrawn",
}

func deviceProblem(err error) string {
	words := strings.TrimPrefix(err.Error(), registry.ErrState.Error()+": ")
	return upperFirst(strings.TrimPrefix(words, registry.ErrInvalid.Error()+": ")) + "."
}

// doDevice records an action and does it.
func (s *Site) doDevice(r *http.Request, d *registry.Device, what string, f *form) (*given, error) {
	ctx, by := r.Context(), visitorOf(r).ID
	err := s.record(ctx, audit.Entry{
		Action: deviceActs[what], Operation: audit.Alteration, Object: "device/" + d.ID,
		Purpose: string(auth.Maintain), Why: f.value("why"), Detail: map[string]string{"device": d.Name},
	})
	if err != nil {
		return nil, err
	}
	switch what {
	case "invite":
		valid, err := time.ParseDuration(f.value("valid"))
		if err != nil {
			return nil, badRequest("The form could not be read: it is broken.", err)
		}
		token, err := s.Registry.Invite(ctx, by, d.ID, valid)
		if err != nil {
			return nil, err
		}
		return s.invitation(token, s.clock.Now().Add(valid))
	case "rotate":
		overlap, err := time.ParseDuration(f.value("overlap"))
		if err != nil {
			return nil, badRequest("The form could not be read: it is broken.", err)
		}
		secret, err := s.Registry.Rotate(ctx, by, d.ID, max(0, overlap))
		return &given{Password: secret, Until: s.clock.Now().Add(max(0, overlap)), URLs: s.Enrol}, err
	case "revoke":
		return nil, s.Registry.Revoke(ctx, by, d.ID)
	case "reinstate":
		return nil, s.Registry.Reinstate(ctx, by, d.ID)
	default:
		return nil, s.Registry.Withdraw(ctx, by, d.ID)
	}
}

// invitation draws what a person shows the device, or types into it.
func (s *Site) invitation(token string, until time.Time) (*given, error) {
	g := &given{Token: token, Until: until, URLs: s.Enrol}
	text := token
	if s.Enrol.Enrol != "" {
		g.Link = enrol.Link(s.Enrol.Enrol, token)
		text = g.Link
	}
	code, err := enrol.PNG(text)
	if err != nil {
		return nil, err
	}
	// The content policy takes data: images, so the token needs no address of
	// its own, which somebody else could ask for.
	g.Code = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(code)) //nolint:gosec // our own picture
	return g, nil
}

// devicePersonal opens the owner, and what is sensed in a home, for a purpose.
func (s *Site) devicePersonal(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	d, err := s.Registry.Device(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	purpose := v.Get("purpose")
	if purposeWords[purpose] == "" {
		s.showDevice(w, r, http.StatusUnprocessableEntity, &deviceData{Failed: "personal", Problem: "Choose what you need it for."})
		return
	}
	err = s.record(r.Context(), audit.Entry{
		Action: audit.RecordOpened, Operation: audit.Consultation, Object: "device/" + d.ID, Purpose: purpose, Why: shorten(500, v.Get("why")),
		Detail: map[string]string{"opened": "owner and readings of " + d.Name},
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showDevice(w, r, http.StatusOK, &deviceData{Opened: purposeWords[purpose]})
}
