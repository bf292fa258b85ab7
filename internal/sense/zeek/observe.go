package zeek

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

// sourceName is the observations' source.
const sourceName = "zeek"

// mapper turns rows into observations of one monitor.
type mapper struct {
	sensor string
	conn   zeek.Conn
	ssh    zeek.SSH
	notice zeek.Notice
}

// observe returns what a row says, and when the monitor wrote it as far as the
// row tells; nil for a row of a log that is not taken in.
func (m *mapper) observe(r *zeek.Record) (o *event.Observation, written time.Time, err error) {
	switch r.Path() {
	case zeek.KindConn:
		if err = r.Conn(&m.conn); err == nil {
			o, written = m.flow()
		}
	case zeek.KindSSH:
		if err = r.SSH(&m.ssh); err == nil {
			o, written = m.login(), m.ssh.TS
		}
	case zeek.KindNotice:
		if err = r.Notice(&m.notice); err == nil {
			o, written = m.noticed(), m.notice.TS
		}
	default:
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	o.ID = event.NewID(sourceName, m.sensor, r.Path(), string(r.Raw()))
	o.Source, o.Device = sourceName, m.sensor
	at := o.Time
	o.DeviceTime = &at
	return o, written, nil
}

func (m *mapper) flow() (*event.Observation, time.Time) {
	c := &m.conn
	return &event.Observation{Kind: event.KindFlow, Time: c.TS, Flow: &event.Flow{
		UID: c.UID, Orig: c.OrigH, OrigPort: c.OrigP, Resp: c.RespH, RespPort: c.RespP,
		Proto: c.Proto, Service: c.Service, State: c.State, History: c.History, Duration: c.Duration.Seconds(),
		OrigBytes: c.OrigBytes, RespBytes: c.RespBytes, OrigPkts: c.OrigPkts, RespPkts: c.RespPkts,
		LocalOrig: c.LocalOrig.Ptr(), LocalResp: c.LocalResp.Ptr(),
	}}, c.TS.Add(c.Duration)
}

func (m *mapper) login() *event.Observation {
	h := &m.ssh
	return &event.Observation{Kind: event.KindLogin, Time: h.TS, Login: &event.Login{
		UID: h.UID, Orig: h.OrigH, OrigPort: h.OrigP, Resp: h.RespH, RespPort: h.RespP,
		Service: "ssh", Attempts: int(min(h.AuthAttempts, maxAttempts)), Success: h.AuthSuccess.Ptr(), Client: h.Client,
	}}
}

const maxAttempts = 1 << 20 // a bound on what a damaged row may claim

func (m *mapper) noticed() *event.Observation {
	n := &m.notice
	return &event.Observation{Kind: event.KindNetNotice, Time: n.TS, Notice: &event.Notice{
		UID: n.UID, Name: n.Note, Text: n.Msg, Src: n.Src, Dst: n.Dst, Port: n.P,
	}}
}
