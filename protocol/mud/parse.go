package mud

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"sort"
	"strings"
	"time"
)

// Parse reads a MUD file. It is strict about what a verdict depends on, and names
// the rest that it does not understand in Ignored.
//
// Errors: ErrTooLarge, ErrInvalid.
func Parse(data []byte) (*Profile, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), MaxFile)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if f.MUD == nil {
		return nil, fmt.Errorf("%w: it has no ietf-mud:mud", ErrInvalid)
	}
	p, err := f.MUD.profile()
	if err != nil {
		return nil, err
	}
	lists := map[string]*accessList{}
	for _, ls := range []*accessLists{f.ACLs, f.OldACLs} {
		if ls == nil {
			continue
		}
		for i := range ls.ACL {
			l := &ls.ACL[i]
			if lists[l.Name] != nil {
				return nil, fmt.Errorf("%w: two access lists are called %.64q", ErrInvalid, l.Name)
			}
			lists[l.Name] = l
		}
	}
	c := compiler{p: p, lists: lists, ignored: map[string]bool{}}
	if p.From, err = c.policy(f.MUD.From); err != nil {
		return nil, err
	}
	if p.To, err = c.policy(f.MUD.To); err != nil {
		return nil, err
	}
	for what := range c.ignored {
		p.Ignored = append(p.Ignored, what)
	}
	sort.Strings(p.Ignored)
	return p, nil
}

// file is the JSON of a MUD file (RFC 8520 section 2, RFC 8519).
type file struct {
	MUD     *mudPart     `json:"ietf-mud:mud"`
	ACLs    *accessLists `json:"ietf-access-control-list:acls"`
	OldACLs *accessLists `json:"ietf-access-control-list:access-lists"` // of drafts, and in files that followed them
}

type mudPart struct {
	Version       int      `json:"mud-version"`
	URL           string   `json:"mud-url"`
	LastUpdate    string   `json:"last-update"`
	CacheValidity *uint8   `json:"cache-validity"`
	Supported     bool     `json:"is-supported"`
	SystemInfo    string   `json:"systeminfo"`
	Maker         string   `json:"mfg-name"`
	Model         string   `json:"model-name"`
	Firmware      string   `json:"firmware-rev"`
	Software      string   `json:"software-rev"`
	Documentation string   `json:"documentation"`
	Signature     string   `json:"mud-signature"`
	Extensions    []string `json:"extensions"`
	From          policy   `json:"from-device-policy"`
	To            policy   `json:"to-device-policy"`
}

type policy struct {
	Lists struct {
		List []struct {
			Name string `json:"name"`
		} `json:"access-list"`
	} `json:"access-lists"`
}

type accessLists struct {
	ACL []accessList `json:"acl"`
}

type accessList struct {
	Name string `json:"name"`
	Type string `json:"type"`
	ACEs struct {
		ACE []struct {
			Name    string                     `json:"name"`
			Matches map[string]json.RawMessage `json:"matches"`
			Actions struct {
				Forwarding string `json:"forwarding"`
			} `json:"actions"`
		} `json:"ace"`
	} `json:"aces"`
}

// defaultValidity is how long a file holds that does not say (RFC 8520).
const defaultValidity = 48 * time.Hour

func (m *mudPart) profile() (*Profile, error) {
	u, err := url.Parse(m.URL)
	switch {
	case m.Version != 1:
		return nil, fmt.Errorf("%w: mud-version is %d, and only 1 is known", ErrInvalid, m.Version)
	case err != nil || u.Scheme == "" || u.Host == "":
		return nil, fmt.Errorf("%w: mud-url %.200q is no URL", ErrInvalid, m.URL)
	}
	p := &Profile{
		URL: m.URL, Version: m.Version, CacheValidity: defaultValidity, Supported: m.Supported, SystemInfo: m.SystemInfo, Maker: m.Maker, Model: m.Model,
		Firmware: m.Firmware, Software: m.Software, Documentation: m.Documentation, Signature: m.Signature, Extensions: m.Extensions,
	}
	if m.CacheValidity != nil {
		p.CacheValidity = time.Duration(*m.CacheValidity) * time.Hour
	}
	if m.LastUpdate != "" {
		if p.LastUpdate, err = time.Parse(time.RFC3339, m.LastUpdate); err != nil {
			return nil, fmt.Errorf("%w: last-update %.64q is no time", ErrInvalid, m.LastUpdate)
		}
	}
	return p, nil
}

