package suricata

import (
	"bytes"
	"io"
	"iter"
	"log/slog"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/protocol/eve"
)

// sourceName is the observations' source.
const sourceName = "suricata"

// Dialect returns what Suricata writes.
func Dialect() lines.Dialect {
	return lines.Dialect{
		Name:       sourceName,
		Files:      []string{"eve.json"},
		Recognises: func(line []byte) bool { return bytes.Contains(line, []byte(`"event_type"`)) },
		NewMapper: func(sensor, _ string) lines.Mapper {
			return &mapper{sensor: sensor, parse: eve.NewParser()}
		},
	}
}

// NewSource returns a source for the EVE file at path, or eve.json of the
// directory there.
func NewSource(path string, log *bus.Log, in *sense.Intake, logger *slog.Logger) *lines.Source {
	return lines.NewSource(Dialect(), path, log, in, logger)
}

// File reads an EVE file from beginning to end. An observation's Received is when
// Suricata wrote the line, by its own clock. A line that cannot be read gives an
// error that names it, and the next can be read.
func File(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return Dialect().File(name, src)
}
