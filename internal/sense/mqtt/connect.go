package mqtt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// errTurnedAway ends a connection whose CONNECT was refused.
var errTurnedAway = errors.New("turned away")

// Return codes of CONNACK in MQTT 3.1.1 (3.2.2.3).
const (
	v3Identifier    byte = 2
	v3Unavailable   byte = 3
	v3NotAuthorized byte = 5
)

// connect decides on a CONNECT packet. It takes the last will out of the broker's
// hands, since that would publish it past the log.
func (g *Gateway) connect(c *conn, cl *broker.Client, pk packets.Packet) error {
	c.client, c.version = cl, cl.Properties.ProtocolVersion
	c.fleeting = c.version < 5 && pk.Connect.Clean || c.version == 5 && pk.Properties.SessionExpiryInterval == 0
	turnAway := func(v5, v3 byte, result string) error {
		g.met.connects.WithLabelValues(result).Inc()
		if c.version == 5 {
			_, _ = c.Write([]byte{packets.Connack << 4, 3, 0, v5, 0})
		} else {
			_, _ = c.Write([]byte{packets.Connack << 4, 2, 0, v3})
		}
		return errTurnedAway
	}
	id, secret := string(pk.Connect.Username), string(pk.Connect.Password)
	if !g.logins.mayTry(g.now(), c.ip, id, g.isKnownAt(id, c.ip)) {
		return turnAway(codeConnectRate, v3Unavailable, "too many failures")
	}
	dev, err := g.registry.Authenticate(id, secret)
	if err != nil {
		g.failed(id, c.ip)
		return turnAway(codeCredential, v3NotAuthorized, "credential")
	}
	if pk.Connect.WillFlag {
		if err := Allowed(dev.ID, Publish, pk.Connect.WillTopic); err != nil {
			g.misuse.note(dev.ID, event.MisuseTopic, fmt.Sprintf("Its last will is for %.200q: %v.", pk.Connect.WillTopic, err), c.ip.String())
			return turnAway(codeNotAuthorized, v3NotAuthorized, "will")
		}
	}
	client := cl.ID
	if len(client) > maxClientID {
		return turnAway(codeClientID, v3Identifier, "client id")
	}
	a := g.account(dev)
	if c.session = a.admit(c, client, pk.Connect.Clean, g.cfg.Clients); c.session == nil {
		return turnAway(codeQuota, v3Unavailable, "too many clients")
	}
	c.account, c.secret = a, sha256.Sum256([]byte(secret))
	c.slots = make(chan struct{}, g.cfg.InFlight)
	cl.ID = dev.ID + "/" + client // sessions of different devices never meet
	g.takeWill(c, cl)
	c.takePace(cl)
	keep := time.Duration(cl.State.Keepalive) * time.Second
	if keep == 0 || keep > g.cfg.KeepAlive {
		keep = g.cfg.KeepAlive
		cl.State.Keepalive, cl.State.ServerKeepalive = uint16(keep/time.Second), true
	}
	c.idle = keep + keep/2 // [MQTT-3.1.2-22]
	c.device.Store(dev)
	g.met.connects.WithLabelValues("accepted").Inc()
	return nil
}

// account returns the account of a device, with its present limits.
func (g *Gateway) account(dev *registry.Device) *account {
	g.mu.Lock()
	a := g.accounts[dev.ID]
	if a == nil {
		a = newAccount(dev.ID)
		g.accounts[dev.ID] = a
	}
	g.mu.Unlock()
	a.setLimits(dev)
	return a
}

// isKnownAt reports whether a device has logged in from an address before.
func (g *Gateway) isKnownAt(id string, ip netip.Addr) bool {
	g.mu.Lock()
	a := g.accounts[id]
	g.mu.Unlock()
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.knownAt[ip.String()]
}

const maxKnownAt = 8 // addresses of good logins that are remembered for a device

// admit gives a client its session: the one that it had, if it wants that, or a
// new one; nil when the device has too many.
func (a *account) admit(c *conn, client string, clean bool, most int) *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.sessions[client]
	if old == nil && len(a.sessions) >= most && !a.makeRoom() {
		return nil
	}
	s := old
	if old == nil || clean || old.fleeting {
		s = newSession(a.id, client)
	}
	s.restored, s.fleeting = false, clean && c.version < 5
	a.sessions[client] = s
	if ip := c.ip.String(); !a.knownAt[ip] {
		if len(a.knownAt) >= maxKnownAt {
			clear(a.knownAt)
		}
		a.knownAt[ip] = true
	}
	return s
}

