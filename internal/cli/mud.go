package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/suricata"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
	"github.com/bluelamp/bluelamp/protocol/mud"
)

// mudCmd works on manufacturers' usage descriptions.
type mudCmd struct {
	Show  mudShowCmd  `cmd:"" help:"Say in words what a MUD file allows."`
	Check mudCheckCmd `cmd:"" help:"Say what of a device's recorded traffic is outside its MUD file."`
}

// readProfile reads a MUD file.
func readProfile(name string) (*mud.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the MUD file: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, mud.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	p, err := mud.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// mudShowCmd prints a MUD file in words.
type mudShowCmd struct {
	File string `arg:"" help:"MUD file (RFC 8520)." type:"path"`
}

// Help adds to the command's help.
func (mudShowCmd) Help() string {
	return "The file's signature is not checked: be sure that you have it from its maker."
}

// Run implements the command.
func (c mudShowCmd) Run(e *env) error {
	p, err := readProfile(c.File)
	if err != nil {
		return err
	}
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(e.Out, "%-12s %s\n", name, value)
		}
	}
	line("URL", p.URL)
	line("device", p.SystemInfo)
	line("maker", p.Maker)
	line("model", p.Model)
	line("firmware", p.Firmware)
	line("supported", yesNo(p.Supported))
	if !p.LastUpdate.IsZero() {
		line("updated", p.LastUpdate.UTC().Format(time.RFC3339))
	}
	show := func(title string, rules []mud.Rule) {
		fmt.Fprintf(e.Out, "\n%s\n", title)
		if len(rules) == 0 {
			fmt.Fprintln(e.Out, "  nothing")
		}
		for i := range rules {
			verb := "allow"
			if !rules[i].Accept {
				verb = "forbid"
			}
			fmt.Fprintf(e.Out, "  %-6s %s   [%s/%s]\n", verb, &rules[i], rules[i].List, rules[i].Name)
		}
	}
	show("What the device may begin:", p.From)
	show("What may be begun with it:", p.To)
	if len(p.Ignored) > 0 {
		fmt.Fprintf(e.Out, "\nNot understood, so rules that have it match nothing: %s\n", strings.Join(p.Ignored, ", "))
	}
	return nil
}

// mudCheckCmd compares recorded traffic with a MUD file.
type mudCheckCmd struct {
	File   string         `arg:"" help:"MUD file (RFC 8520)." type:"path"`
	Device string         `required:"" help:"The device's address." placeholder:"ADDRESS"`
	Zeek   []string       `name:"conn" help:"Zeek logs: conn.log, and dns.log for the names of hosts." type:"path" placeholder:"FILE,..."`
	EVE    []string       `name:"eve" help:"Suricata EVE files." type:"path" placeholder:"FILE,..."`
	Local  []netip.Prefix `help:"Local networks; by default private addresses." placeholder:"NETWORK,..."`
	JSON   bool           `name:"json" help:"Print each conversation as a JSON object on a line."`
}

// Help adds to the command's help.
func (mudCheckCmd) Help() string {
	return `Conversations of one kind (who began it, protocol, host and port) are told together.
Names are those that were looked up in the same files. Where a rule depends on
something that is not in the files, such as a name that nobody looked up, the
conversation is told as unsure. The MUD file's signature is not checked.`
}

// talk is a kind of conversation.
type talk struct {
	flow  mud.Flow
	began mud.Direction
}

// talked is how often it was had.
type talked struct {
	talk
	count       int
	first, last time.Time
	verdict     mud.Verdict
}

// mudCheck gathers what a device did.
type mudCheck struct {
	device  netip.Addr
	sources bool // the profile has conditions on the port of who begins
	talks   map[talk]*talked
	names   map[netip.Addr][]string
	flows   int
	partial int // whose beginning was not seen
	unread  int
	errs    io.Writer
}

// Bounds of what a check holds.
const (
	maxTalks        = 500_000 // kinds of conversation
	maxNamed        = 500_000 // addresses
	maxNamesAnAddr  = 64
	maxMUDComplaint = 20
)

var errManyTalks = errors.New("the device has had too many kinds of conversation to list: give files of a shorter time")

// Run implements the command.
func (c mudCheckCmd) Run(e *env) error {
	p, err := readProfile(c.File)
	if err != nil {
		return err
	}
	device, err := netip.ParseAddr(c.Device)
	if err != nil {
		return usageError{fmt.Errorf("--device: %w: give an address such as 192.0.2.7", err)}
	}
	if len(c.Zeek)+len(c.EVE) == 0 {
		return usageError{errors.New("give the recorded traffic with --conn or --eve")}
	}
	m := mudCheck{device: device.Unmap(), sources: asksSource(p.From) || asksSource(p.To), talks: map[talk]*talked{}, names: map[netip.Addr][]string{}, errs: e.Err}
	for _, name := range c.Zeek {
		if err := m.read(name, zeek.File); err != nil {
			return err
		}
	}
	for _, name := range c.EVE {
		if err := m.read(name, suricata.File); err != nil {
			return err
		}
	}
	return c.report(e, &m, p)
}

// asksSource reports rules on the port of who begins. Else that port, which is
// another each time, does not make a kind of conversation.
func asksSource(rules []mud.Rule) bool {
	return slices.ContainsFunc(rules, func(r mud.Rule) bool { return r.SrcPort != nil })
}

