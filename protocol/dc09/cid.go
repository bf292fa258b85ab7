package dc09

import "strings"

// appendCID reads "1130 00 015", with or without the spaces (DC-05; as
// carried by DC-07). Further blocks after a bar are further events.
func appendCID(dst []Signal, account, data string) ([]Signal, error) {
	account, at, err := cutAccount(account, data)
	if err != nil {
		return dst, err
	}
	out := dst
	for {
		block := data[at:]
		if end := strings.IndexByte(block, '|'); end >= 0 {
			block = block[:end]
		}
		var s Signal
		if text, ok := strings.CutPrefix(block, "A"); ok && len(out) > len(dst) {
			out[len(out)-1].Text = DecodeText(strings.TrimSpace(text))
		} else if bad := s.parseCID(block); bad >= 0 {
			return dst, contentError(data, at+bad, "a Contact ID event such as 1130 00 015")
		} else if len(out)-len(dst) >= maxSignals {
			return dst, contentError(data, at, "no more than 128 events")
		} else {
			s.Account = account
			out = append(out, s)
		}
		at += len(block)
		if at == len(data) {
			return out, nil
		}
		at++
	}
}

// parseCID reads one event and returns the place of the first wrong
// character, or -1.
func (s *Signal) parseCID(block string) int {
	var start [4]int
	sizes := [4]int{1, 3, 2, 3} // qualifier, event, group, zone or user
	at := 0
	for i, size := range sizes {
		for at < len(block) && block[at] == ' ' {
			at++
		}
		start[i] = at
		for range size {
			// Group and zone may be hexadecimal; qualifier and event are digits.
			if at >= len(block) || block[at]-'0' > 9 && (i < 2 || hexRun(block[:at+1], at) == 0) {
				return at
			}
			at++
		}
	}
	if rest := strings.TrimLeft(block[at:], " "); rest != "" {
		return len(block) - len(rest)
	}
	s.Format = TokenCID
	s.Code = block[start[1] : start[1]+3]
	s.Partition = trimZeros(block[start[2] : start[2]+2])
	number := trimZeros(block[start[3] : start[3]+3])
	known, ok := cidCodes[s.Code]
	if !ok {
		known.Category = Unknown
	}
	s.Meaning, s.Category = known.Meaning, known.Category
	switch block[start[0]] {
	case '1':
		s.Qualifier = New
	case '3':
		s.Qualifier = Restore
	case '6':
		s.Qualifier, s.Old = Status, true
	default:
		return start[0]
	}
	s.refineCID(known)
	if known.number == numberUser {
		s.User = number
	} else {
		s.Zone = number
	}
	return -1
}

// refineCID turns the qualifier's bare 1 and 3 into what they mean for this
// kind of event: an opening is not "new", and its end is a closing.
func (s *Signal) refineCID(c CIDCode) {
	switch c.Category {
	case Open: // 1 opening, 3 closing
		if s.Qualifier == Restore {
			s.Category, s.Qualifier = Close, New
		}
	case Cancelled:
		s.Qualifier = Cancel
	case Test, System, Access:
		if s.Qualifier == New {
			s.Qualifier = Status
		}
	}
}