// makeRoom forgets a session that only the log remembered.
func (a *account) makeRoom() bool {
	for client, s := range a.sessions {
		if s.restored {
			delete(a.sessions, client)
			return true
		}
	}
	return false
}

// forget drops the session of a connection, unless another has it.
func (a *account) forget(c *conn) {
	client := strings.TrimPrefix(c.client.ID, a.id+"/")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions[client] == c.session {
		delete(a.sessions, client)
	}
}

// arrived notes that a connection stands.
func (g *Gateway) arrived(c *conn) {
	a := c.account
	client := strings.TrimPrefix(c.client.ID, a.id+"/")
	a.mu.Lock()
	a.conns[c] = true
	a.sessions[client] = c.session
	back := a.gone
	a.gone = false
	a.mu.Unlock()
	g.wills.cancel(c.session)
	// The registry may have changed between the login and now.
	if !g.stands(c) {
		_ = c.end(codeAdmin, "credential")
	}
	if back {
		g.present(a)
	}
}

// departed notes that a connection has ended.
func (g *Gateway) departed(c *conn, expire, takenOver bool) {
	a := c.account
	a.mu.Lock()
	delete(a.conns, c)
	a.mu.Unlock()
	if expire {
		a.forget(c)
	}
	if c.will != nil && !c.farewell.Load() && !c.silent.Load() {
		g.execute(c, expire, takenOver)
	}
}

// failed notes a login that failed.
func (g *Gateway) failed(id string, ip netip.Addr) {
	g.logins.failed(g.now(), ip, id)
	switch dev, err := g.registry.Device(id); {
	case err != nil:
		g.misuse.note("", event.MisuseCredential, fmt.Sprintf("Somebody logged in as %.64q, which is no device.", id), ip.String())
	case dev.Revoked:
		g.misuse.noteRevoked(id, event.MisuseCredential, fmt.Sprintf("The device %s logged in, and its enrolment has been revoked.", id), ip.String())
	default:
		g.misuse.note(id, event.MisuseCredential, "It logged in with a wrong or expired secret.", ip.String())
	}
}

// Bounds of failed logins: at once, and a second. Who is beyond them is turned
// away without a look at the secret.
const (
	pairBurst, pairRate = 10, 1.0 / 6 // of one device from one address
	wideBurst, wideRate = 200, 20.0   // from one address, and of one device
	maxTallies          = 20_000
)

// logins counts failed logins by address, by device and by both.
type logins struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

func loginKeys(ip netip.Addr, id string) [3]string {
	if len(id) > 64 {
		id = id[:64]
	}
	return [3]string{ip.String() + "/" + id, ip.String(), "/" + id}
}

// mayTry reports whether a login may be looked at. A device that is known at an
// address is not locked out of it by what others try in its name elsewhere, or by
// what others there try.
func (l *logins) mayTry(now time.Time, ip netip.Addr, id string, known bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, k := range loginKeys(ip, id) {
		if t := l.all[k]; t != nil && t.TokensAt(now) < 1 && (i == 0 || !known) {
			return false
		}
	}
	return true
}

func (l *logins) failed(now time.Time, ip netip.Addr, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) >= maxTallies {
		l.sweep(now)
	}
	for i, k := range loginKeys(ip, id) {
		t := l.all[k]
		if t == nil {
			if len(l.all) >= maxTallies && i != 1 {
				continue // the address still counts
			}
			if t = rate.NewLimiter(wideRate, wideBurst); i == 0 {
				t = rate.NewLimiter(pairRate, pairBurst)
			}
			l.all[k] = t
		}
		t.AllowN(now, 1)
	}
}

// sweep forgets those who have been quiet for long enough. An attacker with more
// addresses than there is room for makes it forget everyone.
func (l *logins) sweep(now time.Time) {
	for k, t := range l.all {
		if t.TokensAt(now) >= float64(t.Burst()) {
			delete(l.all, k)
		}
	}
	if len(l.all) >= maxTallies {
		clear(l.all)
	}
}