type fileReader func(name string, src io.Reader) iter.Seq2[*event.Observation, error]

func (m *mudCheck) read(name string, file fileReader) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("opening recorded traffic: %w", err)
	}
	defer func() { _ = f.Close() }()
	for o, err := range file(name, f) {
		switch {
		case err != nil:
			if m.unread++; m.unread <= maxMUDComplaint {
				fmt.Fprintln(m.errs, "not read:", err)
			}
		case o.DNS != nil:
			m.name(o.DNS)
		case o.Flow != nil:
			if err := m.add(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// name notes which addresses a name has.
func (m *mudCheck) name(d *event.DNS) {
	if d.Query == "" {
		return
	}
	for _, text := range d.Answers {
		a, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		a = a.Unmap()
		known := m.names[a]
		if slices.Contains(known, d.Query) || len(known) >= maxNamesAnAddr || len(known) == 0 && len(m.names) >= maxNamed {
			continue
		}
		m.names[a] = append(known, d.Query)
	}
}

// add counts a conversation of the device.
func (m *mudCheck) add(o *event.Observation) error {
	f := o.Flow
	t := talk{began: mud.FromDevice, flow: mud.Flow{Proto: protocolNumber(f.Proto, f.Orig)}}
	orig, resp, source := f.Orig.Unmap(), f.Resp.Unmap(), f.OrigPort
	if !m.sources {
		source = 0
	}
	switch m.device {
	case orig:
		t.flow.Device, t.flow.DevicePort, t.flow.Remote, t.flow.RemotePort = orig, source, resp, f.RespPort
	case resp:
		t.began = mud.ToDevice
		t.flow.Device, t.flow.DevicePort, t.flow.Remote, t.flow.RemotePort = resp, f.RespPort, orig, source
	default:
		return nil
	}
	m.flows++
	if f.Proto == "icmp" {
		t.flow.ICMPType, t.flow.ICMPCode = uint8(min(f.OrigPort, 255)), uint8(min(f.RespPort, 255))
		t.flow.RemotePort, t.flow.DevicePort = 0, 0
	}
	if f.Proto == "tcp" && (f.State == "OTH" || f.State == "SHR" || f.State == "RSTRH") {
		m.partial++ // who began it is a guess
		return nil
	}
	had := m.talks[t]
	if had == nil {
		if len(m.talks) >= maxTalks {
			return errManyTalks
		}
		had = &talked{talk: t, first: o.Time, last: o.Time}
		m.talks[t] = had
	}
	had.count++
	if o.Time.Before(had.first) {
		had.first = o.Time
	}
	if o.Time.After(had.last) {
		had.last = o.Time
	}
	return nil
}

// protocolNumber is the IP protocol's (IANA); 0 for one that is not named here.
func protocolNumber(name string, a netip.Addr) uint8 {
	switch {
	case name == "tcp":
		return 6
	case name == "udp":
		return 17
	case name == "icmp" && a.Is6() && !a.Is4In6():
		return 58
	case name == "icmp":
		return 1
	case name == "sctp":
		return 132
	}
	return 0
}

// report judges what was gathered, and prints what is not within.
func (c mudCheckCmd) report(e *env, m *mudCheck, p *mud.Profile) error {
	net := &mud.Network{Local: c.Local, Names: func(a netip.Addr) []string { return m.names[a] }}
	outside, unsure := 0, 0
	var told []*talked
	for _, t := range m.talks {
		t.verdict = p.Allows(t.flow, t.began, net)
		switch {
		case t.verdict.Allowed:
			continue
		case t.verdict.Unsure:
			unsure += t.count
		default:
			outside += t.count
		}
		told = append(told, t)
	}
	slices.SortFunc(told, func(a, b *talked) int {
		return cmp.Or(a.first.Compare(b.first), strings.Compare(a.verdict.Reason, b.verdict.Reason))
	})
	for _, t := range told {
		if err := c.print(e.Out, t); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.Err, "%s of %s: %d outside, %d unsure, %d not judged since their beginning was not seen, %s not read\n",
		count(m.flows, "conversation"), m.device, outside, unsure, m.partial, count(m.unread, "line"))
	if m.flows == 0 {
		return fmt.Errorf("no conversation of %s is in the files: is that its address?", m.device)
	}
	return nil
}

func (c mudCheckCmd) print(w io.Writer, t *talked) error {
	word := "outside"
	if t.verdict.Unsure {
		word = "unsure"
	}
	if c.JSON {
		return json.NewEncoder(w).Encode(struct {
			Verdict string     `json:"verdict"`
			Count   int        `json:"count"`
			First   time.Time  `json:"first"`
			Last    time.Time  `json:"last"`
			Remote  netip.Addr `json:"remote"`
			Rule    string     `json:"rule,omitempty"`
			Reason  string     `json:"reason"`
		}{word, t.count, t.first.UTC(), t.last.UTC(), t.flow.Remote, t.verdict.Rule, t.verdict.Reason})
	}
	_, err := fmt.Fprintf(w, "%s  %-7s %8s  %s\n", t.first.UTC().Format(time.RFC3339), word, count(t.count, "time"), t.verdict.Reason)
	return err
}
