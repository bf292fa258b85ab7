package city

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// poster is a network server that posts what it hears to the HTTP intake, one
// request after another.
type poster struct {
	cfg    Config
	device string
	secret string
	client *http.Client
}

func newPoster(t *Town, cfg Config, device string) *poster {
	return &poster{cfg: cfg, device: device, secret: t.secret(device), client: &http.Client{Timeout: mostReply, Transport: &http.Transport{MaxIdleConns: 1}}}
}

// errUseless: sending the same again would be refused again.
var errUseless = errors.New("the intake does not want it")

// run posts what comes until the context ends.
func (p *poster) run(ctx context.Context, queue <-chan Message) {
	defer p.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-queue:
			p.deliver(ctx, &m)
		}
	}
}

// deliver posts a message, again if need be.
func (p *poster) deliver(ctx context.Context, m *Message) {
	rest := firstPause
	var err error
	for try := range attempts {
		if try > 0 {
			p.cfg.Progress.Repeated.Add(1)
			if pause(ctx, rest) != nil {
				return
			}
			rest = min(rest*4, longestRest)
		}
		if err = p.post(ctx, m); err == nil {
			p.cfg.Progress.Said.Add(1)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errUseless) {
			break
		}
	}
	p.cfg.Progress.Unsaid.Add(1)
	p.cfg.Logger.Debug("a network server gave up a message", "device", p.device, "topic", m.Topic, "err", err)
}

// maxAnswer bounds what is read of an answer: enough to use the connection again.
const maxAnswer = 16 << 10

func (p *poster) post(ctx context.Context, m *Message) error {
	url := p.cfg.Intake + "/in/" + p.device + "/" + m.Topic
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("%w: %w", errUseless, err)
	}
	req.SetBasicAuth(p.device, p.secret)
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("posting to the intake: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case res.StatusCode < 300:
		return nil
	case res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests:
		return fmt.Errorf("%w: status %d: %.200s", errUseless, res.StatusCode, answer)
	}
	return fmt.Errorf("the intake answers with status %d", res.StatusCode)
}
