package city

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Flow is a connection as the network monitor at the fibre exchange sums it up:
// a row of Zeek's conn.log.
type Flow struct {
	Start    time.Time
	Duration time.Duration
	UID      string
	Orig     netip.AddrPort
	Resp     netip.AddrPort
	Proto    string // "tcp" or "udp"
	Service  string
	State    string // Zeek's conn_state
	History  string

	OrigBytes, RespBytes, OrigPackets, RespPackets int

	// Attack names the attack that the connection is part of, "" for ordinary
	// traffic. It is the yardstick for detectors and is not in the log.
	Attack string
}

// End is when the connection is over, and the monitor writes it down.
func (f *Flow) End() time.Time { return f.Start.Add(f.Duration) }

// Traffic returns the homes' network connections from a moment on, endlessly, in
// the order in which a monitor writes them: by their end. Homes have addresses
// in 10.77.0.0/16; all beyond them lies in the ranges for documentation
// (RFC 5737, RFC 3849).
func (t *Town) Traffic(from time.Time, sc Scenario) iter.Seq[Flow] {
	return func(yield func(Flow) bool) {
		from = from.UTC()
		queue := t.networkOpening(from, sc)
		for hour := from.Truncate(time.Hour).Add(-time.Hour); ; hour = hour.Add(time.Hour) {
			for _, f := range t.hourOfTraffic(hour, sc) {
				if !f.End().Before(from) {
					queue = append(queue, f)
				}
			}
			slices.SortStableFunc(queue, func(a, b Flow) int {
				return cmp.Or(a.End().Compare(b.End()), cmp.Compare(a.UID, b.UID))
			})
			next := hour.Add(time.Hour)
			for len(queue) > 0 && queue[0].End().Before(next) {
				if !yield(queue[0]) {
					return
				}
				queue = queue[1:]
			}
			queue = slices.Clone(queue)
		}
	}
}

// hourOfTraffic returns all connections that begin in the hour, and the attacks
// that do, whole.
func (t *Town) hourOfTraffic(hour time.Time, sc Scenario) []Flow {
	stamp := uint64(hour.Unix() / 3600)
	r := draw(t.seed, "flows", stamp)
	// People sleep, their devices less.
	awake := 0.3 + 0.7*math.Pow(math.Sin(math.Pi*(float64(hour.Hour())+1)/25), 2)
	n := int(sc.FlowsPerMinute * 60 * awake)
	out := make([]Flow, 0, n)
	for range n {
		start := hour.Add(time.Duration(r.Int64N(int64(time.Hour))).Truncate(time.Microsecond))
		out = append(out, t.ordinary(r, start))
	}
	for kind, attack := range attacks {
		r := draw(t.seed, "attacks", stamp, uint64(kind))
		for k := range poisson(r, sc.NetworkPerDay[attack]/24) {
			start := hour.Add(time.Duration(r.Int64N(int64(time.Hour))).Truncate(time.Microsecond))
			name := fmt.Sprintf("%s/%s/%d", attack, hour.Format("2006010215"), k+1)
			out = append(out, t.attack(r, attack, name, start)...)
		}
	}
	return out
}

// home returns the address of a device in a home; the fourth is its camera.
func (t *Town) home(building, device int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, byte(building / 50), byte(1 + building%50*5 + device)})
}

// ordinary draws a connection of everyday life.
func (t *Town) ordinary(r *rand.Rand, start time.Time) Flow {
	house, device := r.IntN(len(t.buildings)), r.IntN(4)
	f := Flow{
		Start: start, UID: uid(r), Proto: "tcp", State: "SF", History: "ShADadFf",
		Orig: netip.AddrPortFrom(t.home(house, device), uint16(32768+r.IntN(28000))),
	}
	server := func(last int, port uint16) {
		f.Resp = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(last)}), port)
	}
	switch x := r.Float64(); {
	case x < 0.34:
		f.Proto, f.Service, f.History = "udp", "dns", "Dd"
		f.Resp = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 53}), 53)
		f.sized(r, time.Millisecond, 40*time.Millisecond, 45, 180, 1)
	case x < 0.40:
		f.Proto, f.Service, f.History = "udp", "ntp", "Dd"
		f.Resp = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 123}), 123)
		f.sized(r, 5*time.Millisecond, 30*time.Millisecond, 48, 48, 1)
	case x < 0.55:
		server(1+r.IntN(200), 443)
		f.Proto, f.Service, f.History = "udp", "quic", "Dd"
		f.sized(r, 50*time.Millisecond, 20*time.Second, 2500, 60000, 30)
	case x < 0.62 && device == 3:
		server(201+r.IntN(4), 8883)
		f.Service = "ssl"
		f.sized(r, time.Second, 30*time.Second, 900, 700, 8)
	case x < 0.70:
		f.Orig = netip.AddrPortFrom(homeV6(house, device), f.Orig.Port())
		f.Resp = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0xff, 15: byte(1 + r.IntN(250))}), 443)
		f.Service = "ssl"
		f.sized(r, 80*time.Millisecond, 15*time.Second, 1800, 40000, 24)
	case x < 0.985:
		server(1+r.IntN(200), 443)
		f.Service = "ssl"
		f.sized(r, 60*time.Millisecond, 12*time.Second, 1500, 30000, 20)
	default:
		server(1+r.IntN(250), pick(r, []uint16{80, 443, 5222}))
		f.State, f.History = pick(r, []string{"S0", "REJ", "RSTO"}), "S"
		f.OrigPackets = 1 + r.IntN(3)
	}
	return f
}