// compiler makes rules of access lists.
type compiler struct {
	p       *Profile
	lists   map[string]*accessList
	rules   int
	ignored map[string]bool
}

func (c *compiler) policy(pol policy) (rules []Rule, err error) {
	for _, ref := range pol.Lists.List {
		l := c.lists[ref.Name]
		if l == nil {
			return nil, fmt.Errorf("%w: there is no access list %.64q, which its policy names", ErrInvalid, ref.Name)
		}
		for i := range l.ACEs.ACE {
			if c.rules++; c.rules > MaxRules {
				return nil, fmt.Errorf("%w: more than %d rules", ErrTooLarge, MaxRules)
			}
			e := &l.ACEs.ACE[i]
			r := Rule{List: l.Name, Name: e.Name}
			switch e.Actions.Forwarding {
			case "accept", "ietf-access-control-list:accept":
				r.Accept = true
			case "drop", "reject", "ietf-access-control-list:drop", "ietf-access-control-list:reject":
			default:
				return nil, fmt.Errorf("%w: rule %.64q neither accepts nor drops, but says %.64q", ErrInvalid, e.Name, e.Actions.Forwarding)
			}
			switch {
			case strings.Contains(l.Type, "ipv4") && !strings.Contains(l.Type, "ipv6"):
				r.IPVersion = 4
			case strings.Contains(l.Type, "ipv6") && !strings.Contains(l.Type, "ipv4"):
				r.IPVersion = 6
			}
			if err := c.matches(&r, e.Matches); err != nil {
				return nil, fmt.Errorf("%w: rule %.64q of %.64q: %w", ErrInvalid, e.Name, l.Name, err)
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// ignore notes a condition that is not understood; the rule matches nothing then.
func (c *compiler) ignore(r *Rule, what string) {
	r.ignored = true
	c.ignored[what] = true
}

// matches takes the parts of a rule's conditions.
func (c *compiler) matches(r *Rule, parts map[string]json.RawMessage) error {
	for _, name := range sorted(parts) {
		raw := parts[name]
		var err error
		switch bare(name) {
		case "ipv4":
			r.IPVersion, err = 4, c.network(r, raw)
		case "ipv6":
			r.IPVersion, err = 6, c.network(r, raw)
		case "tcp":
			err = c.transport(r, raw, protoTCP)
		case "udp":
			err = c.transport(r, raw, protoUDP)
		case "icmp":
			err = c.icmp(r, raw)
		case "mud":
			err = c.peer(r, raw)
		default:
			c.ignore(r, fmt.Sprintf("matches %.64q", name))
		}
		if err != nil {
			return fmt.Errorf("%.64s: %w", name, err)
		}
	}
	return nil
}

// bare cuts the module's name from a JSON name: "ietf-acldns:dst-dnsname".
func bare(name string) string {
	if _, after, ok := strings.Cut(name, ":"); ok {
		return after
	}
	return name
}

func sorted(m map[string]json.RawMessage) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// network takes the conditions of an IP header.
func (c *compiler) network(r *Rule, raw json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	for _, name := range sorted(fields) {
		v := fields[name]
		var err error
		switch bare(name) {
		case "protocol":
			err = setProtocol(r, v)
		case "src-dnsname":
			r.SrcName, err = dnsName(v)
		case "dst-dnsname":
			r.DstName, err = dnsName(v)
		case "source-ipv4-network", "source-ipv6-network":
			r.Src, err = prefix(v)
		case "destination-ipv4-network", "destination-ipv6-network":
			r.Dst, err = prefix(v)
		default:
			c.ignore(r, fmt.Sprintf("IP condition %.64q", name))
		}
		if err != nil {
			return fmt.Errorf("%.64s: %w", name, err)
		}
	}
	return nil
}

func setProtocol(r *Rule, v json.RawMessage) error {
	var n uint8
	if err := json.Unmarshal(v, &n); err != nil {
		return err
	}
	return r.setProtocol(n)
}

func (r *Rule) setProtocol(n uint8) error {
	if r.Protocol != nil && *r.Protocol != n {
		return fmt.Errorf("protocol is %d and %d at once", *r.Protocol, n)
	}
	r.Protocol = &n
	return nil
}

func dnsName(v json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", err
	}
	s = CanonicalName(s)
	if s == "" || len(s) > 253 {
		return "", fmt.Errorf("%.64q is no name", s)
	}
	return s, nil
}

// CanonicalName gives a DNS name the form in which names are compared.
func CanonicalName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func prefix(v json.RawMessage) (netip.Prefix, error) {
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return netip.Prefix{}, err
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}
