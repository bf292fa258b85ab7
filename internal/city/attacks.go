package city

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Attack is a kind of attack on the homes' network.
type Attack string

// Attacks.
const (
	HorizontalScan Attack = "horizontal-scan" // one port at many homes
	VerticalScan   Attack = "vertical-scan"   // many ports of one home
	SSHGuessing    Attack = "ssh-guessing"    // passwords of one device
	TelnetGuessing Attack = "telnet-guessing" // factory passwords of one camera
)

var attacks = []Attack{HorizontalScan, VerticalScan, SSHGuessing, TelnetGuessing}

// networkOpening plants a scan and a guesser in the scenario's first half hour.
func (t *Town) networkOpening(from time.Time, sc Scenario) []Flow {
	if !sc.Opening {
		return nil
	}
	r := draw(t.seed, "network opening", uint64(from.Unix()))
	var out []Flow
	for i, attack := range []Attack{HorizontalScan, TelnetGuessing, VerticalScan} {
		start := from.Add(time.Duration(5+8*i)*time.Minute + time.Duration(r.Int64N(int64(3*time.Minute)))).Truncate(time.Microsecond)
		out = append(out, t.attack(r, attack, fmt.Sprintf("%s/opening/%d", attack, i+1), start)...)
	}
	return out
}

// attack returns the connections of one attack.
func (t *Town) attack(r *rand.Rand, kind Attack, name string, start time.Time) []Flow {
	a := &assault{
		t: t, r: r, name: name, now: start,
		from: netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + r.IntN(254))}),
		to:   t.home(r.IntN(len(t.buildings)), 3),
	}
	switch kind {
	case HorizontalScan:
		a.scanHomes(pick(r, []uint16{23, 23, 2323, 22, 445, 8080}))
	case VerticalScan:
		a.scanPorts()
	case SSHGuessing:
		a.guess(22, "ssh", 40+r.IntN(80), 1400, 1900)
	case TelnetGuessing:
		a.guess(23, "", 24+r.IntN(40), 130, 420)
	}
	return a.flows
}

// assault is an attack while it is drawn.
type assault struct {
	t        *Town
	r        *rand.Rand
	name     string
	now      time.Time
	from, to netip.Addr
	flows    []Flow
}

func (a *assault) pause(low, high time.Duration) {
	a.now = a.now.Add(low + time.Duration(a.r.Int64N(int64(high-low))).Truncate(time.Microsecond))
}

func (a *assault) flow(to netip.Addr, port uint16) *Flow {
	a.flows = append(a.flows, Flow{
		Start: a.now, UID: uid(a.r), Proto: "tcp", State: "S0", History: "S", OrigPackets: 1, Attack: a.name,
		Orig: netip.AddrPortFrom(a.from, uint16(32768+a.r.IntN(28000))), Resp: netip.AddrPortFrom(to, port),
	})
	return &a.flows[len(a.flows)-1]
}

// answer draws what a probed port says: mostly nothing, often no.
func (a *assault) answer(f *Flow, refused, open float64) {
	switch x := a.r.Float64(); {
	case x < open:
		f.State, f.History = "RSTO", "ShAR"
		f.Duration = 30*time.Millisecond + time.Duration(a.r.IntN(40000))*time.Microsecond
		f.OrigPackets, f.RespPackets = 3, 1
	case x < open+refused:
		f.State, f.History, f.RespPackets = "REJ", "Sr", 1
		f.Duration = 20*time.Millisecond + time.Duration(a.r.IntN(30000))*time.Microsecond
	}
}

func (a *assault) scanHomes(port uint16) {
	for _, house := range a.r.Perm(len(a.t.buildings))[:150+a.r.IntN(200)] {
		a.answer(a.flow(a.t.home(house, a.r.IntN(4)), port), 0.22, 0.03)
		a.pause(80*time.Millisecond, 500*time.Millisecond)
	}
}

func (a *assault) scanPorts() {
	for _, port := range a.r.Perm(8192)[:250+a.r.IntN(300)] {
		a.answer(a.flow(a.to, uint16(1+port)), 0.86, 0.01)
		a.pause(20*time.Millisecond, 180*time.Millisecond)
	}
}

func (a *assault) guess(port uint16, service string, attempts, sent, got int) {
	for range attempts {
		f := a.flow(a.to, port)
		f.Service, f.State, f.History = service, "SF", "ShADadFf"
		f.Duration = 1200*time.Millisecond + time.Duration(a.r.IntN(1800000))*time.Microsecond
		f.OrigBytes, f.RespBytes = sent+a.r.IntN(40), got+a.r.IntN(60)
		f.OrigPackets, f.RespPackets = 11+a.r.IntN(4), 9+a.r.IntN(4)
		a.pause(900*time.Millisecond, 4*time.Second)
	}
}
