package zeek

import "bytes"

// slot says what a field is to the typed rows.
type slot uint8

const (
	slotNone slot = iota
	slotTS
	slotUID
	slotOrigH
	slotOrigP
	slotRespH
	slotRespP
	slotProto
	slotService
	slotDuration
	slotOrigBytes
	slotRespBytes
	slotState
	slotLocalOrig
	slotLocalResp
	slotMissed
	slotHistory
	slotOrigPkts
	slotOrigIPBytes
	slotRespPkts
	slotRespIPBytes
	slotLabel
	slotDetailed
	slotVersion
	slotAuthSuccess
	slotAuthAttempts
	slotDirection
	slotClient
	slotServer
	slotHostKey
	slotCountry
	slotNote
	slotMsg
	slotSub
	slotSrc
	slotDst
	slotP
	slotN
	slotTransID
	slotRTT
	slotQuery
	slotQType
	slotRCode
	slotAnswers
	slotRejected
	slotMethod
	slotHost
	slotURI
	slotReferrer
	slotUserAgent
	slotRequestBody
	slotResponseBody
	slotStatus
	slotStatusMsg
	slotCipher
	slotCurve
	slotServerName
	slotResumed
	slotEstablished
	slotNextProto
	slotSubject
	slotIssuer
	slotValidation
	slotJA3
	slotJA3S
	slotName
	slotAddl
	slotNotice
	slotPeer
	slotSource
	slotEnd
)

// slotNames is only read: the field of each slot.
var slotNames = [slotEnd]string{
	slotTS:           "ts",
	slotUID:          "uid",
	slotOrigH:        "id.orig_h",
	slotOrigP:        "id.orig_p",
	slotRespH:        "id.resp_h",
	slotRespP:        "id.resp_p",
	slotProto:        "proto",
	slotService:      "service",
	slotDuration:     "duration",
	slotOrigBytes:    "orig_bytes",
	slotRespBytes:    "resp_bytes",
	slotState:        "conn_state",
	slotLocalOrig:    "local_orig",
	slotLocalResp:    "local_resp",
	slotMissed:       "missed_bytes",
	slotHistory:      "history",
	slotOrigPkts:     "orig_pkts",
	slotOrigIPBytes:  "orig_ip_bytes",
	slotRespPkts:     "resp_pkts",
	slotRespIPBytes:  "resp_ip_bytes",
	slotLabel:        "label",
	slotDetailed:     "detailedlabel",
	slotVersion:      "version",
	slotAuthSuccess:  "auth_success",
	slotAuthAttempts: "auth_attempts",
	slotDirection:    "direction",
	slotClient:       "client",
	slotServer:       "server",
	slotHostKey:      "host_key",
	slotCountry:      "remote_location.country_code",
	slotNote:         "note",
	slotMsg:          "msg",
	slotSub:          "sub",
	slotSrc:          "src",
	slotDst:          "dst",
	slotP:            "p",
	slotN:            "n",
	slotTransID:      "trans_id",
	slotRTT:          "rtt",
	slotQuery:        "query",
	slotQType:        "qtype_name",
	slotRCode:        "rcode_name",
	slotAnswers:      "answers",
	slotRejected:     "rejected",
	slotMethod:       "method",
	slotHost:         "host",
	slotURI:          "uri",
	slotReferrer:     "referrer",
	slotUserAgent:    "user_agent",
	slotRequestBody:  "request_body_len",
	slotResponseBody: "response_body_len",
	slotStatus:       "status_code",
	slotStatusMsg:    "status_msg",
	slotCipher:       "cipher",
	slotCurve:        "curve",
	slotServerName:   "server_name",
	slotResumed:      "resumed",
	slotEstablished:  "established",
	slotNextProto:    "next_protocol",
	slotSubject:      "subject",
	slotIssuer:       "issuer",
	slotValidation:   "validation_status",
	slotJA3:          "ja3",
	slotJA3S:         "ja3s",
	slotName:         "name",
	slotAddl:         "addl",
	slotNotice:       "notice",
	slotPeer:         "peer",
	slotSource:       "source",
}

// String names the field.
func (s slot) String() string { return slotNames[s] }

// slotsByName is only read.
var slotsByName = func() map[string]slot {
	m := make(map[string]slot, slotEnd)
	for s, name := range slotNames {
		if name != "" {
			m[name] = slot(s)
		}
	}
	return m
}()

// slotOf finds the slot of a field. It is asked for every member of every JSON
// row, so the names of the log with the most rows are compared directly.
func slotOf(name []byte) slot {
	switch string(name) {
	case "ts":
		return slotTS
	case "uid":
		return slotUID
	case "id.orig_h":
		return slotOrigH
	case "id.orig_p":
		return slotOrigP
	case "id.resp_h":
		return slotRespH
	case "id.resp_p":
		return slotRespP
	case "proto":
		return slotProto
	case "service":
		return slotService
	case "duration":
		return slotDuration
	case "orig_bytes":
		return slotOrigBytes
	case "resp_bytes":
		return slotRespBytes
	case "conn_state":
		return slotState
	case "local_orig":
		return slotLocalOrig
	case "local_resp":
		return slotLocalResp
	case "missed_bytes":
		return slotMissed
	case "history":
		return slotHistory
	case "orig_pkts":
		return slotOrigPkts
	case "orig_ip_bytes":
		return slotOrigIPBytes
	case "resp_pkts":
		return slotRespPkts
	case "resp_ip_bytes":
		return slotRespIPBytes
	case "label":
		return slotLabel
	case "detailedlabel", "detailed-label", "detailed_label", "detailedLabel":
		return slotDetailed
	}
	return slotsByName[string(name)]
}

// count returns how many fields the row has, at gives the i-th: what it is and
// its value as written; set is false for an unset one and one of no typed row.
func (r *Record) count() int {
	if r.Format == TSV {
		return len(r.cells)
	}
	return len(r.json)
}

func (r *Record) at(i int) (s slot, value []byte, set bool) {
	if r.Format == TSV {
		s, value = r.head.slots[i], r.cells[i]
		return s, value, s != slotNone && !bytes.Equal(value, r.head.unset)
	}
	m := r.json[i]
	s = slotOf(m.name)
	return s, m.value, s != slotNone && string(m.value) != "null"
}
