package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/registry/enrol"
)

// deviceEnrolCmd invites a device.
type deviceEnrolCmd struct {
	ID    string        `arg:"" help:"Id of the device."`
	Valid time.Duration `default:"24h" help:"How long the invitation holds."`
	URL   string        `name:"enrol-at" help:"Where devices enrol, as they reach it; by default made from --intake-url or --intake." placeholder:"URL"`
	MQTT  string        `name:"mqtt-at" help:"Where devices reach the MQTT gateway, for the instructions; by default made from --mqtt-tls or --mqtt." placeholder:"URL"`
	Now   bool          `help:"Take the invitation up here and print the password, for devices that cannot fetch it."`
	JSON  bool          `name:"json" help:"Print the invitation as JSON."`
}

// Help adds to the command's help.
func (deviceEnrolCmd) Help() string {
	return `The invitation can be used once. Whoever uses it is the device, so hand it over as you
would a key; what credentials the device had end when it is used. An earlier
invitation of the device is void.`
}

// where fills in where devices find the platform, from its settings.
func (c *deviceEnrolCmd) where(cfg *app.Config) {
	if c.URL == "" {
		switch base := strings.TrimSuffix(cfg.IntakeURL, "/"); {
		case base != "":
			c.URL = base + "/enrol"
		case cfg.Intake != "" && cfg.DeviceCert != "":
			c.URL = "https://" + cfg.Intake + "/enrol"
		case cfg.Intake != "":
			c.URL = "http://" + cfg.Intake + "/enrol"
		}
	}
	if c.MQTT == "" {
		switch {
		case cfg.MQTTTLS != "":
			c.MQTT = "mqtts://" + cfg.MQTTTLS
		case cfg.MQTT != "":
			c.MQTT = "mqtt://" + cfg.MQTT
		default:
			c.MQTT = "mqtts://HOST:8883"
		}
	}
}

// invitation is what is printed with --json.
type invitation struct {
	Device string        `json:"device"`
	Token  string        `json:"token,omitempty"`
	Link   string        `json:"link,omitempty"`
	Until  time.Time     `json:"until,omitzero"`
	Answer *enrol.Answer `json:"enrolled,omitempty"`
}

// Run implements the command.
func (c deviceEnrolCmd) Run(e *env) error {
	c.where(&e.root.Config)
	return act(e, c.ID, "device.invited", "", map[string]string{"valid for": c.Valid.String()}, func(desk *deviceDesk) error {
		token, err := desk.reg.Invite(e.ctx, desk.by(), c.ID, c.Valid)
		if err != nil {
			return err
		}
		inv := invitation{Device: c.ID, Token: token, Until: time.Now().Add(c.Valid).UTC().Truncate(time.Second)}
		if c.URL != "" {
			inv.Link = enrol.Link(c.URL, token)
		}
		if c.Now {
			return c.takeUp(e, desk, token)
		}
		if c.JSON {
			return json.NewEncoder(e.Out).Encode(inv)
		}
		return c.print(e, inv)
	})
}

// takeUp enrols the device here.
func (c deviceEnrolCmd) takeUp(e *env, desk *deviceDesk, token string) error {
	err := desk.record(audit.Entry{Action: "device.enrolled", Object: "device/" + c.ID, Detail: map[string]string{"invited by": desk.by()}})
	if err != nil {
		return err
	}
	d, secret, err := desk.reg.Enrol(e.ctx, token)
	if err != nil {
		return err
	}
	a := enrol.URLs{MQTT: []string{c.MQTT}}.Answer(&d, secret)
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(invitation{Device: c.ID, Answer: &a})
	}
	fmt.Fprintf(e.Out, "Device %s is enrolled. Its password is shown once:\n\n  user name  %s\n  password   %s\n\n", d.ID, a.Username, a.Password)
	instruct(e, &d, c.MQTT, secret)
	return nil
}

func (c deviceEnrolCmd) print(e *env, inv invitation) error {
	text := inv.Link
	if text == "" {
		text = inv.Token
	}
	code, err := enrol.Blocks(text)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "%s\nInvitation for %s, once, until %s:\n\n  %s\n\n", code, inv.Device, inv.Until.Format("2006-01-02 15:04 UTC"), text)
	url := c.URL
	if url == "" {
		url = "https://HOST:PORT/enrol"
	}
	fmt.Fprintf(e.Out, `A device that cannot scan it takes it up like this, and is told its user name, its
password and where to send:

  curl -H 'Content-Type: application/json' -d '{"token": "%s"}' %s

`, inv.Token, url)
	return nil
}

