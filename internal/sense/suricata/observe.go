package suricata

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/protocol/eve"
	"github.com/bluelamp/bluelamp/protocol/tail"
)

// mapper turns events into observations of one sensor.
type mapper struct {
	sensor string
	parse  *eve.Parser
	e      eve.Event
}

// State is empty: each line stands alone.
func (m *mapper) State() string { return "" }

// Resume has nothing to take up.
func (m *mapper) Resume(string) error { return nil }

// Observe returns what an event says.
func (m *mapper) Observe(l *tail.Line) (*event.Observation, time.Time, error) {
	if len(bytes.TrimSpace(l.Text)) == 0 {
		return nil, time.Time{}, nil
	}
	if err := m.parse.Parse(l.Text, &m.e); err != nil {
		return nil, time.Time{}, err
	}
	e := &m.e
	o, err := observe(e)
	if o == nil || err != nil {
		return nil, time.Time{}, err
	}
	o.ID = event.NewID(sourceName, m.sensor, string(l.Text))
	o.Source, o.Device = sourceName, m.sensor
	at := o.Time
	o.DeviceTime = &at
	return o, e.Time, nil
}

// observe returns nil for an event of a type that is not taken in.
func observe(e *eve.Event) (*event.Observation, error) {
	o := &event.Observation{Time: e.Time}
	switch e.Type {
	case eve.TypeAlert:
		o.Kind, o.Notice = event.KindNetNotice, alert(e)
	case eve.TypeFlow:
		if !e.Src.IsValid() || !e.Dst.IsValid() {
			return nil, fmt.Errorf("%w: a flow needs src_ip and dest_ip", lines.ErrValue)
		}
		o.Kind, o.Flow = event.KindFlow, flow(e)
		if !e.Flow.Start.IsZero() {
			o.Time = e.Flow.Start
		}
	case eve.TypeDNS:
		o.Kind, o.DNS = event.KindDNS, dns(e)
	case eve.TypeHTTP:
		o.Kind, o.HTTP = event.KindHTTP, http(e)
	case eve.TypeTLS:
		o.Kind, o.TLS = event.KindTLS, tls(e)
	case eve.TypeAnomaly:
		o.Kind, o.Notice = event.KindAnomaly, anomaly(e)
	default:
		return nil, nil
	}
	return o, nil
}

// uid names a flow as all events of it do.
func uid(e *eve.Event) string {
	if e.FlowID == 0 {
		return ""
	}
	return strconv.FormatUint(e.FlowID, 10)
}

// alert says who did what to whom. The packet that a rule matched may go either
// way; where the rule says which side attacks, that holds.
func alert(e *eve.Event) *event.Notice {
	a := &e.Alert
	n := &event.Notice{
		UID: uid(e), Name: lines.Clip(a.Signature), Src: e.Src, SrcPort: e.SrcPort, Dst: e.Dst, Port: e.DstPort, Proto: e.Proto,
		Signature: a.SID, Category: lines.Clip(a.Category), Severity: a.Severity, Blocked: a.Action == "blocked",
	}
	if a.Source.IsValid() && a.Source == e.Dst || a.Target.IsValid() && a.Target == e.Src {
		n.Src, n.SrcPort, n.Dst, n.Port = n.Dst, n.Port, n.Src, n.SrcPort
	}
	return n
}

func anomaly(e *eve.Event) *event.Notice {
	a := &e.Anomaly
	n := &event.Notice{
		UID: uid(e), Name: lines.Clip(a.Event), Text: a.Layer, Src: e.Src, SrcPort: e.SrcPort, Dst: e.Dst, Port: e.DstPort, Proto: e.Proto, Category: a.Type,
	}
	if n.Name == "" {
		n.Name = fmt.Sprintf("%s.%d", a.Type, a.Code)
	}
	return n
}

// dns tells of the first question: more than one in a message is not in use. An
// answer may be told as a packet of the server's, so it is turned round.
func dns(e *eve.Event) *event.DNS {
	d := &event.DNS{UID: uid(e), Orig: e.Src, Resp: e.Dst, RCode: e.DNS.RCode}
	if e.DNS.Answer && e.SrcPort == dnsPort && e.DstPort != dnsPort {
		d.Orig, d.Resp = d.Resp, d.Orig
	}
	if len(e.DNS.Queries) > 0 {
		d.Query, d.Type = lines.Clip(e.DNS.Queries[0].Name), e.DNS.Queries[0].Type
	}
	seen := map[string]bool{} // the detailed and the grouped form may both be there
	for _, a := range e.DNS.Answers {
		if a.Data != "" && !seen[a.Data] && len(d.Answers) < lines.MaxAnswers {
			seen[a.Data] = true
			d.Answers = append(d.Answers, lines.Clip(a.Data))
		}
	}
	return d
}

const dnsPort = 53

func http(e *eve.Event) *event.HTTP {
	h := &e.HTTP
	return &event.HTTP{
		UID: uid(e), Orig: e.Src, Resp: e.Dst, RespPort: e.DstPort, Method: h.Method, Host: lines.Clip(h.Host),
		URI: lines.Clip(h.URL), UserAgent: lines.Clip(h.UserAgent), Status: int(min(h.Status, 999)), BodyBytes: h.Length,
	}
}

func tls(e *eve.Event) *event.TLS {
	t := &e.TLS
	out := &event.TLS{
		UID: uid(e), Orig: e.Src, Resp: e.Dst, RespPort: e.DstPort, Version: t.Version, Name: lines.Clip(t.SNI),
		Subject: lines.Clip(t.Subject), Issuer: lines.Clip(t.Issuer), JA3: t.JA3,
	}
	if !t.NotAfter.IsZero() {
		until := t.NotAfter
		out.NotAfter = &until
	}
	return out
}
