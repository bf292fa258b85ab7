package eve

import (
	"encoding/json"
	"testing"
)

// benchLines are made events of the kinds that a busy sensor writes most.
func benchLines() map[string][]byte {
	return map[string][]byte{
		"flow":  []byte(head + `"flow","app_proto":"tls","flow":{"pkts_toserver":15,"pkts_toclient":14,"bytes_toserver":2500,"bytes_toclient":14400,"start":"2026-03-01T12:00:00.500000+0100","end":"2026-03-01T12:00:01.100000+0100","age":1,"state":"closed","reason":"timeout","alerted":false},"community_id":"1:zYoXcVkjlY3cxB7BmXyvwTtjF3E=","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","ts_max_regions":1,"tc_max_regions":1}}`),
		"alert": []byte(head + `"alert","tx_id":0,"alert":{"action":"allowed","gid":1,"signature_id":9000001,"rev":10,"signature":"TEST rule that matched a request of a client","category":"Potentially Bad Traffic","severity":2,"metadata":{"created_at":["2026_01_02"],"updated_at":["2026_01_03"]}},"app_proto":"http","direction":"to_server","flow":{"pkts_toserver":4,"pkts_toclient":3,"bytes_toserver":579,"bytes_toclient":1100,"start":"2026-03-01T12:00:00.500000+0100"}}`),
		"dns":   []byte(head + `"dns","dns":{"version":2,"type":"answer","id":45444,"flags":"8180","qr":true,"rd":true,"ra":true,"rrname":"www.shop.example","rrtype":"A","rcode":"NOERROR","answers":[{"rrname":"www.shop.example","rrtype":"CNAME","ttl":3324,"rdata":"shop.example"},{"rrname":"shop.example","rrtype":"A","ttl":10,"rdata":"192.0.2.24"}],"grouped":{"A":["192.0.2.24"],"CNAME":["shop.example"]}}}`),
	}
}

func BenchmarkParse(b *testing.B) {
	for name, line := range benchLines() {
		b.Run(name, func(b *testing.B) {
			p := NewParser()
			var e Event
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Parse(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPeerStruct is encoding/json with a struct of the same fields.
func BenchmarkPeerStruct(b *testing.B) {
	type peer struct {
		Timestamp   string `json:"timestamp"`
		EventType   string `json:"event_type"`
		FlowID      uint64 `json:"flow_id"`
		In          string `json:"in_iface"`
		SrcIP       string `json:"src_ip"`
		SrcPort     uint16 `json:"src_port"`
		DestIP      string `json:"dest_ip"`
		DestPort    uint16 `json:"dest_port"`
		Proto       string `json:"proto"`
		AppProto    string `json:"app_proto"`
		CommunityID string `json:"community_id"`
		Flow        struct {
			PktsToServer  uint64 `json:"pkts_toserver"`
			PktsToClient  uint64 `json:"pkts_toclient"`
			BytesToServer uint64 `json:"bytes_toserver"`
			BytesToClient uint64 `json:"bytes_toclient"`
			Start         string `json:"start"`
			End           string `json:"end"`
			Age           uint64 `json:"age"`
			State         string `json:"state"`
			Reason        string `json:"reason"`
			Alerted       bool   `json:"alerted"`
		} `json:"flow"`
		TCP struct {
			Flags    string `json:"tcp_flags"`
			ToServer string `json:"tcp_flags_ts"`
			ToClient string `json:"tcp_flags_tc"`
			State    string `json:"state"`
		} `json:"tcp"`
		Alert struct {
			Action    string              `json:"action"`
			GID       uint64              `json:"gid"`
			SID       uint64              `json:"signature_id"`
			Rev       uint64              `json:"rev"`
			Signature string              `json:"signature"`
			Category  string              `json:"category"`
			Severity  int                 `json:"severity"`
			Metadata  map[string][]string `json:"metadata"`
		} `json:"alert"`
		DNS struct {
			Version int    `json:"version"`
			Type    string `json:"type"`
			ID      uint64 `json:"id"`
			RCode   string `json:"rcode"`
			RRName  string `json:"rrname"`
			RRType  string `json:"rrtype"`
			Answers []struct {
				RRName string `json:"rrname"`
				RRType string `json:"rrtype"`
				RData  string `json:"rdata"`
				TTL    uint64 `json:"ttl"`
			} `json:"answers"`
			Grouped map[string][]string `json:"grouped"`
		} `json:"dns"`
	}
	for name, line := range benchLines() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				var e peer
				if err := json.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
