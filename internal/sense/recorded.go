package sense

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// maxRecordedLine bounds a line of a recording, in bytes. A payload of the
// default limit (64 KiB) fits however it is escaped.
const maxRecordedLine = 1 << 20

// ErrRecording: a line of a recording is not a message that was recorded.
var ErrRecording = errors.New("not a recorded message: record with mosquitto_sub -F '%j'")

// Recorded reads MQTT messages that mosquitto_sub -F '%j' (or '%J') recorded, one
// a line, and returns what they say in a dialect. What was recorded at a home's
// own broker has the ecosystem's topics and counts as said by a device that is
// named like the file; what was recorded at the platform's broker begins with
// the device's id. Topics that the dialect does not know are passed over, since a
// recording of '#' holds everything.
//
// A line that cannot be read gives an error that names it, wrapping ErrRecording
// or ErrUnreadable, and the next can be read. Received is when the message was
// recorded, and never goes back.
func Recorded(d Dialect, name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		rec := recording{dialect: d, device: recordedDevice(name), devices: map[string]*registry.Device{}}
		lines := bufio.NewReaderSize(src, 64<<10)
		for n := 1; ; n++ {
			line, err := recordedLine(lines)
			if errors.Is(err, io.EOF) && len(line) == 0 {
				return
			}
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, ErrRecording) {
				yield(nil, fmt.Errorf("reading %s: %w", name, err))
				return
			}
			var os []*event.Observation
			if !errors.Is(err, ErrRecording) {
				os, err = rec.take(line)
			}
			if err != nil && !yield(nil, fmt.Errorf("%s: line %d: %w", name, n, err)) {
				return
			}
			for _, o := range os {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// recordedLine returns the next line. The rest of one that is too long is left
// out, so that what follows can be read.
//
// Errors: io.EOF with the last line, ErrRecording, the reader's.
func recordedLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) <= maxRecordedLine {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case len(line) > maxRecordedLine && (err == nil || errors.Is(err, io.EOF)):
			return line[:1], fmt.Errorf("%w: the line has more than %d bytes", ErrRecording, maxRecordedLine)
		}
		return line, err
	}
}

// recordedDevice names the device of a recording after its file.
func recordedDevice(name string) string {
	base := filepath.Base(name)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if base == "" || base == "-" || base == "." || base == "/" {
		return "recording"
	}
	return base
}

// recording is what is known while a recording is read.
type recording struct {
	dialect  Dialect
	device   string
	devices  map[string]*registry.Device // at most maxRecordedDevices
	received time.Time
}

const maxRecordedDevices = 100_000

// recordedMessage is a line as mosquitto_sub writes it.
type recordedMessage struct {
	Time    json.RawMessage `json:"tst"`
	Topic   string          `json:"topic"`
	Retain  json.RawMessage `json:"retain"`
	Bytes   *int            `json:"payloadlen"`
	Payload json.RawMessage `json:"payload"`
}

// take returns what a line says.
func (r *recording) take(line []byte) ([]*event.Observation, error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, nil
	}
	var rm recordedMessage
	if err := json.Unmarshal(line, &rm); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecording, err)
	}
	if rm.Topic == "" {
		return nil, fmt.Errorf("%w: it has no topic", ErrRecording)
	}
	at, err := recordedTime(rm.Time)
	if err != nil {
		return nil, err
	}
	payload, whole, err := recordedPayload(&rm)
	if err != nil {
		return nil, err
	}
	if at.After(r.received) {
		r.received = at
	}
	m := &Message{
		Topic: rm.Topic, Payload: payload, Received: r.received,
		Retained: string(rm.Retain) == "1" || string(rm.Retain) == "true",
	}
	if !r.address(m) {
		return nil, nil
	}
	os, err := r.dialect.Observe(m)
	if !whole && (err != nil || len(os) > 0) {
		return nil, fmt.Errorf("%w: topic %.200q: the recording holds %d of the payload's %d bytes: mosquitto_sub writes no binary data as JSON", ErrRecording, rm.Topic, len(payload), *rm.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("topic %.200q: %w", rm.Topic, err)
	}
	for i, o := range os {
		complete(o, m, r.dialect.Name(), i)
		o.Received = r.received
		if o.Time.IsZero() {
			o.Time = r.received
		}
	}
	return os, nil
}

// address finds whose message it is, and reports whether the dialect knows its
// topic.
func (r *recording) address(m *Message) bool {
	if r.dialect.Matches(m.Topic) {
		m.Device = r.named(r.device)
		return true
	}
	first, rest, ok := strings.Cut(m.Topic, "/")
	if !ok || first == "" || !r.dialect.Matches(rest) {
		return false
	}
	m.Device, m.Topic = r.named(first), rest
	return true
}

func (r *recording) named(id string) *registry.Device {
	if d := r.devices[id]; d != nil {
		return d
	}
	if len(r.devices) >= maxRecordedDevices {
		clear(r.devices)
	}
	d := &registry.Device{ID: id, Name: id}
	r.devices[id] = d
	return d
}

// recordedTimes are the forms of a recording's time: of mosquitto 2, and of what
// others write.
var recordedTimes = [...]string{"2006-01-02T15:04:05Z-0700", time.RFC3339, "2006-01-02T15:04:05-0700"}

func recordedTime(raw json.RawMessage) (time.Time, error) {
	if sec, err := strconv.ParseInt(string(raw), 10, 64); err == nil && sec >= 0 && sec < 1<<36 { // mosquitto 1.6
		return time.Unix(sec, 0).UTC(), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		for _, form := range recordedTimes {
			if t, err := time.Parse(form, text); err == nil && t.Year() > 0 && t.Year() < 10_000 {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%w: tst is %.60q, which is no time such as 2026-11-23T12:00:00.123456Z+0000", ErrRecording, raw)
}

// recordedPayload returns the payload's bytes, and whether they are all that were
// sent. '%j' writes the payload as a string, '%J' as the JSON that it is.
func recordedPayload(rm *recordedMessage) (payload []byte, whole bool, err error) {
	raw := bytes.TrimSpace(rm.Payload)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, rm.Bytes == nil || *rm.Bytes == 0 || string(raw) == "null" && *rm.Bytes == len("null"), nil
	case raw[0] != '"':
		return raw, true, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, false, fmt.Errorf("%w: payload: %w", ErrRecording, err)
	}
	// '%J' of a JSON string has its quotes counted.
	whole = rm.Bytes == nil || *rm.Bytes == len(text) || *rm.Bytes == len(raw)
	return []byte(text), whole, nil
}
