package zeek

// DNS reads the record as a row of dns.log into d; errors as for Conn.
func (r *Record) DNS(d *DNS) error {
	*d = DNS{}
	set, err := r.fields(KindDNS, func(s slot, v []byte) (ok bool) {
		switch s {
		case slotProto:
			d.Proto, ok = r.words.get(v), true
		case slotTransID:
			d.TransID, ok = parseUint(v)
		case slotRTT:
			d.RTT, ok = parseInterval(v)
		case slotQuery:
			d.Query, ok = string(v), true
		case slotQType:
			d.Type, ok = r.words.get(v), true
		case slotRCode:
			d.RCode, ok = r.words.get(v), true
		case slotAnswers:
			var err error
			d.Answers, err = r.elements("answers", v)
			return err == nil
		case slotRejected:
			d.Rejected = parseBool(v)
			return d.Rejected.isSet()
		case slotLabel:
			d.Label, ok = r.words.get(v), true
		case slotDetailed:
			d.DetailedLabel, ok = r.words.get(v), true
		default:
			return d.set(s, v)
		}
		return ok
	})
	if err != nil {
		return err
	}
	return set.need(slotTS, slotOrigH, slotRespH)
}

// HTTP reads the record as a row of http.log into h; errors as for Conn.
func (r *Record) HTTP(h *HTTP) error {
	*h = HTTP{}
	set, err := r.fields(KindHTTP, func(s slot, v []byte) (ok bool) {
		switch s {
		case slotMethod:
			h.Method, ok = r.words.get(v), true
		case slotHost:
			h.Host, ok = string(v), true
		case slotURI:
			h.URI, ok = string(v), true
		case slotReferrer:
			h.Referrer, ok = string(v), true
		case slotUserAgent:
			h.UserAgent, ok = r.words.get(v), true
		case slotRequestBody:
			h.RequestBody, ok = parseUint(v)
		case slotResponseBody:
			h.ResponseBody, ok = parseUint(v)
		case slotStatus:
			h.Status, ok = parseUint(v)
		case slotStatusMsg:
			h.StatusMsg, ok = r.words.get(v), true
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

// SSL reads the record as a row of ssl.log into t; errors as for Conn.
func (r *Record) SSL(t *SSL) error {
	*t = SSL{}
	set, err := r.fields(KindSSL, func(s slot, v []byte) bool {
		to := t.text(s)
		switch {
		case to != nil:
			*to = r.words.get(v)
		case s == slotResumed:
			t.Resumed = parseBool(v)
			return t.Resumed.isSet()
		case s == slotEstablished:
			t.Established = parseBool(v)
			return t.Established.isSet()
		default:
			return t.set(s, v)
		}
		return true
	})
	if err != nil {
		return err
	}
	return set.need(slotTS, slotOrigH, slotRespH)
}

// text says where a field of text belongs.
func (t *SSL) text(s slot) *string {
	switch s {
	case slotVersion:
		return &t.Version
	case slotCipher:
		return &t.Cipher
	case slotCurve:
		return &t.Curve
	case slotServerName:
		return &t.ServerName
	case slotNextProto:
		return &t.NextProto
	case slotSubject:
		return &t.Subject
	case slotIssuer:
		return &t.Issuer
	case slotValidation:
		return &t.Validation
	case slotJA3:
		return &t.JA3
	case slotJA3S:
		return &t.JA3S
	case slotLabel:
		return &t.Label
	case slotDetailed:
		return &t.DetailedLabel
	}
	return nil
}

// Weird reads the record as a row of weird.log into w; errors as for Conn.
func (r *Record) Weird(w *Weird) error {
	*w = Weird{}
	set, err := r.fields(KindWeird, func(s slot, v []byte) (ok bool) {
		switch s {
		case slotName:
			w.Name, ok = r.words.get(v), true
		case slotAddl:
			w.Addl, ok = string(v), true
		case slotNotice:
			w.Notice = parseBool(v)
			return w.Notice.isSet()
		case slotPeer:
			w.Peer, ok = r.words.get(v), true
		case slotSource:
			w.Source, ok = r.words.get(v), true
		case slotLabel:
			w.Label, ok = r.words.get(v), true
		case slotDetailed:
			w.DetailedLabel, ok = r.words.get(v), true
		default:
			return w.set(s, v)
		}
		return ok
	})
	if err != nil {
		return err
	}
	return set.need(slotTS, slotName)
}
