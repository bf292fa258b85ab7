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
)

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
	return slotOfOther(name)
}

// slotOfOther knows the fields of ssh and notice rows.
func slotOfOther(name []byte) slot {
	switch string(name) {
	case "version":
		return slotVersion
	case "auth_success":
		return slotAuthSuccess
	case "auth_attempts":
		return slotAuthAttempts
	case "direction":
		return slotDirection
	case "client":
		return slotClient
	case "server":
		return slotServer
	case "host_key":
		return slotHostKey
	case "remote_location.country_code":
		return slotCountry
	case "note":
		return slotNote
	case "msg":
		return slotMsg
	case "sub":
		return slotSub
	case "src":
		return slotSrc
	case "dst":
		return slotDst
	case "p":
		return slotP
	case "n":
		return slotN
	}
	return slotNone
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
