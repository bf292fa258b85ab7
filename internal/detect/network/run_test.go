package network

import (
	"reflect"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

var _ detect.Detector = (*Detector)(nil)

// observe turns a made connection back into what the log would hold.
func observe(c *Conn, received time.Time) *event.Observation {
	o := &event.Observation{ID: c.Ref.ID, Time: c.Time, Received: received}
	if c.Login {
		o.Kind = event.KindLogin
		o.Login = &event.Login{Orig: c.Orig, Resp: c.Resp, RespPort: c.RespPort, Service: "ssh", Attempts: c.Attempts}
		if c.Known {
			o.Login.Success = &c.Accepted
		}
		return o
	}
	o.Kind = event.KindFlow
	o.Flow = &event.Flow{
		Orig: c.Orig, Resp: c.Resp, OrigPort: c.OrigPort, RespPort: c.RespPort, Proto: c.Proto, State: c.State, History: c.History,
		OrigBytes: c.OrigBytes, RespBytes: c.RespBytes, RespPkts: c.RespPkts, Duration: c.Duration.Seconds(),
	}
	return o
}

// The same traffic gives the same alerts whether it is heard as it happens, or
// years later and all at once, as in a replay of a file.
func TestAlertsDoNotDependOnWhenItWasHeard(t *testing.T) {
	var tr traffic
	for i := range 2000 {
		at := time.Duration(i) * 7 * time.Second
		switch i % 4 {
		case 0:
			tr.add(at, unanswered(camera, ip("198.51.%d.%d", i/200, i%200), 23))
		case 1:
			tr.add(at, refused(outsider, laptop, uint16(i)))
		case 2:
			tr.add(at, login(outsider, camera, true, false, 2, true))
		case 3:
			tr.add(at, unanswered(ip("203.0.113.%d", i%60), ip("192.168.1.40"), uint16(i%8)))
		}
	}
	heardLive := func(c *Conn, _ int) time.Time { return c.Time.Add(3 * time.Second) }
	heardLater := func(_ *Conn, i int) time.Time { return t0.AddDate(4, 0, 0).Add(time.Duration(i) * time.Millisecond) }
	var newest [2]map[string]event.Alert
	for i, heard := range []func(*Conn, int) time.Time{heardLive, heardLater} {
		newest[i] = map[string]event.Alert{}
		run := detect.NewRun(NewDetector(Config{}))
		var got []event.Alert
		for j := range tr {
			got = append(got, run.Observe(observe(&tr[j], heard(&tr[j], j)))...)
		}
		got = append(got, run.Finish()...)
		for _, a := range got {
			if last, ok := newest[i][a.Cause]; ok && a.Revision != last.Revision+1 {
				t.Errorf("revision %d of %s follows %d", a.Revision, a.Cause, last.Revision)
			}
			a.Raised = time.Time{}
			newest[i][a.Cause] = a
		}
	}
	if len(newest[0]) != 4 || !reflect.DeepEqual(newest[0], newest[1]) {
		t.Errorf("%d alerts live, %d later; want 4 equal ones", len(newest[0]), len(newest[1]))
	}
	for _, a := range newest[0] {
		if a.Total < 450 {
			t.Errorf("%s: only %d observations at the end", a.Cause, a.Total)
		}
	}
}
