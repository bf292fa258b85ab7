package city

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

// Bounds and times of what speaks MQTT and HTTP.
const (
	deviceQueue = 512             // messages that wait in one device
	thiefQueue  = 16              // attempts that wait
	packetWait  = 5 * time.Second // for an acknowledgement
	keepAlive   = 60 * time.Second
	pingEvery   = 25 * time.Second
	connectGap  = 5 * time.Second // of the town's time, between first connections
)

// playDevices hands each message to its device when its time has come.
func (t *Town) playDevices(ctx context.Context, cfg Config, from time.Time) error {
	var running sync.WaitGroup
	defer running.Wait()
	queues := map[string]chan Message{}
	begin := func(device string, run func(ctx context.Context, queue <-chan Message)) {
		queue := make(chan Message, deviceQueue)
		queues[device] = queue
		first := cfg.Clock.Real(time.Duration(len(queues)) * connectGap)
		running.Go(func() {
			if pause(ctx, first) == nil {
				run(ctx, queue)
			}
		})
	}
	if cfg.Intake != "" {
		for _, device := range []string{loraServer, gunshotNet} {
			begin(device, newPoster(t, cfg, device).run)
		}
	}
	thief := make(chan Message, thiefQueue)
	if cfg.MQTT != "" {
		for _, device := range t.publishers() {
			begin(device, (&line{town: t, cfg: cfg, device: device, kept: map[string][]byte{}}).run)
		}
		running.Go(func() { t.intrude(ctx, cfg, thief) })
	}
	for m := range t.Messages(from, cfg.Scenario) {
		if err := sleepUntil(ctx, cfg.Clock, m.At); err != nil {
			return err
		}
		queue := queues[m.Device]
		if m.Act == ActIntrude && queue != nil {
			queue = thief
		}
		if queue == nil {
			continue // its way is not configured
		}
		select {
		case queue <- m:
		default:
			cfg.Progress.Dropped.Add(1)
		}
	}
	return nil
}

// publishers are the devices that speak MQTT.
func (t *Town) publishers() []string {
	out := []string{counterBox, plateBox}
	for _, c := range t.fix.shops {
		out = append(out, c.device)
	}
	for _, h := range t.households {
		out = append(out, h.hub)
	}
	return out
}

// line is a device's connection to the MQTT gateway. It publishes at QoS 1, one
// message at a time, each until it is acknowledged or not worth sending any more.
type line struct {
	town   *Town
	cfg    Config
	device string

	client *mqttclient.Client
	packet uint16
	kept   map[string][]byte // what it last published to be retained
	away   bool              // it has vanished and not returned
}

// run publishes what comes until the context ends, and says goodbye.
func (l *line) run(ctx context.Context, queue <-chan Message) {
	defer l.goodbye()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	rest := firstPause
	for {
		if l.client == nil && !l.away {
			if err := l.connect(ctx); err != nil {
				l.cfg.Logger.Debug("a device could not connect", "device", l.device, "err", err)
				if pause(ctx, rest) != nil {
					return
				}
				rest = min(rest*4, longestRest)
				continue
			}
			rest = firstPause
		}
		select {
		case <-ctx.Done():
			return
		case <-ping.C:
			if l.client != nil && l.ping() != nil {
				l.drop()
			}
		case m := <-queue:
			l.take(ctx, &m)
		}
	}
}

func (l *line) take(ctx context.Context, m *Message) {
	switch m.Act {
	case ActVanish:
		l.drop()
		l.away = true
	case ActReturn:
		l.away = false
	case ActSay:
		if !l.away {
			l.deliver(ctx, m)
		}
	}
}

