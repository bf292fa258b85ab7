package eve

import "net/netip"

func (p *Parser) alert(e *Event, key []byte) {
	a := &e.Alert
	switch string(key) {
	case "action":
		p.word(&a.Action)
	case "gid":
		p.uint("alert.gid", &a.GID)
	case "signature_id":
		p.uint("alert.signature_id", &a.SID)
	case "rev":
		p.uint("alert.rev", &a.Rev)
	case "signature":
		p.word(&a.Signature)
	case "category":
		p.word(&a.Category)
	case "severity":
		var n uint8
		p.octet("alert.severity", &n)
		a.Severity = int(n)
	case "source":
		p.side("alert.source.ip", &a.Source)
	case "target":
		p.side("alert.target.ip", &a.Target)
	case "metadata":
		p.object(e, p.metadata)
	default:
		p.c.value()
	}
}

// side takes {"ip": ..., "port": ...}.
func (p *Parser) side(field string, to *netip.Addr) {
	if p.c.peek() != '{' {
		p.c.value()
		return
	}
	for ok := p.c.open('{'); ok; ok = p.c.more('{') {
		if string(p.c.key()) == "ip" {
			p.addr(field, to)
		} else {
			p.c.value()
		}
	}
}

// metadata takes a name with a text or a list of texts.
func (p *Parser) metadata(e *Event, key []byte) {
	name := p.words.get(key)
	add := func(v []byte) {
		if len(e.Alert.Metadata) < MaxMetadata {
			e.Alert.Metadata = append(e.Alert.Metadata, Pair{Name: name, Value: p.words.get(plain(v))})
		}
	}
	if p.c.peek() != '[' {
		add(p.c.value())
		return
	}
	for ok := p.c.open('['); ok; ok = p.c.more('[') {
		add(p.c.value())
	}
}

func (p *Parser) dns(e *Event, key []byte) {
	d := &e.DNS
	switch string(key) {
	case "version":
		var n uint8
		p.octet("dns.version", &n)
		d.Version = int(n)
	case "type":
		// Versions 1 and 2 say query and answer, version 3 request and response.
		switch string(p.text()) {
		case "answer", "response":
			d.Answer = true
		}
	case "id":
		p.uint("dns.id", &d.ID)
	case "rcode":
		p.word(&d.RCode)
	case "rrname":
		p.str(&p.query(d).Name)
	case "rrtype":
		p.word(&p.query(d).Type)
	case "rdata": // version 1: the one answer stands beside the question
		p.str(&p.single(d).Data)
	case "ttl":
		p.uint("dns.ttl", &p.single(d).TTL)
	case "queries", "query":
		p.list(e, p.oneQuery)
	case "answers":
		p.list(e, p.oneAnswer)
	case "answer": // in alerts of version 2, one object
		p.object(e, p.dns)
		d.Answer = true
	case "grouped":
		p.object(e, p.group)
	default:
		p.c.value()
	}
}

// query returns the first question, which in versions 1 and 2 stands without a
// list.
func (p *Parser) query(d *DNS) *Query {
	if len(d.Queries) == 0 {
		d.Queries = append(d.Queries, Query{})
	}
	return &d.Queries[0]
}

func (p *Parser) single(d *DNS) *Answer {
	if len(d.Answers) == 0 {
		d.Answers = append(d.Answers, Answer{})
	}
	return &d.Answers[0]
}

// list gives each object of a list to take.
func (p *Parser) list(e *Event, take func(*Event)) {
	if p.c.peek() != '[' {
		p.c.value()
		return
	}
	for ok := p.c.open('['); ok; ok = p.c.more('[') {
		if p.c.peek() == '{' {
			take(e)
		} else {
			p.c.value()
		}
	}
}

func (p *Parser) oneQuery(e *Event) {
	var q Query
	for ok := p.c.open('{'); ok; ok = p.c.more('{') {
		switch string(p.c.key()) {
		case "rrname":
			p.str(&q.Name)
		case "rrtype":
			p.word(&q.Type)
		default:
			p.c.value()
		}
	}
	if len(e.DNS.Queries) < MaxQueries {
		e.DNS.Queries = append(e.DNS.Queries, q)
	}
}

func (p *Parser) oneAnswer(e *Event) {
	var a Answer
	for ok := p.c.open('{'); ok; ok = p.c.more('{') {
		switch string(p.c.key()) {
		case "rrname":
			p.str(&a.Name)
		case "rrtype":
			p.word(&a.Type)
		case "rdata":
			p.str(&a.Data)
		case "ttl":
			p.uint("dns.answers.ttl", &a.TTL)
		default:
			p.c.value()
		}
	}
	if len(e.DNS.Answers) < MaxAnswers {
		e.DNS.Answers = append(e.DNS.Answers, a)
	}
}

// group takes the answers of one type.
func (p *Parser) group(e *Event, key []byte) {
	kind := p.words.get(key)
	if p.c.peek() != '[' {
		p.c.value()
		return
	}
	for ok := p.c.open('['); ok; ok = p.c.more('[') {
		v := plain(p.c.value())
		if len(e.DNS.Answers) < MaxAnswers {
			e.DNS.Answers = append(e.DNS.Answers, Answer{Type: kind, Data: string(v)})
		}
	}
}

func (p *Parser) http(e *Event, key []byte) {
	h := &e.HTTP
	switch string(key) {
	case "hostname":
		p.str(&h.Host)
	case "http_port":
		p.port("http.http_port", &h.Port)
	case "url":
		p.str(&h.URL)
	case "http_user_agent":
		p.word(&h.UserAgent)
	case "http_content_type":
		p.word(&h.Type)
	case "http_method":
		p.word(&h.Method)
	case "http_refer":
		p.str(&h.Referrer)
	case "protocol":
		p.word(&h.Protocol)
	case "status":
		p.uint("http.status", &h.Status)
	case "length":
		p.uint("http.length", &h.Length)
	default:
		p.c.value()
	}
}

func (p *Parser) tls(e *Event, key []byte) {
	t := &e.TLS
	switch string(key) {
	case "subject":
		p.str(&t.Subject)
	case "issuerdn":
		p.word(&t.Issuer)
	case "serial":
		p.str(&t.Serial)
	case "fingerprint":
		p.str(&t.Fingerprint)
	case "sni":
		p.str(&t.SNI)
	case "version":
		p.word(&t.Version)
	case "notbefore":
		p.time("tls.notbefore", &t.NotBefore)
	case "notafter":
		p.time("tls.notafter", &t.NotAfter)
	case "ja3":
		p.hash(&t.JA3)
	case "ja3s":
		p.hash(&t.JA3S)
	case "ja4":
		p.word(&t.JA4)
	case "session_resumed":
		p.truth("tls.session_resumed", &t.Resumed)
	default:
		p.c.value()
	}
}

// hash takes {"hash": ..., "string": ...}.
func (p *Parser) hash(to *string) {
	if p.c.peek() != '{' {
		p.c.value()
		return
	}
	for ok := p.c.open('{'); ok; ok = p.c.more('{') {
		if string(p.c.key()) == "hash" {
			p.word(to)
		} else {
			p.c.value()
		}
	}
}
