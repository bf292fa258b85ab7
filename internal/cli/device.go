package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/store"
)

// deviceCmd works on the devices that speak to the platform.
type deviceCmd struct {
	Import    deviceImportCmd    `cmd:"" help:"Add devices from a file, or change those with the same id."`
	List      deviceListCmd      `cmd:"" help:"List devices and how they are."`
	Show      deviceShowCmd      `cmd:"" help:"Show all that is known of a device."`
	Enrol     deviceEnrolCmd     `cmd:"" help:"Invite a device: print the code by which it gets its credential."`
	Rotate    deviceRotateCmd    `cmd:"" help:"Give a device a new password; the old one holds a while yet."`
	Revoke    deviceRevokeCmd    `cmd:"" help:"Take a device's enrolment back: nothing of it is kept any more."`
	Reinstate deviceReinstateCmd `cmd:"" help:"Let a revoked device be enrolled again."`
	Withdraw  deviceWithdrawCmd  `cmd:"" help:"End the owner's consent to what a device senses."`
}

// deviceDesk is what the commands on devices work with.
type deviceDesk struct {
	e   *env
	log *bus.Log
	reg *registry.Registry
	db  *store.DB // nil where a command needs none
	q   *sense.Queries
}

// openDevices opens the registry, and the database with what devices said where
// it is needed. It works beside a running server and without one.
func openDevices(e *env, withState bool) (*deviceDesk, error) {
	log, err := openOldLog(e)
	if err != nil {
		return nil, err
	}
	d := &deviceDesk{e: e, log: log}
	if d.reg, err = openRegistry(e, log); err == nil && withState {
		err = d.openState()
	}
	if err != nil {
		d.close()
		if errors.Is(err, seal.ErrNoKey) {
			return nil, fmt.Errorf("%w: devices' credentials are sealed with it", err)
		}
		return nil, err
	}
	return d, nil
}

// openState opens the read models, and brings the devices' up to date: where no
// server runs nobody else does.
func (d *deviceDesk) openState() error {
	var err error
	if d.db, err = store.Open(d.e.ctx, d.e.root.Config.Database()); err != nil {
		return err
	}
	bar := newProgress(d.e.Err)
	err = d.db.CatchUp(d.e.ctx, d.log, sense.NewTwins(d.e.quiet()), func(pos, end uint64) {
		bar.say("reading what devices said: %.0f %%", 100*float64(pos)/float64(max(end, 1)))
	})
	bar.done()
	d.q = sense.NewQueries(d.db, d.log)
	return err
}

func (d *deviceDesk) close() {
	if d.db != nil {
		d.db.Close()
	}
	d.log.Close()
}

// by is who changes devices, for the registry.
func (*deviceDesk) by() string { return "command line: " + username() }

// record notes on the audit log what is about to be done.
func (d *deviceDesk) record(entry audit.Entry) error {
	who := auth.Console(username())
	entry.Time, entry.Actor, entry.ActorName, entry.Role = time.Now().UTC(), who.ID, who.FullName, who.RoleWords()
	return audit.NewRecorder(d.log, time.Now).Record(d.e.ctx, entry)
}

// act opens the registry, records what is to be done to a device, and does it.
func act(e *env, id string, action audit.Action, why string, detail map[string]string, do func(*deviceDesk) error) error {
	desk, err := openDevices(e, false)
	if err != nil {
		return err
	}
	defer desk.close()
	d, err := desk.reg.Device(id)
	if err != nil {
		return fmt.Errorf("%w: see 'bluelamp device list'", err)
	}
	if detail == nil {
		detail = map[string]string{}
	}
	detail["device"] = d.Name
	entry := audit.Entry{Action: action, Operation: audit.Alteration, Object: "device/" + id, Why: why, Detail: detail}
	if err := desk.record(entry); err != nil {
		return fmt.Errorf("nothing was done, since it could not be recorded: %w", err)
	}
	return do(desk)
}

// heardAs says how a device is heard of: what misused its credential, or was only
// recorded, was not heard.
func heardAs(t *sense.Twin) string {
	switch {
	case t.State != "":
		return string(t.State)
	case t.Misuse > 0:
		return "misused " + count(int(t.Misuse), "time")
	}
	return "from recordings"
}

// deviceListCmd lists devices.
type deviceListCmd struct {
	Words    string `arg:"" optional:"" help:"Only devices whose id, name, kind, maker, model, serial or aliases hold these words."`
	Premises string `help:"Only those of these premises." placeholder:"ID"`
	Kind     string `help:"Only those of this kind: hub, camera, sensor ..."`
	State    string `enum:",heard,silent,gone,unknown,unheard,attention,revoked" default:"" help:"Only those that are heard, silent, gone, unknown (expected and never heard), unheard, revoked, or need attention."`
	JSON     bool   `name:"json" help:"Print each device as a JSON object on a line."`
}

// listedDevice is a device with its state.
type listedDevice struct {
	*registry.Device
	Vitals sense.Vitals `json:"vitals"`
	Needs  []string     `json:"needs,omitempty"`
}

