package cli

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/network"
	"github.com/bluelamp/bluelamp/internal/detect/warning"
	"github.com/bluelamp/bluelamp/internal/event"
	warn "github.com/bluelamp/bluelamp/internal/sense/cap"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/sense/home"
	"github.com/bluelamp/bluelamp/internal/sense/street"
	"github.com/bluelamp/bluelamp/internal/sense/suricata"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
)

// replayCmd runs files through the detectors that the server runs.
type replayCmd struct {
	Format string   `help:"What the files are, see below." enum:"zeek,eve,dc09,gunshot,contact-sensor,ha,z2m,frigate,esphome,tasmota,chirpstack,tts,cap" required:"" placeholder:"zeek|eve|dc09|gunshot|contact-sensor|ha|z2m|frigate|esphome|tasmota|chirpstack|tts|cap"`
	JSON   bool     `name:"json" help:"Print each alert as a JSON object on a line."`
	Files  []string `arg:"" name:"file" help:"Files to replay, merged by time; - for standard input." type:"path"`

	Keep     bool   `help:"Put what the files say on the platform's log as well, see below."`
	Device   string `help:"With --keep: the registered device that recorded it." placeholder:"ID"`
	Premises string `help:"With --keep: the registered premises that it is of." placeholder:"ID"`
}

// replayRow is what a line of a file gave.
type replayRow struct {
	o    *event.Observation
	err  error
	name string     // of the file
	past *rowSource // what it was read from, where it is to be kept
}

// Help adds to the command's help.
func (replayCmd) Help() string {
	return `Alerts go to standard output, a summary and the lines that could not be read to
standard error. Nothing is stored without --keep. Files may be compressed with gzip.

  zeek            Zeek logs: conn, dns, http, notice, ssh, ssl, weird; TSV or JSON
  eve             Suricata EVE, a JSON object a line
  dc09            SIA DC-09 frames, one a line
  gunshot         gunshot sensors' reports, CSV as published by Washington DC; .gz too
  contact-sensor  a home's contact sensors: start, duration and sensor, a row each
  ha, z2m         what a hub published by MQTT for Home Assistant, or from Zigbee2MQTT,
  frigate         or from Frigate, or by ESPHome or Tasmota, as 'mosquitto_sub -F %j'
  esphome,        prints it
  tasmota
  chirpstack, tts the bodies of their webhooks one a line, or their MQTT messages as
                  above
  cap             CAP 1.2 messages, or an Atom or RSS feed of them

--keep puts what the files say on the log, while the server runs or not: it was
received now and happened when the files say. What cannot be read goes to quarantine,
what may not be kept is refused. Run again, it keeps only what is missing. What is
recorded in a home needs the home: --device or --premises. The platform then judges
it as it judges what comes late; the alerts printed here are judged as if the
files' time were now.`
}

// reader reads a recorded file. An error is about one line; the next can be read.
type reader func(name string, src io.Reader) iter.Seq2[*event.Observation, error]

// readers are the formats that can be replayed.
var readers = map[string]reader{
	"zeek":           zeek.File,
	"eve":            suricata.File,
	"dc09":           dc09.File,
	"gunshot":        street.GunshotFile,
	"contact-sensor": home.ContactSensorFile,
	"ha":             home.HomeAssistantFile,
	"z2m":            home.Zigbee2MQTTFile,
	"frigate":        home.FrigateFile,
	"esphome":        home.ESPHomeFile,
	"tasmota":        home.TasmotaFile,
	"chirpstack":     street.ChirpStackFile,
	"tts":            street.TTSFile,
	"cap":            warn.File,
}

// Run implements the command.
func (c replayCmd) Run(e *env) error {
	if !c.Keep && (c.Device != "" || c.Premises != "") {
		return usagef("--device and --premises say whose is what is kept: they need --keep")
	}
	var m merge
	for _, name := range c.Files {
		f, err := c.open(e, name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		src, err := unzipped(f)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		next, stop := iter.Pull(c.rows(name, src))
		defer stop()
		m.add(next)
	}
	if !c.Keep {
		return c.replay(e, &m, nil)
	}
	k, err := newReplayKeeper(e, &c)
	if err != nil {
		return err
	}
	return k.finish(c.replay(e, &m, k))
}

// replay judges the rows and, where there is a keeper, keeps them.
func (c replayCmd) replay(e *env, m *merge, k *replayKeeper) error {
	// Nothing is stored, so an alert may list all that it rests on.
	run := detect.NewRun(app.Detectors(network.Config{MaxRefs: math.MaxInt32, MaxHeld: math.MaxInt32}, warning.Config{})...)
	sum := replaySummary{out: e.Err, format: c.Format, bar: newProgress(e.Err)}
	for row, ok := m.next(); ok; row, ok = m.next() {
		if e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		if row.err != nil {
			sum.bad(row.err)
			if k != nil {
				if err := k.bad(&row); err != nil {
					return err
				}
			}
			continue
		}
		sum.saw(row.o)
		if err := c.print(e.Out, &sum, run.Observe(row.o)); err != nil {
			return err
		}
		if k == nil {
			continue
		}
		if err := k.take(&row); err != nil {
			return err
		}
	}
	if err := c.print(e.Out, &sum, run.Finish()); err != nil {
		return err
	}
	return sum.finish()
}

func (c replayCmd) open(e *env, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(e.In), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening a file to replay: %w", err)
	}
	return f, nil
}

