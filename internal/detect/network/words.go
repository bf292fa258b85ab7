package network

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// sure turns evidence into a score: the share of doors that stayed shut, times
// 0.7 at the threshold and 0.1 more with each doubling, up to 1.
func sure(share float64, count, need int) float64 {
	s := share * min(1, 0.7+0.1*math.Log2(max(1, float64(count)/float64(need))))
	return math.Round(100*min(s, 0.99)) / 100
}

func (s *Scan) describeHorizontal(o *source) Finding {
	var ports []port
	hosts := make(map[netip.Addr]bool)
	for p, t := range o.Ports {
		if t.Hit {
			ports = append(ports, p)
		}
	}
	slices.SortFunc(ports, func(a, b port) int {
		return cmp.Or(cmp.Compare(o.Ports[b].Shut, o.Ports[a].Shut), comparePorts(a, b))
	})
	for d := range o.Doors {
		if t := o.Ports[d.Port]; t.Hit {
			hosts[d.Addr] = true
		}
	}
	top := o.Ports[ports[0]]
	where := portNames(ports, 5)
	reason := fmt.Sprintf("%s tried %s on %s hosts in %s; %.0f %% of them gave no service there.",
		o.Addr, where, s.atLeast(len(hosts), len(o.Doors)), span(o.Horizontal), 100*top.share())
	advice := "If this host is one of yours, treat it as infected: isolate it and look for what runs on it. Else block the address."
	return Finding{
		Kind: event.KindScanHorizontal, Subject: o.Addr, Sources: 1, Targets: len(hosts), Ports: len(ports),
		Score: sure(top.share(), top.Shut, s.needHosts(ports[0])), Reason: reason, Advice: advice,
	}
}

func (s *Scan) describeVertical(o *source) Finding {
	var hosts []netip.Addr
	ports := make(map[port]bool)
	for h, t := range o.Hosts {
		if t.Hit {
			hosts = append(hosts, h)
		}
	}
	slices.SortFunc(hosts, func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(o.Hosts[b].Shut, o.Hosts[a].Shut), a.Compare(b))
	})
	for d := range o.Doors {
		if o.Hosts[d.Addr].Hit {
			ports[d.Port] = true
		}
	}
	top := o.Hosts[hosts[0]]
	f := Finding{Kind: event.KindScanVertical, Subject: o.Addr, Sources: 1, Targets: len(hosts), Ports: len(ports)}
	on := hosts[0].String()
	if len(hosts) == 1 {
		f.Target = hosts[0]
	} else {
		on = fmt.Sprintf("each of %d hosts (most on %s)", len(hosts), hosts[0])
	}
	f.Reason = fmt.Sprintf("%s tried up to %s ports on %s in %s; %.0f %% of them were shut.",
		o.Addr, s.atLeast(top.Shut+top.Open, len(o.Doors)), on, span(o.Vertical), 100*top.share())
	f.Score = sure(top.share(), top.Shut, s.cfg.VerticalPorts)
	f.Advice = "Check which ports of the target answered, and whether they should. Block the address, or ask its owner."
	return f
}

func (s *Scan) describeGuess(o *source, d door) Finding {
	g := o.Guesses[d]
	f := Finding{Kind: event.KindBruteForce, Subject: o.Addr, Target: d.Addr, Sources: 1, Targets: 1, Ports: 1}
	failed := g.Failed + g.Unclear
	at := fmt.Sprintf("%s on %s port %d", g.Service, d.Addr, d.Port.Number)
	if failed > 0 {
		f.Reason = fmt.Sprintf("%s tried %d times in %s to log in to %s: %d refused, %d of unknown outcome, %d accepted.",
			o.Addr, failed+g.Entered, span(g.Finding), at, g.Failed, g.Unclear, g.Entered)
		known := float64(g.Failed) / float64(failed)
		f.Score = sure(0.8+0.2*known, failed, s.cfg.Guesses)
	} else {
		f.Reason = fmt.Sprintf("%s opened %d sessions of the size of a failed log-in to %s in %s. The service's own log was not seen.",
			o.Addr, g.Sessions.Shut, at, span(g.Finding))
		f.Score = sure(0.8, g.Sessions.Shut, s.cfg.Guesses)
	}
	f.Advice = "Block the address; see that the service takes keys or strong passwords only."
	if g.After > 0 {
		f.Reason += " It got in after its guesses."
		f.Advice = "Treat the host as taken over: isolate it, change its passwords, and keep its logs as evidence."
		f.Score = 0.99
	}
	return f
}

func (s *Scan) describeInbound(t *target) Finding {
	f := Finding{Kind: event.KindScanInbound, Subject: t.Addr, Target: t.Addr, Sources: len(t.Sources), Targets: 1, Ports: len(t.Ports)}
	ports := make([]port, 0, len(t.Ports))
	for p := range t.Ports {
		ports = append(ports, p)
	}
	slices.SortFunc(ports, func(a, b port) int { return cmp.Or(cmp.Compare(t.Ports[b], t.Ports[a]), comparePorts(a, b)) })
	var most []string
	for _, p := range ports[:min(3, len(ports))] {
		most = append(most, fmt.Sprintf("%s (%d)", p, t.Ports[p]))
	}
	more := ""
	if t.More {
		more = "at least "
	}
	f.Reason = fmt.Sprintf("%s%d outside addresses that %s never called tried %d of its ports in %s, mostly %s.",
		more, len(t.Sources), t.Addr, len(t.Ports), span(t.Finding), strings.Join(most, ", "))
	f.Score = 0.5
	f.Advice = "Probing of this kind meets every address on the internet. Keep the ports shut."
	if len(t.Answered) > 0 {
		open := make([]port, 0, len(t.Answered))
		for p := range t.Answered {
			open = append(open, p)
		}
		slices.SortFunc(open, comparePorts)
		f.Reason += fmt.Sprintf(" It answered on %s.", portNames(open, 5))
		f.Advice = "Close the ports that answered, or see that what listens there is meant for the internet and up to date."
		f.Score = 0.7
	}
	return f
}

func comparePorts(a, b port) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), strings.Compare(a.Proto, b.Proto))
}

func compareDoors(a, b door) int {
	return cmp.Or(a.Addr.Compare(b.Addr), comparePorts(a.Port, b.Port))
}

func sortedDoors(m map[door]*guess) []door {
	doors := make([]door, 0, len(m))
	for d := range m {
		doors = append(doors, d)
	}
	slices.SortFunc(doors, compareDoors)
	return doors
}

func portNames(ports []port, most int) string {
	var names []string
	for _, p := range ports[:min(most, len(ports))] {
		if p.Proto == "icmp" {
			names = append(names, fmt.Sprintf("ICMP type %d", p.Number))
			continue
		}
		names = append(names, p.String())
	}
	text := strings.Join(names, ", ")
	if rest := len(ports) - most; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// atLeast says so when the bound on doors was reached.
func (s *Scan) atLeast(n, doors int) string {
	if doors >= s.cfg.MaxDoors {
		return fmt.Sprintf("at least %d", n)
	}
	return fmt.Sprint(n)
}

// span says how long it went on, as one would say it.
func span(g *growing) string {
	d := g.Last.Sub(g.First)
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	case d >= time.Second:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	}
	return "under a second"
}