// instruct says how common programs are told a device's credential.
func instruct(e *env, d *registry.Device, mqtt, secret string) {
	if d.Kind == edge.KindGateway {
		fmt.Fprint(e.Out, "Put the password in a file, and start the gateway with it:\n\n  bluelamp edge --device "+d.ID+" --secret-file FILE --centre https://HOST:PORT\n")
		return
	}
	host, port := strings.TrimPrefix(strings.TrimPrefix(mqtt, "mqtts://"), "mqtt://"), "8883"
	if h, p, ok := strings.Cut(host, ":"); ok {
		host, port = h, p
	}
	tls := ""
	if strings.HasPrefix(mqtt, "mqtts://") {
		tls = " --tls-use-os-certs"
	}
	home := len(d.Speaks) == 0 || slices.Contains(d.Speaks, "zigbee2mqtt")
	topic, sample := "TOPIC", "MESSAGE"
	if home {
		topic, sample = "zigbee2mqtt/trial", `{"contact": false}`
	}
	fmt.Fprintf(e.Out, "Try it with mosquitto_pub:\n\n  mosquitto_pub -h %s -p %s%s -u %s -P %s -q 1 -t %s/%s -m '%s'\n\n", host, port, tls, d.ID, secret, d.ID, topic, sample)
	if home {
		fmt.Fprintf(e.Out, `In Zigbee2MQTT's configuration.yaml:

  mqtt:
    server: %s
    user: %s
    password: %s
    base_topic: %s/zigbee2mqtt

`, mqtt, d.ID, secret, d.ID)
	}
	fmt.Fprintf(e.Out, "Every topic of the device begins with %s/.\n", d.ID)
}

// deviceRotateCmd gives a device a new password.
type deviceRotateCmd struct {
	ID      string        `arg:"" help:"Id of the device."`
	Overlap time.Duration `default:"24h" help:"How long the old password holds yet."`
	Why     string        `help:"Why, for the record."`
	JSON    bool          `name:"json" help:"Print it as JSON."`
}

// Run implements the command.
func (c deviceRotateCmd) Run(e *env) error {
	return act(e, c.ID, "device.rotated", c.Why, map[string]string{"overlap": c.Overlap.String()}, func(desk *deviceDesk) error {
		secret, err := desk.reg.Rotate(e.ctx, desk.by(), c.ID, max(0, c.Overlap))
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(e.Out).Encode(map[string]string{"device": c.ID, "username": c.ID, "password": secret})
		}
		fmt.Fprintf(e.Out, "The new password of %s, shown once:\n\n  %s\n\nThe old one holds for %v yet.\n", c.ID, secret, max(0, c.Overlap))
		return nil
	})
}

// deviceRevokeCmd takes a device's enrolment back.
type deviceRevokeCmd struct {
	ID  string `arg:"" help:"Id of the device."`
	Why string `required:"" help:"Why, for the record."`
}

// Run implements the command.
func (c deviceRevokeCmd) Run(e *env) error {
	return act(e, c.ID, "device.revoked", c.Why, nil, func(desk *deviceDesk) error {
		if err := desk.reg.Revoke(e.ctx, desk.by(), c.ID); err != nil {
			return err
		}
		fmt.Fprintf(e.Out, "Device %s is revoked: its password and its invitation are void for good.\n", c.ID)
		return nil
	})
}

// deviceReinstateCmd lets a revoked device come back.
type deviceReinstateCmd struct {
	ID  string `arg:"" help:"Id of the device."`
	Why string `required:"" help:"Why, for the record."`
}

// Run implements the command.
func (c deviceReinstateCmd) Run(e *env) error {
	return act(e, c.ID, "device.reinstated", c.Why, nil, func(desk *deviceDesk) error {
		if err := desk.reg.Reinstate(e.ctx, desk.by(), c.ID); err != nil {
			return err
		}
		fmt.Fprintf(e.Out, "Device %s is reinstated. Its old password stays void: invite it with 'bluelamp device enrol %s'.\n", c.ID, c.ID)
		return nil
	})
}

// deviceWithdrawCmd ends an owner's consent.
type deviceWithdrawCmd struct {
	ID  string `arg:"" help:"Id of the device."`
	Why string `required:"" help:"Why, for the record: who withdrew it, and how."`
}

// Run implements the command.
func (c deviceWithdrawCmd) Run(e *env) error {
	return act(e, c.ID, "device.consent-withdrawn", c.Why, nil, func(desk *deviceDesk) error {
		if err := desk.reg.Withdraw(e.ctx, desk.by(), c.ID); err != nil {
			return err
		}
		fmt.Fprintf(e.Out, "The consent for device %s has ended: nothing it senses is kept from now on.\n", c.ID)
		return nil
	})
}
