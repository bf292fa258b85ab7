package street

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// ChirpStackFile reads ChirpStack events, one a line: as mosquitto_sub -F '%j'
// recorded them, or the bodies of its HTTP integration by themselves. Frames that
// were there before are refused as they would be live. Received is when the
// recorder or the network server had the event, and never goes back. A line that
// cannot be used gives an error that names it, and the next can be read.
func ChirpStackFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NewChirpStack(NewCounters(), nil), name, src, chirpstackBody)
}

// TTSFile reads messages of The Things Stack as ChirpStackFile does ChirpStack's.
func TTSFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return recorded(NewTTS(NewCounters(), nil), name, src, ttsBody)
}

// body is what a webhook's body tells of itself.
type body struct {
	topic string
	at    time.Time
}

// chirpstackBody finds out which event a body is: HTTP says it in the query, which
// a recording of bodies has lost.
func chirpstackBody(line []byte) (body, error) {
	var e struct {
		Time   time.Time       `json:"time"`
		RxInfo json.RawMessage `json:"rxInfo"`
		TxInfo json.RawMessage `json:"txInfo"`
		Margin json.RawMessage `json:"margin"`
		Level  json.RawMessage `json:"level"` // left out where it is INFO
		Code   json.RawMessage `json:"code"`
		Place  json.RawMessage `json:"location"`
		FCnt   json.RawMessage `json:"fCnt"`
		Data   json.RawMessage `json:"data"`
		Addr   json.RawMessage `json:"devAddr"`
		Info   json.RawMessage `json:"deviceInfo"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return body{}, err
	}
	kind := "txack"
	switch {
	case e.Info == nil:
		return body{}, errors.New("it has no deviceInfo: it is no event of ChirpStack v4")
	case e.Level != nil || e.Code != nil:
		kind = "log"
	case e.Place != nil:
		kind = "location"
	case e.RxInfo != nil || e.FCnt != nil || e.Data != nil:
		kind = "up"
	case e.Margin != nil:
		kind = "status"
	case e.Addr != nil && e.TxInfo == nil:
		kind = "join"
	}
	return body{"chirpstack?event=" + kind, e.Time}, nil
}

func ttsBody(line []byte) (body, error) {
	var e struct {
		ReceivedAt time.Time       `json:"received_at"`
		IDs        json.RawMessage `json:"end_device_ids"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return body{}, err
	}
	if e.IDs == nil {
		return body{}, errors.New("it has no end_device_ids: it is no message of The Things Stack v3")
	}
	return body{"tts", e.ReceivedAt}, nil
}

// maxLine bounds a line of a recording, in bytes.
const maxLine = 1 << 20

// recorded reads a recording of either kind, which its first line tells: every
// line of mosquitto_sub has a topic and a payload.
func recorded(d sense.Dialect, name string, src io.Reader, tell func([]byte) (body, error)) iter.Seq2[*event.Observation, error] {
	in := bufio.NewReaderSize(src, 64<<10)
	head, _ := in.Peek(64 << 10) // an error comes again when the line is read
	first, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte{'\n'})
	if bytes.Contains(first, []byte(`"payload"`)) && bytes.Contains(first, []byte(`"topic"`)) {
		return sense.Recorded(d, name, in)
	}
	return bodies(d, name, in, tell)
}

// bodies reads webhooks' bodies, one a line. Their lines become recorded
// messages, so that both kinds of file are read by one reader.
func bodies(d sense.Dialect, name string, in *bufio.Reader, tell func([]byte) (body, error)) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		device := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		var received time.Time
		for n := 1; lines.Scan(); n++ {
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			b, err := tell(line)
			if err != nil {
				if !yield(nil, fmt.Errorf("%s: line %d: %w", name, n, err)) {
					return
				}
				continue
			}
			if b.at.After(received) {
				received = b.at
			}
			msg, err := json.Marshal(map[string]any{"tst": received.UTC().Format(time.RFC3339), "topic": device + "/" + b.topic, "payload": json.RawMessage(line)})
			if err != nil {
				err = fmt.Errorf("%s: line %d: %w", name, n, err)
				if !yield(nil, err) {
					return
				}
				continue
			}
			for o, err := range sense.Recorded(d, name, bytes.NewReader(msg)) {
				if err != nil {
					err = fmt.Errorf("%s: line %d: %w", name, n, err)
				} else {
					o.Received = received
				}
				if !yield(o, err) {
					return
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("reading %s: %w", name, err))
		}
	}
}
