package lines

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

// Config sets where a Listener listens, and its bounds. The zero value of a bound
// means its default.
type Config struct {
	TCP      string // host:port; empty for none
	Cert     string // file (PEM); with Key it makes TCP speak TLS
	Key      string // file (PEM)
	ClientCA string // file (PEM) of those who sign monitors' certificates; empty: no certificates are asked for

	// From names the monitor (a device's id) behind an address or a network, whose
	// connections need not say who they are: "192.0.2.7" or "192.0.2.0/28". Without
	// TLS only these may connect, and this machine itself.
	From map[string]string
	// Sockets names the monitor behind each Unix socket, by its path.
	Sockets map[string]string

	MaxConns      int           // at once (256)
	MaxConnsPerIP int           // at once from one address (32)
	MaxStrangers  int           // at once that have not said who they are (32)
	MaxLine       int           // bytes of a line (1 MiB)
	Rate          float64       // lines a second of one connection; beyond it the sender waits (20,000)
	FirstTimeout  time.Duration // for a connection to say who it is (10 s)
	IdleTimeout   time.Duration // between lines (1 hour)
}

func (c Config) withDefaults() Config {
	c.MaxConns = or(c.MaxConns, 256)
	c.MaxConnsPerIP = or(c.MaxConnsPerIP, 32)
	c.MaxStrangers = or(c.MaxStrangers, 32)
	c.MaxLine = or(c.MaxLine, tail.DefaultMaxLine)
	c.Rate = or(c.Rate, 20_000)
	c.FirstTimeout = or(c.FirstTimeout, 10*time.Second)
	c.IdleTimeout = or(c.IdleTimeout, time.Hour)
	return c
}

func or[T int | float64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// Check reports what is wrong with the configuration by itself.
func (c *Config) Check() error {
	switch {
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("the monitors' TLS certificate and key go together: give both or neither")
	case c.ClientCA != "" && c.Cert == "":
		return errors.New("monitors' certificates are asked for over TLS only: give a certificate and a key too")
	}
	_, err := c.enrolled()
	return err
}

// enrolled reads From.
func (c *Config) enrolled() (map[netip.Prefix]string, error) {
	out := make(map[netip.Prefix]string, len(c.From))
	for from, device := range c.From {
		p, err := netip.ParsePrefix(from)
		if !strings.Contains(from, "/") {
			var a netip.Addr
			if a, err = netip.ParseAddr(from); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the monitor %s has the address %q: give one such as 192.0.2.7 or 192.0.2.0/28: %w", device, from, err)
		}
		out[p.Masked()] = device
	}
	return out, nil
}

// tls returns how to speak TLS, nil when it is not spoken.
func (c *Config) tls() (*tls.Config, error) {
	if c.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate for monitors: %w", err)
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCA == "" {
		return t, nil
	}
	text, err := os.ReadFile(c.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("loading who signs monitors' certificates: %w", err)
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", c.ClientCA)
	}
	t.ClientAuth = tls.VerifyClientCertIfGiven
	return t, nil
}
