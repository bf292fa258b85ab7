package backup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// A line is a JSON object with a record's position, the time at which the log
// took it, and its bytes exactly as they are on the log: as "data" where they are
// JSON, else as "base64". The members come in this order.

var errLine = errors.New("not a line of a segment")

func appendLine(dst []byte, r bus.Record) []byte {
	dst = append(dst, `{"pos":`...)
	dst = strconv.AppendUint(dst, r.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	if json.Valid(r.Data) {
		dst = append(append(dst, `","data":`...), r.Data...)
		return append(dst, "}\n"...)
	}
	dst = append(dst, `","base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, r.Data)
	return append(dst, "\"}\n"...)
}

// parseLine reads a line, without its end.
func parseLine(line []byte) (bus.Record, error) {
	var r bus.Record
	rest, ok := bytes.CutPrefix(line, []byte(`{"pos":`))
	pos, rest, ok2 := bytes.Cut(rest, []byte(`,"time":"`))
	at, rest, ok3 := bytes.Cut(rest, []byte(`","`))
	rest, ok4 := bytes.CutSuffix(rest, []byte("}"))
	if !ok || !ok2 || !ok3 || !ok4 {
		return r, fmt.Errorf("%w: %.60q", errLine, line)
	}
	var err error
	if r.Seq, err = strconv.ParseUint(string(pos), 10, 63); err != nil {
		return r, fmt.Errorf("%w: position %.30q", errLine, pos)
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, string(at)); err != nil {
		return r, fmt.Errorf("%w: time %.40q", errLine, at)
	}
	if data, ok := bytes.CutPrefix(rest, []byte(`data":`)); ok {
		if !json.Valid(data) {
			return r, fmt.Errorf("%w: position %d holds no JSON", errLine, r.Seq)
		}
		r.Data = bytes.Clone(data)
		return r, nil
	}
	text, ok := bytes.CutPrefix(rest, []byte(`base64":"`))
	text, ok2 = bytes.CutSuffix(text, []byte(`"`))
	if !ok || !ok2 {
		return r, fmt.Errorf("%w: position %d holds nothing", errLine, r.Seq)
	}
	if r.Data, err = base64.StdEncoding.AppendDecode([]byte{}, text); err != nil || bytes.IndexByte(r.Data, '\n') >= 0 {
		return r, fmt.Errorf("%w: position %d: not base64 of a record", errLine, r.Seq)
	}
	return r, nil
}
