package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// senseCmd asks how signals are taken in.
type senseCmd struct {
	MQTTACL mqttACLCmd `cmd:"" name:"mqtt-acl" help:"Ask what devices may publish and subscribe to by MQTT."`
}

// mqttACLCmd asks what devices may do.
type mqttACLCmd struct {
	Check mqttACLCheckCmd `cmd:"" help:"Say whether a device may use a topic, and why not."`
}

// mqttACLCheckCmd asks about one topic.
type mqttACLCheckCmd struct {
	Device    string `help:"Id of the device." required:"" placeholder:"ID"`
	Topic     string `help:"The whole topic, or the topic filter of a subscription." required:"" placeholder:"TOPIC"`
	Publish   bool   `help:"Ask about publishing; the default." xor:"action"`
	Subscribe bool   `help:"Ask about subscribing." xor:"action"`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// errTopicRefused makes the exit code say what was printed.
var errTopicRefused = errors.New("the device may not use this topic")

// aclAnswer is what is printed with --json.
type aclAnswer struct {
	Device  string      `json:"device"`
	Action  mqtt.Action `json:"action"`
	Topic   string      `json:"topic"`
	Allowed bool        `json:"allowed"`
	Why     string      `json:"why"`
}

// Help adds to the command's help.
func (mqttACLCheckCmd) Help() string {
	return `The gateway judges by the same rule: a device publishes and subscribes below its own
id as first level, and nowhere else. The exit code is 1 when the answer is no.`
}

// Run implements the command.
func (c mqttACLCheckCmd) Run(e *env) error {
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	reg, err := openRegistry(e, log)
	if err != nil {
		return err
	}
	dev, err := reg.Device(c.Device)
	if err != nil {
		return fmt.Errorf("%w: see 'bluelamp device list'", err)
	}
	return c.answer(e, dev)
}

func (c mqttACLCheckCmd) answer(e *env, dev *registry.Device) error {
	a := aclAnswer{Device: dev.ID, Action: mqtt.Publish, Topic: c.Topic, Allowed: true}
	if c.Subscribe {
		a.Action = mqtt.Subscribe
	}
	a.Why = fmt.Sprintf("the topic lies below the device's own id %s", dev.ID)
	switch err := mqtt.Allowed(dev.ID, a.Action, c.Topic); {
	case dev.Revoked:
		a.Allowed, a.Why = false, "the device's enrolment has been revoked"
	case err != nil:
		a.Allowed, a.Why = false, err.Error()
	}
	if c.JSON {
		if err := json.NewEncoder(e.Out).Encode(a); err != nil {
			return err
		}
	} else {
		word := "allowed"
		if !a.Allowed {
			word = "refused"
		}
		fmt.Fprintf(e.Out, "%s: %s to %s: %s\n", word, a.Action, c.Topic, a.Why)
	}
	if !a.Allowed {
		return errTopicRefused
	}
	return nil
}
