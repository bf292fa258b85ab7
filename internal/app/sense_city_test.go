package app_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

const eui = "a840411f2182b3c4"

// uplink is what ChirpStack posts of a frame that it had so long ago.
func uplink(counter int, once string, ago time.Duration) string {
	return fmt.Sprintf(`{"deduplicationId":%q,"time":%q,"deviceInfo":{"applicationName":"Streets","deviceName":"mill-lane-3","devEui":%q},
	"devAddr":"01fc2a3b","adr":true,"dr":5,"fCnt":%d,"fPort":85,"data":"AWdMAmg=","object":{"temperature":21.4,"humidity":63,"battery":88},
	"rxInfo":[{"gatewayId":"0016c001f1500812","rssi":-97,"snr":4.5}],
	"txInfo":{"frequency":868100000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":7,"codeRate":"CR_4_5"}}}}`,
		once, time.Now().Add(-ago).UTC().Format(time.RFC3339Nano), eui, counter)
}

// curl posts with the real curl, where it is there.
func (w *town) curl(t *testing.T, device, topic, body string) string {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		w.json(t, device, topic, body)
		return "204"
	}
	cmd := exec.Command(path, "-sS", "-o", os.DevNull, "-w", "%{http_code}", "-u", device+":"+secretOf(device), //nolint:gosec // the test's own words
		"-H", "Content-Type: application/json", "-d", "@-", w.IntakeURL()+"/in/"+device+"/"+topic)
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func senseChirpStack(t *testing.T, w *town) {
	for i, n := range []int{41, 42} {
		if code := w.curl(t, "city-lns", "chirpstack?event=up", uplink(n, fmt.Sprint("d", i), time.Hour-time.Duration(i)*time.Minute)); code != "204" {
			t.Fatalf("uplink %d is answered %s", n, code)
		}
	}
	ups, readings := w.via(t, "city-lns", event.KindUplink), w.via(t, "city-lns", event.KindMeasure)
	if len(ups) != 2 || ups[1].Radio == nil || ups[1].Radio.Counter == nil || *ups[1].Radio.Counter != 42 || len(readings) != 4 {
		t.Fatalf("%d uplinks, %d readings: %+v", len(ups), len(readings), ups)
	}
	// A recording of the first, played again: the network server would give it a name of its own.
	w.curl(t, "city-lns", "chirpstack?event=up", uplink(41, "again", 0))
	w.becomes(t, "a replayed radio frame", func(_ *incident.Incident, c incident.Cause) bool { return c.Kind == event.KindRadioReplay })
	if n := len(w.via(t, "city-lns", event.KindMeasure)); n != 4 {
		t.Errorf("%d readings, of which a replayed frame has some", n)
	}
}

// eveLine is what Suricata writes of an alert or a flow.
func eveLine(n, severity int) string {
	now := time.Now().UTC()
	head := fmt.Sprintf(`{"timestamp":%q,"flow_id":%d,"src_ip":"198.51.100.%d","src_port":50096,"dest_ip":"192.0.2.10","dest_port":80,"proto":"TCP",`,
		now.Format("2006-01-02T15:04:05.000000-0700"), 1000+n, n)
	if severity > 0 {
		return head + fmt.Sprintf(`"event_type":"alert","alert":{"action":"allowed","signature_id":9000001,"signature":"TEST camera taken over","category":"Test","severity":%d}}`, severity)
	}
	at := now.Add(-time.Second).Format("2006-01-02T15:04:05.000000-0700")
	return head + fmt.Sprintf(`"event_type":"flow","app_proto":"http","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":1000,"bytes_toclient":5000,"start":%q,"end":%q,"state":"closed"}}`, at, at)
}

