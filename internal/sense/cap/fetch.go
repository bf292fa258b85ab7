package cap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Bounds of what is fetched.
const (
	maxFeed      = 8 << 20 // bytes
	maxRedirects = 5
	fetchTimeout = 30 * time.Second
	userAgent    = "Bluelamp (public warnings)"
)

// errUnchanged: the feed is as it was.
var errUnchanged = errors.New("the feed has not changed")

// fetcher gets a feed and the messages that it links to. A feed comes from
// outside, and must not send the platform wherever it likes: its links and
// redirects lead to the feed's own host, or to hosts that the operator named, by
// the feed's own scheme.
type fetcher struct {
	client *http.Client
	base   *url.URL
	hosts  []string
}

func newFetcher(feed string, hosts []string, transport http.RoundTripper) (*fetcher, error) {
	base, err := url.Parse(feed)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("the feed of warnings %q has no address such as https://example.org/feed.atom", feed)
	}
	f := &fetcher{base: base, hosts: append([]string{base.Host}, hosts...)}
	f.client = &http.Client{
		Timeout: fetchTimeout, Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return f.allowed(r.URL)
		},
	}
	return f, nil
}

func (f *fetcher) allowed(u *url.URL) error {
	switch {
	case u.Scheme != f.base.Scheme:
		return fmt.Errorf("%q is not reached by %s, as the feed is", u.Redacted(), f.base.Scheme)
	case u.User != nil || !slices.ContainsFunc(f.hosts, func(h string) bool { return strings.EqualFold(h, u.Host) }):
		return fmt.Errorf("%q leads to another host than the feed's, which a feed may not make us ask", u.Redacted())
	}
	return nil
}

// feed gets the feed, unless it is as it was when it had these marks.
//
// Errors: errUnchanged.
func (f *fetcher) feed(ctx context.Context, m marks) (*codec.Feed, marks, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base.String(), nil)
	if err != nil {
		return nil, m, err
	}
	req.Header.Set("Accept", "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5")
	if m.ETag != "" {
		req.Header.Set("If-None-Match", m.ETag)
	}
	if m.Modified != "" {
		req.Header.Set("If-Modified-Since", m.Modified)
	}
	data, h, err := f.get(req, maxFeed)
	if err != nil {
		return nil, m, err
	}
	feed, err := codec.ReadFeed(data)
	if err != nil {
		return nil, m, err
	}
	return feed, marks{ETag: bounded(h.Get("ETag")), Modified: bounded(h.Get("Last-Modified"))}, nil
}

// bounded leaves out a header that is too long to keep.
func bounded(s string) string {
	if len(s) > 500 {
		return ""
	}
	return s
}

// message gets the message that an entry links to.
func (f *fetcher) message(ctx context.Context, link string) ([]byte, error) {
	u, err := f.base.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("the link %.200q is no address: %w", link, err)
	}
	if err := f.allowed(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", codec.MediaType+", application/xml;q=0.9, */*;q=0.5")
	data, _, err := f.get(req, codec.MaxMessage)
	return data, err
}

func (f *fetcher) get(req *http.Request, most int64) ([]byte, http.Header, error) {
	req.Header.Set("User-Agent", userAgent)
	res, err := f.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return nil, nil, errUnchanged
	default:
		return nil, nil, fmt.Errorf("%s answers %s", req.URL.Redacted(), res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", req.URL.Redacted(), err)
	}
	if int64(len(data)) > most {
		return nil, nil, fmt.Errorf("%s has more than %d bytes", req.URL.Redacted(), most)
	}
	return data, res.Header, nil
}