func (c replayCmd) rows(name string, src io.Reader) iter.Seq[replayRow] {
	return func(yield func(replayRow) bool) {
		var past *rowSource
		if c.Keep {
			past = newRowSource(c.Format, src)
			src = past
		}
		for o, err := range readers[c.Format](name, src) {
			if !yield(replayRow{o, err, name, past}) {
				return
			}
		}
	}
}

func (c replayCmd) print(w io.Writer, sum *replaySummary, as []event.Alert) error {
	for i := range as {
		a := &as[i]
		sum.alert(a)
		if c.JSON {
			if err := json.NewEncoder(w).Encode(a); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(w, "%s  %-22s %.2f  %s\n", a.Raised.UTC().Format(time.RFC3339), a.Kind, a.Score, a.Reason); err != nil {
			return err
		}
	}
	return nil
}

// replaySummary counts what a replay met.
type replaySummary struct {
	out          io.Writer
	format       string
	bar          *progress
	observations int
	unread       int
	alerts       int
	causes       map[string]bool
	kinds        map[event.Kind]int
	start, end   time.Time
}

// maxComplaints bounds the unreadable lines that are named one by one.
const maxComplaints = 20

func (s *replaySummary) bad(err error) {
	s.unread++
	if s.unread <= maxComplaints {
		s.bar.done()
		fmt.Fprintln(s.out, "not read:", err)
	}
	if s.unread == maxComplaints+1 {
		fmt.Fprintln(s.out, "not read: more lines, which are only counted")
	}
}

func (s *replaySummary) saw(o *event.Observation) {
	s.observations++
	s.bar.say("%d observations, %d alerts, at %s", s.observations, s.alerts, o.Time.UTC().Format(time.RFC3339))
	if s.start.IsZero() || o.Time.Before(s.start) {
		s.start = o.Time
	}
	if o.Received.After(s.end) {
		s.end = o.Received
	}
}

func (s *replaySummary) alert(a *event.Alert) {
	s.bar.done()
	if s.causes == nil {
		s.causes, s.kinds = map[string]bool{}, map[event.Kind]int{}
	}
	s.alerts++
	if !s.causes[a.Cause] {
		s.causes[a.Cause] = true
		s.kinds[a.Kind]++
	}
}

func (s *replaySummary) finish() error {
	s.bar.done()
	fmt.Fprintf(s.out, "%s over %s, %s not read, %s about %s\n", count(s.observations, "observation"),
		s.end.Sub(s.start).Round(time.Second), count(s.unread, "line"), count(s.alerts, "alert"), count(len(s.causes), "cause"))
	for _, k := range sortedKeys(s.kinds) {
		fmt.Fprintf(s.out, "  %-22s %d\n", k, s.kinds[k])
	}
	if s.observations == 0 {
		return fmt.Errorf("nothing in the files could be read as --format %s: is that what they are?", s.format)
	}
	return nil
}

// merge gives the rows of several files in the order in which they would have
// been received.
type merge []*feed

type feed struct {
	row  replayRow
	next func() (replayRow, bool)
	at   time.Time
	n    int
}

func (m *merge) add(next func() (replayRow, bool)) {
	f := &feed{next: next, n: len(*m)}
	if f.advance() {
		heap.Push(m, f)
	}
}

func (m *merge) next() (replayRow, bool) {
	if len(*m) == 0 {
		return replayRow{}, false
	}
	f := (*m)[0]
	row := f.row
	if f.advance() {
		heap.Fix(m, 0)
	} else {
		heap.Pop(m)
	}
	return row, true
}

func (f *feed) advance() bool {
	row, ok := f.next()
	f.row = row
	if ok && row.o != nil {
		f.at = row.o.Received
	}
	return ok
}

func (m merge) Len() int { return len(m) }
func (m merge) Less(i, j int) bool {
	return m[i].at.Before(m[j].at) || m[i].at.Equal(m[j].at) && m[i].n < m[j].n
}
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*feed)) }
func (m *merge) Pop() any {
	old := *m
	f := old[len(old)-1]
	*m = old[:len(old)-1]
	return f
}