func senseSuricata(t *testing.T, w *town) {
	flows := func() int {
		return len(w.heard(t, func(o *event.Observation) bool { return o.Source == "suricata" && o.Kind == event.KindFlow }))
	}
	w.write(t, "eve.json", eveLine(1, 0), eveLine(2, 0), "no JSON at all")
	until(t, "the first file's flows", func() bool { return flows() == 2 })
	// Rotation: what is written to the old file until the monitor lets go of it
	// counts, and so does the new file.
	if err := os.Rename(filepath.Join(w.eves, "eve.json"), filepath.Join(w.eves, "eve.json.1")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "eve.json.1", eveLine(3, 0))
	w.write(t, "eve.json", eveLine(4, 0), eveLine(5, 1))
	until(t, "the flows of both files", func() bool { return flows() == 4 })
	in := w.becomes(t, "an intrusion", func(_ *incident.Incident, c incident.Cause) bool { return c.Kind == event.KindIntrusionDetected })
	if in.Kind != "network_attack" || !strings.Contains(in.Subject, "198.51.100.5") {
		t.Errorf("%+v", in)
	}
	bad := 0
	for _, q := range w.quarantined() {
		if q.Source == "suricata" && string(q.Bytes) == "no JSON at all" && strings.HasSuffix(q.From, "eve.json:3") {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("the bad line is in quarantine %d times", bad)
	}
}

func senseGunshots(t *testing.T, w *town) {
	report := func(id string, north float64, ago time.Duration) string {
		return fmt.Sprintf(`{"id":%q,"type":"multiple","time":%q,"lat":%.5f,"lon":3.5,"accuracy":25,"rounds":4,"zone":"7D","confidence":0.9}`,
			id, time.Now().Add(-ago).UTC().Format(time.RFC3339Nano), 55+north/111_000)
	}
	w.json(t, "array", "gunshot", "["+report("a", 0, 20*time.Second)+","+report("b", 60, 19*time.Second)+"]")
	w.json(t, "array", "gunshot", report("c", 120, 5*time.Second))
	w.json(t, "array", "gunshot", report("c", 120, 5*time.Second)) // sent twice
	w.json(t, "array", "gunshot", report("far", 5000, time.Second))
	gunfire := func() []incident.Incident {
		return w.incidents(t, func(in *incident.Incident) bool { return in.Kind == "gunfire" })
	}
	signals := func() (n []int) {
		for _, in := range gunfire() {
			n = append(n, in.Signals)
		}
		return n
	}
	until(t, "two bursts", func() bool { n := signals(); return len(n) == 2 && n[0]+n[1] == 4 })
	if n := signals(); n[0] != 1 || n[1] != 3 { // the newest first
		t.Errorf("bursts of %v reports", n)
	}
}

func senseWarning(t *testing.T, w *town) {
	sent := time.Now().Add(-time.Minute).Truncate(time.Second)
	message := func(a codec.Alert) string {
		a.Sender, a.Status, a.Scope = "weather@skerry.example", codec.Actual, codec.Public
		doc, err := codec.Encode(&a)
		if err != nil {
			t.Fatal(err)
		}
		return string(doc)
	}
	infos := []codec.Info{{
		Language: "en-GB", Categories: []codec.Category{"Met"}, Event: "Flood", Urgency: "Immediate", Severity: codec.Extreme, Certainty: codec.Observed,
		Headline: "Flood wave", Expires: sent.Add(time.Hour), Areas: []codec.Area{{Desc: "Skerrywick"}},
	}}
	post := func(doc string) {
		if code := w.hook(t, "weather", "cap", strings.NewReader(doc), "application/cap+xml"); code != http.StatusNoContent {
			t.Fatalf("a warning is answered %d", code)
		}
	}
	post(message(codec.Alert{Identifier: "SK-1", Sent: sent, MsgType: codec.MsgAlert, Infos: infos}))
	is := func(over bool) func(*incident.Incident, incident.Cause) bool {
		return func(in *incident.Incident, c incident.Cause) bool { return in.Kind == "warning" && c.Over == over }
	}
	in := w.becomes(t, "a warning", is(false))
	if !strings.Contains(in.Subject+in.Title, "weather@skerry.example") && !strings.Contains(in.Title, "Flood") {
		t.Errorf("%+v", in)
	}
	post(message(codec.Alert{
		Identifier: "SK-2", Sent: sent.Add(30 * time.Second), MsgType: codec.MsgCancel, Infos: infos,
		References: []codec.Reference{{Sender: "weather@skerry.example", Identifier: "SK-1", Sent: sent}},
	}))
	if over := w.becomes(t, "its cancellation", is(true)); over.ID != in.ID {
		t.Errorf("another incident: %+v", over)
	}
}
