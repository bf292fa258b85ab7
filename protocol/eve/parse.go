package eve

import "bytes"

// Parser reads events. It keeps one copy of the words that come again and again.
//
// It is not for use by several goroutines.
type Parser struct {
	words intern
	c     cursor
	lower [32]byte
}

// NewParser returns a Parser.
func NewParser() *Parser { return &Parser{words: intern{m: make(map[string]string)}} }

// Parse reads a line into e, whose lists are used again; all its texts are copies.
// A prefix such as "@cee: ", which can be configured, is passed over.
//
// Errors: ErrJSON, ErrValue, ErrNoEvent.
func (p *Parser) Parse(line []byte, e *Event) error {
	e.reset()
	if rest, ok := bytes.CutPrefix(line, []byte("@cee:")); ok {
		line = rest
	}
	p.c = cursor{b: line}
	for ok := p.c.open('{'); ok; ok = p.c.more('{') {
		p.member(e, p.c.key())
	}
	if p.c.err == nil && p.c.peek() != 0 || p.c.err == nil && p.c.i != len(line) {
		p.c.fail("text after the object")
	}
	if p.c.err == nil && (e.Time.IsZero() || e.Type == "") {
		return ErrNoEvent
	}
	if e.Type == TypeDNS && e.DNS.Version == 0 {
		e.DNS.Version = 1
	}
	return p.c.err
}

// member takes one member of an event.
func (p *Parser) member(e *Event, key []byte) {
	switch string(key) {
	case "timestamp":
		p.time("timestamp", &e.Time)
	case "event_type":
		p.word(&e.Type)
	case "flow_id":
		p.uint("flow_id", &e.FlowID)
	case "src_ip":
		p.addr("src_ip", &e.Src)
	case "src_port":
		p.port("src_port", &e.SrcPort)
	case "dest_ip":
		p.addr("dest_ip", &e.Dst)
	case "dest_port":
		p.port("dest_port", &e.DstPort)
	case "proto":
		e.Proto = p.words.get(p.toLower(p.text()))
	case "app_proto":
		p.word(&e.App)
	case "community_id":
		p.str(&e.CommunityID)
	case "flow":
		p.object(e, p.flow)
	case "tcp":
		p.object(e, p.tcp)
	case "alert":
		p.object(e, p.alert)
	case "dns":
		p.object(e, p.dns)
	case "http":
		p.object(e, p.http)
	case "tls":
		p.object(e, p.tls)
	case "anomaly":
		p.object(e, p.anomaly)
	default:
		p.rare(e, key)
	}
}

func (p *Parser) rare(e *Event, key []byte) {
	switch string(key) {
	case "in_iface":
		p.word(&e.In)
	case "icmp_type":
		p.octet("icmp_type", &e.ICMPType)
	case "icmp_code":
		p.octet("icmp_code", &e.ICMPCode)
	case "tx_id":
		p.uint("tx_id", &e.TxID)
	case "host":
		p.word(&e.Host)
	default:
		p.c.value()
	}
}

// toLower lowers a short name of ASCII letters; longer ones are left as they are.
func (p *Parser) toLower(b []byte) []byte {
	if len(b) > len(p.lower) {
		return b
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		p.lower[i] = c
	}
	return p.lower[:len(b)]
}

// object gives the members of the next value, when it is an object, to take.
func (p *Parser) object(e *Event, take func(*Event, []byte)) {
	if p.c.peek() != '{' {
		p.c.value()
		return
	}
	for ok := p.c.open('{'); ok; ok = p.c.more('{') {
		take(e, p.c.key())
	}
}

func (p *Parser) flow(e *Event, key []byte) {
	f := &e.Flow
	switch string(key) {
	case "pkts_toserver":
		p.uint("flow.pkts_toserver", &f.PktsToServer)
	case "pkts_toclient":
		p.uint("flow.pkts_toclient", &f.PktsToClient)
	case "bytes_toserver":
		p.uint("flow.bytes_toserver", &f.BytesToServer)
	case "bytes_toclient":
		p.uint("flow.bytes_toclient", &f.BytesToClient)
	case "start":
		p.time("flow.start", &f.Start)
	case "end":
		p.time("flow.end", &f.End)
	case "age":
		p.uint("flow.age", &f.Age)
	case "state":
		p.word(&f.State)
	case "reason":
		p.word(&f.Reason)
	case "alerted":
		p.truth("flow.alerted", &f.Alerted)
	default:
		p.c.value()
	}
}

func (p *Parser) tcp(e *Event, key []byte) {
	switch string(key) {
	case "tcp_flags":
		p.flags("tcp.tcp_flags", &e.TCP.Flags)
	case "tcp_flags_ts":
		p.flags("tcp.tcp_flags_ts", &e.TCP.ToServer)
	case "tcp_flags_tc":
		p.flags("tcp.tcp_flags_tc", &e.TCP.ToClient)
	case "state":
		p.word(&e.TCP.State)
	default:
		p.c.value()
	}
}

func (p *Parser) anomaly(e *Event, key []byte) {
	switch string(key) {
	case "type":
		p.word(&e.Anomaly.Type)
	case "event":
		p.word(&e.Anomaly.Event)
	case "layer":
		p.word(&e.Anomaly.Layer)
	case "code":
		p.uint("anomaly.code", &e.Anomaly.Code)
	default:
		p.c.value()
	}
}
