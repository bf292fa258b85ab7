package eve

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// FuzzParse holds the parser to encoding/json: it takes only what is JSON, refuses
// what is JSON only with a reason of its own, and reads texts alike.
func FuzzParse(f *testing.F) {
	f.Add([]byte(head + `"http","http":{"hostname":"a\u0041\ud83d\ude00","url":"\/","status":"200"}}`))
	f.Add([]byte(head + `"alert","alert":{"signature_id":1,"severity":2,"metadata":{"a":["b",1,null]}}}`))
	f.Add([]byte(head + `"dns","dns":{"version":3,"queries":[{"rrname":"a"}],"grouped":{"A":["1.2.3.4"]}}}`))
	f.Add([]byte(`{"timestamp":"2026-03-01T12:00:00Z","event_type":"x","a":[[{}],-0.1e+5,true]}`))
	p := NewParser()
	f.Fuzz(func(t *testing.T, in []byte) {
		var e Event
		err := p.Parse(in, &e)
		if strings.HasPrefix(string(in), "@cee:") {
			return
		}
		valid := json.Valid(in)
		switch {
		case err == nil && !valid:
			t.Fatalf("took %q, which is not JSON", in)
		case errors.Is(err, ErrJSON) && valid && strings.HasPrefix(strings.TrimLeft(string(in), " \t\r\n"), "{") &&
			!strings.Contains(err.Error(), "deep") && !strings.Contains(err.Error(), "many"):
			t.Fatalf("refused %q: %v", in, err)
		}
		if err != nil {
			return
		}
		agree(t, in, &e)
	})
}

// agree compares a few texts with those of encoding/json. Names that occur twice,
// or differ in case only, mean different things to the two.
func agree(t *testing.T, in []byte, e *Event) {
	var peer struct {
		Type string `json:"event_type"`
		HTTP struct {
			Host string `json:"hostname"`
		} `json:"http"`
	}
	lower := strings.ToLower(string(in))
	if strings.Count(lower, "event_type") != 1 || strings.Count(lower, "hostname") != 1 || strings.Count(lower, "http\"") > 2 || strings.Contains(lower, `\u`) {
		return
	}
	if err := json.Unmarshal(in, &peer); err != nil {
		return // a value of another kind, which we pass over
	}
	if peer.Type != e.Type || peer.HTTP.Host != "" && peer.HTTP.Host != e.HTTP.Host {
		t.Fatalf("%q: %q and %q, want %q and %q", in, e.Type, e.HTTP.Host, peer.Type, peer.HTTP.Host)
	}
}
