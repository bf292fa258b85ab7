package dc09

import "strings"

// siaReader walks the data of a SIA-DCS frame: blocks between bars, each with
// a letter for its function (DC-03; as carried by DC-07).
type siaReader struct {
	data    string
	at      int
	account string
	out     []Signal
	first   int // where this frame's signals begin in out

	// What holds for the events that follow in the block.
	old             bool
	partition, user string
	clock           string
}

func appendSIA(dst []Signal, account, data string) ([]Signal, error) {
	account, at, err := cutAccount(account, data)
	if err != nil {
		return dst, err
	}
	r := siaReader{data: data, at: at, account: account, out: dst, first: len(dst)}
	for r.at < len(data) {
		switch function := data[r.at]; function {
		case '|':
			r.at++
		case 'N', 'O':
			r.at++
			r.old, r.partition, r.user, r.clock = function == 'O', "", "", ""
			if err := r.events(); err != nil {
				return dst, err
			}
		case 'A':
			r.at++
			r.addText(r.until("|"))
		default:
			// Other functions (programming, listening in, ...) report no event.
			r.until("|")
		}
	}
	if len(r.out) == r.first {
		return dst, contentError(data, at, "N or O and an event code")
	}
	return r.out, nil
}

// events reads one N or O block up to its bar.
func (r *siaReader) events() error {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; {
		case c == '|':
			return nil
		case c == '/' || c == ' ':
			r.at++
		case c == '^' || c == '*':
			r.at++
			text := r.until(r.data[r.at-1 : r.at])
			r.at = min(r.at+1, len(r.data))
			r.addText(text)
		case r.pair('a'):
			if err := r.modifier(); err != nil {
				return err
			}
		case r.pair('A'):
			if len(r.out)-r.first >= maxSignals {
				return contentError(r.data, r.at, "no more than 128 events")
			}
			if err := r.event(); err != nil {
				return err
			}
		default:
			return contentError(r.data, r.at, "two letters of a modifier or an event code")
		}
	}
	return nil
}

// pair tells whether two letters of the alphabet that begins at a come next.
func (r *siaReader) pair(a byte) bool {
	return r.at+1 < len(r.data) && r.data[r.at]-a <= 25 && r.data[r.at+1]-a <= 25
}

// modifier reads two small letters and a value: ri1/ id12/ ti19:44/. The
// slash ends it, but some panels leave it out before the code (ri0KR1).
func (r *siaReader) modifier() error {
	name := r.data[r.at : r.at+2]
	r.at += 2
	start := r.at
	for r.at < len(r.data) && (r.data[r.at]-'0' <= 9 || r.data[r.at] == ':') {
		r.at++
	}
	if !r.pair('A') {
		r.until("/|^*")
	}
	value := r.data[start:r.at]
	switch name {
	case "ri", "id":
		if value != "" && !validNumber(value) {
			return contentError(r.data, start, "a number of at most 16 letters and digits")
		}
		if name == "ri" {
			r.partition = trimZeros(value)
		} else {
			r.user = trimZeros(value)
		}
	case "ti":
		if len(value) > len("HH:MM:SS") || strings.Trim(value, "0123456789:") != "" {
			return contentError(r.data, start, "a time HH:MM or HH:MM:SS")
		}
		r.clock = value
	}
	return nil
}

// event reads a code and the number of its zone or user: BA003.
func (r *siaReader) event() error {
	code := r.data[r.at : r.at+2]
	r.at += 2
	start := r.at
	for r.at < len(r.data) && isAlnum(r.data[r.at]) {
		r.at++
	}
	if r.at-start > maxAccount {
		return contentError(r.data, start, "a number of at most 16 letters and digits")
	}
	number := trimZeros(r.data[start:r.at])
	s := Signal{
		Account: r.account, Format: TokenSIA, Code: code,
		Category: Unknown, Qualifier: Status,
		Old: r.old, Partition: r.partition, User: r.user, Clock: r.clock,
	}
	known, ok := siaCodes[code]
	if ok {
		s.Meaning, s.Category, s.Qualifier = known.Meaning, known.Category, known.Qualifier
	}
	switch {
	case known.number == numberUser && number != "":
		s.User = number
	case known.number == numberArea && number != "":
		s.Partition = number
	case known.number == numberZone:
		s.Zone = number
	}
	r.out = append(r.out, s)
	return nil
}

// addText gives a text to the last event without one, or adds it to what the
// last event has.
func (r *siaReader) addText(text string) {
	text = DecodeText(strings.TrimSpace(text))
	if text == "" || len(r.out) == r.first {
		return
	}
	last := &r.out[len(r.out)-1]
	if last.Text != "" {
		text = last.Text + " " + text
	}
	last.Text = text
}

// until moves to the first of the stop bytes, or the end, and returns what it
// passed.
func (r *siaReader) until(stops string) string {
	rest := r.data[r.at:]
	if n := strings.IndexAny(rest, stops); n >= 0 {
		rest = rest[:n]
	}
	r.at += len(rest)
	return rest
}