func homeV6(building, device int) netip.Addr {
	return netip.AddrFrom16([16]byte{
		0x20, 1, 0xd, 0xb8, 0, 0x77, byte(building >> 8), byte(building), 15: byte(16 + device),
	})
}

// sized draws duration and volume: most connections are short and small, a few
// neither.
func (f *Flow) sized(r *rand.Rand, low, high time.Duration, orig, resp, packets int) {
	x := math.Pow(r.Float64(), 4)
	f.Duration = (low + time.Duration(x*float64(high-low))).Truncate(time.Microsecond)
	grow := 0.6 + 0.8*r.Float64() + 4*x
	f.OrigBytes, f.RespBytes = int(float64(orig)*grow), int(float64(resp)*grow)
	f.OrigPackets = max(1, int(float64(packets)*grow*0.7))
	f.RespPackets = max(1, int(float64(packets)*grow))
}

// uid draws a connection's name as Zeek forms them.
func uid(r *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := [18]byte{'C'}
	for i := 1; i < len(b); i++ {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b[:])
}

var (
	townV4 = netip.MustParsePrefix("10.77.0.0/16")
	townV6 = netip.MustParsePrefix("2001:db8:77::/48")
)

func local(a netip.Addr) bool { return townV4.Contains(a) || townV6.Contains(a) }

// AppendJSON appends the flow as a line of Zeek's conn.log in JSON, with its
// line end. Fields that Zeek leaves out when unset are left out.
func (f *Flow) AppendJSON(b []byte) []byte {
	b = append(b, `{"ts":`...)
	b = appendSeconds(b, f.Start.UnixMicro())
	b = append(append(b, `,"uid":"`...), f.UID...)
	b = append(b, `","id.orig_h":"`...)
	b = f.Orig.Addr().AppendTo(b)
	b = strconv.AppendUint(append(b, `","id.orig_p":`...), uint64(f.Orig.Port()), 10)
	b = f.Resp.Addr().AppendTo(append(b, `,"id.resp_h":"`...))
	b = strconv.AppendUint(append(b, `","id.resp_p":`...), uint64(f.Resp.Port()), 10)
	b = append(append(append(b, `,"proto":"`...), f.Proto...), '"')
	if f.Service != "" {
		b = append(append(append(b, `,"service":"`...), f.Service...), '"')
	}
	if f.Duration > 0 {
		b = appendSeconds(append(b, `,"duration":`...), f.Duration.Microseconds())
		b = strconv.AppendInt(append(b, `,"orig_bytes":`...), int64(f.OrigBytes), 10)
		b = strconv.AppendInt(append(b, `,"resp_bytes":`...), int64(f.RespBytes), 10)
	}
	b = append(append(b, `,"conn_state":"`...), f.State...)
	b = strconv.AppendBool(append(b, `","local_orig":`...), local(f.Orig.Addr()))
	b = strconv.AppendBool(append(b, `,"local_resp":`...), local(f.Resp.Addr()))
	b = append(append(b, `,"missed_bytes":0,"history":"`...), f.History...)
	header := 28 // IP and UDP
	if f.Proto == "tcp" {
		header = 52
	}
	b = strconv.AppendInt(append(b, `","orig_pkts":`...), int64(f.OrigPackets), 10)
	b = strconv.AppendInt(append(b, `,"orig_ip_bytes":`...), int64(f.OrigBytes+f.OrigPackets*header), 10)
	b = strconv.AppendInt(append(b, `,"resp_pkts":`...), int64(f.RespPackets), 10)
	b = strconv.AppendInt(append(b, `,"resp_ip_bytes":`...), int64(f.RespBytes+f.RespPackets*header), 10)
	return append(b, "}\n"...)
}

// appendSeconds writes microseconds as seconds with six decimals.
func appendSeconds(b []byte, micros int64) []byte {
	b = strconv.AppendInt(b, micros/1e6, 10)
	return fmt.Appendf(b, ".%06d", micros%1e6)
}
