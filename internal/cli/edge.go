package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// edgeCmd runs an edge gateway.
type edgeCmd struct {
	Centre     string        `help:"Address of the centre's intake, e.g. https://bluelamp.example:8090." required:"" env:"BLUELAMP_EDGE_CENTRE" placeholder:"URL"`
	Device     string        `help:"Id of this gateway in the centre's registry." required:"" env:"BLUELAMP_EDGE_DEVICE" placeholder:"ID"`
	SecretFile string        `help:"File that holds the gateway's secret." required:"" env:"BLUELAMP_EDGE_SECRET_FILE" placeholder:"FILE" type:"path"`
	CentreCA   string        `name:"centre-ca" help:"Certificates (PEM) that the centre's is checked against; by default the system's." env:"BLUELAMP_EDGE_CENTRE_CA" placeholder:"FILE" type:"path"`
	Keep       time.Duration `help:"How long what the centre has confirmed stays on the disk here, in case the centre is set back to a backup." default:"24h" env:"BLUELAMP_EDGE_KEEP"`

	Insecure bool `help:"Let the secret and the data cross the network without TLS: for trials only."`
}

// Help adds to the command's help.
func (edgeCmd) Help() string {
	return `For a street cabinet or a site with a poor link: takes in what its devices say
by MQTT, HTTP and network monitors, keeps it on its own disk, and forwards it to
the centre when it can, in order for each device, once. Which devices it serves,
and their credentials, it learns from the centre: there, register the gateway as
a device of the kind 'edge gateway' and name it as the gateway of each device.

It can be killed at any time without losing what it has acknowledged.`
}

// Run implements the command.
func (c edgeCmd) Run(e *env) error {
	if strings.HasPrefix(c.Centre, "http://") && !c.Insecure {
		return usagef("--centre %s has no TLS: use https://, or --insecure for a trial", c.Centre)
	}
	if c.Keep < 0 {
		return usagef("--keep %v is negative: give a duration such as 24h, or 0 to keep nothing that the centre has", c.Keep)
	}
	secret, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return fmt.Errorf("reading the gateway's secret: %w", err)
	}
	if info, err := os.Stat(c.SecretFile); err == nil && info.Mode().Perm()&0o007 != 0 {
		e.logger.Warn("everybody on this machine can read the gateway's secret: make its file readable to the service alone, with chmod 600", "file", c.SecretFile)
	}
	if err := e.root.Config.Check(); err != nil {
		return usageError{err}
	}
	g, err := app.NewGateway(e.ctx, e.root.Config, app.Link{
		Centre: c.Centre, Device: c.Device, Secret: strings.TrimSpace(string(secret)), CentreCA: c.CentreCA, Keep: c.Keep,
	}, clock.Wall(), e.logger)
	if err != nil {
		return err
	}
	defer g.Close()
	e.logger.Info("the edge gateway takes in", "mqtt", g.MQTTAddr(), "centre", c.Centre)
	return g.Run(e.ctx)
}
