package zeek

import (
	"bytes"
	"io"
	"iter"
	"log/slog"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

// Source follows the logs of one monitor.
type Source = lines.Source

// Dialect returns what Zeek writes.
func Dialect() lines.Dialect {
	d := lines.Dialect{
		Name:       sourceName,
		Recognises: recognises,
		NewMapper: func(sensor, file string) lines.Mapper {
			return &mapper{sensor: sensor, dec: zeek.NewDecoder(file)}
		},
	}
	for _, kind := range kinds {
		d.Files = append(d.Files, kind+".log")
	}
	return d
}

// kinds lists the logs that are taken in; it is only read.
var kinds = [...]zeek.Kind{
	zeek.KindConn, zeek.KindDNS, zeek.KindHTTP, zeek.KindNotice, zeek.KindSSH, zeek.KindSSL, zeek.KindWeird,
}

// NewSource returns a source for the file or directory at path.
func NewSource(path string, log *bus.Log, in *sense.Intake, logger *slog.Logger) *Source {
	return lines.NewSource(Dialect(), path, log, in, logger)
}

// File reads a log from beginning to end. An observation's Received is when the
// monitor must have written the line: the latest end of any connection so far. A
// line that cannot be read gives an error that names it, and the next can be read.
func File(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return Dialect().File(name, src)
}

// recognises a row in JSON, which has a ts, or the head of a TSV log.
func recognises(line []byte) bool {
	return bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte("ts\t")) ||
		bytes.HasPrefix(line, []byte("{")) && bytes.Contains(line, []byte(`"ts"`)) && !bytes.Contains(line, []byte(`"event_type"`))
}