// Run implements the command.
func (c deviceListCmd) Run(e *env) error {
	desk, err := openDevices(e, true)
	if err != nil {
		return err
	}
	defer desk.close()
	vitals, err := desk.q.Vitals(e.ctx)
	if err != nil {
		return err
	}
	var out []listedDevice
	for _, d := range desk.reg.Devices() {
		l := listedDevice{d, vitals[d.ID], sense.Needs(d, vitals[d.ID])}
		if c.wants(&l) {
			out = append(out, l)
		}
	}
	if c.JSON {
		enc := json.NewEncoder(e.Out)
		for _, l := range out {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(out) == 0 {
		words := "No device is like that.\n"
		if len(desk.reg.Devices()) == 0 {
			words = "No devices yet: add some with 'bluelamp device import', or in the control room.\n"
		}
		_, err := fmt.Fprint(e.Out, words)
		return err
	}
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tKIND\tPREMISES\tSTATE\tLAST HEARD\tNEEDS")
	for _, l := range out {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Name, cmp.Or(l.Kind, "-"), cmp.Or(l.Premises, "-"), l.state(),
			whenHeard(l.Vitals.LastHeard), cmp.Or(strings.Join(l.Needs, ", "), "-"))
	}
	return w.Flush()
}

func (l *listedDevice) state() string {
	switch {
	case l.Revoked:
		return "revoked"
	case l.Vitals.State == "":
		return "unheard"
	}
	return string(l.Vitals.State)
}

func (c deviceListCmd) wants(l *listedDevice) bool {
	switch {
	case c.Premises != "" && l.Premises != c.Premises, c.Kind != "" && !strings.EqualFold(l.Kind, c.Kind):
		return false
	case c.State == "attention" && len(l.Needs) == 0, c.State != "" && c.State != "attention" && c.State != l.state():
		return false
	}
	return l.Device.Matches(c.Words)
}

func whenHeard(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// deviceShowCmd shows one device.
type deviceShowCmd struct {
	ID      string `arg:"" help:"Id or alias of the device."`
	Purpose string `enum:",respond,safeguard,investigate,maintain,audit" default:"" help:"Why you open personal data: the owner, and what was sensed in a home. It is recorded."`
	Why     string `help:"A note on that, for the record."`
	JSON    bool   `name:"json" help:"Print it as JSON."`
}

// shownDevice is what is known of a device.
type shownDevice struct {
	*registry.Device
	Owner    *registry.Owner `json:"owner,omitempty"`
	Vitals   sense.Vitals    `json:"vitals"`
	Needs    []string        `json:"needs,omitempty"`
	Twins    []sense.Twin    `json:"twins,omitempty"`
	Values   []sense.Value   `json:"values,omitempty"`
	Withheld bool            `json:"withheld,omitempty"` // what was sensed, for want of a purpose

	kept string // why what it senses may be kept, or why not
}

// Run implements the command.
func (c deviceShowCmd) Run(e *env) error {
	desk, err := openDevices(e, true)
	if err != nil {
		return err
	}
	defer desk.close()
	d := desk.reg.Sensor(c.ID)
	if d == nil {
		return fmt.Errorf("%w: device %q: see 'bluelamp device list'", registry.ErrUnknown, c.ID)
	}
	s := shownDevice{Device: d}
	p, err := desk.reg.Premises(d.Premises)
	home := err == nil && p.Home()
	s.kept = d.Lawful()
	switch {
	case s.kept != "" || err != nil:
	case p.Basis != event.BasisNone:
		s.kept = strings.ReplaceAll(string(p.Basis), "_", " ") + ", the basis of its premises"
	case home:
		s.kept = "nothing is kept: neither the home nor the device states a lawful basis"
	}
	if c.Purpose != "" {
		err := desk.record(audit.Entry{
			Action: audit.RecordOpened, Operation: audit.Consultation, Object: "device/" + d.ID, Purpose: c.Purpose, Why: c.Why,
			Detail: map[string]string{"opened": "owner and readings of " + d.Name},
		})
		if err != nil {
			return fmt.Errorf("nothing is shown, since it could not be recorded: %w", err)
		}
		s.Owner = &d.Owner
	}
	if s.Vitals, err = desk.q.VitalsOf(e.ctx, d.ID); err != nil {
		return err
	}
	s.Needs = sense.Needs(d, s.Vitals)
	if s.Twins, err = desk.q.Twins(e.ctx, d.ID); err != nil {
		return err
	}
	if s.Withheld = home && c.Purpose == ""; !s.Withheld {
		if s.Values, err = desk.q.Values(e.ctx, d.ID); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(s)
	}
	return s.print(e)
}

func (s *shownDevice) print(e *env) error {
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("Device", s.ID+", "+s.Name)
	line("Kind", strings.Join(slices.DeleteFunc([]string{s.Kind, s.Maker, s.Model}, func(t string) bool { return t == "" }), ", "))
	line("Premises", s.Premises)
	l := listedDevice{s.Device, s.Vitals, s.Needs}
	line("State", l.state()+", last heard "+whenHeard(s.Vitals.LastHeard))
	line("Needs", strings.Join(s.Needs, ", "))
	if s.Reporting > 0 {
		line("Promises", "to speak every "+s.Reporting.String())
	}
	line("Kept because", s.kept)
	if s.Retain != "" {
		line("Kept for", string(s.Retain))
	}
	if s.Owner != nil {
		line("Owner", strings.TrimSuffix(s.Owner.Name+", "+s.Owner.Contact, ", "))
	}
	if s.EnrolledAt != nil {
		line("Enrolled", whenHeard(*s.EnrolledAt)+", invited by "+cmp.Or(s.EnrolledBy, "nobody known"))
	}
	for i := range s.Twins {
		t := &s.Twins[i]
		line("", "")
		fmt.Fprintf(w, "\n%s\t%s, %s, %s\n", t.Device, t.Source, heardAs(t), count(int(t.Observations), "observation"))
		line("  health", t.HealthWords())
		line("  clock", t.ClockWords())
		for _, v := range s.Values {
			if v.Device == t.Device && v.Source == t.Source {
				line("  "+v.What(), v.Words()+"  ("+whenHeard(v.Time)+")")
			}
		}
	}
	if s.Withheld {
		line("\nWhat it senses", "is personal data of a home: say why you need it with --purpose, which is recorded")
	}
	return w.Flush()
}
