package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Bounds of enrolment over HTTP.
const (
	maxBody    = 4 << 10
	perAddress = 10 // attempts at once, and one more each refill
	refill     = 10 * time.Second
	perAll     = 100 // attempts at once from everywhere, and as many a minute
	maxSources = 10_000
)

// URLs are where an enrolled device finds the platform. An empty one is not
// offered.
type URLs struct {
	Enrol string   // of this handler: "https://intake.example:8443/enrol"
	MQTT  []string // "mqtts://intake.example:8883"
	HTTPS string   // what the device's id is appended to: "https://intake.example:8443/in/"
}

// Config is what the handler needs.
type Config struct {
	Registry *registry.Registry
	URLs     URLs
	// Record notes on the audit log that a device enrols, before it does; nil: it
	// is noted on the registry's log only.
	Record func(context.Context, audit.Entry) error
	Now    func() time.Time
	Logger *slog.Logger
}

// Answer is what a device gets for its token.
type Answer struct {
	Device   string   `json:"device"`
	Name     string   `json:"name"`
	Username string   `json:"username"`
	Password string   `json:"password"` // told once
	MQTT     []string `json:"mqtt,omitempty"`
	Prefix   string   `json:"topic_prefix"` // its topics begin with it
	HTTPS    string   `json:"https,omitempty"`
	Speaks   []string `json:"speaks,omitempty"`
}

// handler answers enrolments.
type handler struct {
	Config
	allow *allowance
}

// New returns the handler of enrolments. It answers at whatever path it is
// mounted, POST alone.
func New(c Config) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &handler{Config: c, allow: newAllowance()}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, `Send the invitation: POST {"token": "..."} as application/json. The token is what follows the # of the link.`)
		return
	}
	from := address(r)
	if !h.allow.one(from, h.Now()) {
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusTooManyRequests, "Too many attempts: wait half a minute.")
		return
	}
	token, err := tokenOf(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	d, secret, err := h.enrol(r.Context(), token, from)
	switch {
	case errors.Is(err, registry.ErrInvitation):
		h.Logger.Warn("an enrolment was refused: no such invitation", "from", from)
		refuse(w, http.StatusForbidden, "There is no such invitation: it may have been used already, or be out of time. Ask for a new one.")
	case err != nil:
		h.Logger.Error("a device could not be enrolled", "from", from, "err", err)
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusServiceUnavailable, "The platform cannot enrol devices now: try again later. If this goes on, ask for a new invitation.")
	default:
		h.Logger.Info("a device has enrolled", "device", d.ID, "from", from)
		writeJSON(w, http.StatusOK, "application/json", h.URLs.Answer(&d, secret))
	}
}

func (h *handler) enrol(ctx context.Context, token string, from netip.Addr) (registry.Device, string, error) {
	invited, err := h.Registry.Invited(token)
	if err != nil {
		return registry.Device{}, "", err
	}
	if h.Record != nil {
		err := h.Record(ctx, audit.Entry{
			Time: h.Now(), ActorName: "device " + invited.ID, Action: "device.enrolled", Object: "device/" + invited.ID,
			Detail: map[string]string{"device": invited.Name, "invited by": invited.InvitedBy}, Remote: from.String(),
		})
		if err != nil {
			return registry.Device{}, "", err
		}
	}
	return h.Registry.Enrol(ctx, token)
}

// Answer says what a device is to know of where it sends.
func (u URLs) Answer(d *registry.Device, secret string) Answer {
	a := Answer{Device: d.ID, Name: d.Name, Username: d.ID, Password: secret, MQTT: u.MQTT, Prefix: d.ID + "/", Speaks: d.Speaks}
	if u.HTTPS != "" {
		a.HTTPS = strings.TrimSuffix(u.HTTPS, "/") + "/" + d.ID
	}
	return a
}

// errBody: a request's body is not as it should be.
var errBody = errors.New(`Send {"token": "..."} as application/json, in at most 4 KiB`) //nolint:staticcheck // it is shown as a sentence

// tokenOf reads the token of a request. Its errors never say what was sent.
func tokenOf(w http.ResponseWriter, r *http.Request) (string, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return "", fmt.Errorf("%w: the content type is another", errBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "", fmt.Errorf("%w: it is too long, or broke off", errBody)
	}
	return parse(body)
}

// parse reads the token of a body.
func parse(body []byte) (string, error) {
	var sent struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return "", fmt.Errorf("%w: this is not JSON with a text as its token", errBody)
	}
	// People paste the whole link.
	if _, token, ok := strings.Cut(sent.Token, "#"); ok {
		sent.Token = token
	}
	if sent.Token = strings.TrimSpace(sent.Token); sent.Token == "" {
		return "", fmt.Errorf("%w: there is no token", errBody)
	}
	return sent.Token, nil
}

// refuse answers with a problem (RFC 9457).
func refuse(w http.ResponseWriter, status int, words string) {
	writeJSON(w, status, "application/problem+json", map[string]any{"title": http.StatusText(status), "status": status, "detail": words})
}

func writeJSON(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who has gone is not told
}

// address is the network address of who asks. One who has a network of IPv6 has
// very many addresses, so the network stands for them.
func address(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}
