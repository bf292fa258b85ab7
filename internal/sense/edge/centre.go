package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/clock"
)

const postTimeout = time.Minute

// Centre is where a gateway forwards to. With each request it says how the
// gateway is.
type Centre struct {
	url    string
	id     string
	secret string
	client *http.Client
	clock  *clock.Clock
	state  condition
}

// NewCentre returns the centre at a base URL, where the gateway is known by its
// device id and secret. client may be nil.
func NewCentre(base, id, secret string, clk *clock.Clock, client *http.Client) (*Centre, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the centre's address %q is not a URL such as https://bluelamp.example:8090", base)
	}
	if client == nil {
		client = &http.Client{Timeout: postTimeout}
	}
	return &Centre{
		url: strings.TrimRight(base, "/"), id: id, secret: secret, client: client, clock: clk, state: condition{began: clk.Now()},
	}, nil
}

func (c *Centre) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(c.id, c.secret)
	if text := c.state.say(c.clock.Now()); text != "" {
		req.Header.Set(headerHealth, text)
	}
	return req, nil
}

// do sends a request about a log, and returns what the centre has confirmed.
func (c *Centre) do(req *http.Request, log string) (is confirmed, err error) {
	req.Header.Set(headerLog, log)
	req.Header.Set(headerSent, c.clock.Now().Format(time.RFC3339Nano))
	res, err := c.client.Do(req)
	if err != nil {
		return is, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return is, answerError(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4096)).Decode(&is); err != nil {
		return is, fmt.Errorf("reading the centre's answer: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096)) // so that the connection serves again
	return is, nil
}

// answerError is what an answer other than success says.
func answerError(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
	return fmt.Errorf("the centre answered %s: %s", res.Status, strings.TrimSpace(string(text)))
}
