package zeek

import "fmt"

// seen says which fields a row has set.
type seen [slotEnd]bool

// fields gives each set field of the record to take, the first of a name only:
// what it is, and its plain text (of a list, its value as written; see elements).
// It returns an error wrapping ErrKind when the record is known to be of another
// log than want, and one wrapping ErrValue when take does.
func (r *Record) fields(want Kind, take func(s slot, v []byte) bool) (set seen, err error) {
	if k := r.kind; want != "" && k != "" && k != want {
		return set, fmt.Errorf("%w: this is %s.log, want %s.log", ErrKind, k, want)
	}
	for i, n := 0, r.count(); i < n; i++ {
		s, v, ok := r.at(i)
		if !ok || set[s] {
			continue
		}
		if s != slotAnswers {
			v = r.text(v)
		}
		if len(v) == 0 {
			continue
		}
		set[s] = true
		if !take(s, v) {
			return set, fieldError(s.String(), v, "a value of its type")
		}
	}
	return set, nil
}

// need reports which of some fields a row lacks.
func (set *seen) need(slots ...slot) error {
	for _, s := range slots {
		if !set[s] {
			return fmt.Errorf("%w: no %s", ErrValue, s)
		}
	}
	return nil
}

// set takes a field of the common part; a field of no interest is no fault.
func (id *ID) set(s slot, v []byte) (ok bool) {
	switch s {
	case slotTS:
		id.TS, ok = parseTime(v)
	case slotUID:
		id.UID, ok = string(v), true
	case slotOrigH:
		id.OrigH, ok = parseAddr(v)
	case slotOrigP:
		id.OrigP, ok = parsePort(v)
	case slotRespH:
		id.RespH, ok = parseAddr(v)
	case slotRespP:
		id.RespP, ok = parsePort(v)
	default:
		return true
	}
	return ok
}

// isSet reports a truth value that was one.
func (t Truth) isSet() bool { return t != Unknown }

// Conn reads the record as a row of conn.log into c. The error wraps ErrKind when
// it is a row of another log, ErrValue when a value does not fit.
func (r *Record) Conn(c *Conn) error {
	*c = Conn{}
	set, err := r.fields("", func(s slot, v []byte) bool { return r.connField(c, s, v) })
	switch {
	case err != nil:
		return err
	case !set[slotState] && r.kind != KindConn:
		return fmt.Errorf("%w: no conn_state, want a row of conn.log", ErrKind)
	}
	return set.need(slotTS, slotOrigH, slotRespH)
}

func (r *Record) connField(c *Conn, s slot, v []byte) (ok bool) {
	switch s {
	case slotProto:
		c.Proto, ok = r.words.get(v), true
	case slotService:
		c.Service, ok = r.words.get(v), true
	case slotDuration:
		c.Duration, ok = parseInterval(v)
	case slotOrigBytes:
		c.OrigBytes, ok = parseUint(v)
	case slotRespBytes:
		c.RespBytes, ok = parseUint(v)
	case slotState:
		c.State, ok = r.words.get(v), true
	case slotHistory:
		c.History, ok = r.words.get(v), true
	default:
		ok = r.connRest(c, s, v)
	}
	return ok
}

func (r *Record) connRest(c *Conn, s slot, v []byte) (ok bool) {
	switch s {
	case slotLocalOrig:
		c.LocalOrig = parseBool(v)
		return c.LocalOrig.isSet()
	case slotLocalResp:
		c.LocalResp = parseBool(v)
		return c.LocalResp.isSet()
	case slotMissed:
		c.MissedBytes, ok = parseUint(v)
	case slotOrigPkts:
		c.OrigPkts, ok = parseUint(v)
	case slotOrigIPBytes:
		c.OrigIPBytes, ok = parseUint(v)
	case slotRespPkts:
		c.RespPkts, ok = parseUint(v)
	case slotRespIPBytes:
		c.RespIPBytes, ok = parseUint(v)
	case slotLabel:
		c.Label, ok = r.words.get(v), true
	case slotDetailed:
		c.DetailedLabel, ok = r.words.get(v), true
	default:
		return c.set(s, v)
	}
	return ok
}

// SSH reads the record as a row of ssh.log into h; errors as for Conn.
func (r *Record) SSH(h *SSH) error {
	*h = SSH{}
	set, err := r.fields(KindSSH, func(s slot, v []byte) (ok bool) {
		switch s {
		case slotVersion:
			h.Version, ok = parseUint(v)
		case slotAuthSuccess:
			h.AuthSuccess = parseBool(v)
			return h.AuthSuccess.isSet()
		case slotAuthAttempts:
			h.AuthAttempts, ok = parseUint(v)
		case slotDirection:
			h.Direction, ok = r.words.get(v), true
		case slotClient:
			h.Client, ok = r.words.get(v), true
		case slotServer:
			h.Server, ok = r.words.get(v), true
		case slotHostKey:
			h.HostKey, ok = r.words.get(v), true
		case slotCountry:
			h.Country, ok = r.words.get(v), true
		case slotLabel:
			h.Label, ok = r.words.get(v), true
		case slotDetailed:
			h.DetailedLabel, ok = r.words.get(v), true
		default:
			return h.set(s, v)
		}
		return ok
	})
	if err != nil {
		return err
	}
	return set.need(slotTS, slotOrigH, slotRespH)
}

// Notice reads the record as a row of notice.log into t; errors as for Conn.
func (r *Record) Notice(t *Notice) error {
	*t = Notice{}
	set, err := r.fields(KindNotice, func(s slot, v []byte) (ok bool) {
		switch s {
		case slotProto:
			t.Proto, ok = r.words.get(v), true
		case slotNote:
			t.Note, ok = r.words.get(v), true
		case slotMsg:
			t.Msg, ok = string(v), true
		case slotSub:
			t.Sub, ok = string(v), true
		case slotSrc:
			t.Src, ok = parseAddr(v)
		case slotDst:
			t.Dst, ok = parseAddr(v)
		case slotP:
			t.P, ok = parsePort(v)
		case slotN:
			t.N, ok = parseUint(v)
		case slotLabel:
			t.Label, ok = r.words.get(v), true
		case slotDetailed:
			t.DetailedLabel, ok = r.words.get(v), true
		default:
			return t.set(s, v)
		}
		return ok
	})
	if err != nil {
		return err
	}
	return set.need(slotTS, slotNote)
}
