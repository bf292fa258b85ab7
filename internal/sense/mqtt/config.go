package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// DefaultTCP is where the gateway listens without TLS unless told otherwise:
// for this machine only, since secrets would cross the network in the open.
const DefaultTCP = "127.0.0.1:1883"

// Defaults of the configuration.
const (
	// DefaultMaxConns is the most connections at once.
	DefaultMaxConns = 12_000
	// DefaultMaxConnsPerIP is the most connections of one address: many, since
	// all sensors of a city may stand behind one.
	DefaultMaxConnsPerIP = 6_000
	// DefaultClients is the most sessions of one device, connected or kept.
	DefaultClients = 32
	// DefaultInFlight is the most publishes of one connection that wait for their
	// commit together. It is also the receive maximum that MQTT 5 clients are told.
	DefaultInFlight = 64
	// DefaultMaxPacket is the largest packet, in bytes, whatever a device's own
	// limit says.
	DefaultMaxPacket = 1 << 20
	// DefaultKeepAlive is the longest time without a packet that a client may
	// choose; it applies, too, to a client that chooses none.
	DefaultKeepAlive = time.Hour
	// DefaultConnectTimeout is how long a connection may take until its CONNECT
	// is complete, TLS included.
	DefaultConnectTimeout = 10 * time.Second
	// DefaultWriteTimeout is how long a client may take to read what it is sent.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultSessionExpiry is the longest that the session of an absent client is
	// kept.
	DefaultSessionExpiry = 24 * time.Hour
	// DefaultPatience is how long a device that sends faster than its limit is
	// slowed down until it is cut off.
	DefaultPatience = 30 * time.Second
	// DefaultRetained is the most retained messages of a device.
	DefaultRetained = 1000
	// DefaultRetainedBytes is the most bytes of a device's retained messages,
	// topics included.
	DefaultRetainedBytes = 4 << 20

	maxConnect       = 16 << 10 // bytes of a CONNECT: more than a name, a secret and a last will need
	maxOther         = 64 << 10 // bytes of any other packet that is not a PUBLISH
	publishOverhead  = 4 << 10  // bytes of a PUBLISH beside its payload
	maxSubscriptions = 1024     // of a session
	maxQueuedAway    = 64       // messages kept for an absent client
	maxQueued        = DefaultRetained + 24
	maxUnreleased    = 1024 // QoS 2 messages of a session that the client has not released
	maxClientID      = 256
	keptFiles        = 512 // open files that connections leave to the rest of the process
	readBuffer       = 2 << 10
)

// Config says where to listen, and the bounds. Zero values mean the defaults.
type Config struct {
	TCP      string // host:port to listen on; empty: no plain TCP
	TLS      string // host:port to listen on with TLS; empty: no TLS
	Cert     string // PEM file of the certificate and its chain; needed with TLS
	Key      string // PEM file of its key; needed with TLS
	ClientCA string // PEM file of authorities; set: clients must show a certificate of one of them, besides their secret

	MaxConns      int
	MaxConnsPerIP int
	Clients       int
	InFlight      int
	MaxPacket     int
	KeepAlive     time.Duration
	SessionExpiry time.Duration
	Patience      time.Duration
	Retained      int
	RetainedBytes int

	ConnectTimeout time.Duration
	WriteTimeout   time.Duration

	// Dialects are those of the switchboard: what the broker remembers is told at
	// start to those that are a Rememberer.
	Dialects []sense.Dialect
}

// Rememberer is a dialect that wants to hear at start what devices had retained,
// such as what a home's sensors are called: nobody sends that again.
type Rememberer interface {
	// Remember takes a retained message, of which Received is when it first came.
	// It makes no observation. What it cannot read it leaves.
	Remember(m *sense.Message)
}

func (c Config) withDefaults() Config {
	setInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	setTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	setInt(&c.MaxConns, DefaultMaxConns)
	setInt(&c.MaxConnsPerIP, DefaultMaxConnsPerIP)
	setInt(&c.Clients, DefaultClients)
	setInt(&c.InFlight, DefaultInFlight)
	c.InFlight = min(c.InFlight, 1<<16-1)
	setInt(&c.MaxPacket, DefaultMaxPacket)
	setInt(&c.Retained, DefaultRetained)
	c.Retained = min(c.Retained, DefaultRetained) // a newcomer's queue must hold them all
	setInt(&c.RetainedBytes, DefaultRetainedBytes)
	setTime(&c.KeepAlive, DefaultKeepAlive)
	c.KeepAlive = min(max(c.KeepAlive, time.Second), 10*time.Hour) // MQTT says it in 16 bits of seconds
	setTime(&c.SessionExpiry, DefaultSessionExpiry)
	setTime(&c.Patience, DefaultPatience)
	setTime(&c.ConnectTimeout, DefaultConnectTimeout)
	setTime(&c.WriteTimeout, DefaultWriteTimeout)
	return c
}

// errAuthorities: the file of client authorities holds no certificate.
var errAuthorities = errors.New("no certificate in PEM form")

// tlsConfig reads the certificate, its key and the clients' authorities.
func (c Config) tlsConfig() (*tls.Config, error) {
	if c.Cert == "" || c.Key == "" {
		return nil, fmt.Errorf("MQTT over TLS on %s needs a certificate and its key: name both files", c.TLS)
	}
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s and key %s for MQTT: %w", c.Cert, c.Key, err)
	}
	out := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if c.ClientCA == "" {
		return out, nil
	}
	pem, err := os.ReadFile(c.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities of MQTT clients: %w", err)
	}
	out.ClientCAs, out.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !out.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the authorities of MQTT clients from %s: %w", c.ClientCA, errAuthorities)
	}
	return out, nil
}