// deliver publishes a message, again if need be.
func (l *line) deliver(ctx context.Context, m *Message) {
	if m.Retain {
		l.kept[m.Topic] = m.Body
	}
	rest := firstPause
	var err error
	for try := range attempts {
		if try > 0 {
			l.cfg.Progress.Repeated.Add(1)
			if pause(ctx, rest) != nil {
				return
			}
			rest = min(rest*4, longestRest)
		}
		if l.client == nil {
			if err = l.connect(ctx); err != nil {
				continue
			}
		}
		if err = l.publish(m.Topic, m.Body, m.Retain); err == nil {
			l.cfg.Progress.Said.Add(1)
			return
		}
		l.drop()
	}
	l.cfg.Progress.Unsaid.Add(1)
	l.cfg.Logger.Debug("a device gave up a message", "device", l.device, "topic", m.Topic, "err", err)
}

// connect opens the connection, and introduces the device.
func (l *line) connect(ctx context.Context) (err error) {
	o := mqttclient.Options{
		Addr: l.cfg.MQTT, ID: l.device, User: l.device, Password: l.town.secret(l.device), Clean: true, KeepAlive: keepAlive, Timeout: packetWait,
	}
	if w, ok := l.town.will(l.device); ok {
		o.Will = &mqttclient.Message{Topic: l.device + "/" + w.topic, Payload: w.body, QoS: 1, Retain: true}
	}
	if l.client, err = mqttclient.Dial(ctx, o); err != nil {
		l.client = nil
		return err
	}
	for _, r := range l.town.introduction(l.device, l.cfg.Clock.Now()) {
		if newer := l.kept[r.topic]; newer != nil {
			r.body = newer
		}
		if err := l.publish(r.topic, r.body, true); err != nil {
			l.drop()
			return fmt.Errorf("introducing %s: %w", l.device, err)
		}
		l.cfg.Progress.Said.Add(1)
	}
	return nil
}

// errAnswer: the gateway sent something else than the acknowledgement.
var errAnswer = errors.New("not the acknowledgement that was awaited")

// publish publishes below the device's id, and waits for the acknowledgement.
func (l *line) publish(topic string, body []byte, retain bool) error {
	l.packet = max(1, l.packet+1)
	m := mqttclient.Message{Topic: l.device + "/" + topic, Payload: body, QoS: 1, Retain: retain, ID: l.packet}
	if err := l.client.Publish(&m); err != nil {
		return err
	}
	return l.answered(mqttclient.TypePuback, l.packet)
}

func (l *line) ping() error {
	if err := l.client.Ping(); err != nil {
		return err
	}
	return l.answered(mqttclient.TypePingresp, 0)
}

func (l *line) answered(kind byte, id uint16) error {
	p, err := l.client.Get()
	if err == nil && (p.Type != kind || p.ID != id) {
		err = fmt.Errorf("%w: type %d, id %d", errAnswer, p.Type, p.ID)
	}
	return err
}

// drop ends the connection without goodbye: the gateway speaks the last will.
func (l *line) drop() {
	if l.client != nil {
		_ = l.client.Drop()
		l.client = nil
	}
}

func (l *line) goodbye() {
	if l.client != nil {
		_ = l.client.Close()
		l.client = nil
	}
}

// intrude connects with devices' credentials as somebody else does, and tries
// what the message says. The gateway is to refuse it.
func (t *Town) intrude(ctx context.Context, cfg Config, queue <-chan Message) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-queue:
			if err := t.tryIntrusion(ctx, cfg, &m); err != nil {
				cfg.Logger.Debug("an intruder was turned away", "device", m.Device, "topic", m.Topic, "err", err)
			}
		}
	}
}

func (t *Town) tryIntrusion(ctx context.Context, cfg Config, m *Message) error {
	c, err := mqttclient.Dial(ctx, mqttclient.Options{
		Addr: cfg.MQTT, ID: "laptop", User: m.Device, Password: t.secret(m.Device), Clean: true, Timeout: packetWait,
	})
	if err != nil {
		return err
	}
	defer func() { _ = c.Drop() }()
	if err := c.Publish(&mqttclient.Message{Topic: m.Topic, Payload: m.Body, QoS: 1, ID: 1}); err != nil {
		return err
	}
	_, err = c.Get()
	return err
}
