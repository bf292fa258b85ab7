package zeek

import (
	"errors"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/protocol/tail"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

// sourceName is the observations' source.
const sourceName = "zeek"

// mapper turns rows into observations of one monitor.
type mapper struct {
	sensor string
	dec    *zeek.Decoder
	conn   zeek.Conn
}

// State is the header of a TSV log, by which the next rows are read.
func (m *mapper) State() string { return m.dec.Header() }

// Resume takes up a header.
func (m *mapper) Resume(state string) error { return m.dec.SetHeader(state) }

// Observe returns what a row says.
func (m *mapper) Observe(l *tail.Line) (*event.Observation, time.Time, error) {
	r, err := m.dec.Decode(l)
	var bad *zeek.LineError
	if errors.As(err, &bad) {
		return nil, time.Time{}, bad.Err // who reads the lines says which it was
	}
	if r == nil {
		return nil, time.Time{}, err
	}
	o, written, err := m.row(r)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: %w", lines.ErrValue, err)
	}
	if o == nil {
		return nil, time.Time{}, nil
	}
	if written.IsZero() {
		written = o.Time
	}
	o.ID = event.NewID(sourceName, m.sensor, r.Path(), string(r.Raw()))
	o.Source, o.Device = sourceName, m.sensor
	at := o.Time
	o.DeviceTime = &at
	return o, written, nil
}

// row returns what a row says, and when it was written where that is later than
// what it tells of; nothing for a row of a log that is not taken in.
func (m *mapper) row(r *zeek.Record) (o *event.Observation, written time.Time, err error) {
	switch r.Path() {
	case zeek.KindConn:
		if err = r.Conn(&m.conn); err == nil {
			o, written = flow(&m.conn), m.conn.TS.Add(m.conn.Duration)
		}
	case zeek.KindSSH:
		var h zeek.SSH
		err = r.SSH(&h)
		o = login(&h)
	case zeek.KindDNS:
		var d zeek.DNS
		err = r.DNS(&d)
		o, written = lookup(&d), d.TS.Add(d.RTT)
	case zeek.KindHTTP:
		var h zeek.HTTP
		err = r.HTTP(&h)
		o = request(&h)
	case zeek.KindSSL:
		var t zeek.SSL
		err = r.SSL(&t)
		o = session(&t)
	case zeek.KindNotice:
		var n zeek.Notice
		err = r.Notice(&n)
		o = notice(&n)
	case zeek.KindWeird:
		var w zeek.Weird
		err = r.Weird(&w)
		o = oddity(&w)
	}
	return o, written, err
}

func flow(c *zeek.Conn) *event.Observation {
	return &event.Observation{Kind: event.KindFlow, Time: c.TS, Flow: &event.Flow{
		UID: c.UID, Orig: c.OrigH, OrigPort: c.OrigP, Resp: c.RespH, RespPort: c.RespP,
		Proto: c.Proto, Service: c.Service, State: c.State, History: c.History, Duration: c.Duration.Seconds(),
		OrigBytes: c.OrigBytes, RespBytes: c.RespBytes, OrigPkts: c.OrigPkts, RespPkts: c.RespPkts,
		LocalOrig: c.LocalOrig.Ptr(), LocalResp: c.LocalResp.Ptr(),
	}}
}

func login(h *zeek.SSH) *event.Observation {
	return &event.Observation{Kind: event.KindLogin, Time: h.TS, Login: &event.Login{
		UID: h.UID, Orig: h.OrigH, OrigPort: h.OrigP, Resp: h.RespH, RespPort: h.RespP,
		Service: "ssh", Attempts: int(min(h.AuthAttempts, maxAttempts)), Success: h.AuthSuccess.Ptr(), Client: h.Client,
	}}
}

const maxAttempts = 1 << 20 // a bound on what a damaged row may claim

func lookup(d *zeek.DNS) *event.Observation {
	return &event.Observation{Kind: event.KindDNS, Time: d.TS, DNS: &event.DNS{
		UID: d.UID, Orig: d.OrigH, Resp: d.RespH, Query: d.Query, Type: d.Type, RCode: d.RCode,
		Answers: d.Answers[:min(len(d.Answers), lines.MaxAnswers)],
	}}
}

func request(h *zeek.HTTP) *event.Observation {
	return &event.Observation{Kind: event.KindHTTP, Time: h.TS, HTTP: &event.HTTP{
		UID: h.UID, Orig: h.OrigH, Resp: h.RespH, RespPort: h.RespP, Method: h.Method, Host: h.Host,
		URI: lines.Clip(h.URI), UserAgent: lines.Clip(h.UserAgent), Status: int(min(h.Status, 999)), BodyBytes: h.ResponseBody,
	}}
}

func session(t *zeek.SSL) *event.Observation {
	o := &event.Observation{Kind: event.KindTLS, Time: t.TS, TLS: &event.TLS{
		UID: t.UID, Orig: t.OrigH, Resp: t.RespH, RespPort: t.RespP, Version: t.Version, Name: t.ServerName,
		Subject: lines.Clip(t.Subject), Issuer: lines.Clip(t.Issuer), JA3: t.JA3,
	}}
	if t.Validation != "" {
		valid := t.Validation == "ok"
		o.TLS.Valid = &valid
	}
	return o
}

func notice(n *zeek.Notice) *event.Observation {
	return &event.Observation{Kind: event.KindNetNotice, Time: n.TS, Notice: &event.Notice{
		UID: n.UID, Name: n.Note, Text: lines.Clip(n.Msg), Src: n.Src, Dst: n.Dst, Port: n.P,
	}}
}

func oddity(w *zeek.Weird) *event.Observation {
	return &event.Observation{Kind: event.KindAnomaly, Time: w.TS, Notice: &event.Notice{
		UID: w.UID, Name: w.Name, Text: lines.Clip(w.Addl), Src: w.OrigH, SrcPort: w.OrigP, Dst: w.RespH, Port: w.RespP,
	}}
}
