package cap

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bare is the good message without its XML declaration.
func bare(t testing.TB) string {
	_, s, _ := strings.Cut(string(storm(t)), "?>")
	return strings.TrimSpace(s)
}

func TestFind(t *testing.T) {
	prefixed := strings.NewReplacer("<alert xmlns=\""+Namespace+"\">", "<c:alert>", "</", "</c:", "<", "<c:").Replace(bare(t))
	prefixed = strings.NewReplacer("<c:c:alert>", "<c:alert>", "<c:/c:", "</c:").Replace(prefixed)
	for name, doc := range map[string]string{
		"one": string(storm(t)), "two": string(storm(t)) + string(storm(t)),
		"inherited": `<feed xmlns="http://www.w3.org/2005/Atom"><entry><content><x xmlns="` + Namespace + `">` +
			strings.Replace(bare(t), ` xmlns="`+Namespace+`"`, "", 1) + `</x></content></entry></feed>`,
		"prefixed": `<e xmlns:c="` + Namespace + `" xmlns:d="urn:d">` + prefixed + `</e>`,
	} {
		n := 0
		for m, err := range Find([]byte(doc)) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a, err := Decode(m.Data)
			if err != nil {
				t.Fatalf("%s: %v\n%.400s", name, err, m.Data)
			}
			if a.Identifier != "SK-2026-0007" {
				t.Errorf("%s: %+v", name, a)
			}
			n++
		}
		if want := 1 + strings.Count(name, "two"); n != want {
			t.Errorf("%s: %d messages", name, n)
		}
	}
	for name, doc := range map[string]string{
		"broken": string(storm(t)) + "<", "DTD": "<!DOCTYPE a><a/>", "deep": strings.Repeat("<a>", 100), "cut": bare(t)[:500],
	} {
		var last error
		for _, err := range Find([]byte(doc)) {
			last = err
		}
		if !errors.Is(last, ErrInvalid) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestReadFeed(t *testing.T) {
	atom := `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><title>Warnings</title>
<entry><id>a</id><updated>2026-03-07T20:10:00Z</updated><title>One</title><link rel="self" href="self.xml"/>
  <link rel="alternate" type="text/html" href="one.html"/><link type="application/cap+xml; charset=utf-8" href="one.xml"/></entry>
<entry><id>b</id><title>about urn:oasis:names:tc:emergency:cap:1.2 alert</title></entry>
<entry><id>c</id><content type="text/xml">` + bare(t) + `</content></entry></feed>`
	f, err := ReadFeed([]byte(atom))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != 2 || f.Entries[0].Link != "one.xml" || f.Entries[0].Updated.IsZero() || f.Entries[0].Data != nil {
		t.Fatalf("%+v", f.Entries)
	}
	if a, err := Decode(f.Entries[1].Data); err != nil || a.Identifier != "SK-2026-0007" || f.Entries[1].ID != "c" {
		t.Errorf("the message within: %+v %v", a, err)
	}
	rss := `<rss version="2.0"><channel><title>W</title><link>https://x.example/</link>
<item><guid>g1</guid><title>One</title><link>https://x.example/1</link><pubDate>Sat, 07 Mar 2026 20:10:00 GMT</pubDate></item>
<item><guid>g2</guid><link>https://x.example/2.html</link><enclosure url="https://x.example/2.xml" type="application/cap+xml" length="3"/></item>
</channel></rss>`
	if f, err = ReadFeed([]byte(rss)); err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != 2 || f.Entries[0].Link != "https://x.example/1" || f.Entries[0].Updated.Hour() != 20 || f.Entries[1].Link != "https://x.example/2.xml" {
		t.Errorf("%+v", f.Entries)
	}
	for _, bad := range []string{"", "<html/>", "<feed>", "<!DOCTYPE feed><feed/>", "<feed>" + strings.Repeat("<a>", 100), string(storm(t))} {
		if _, err := ReadFeed([]byte(bad)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.20s: %v", bad, err)
		}
	}
}

func TestEncodeFeed(t *testing.T) {
	at := time.Date(2026, 3, 7, 20, 10, 0, 0, time.UTC)
	out, err := EncodeFeed(Atom{ID: "tag:police.example,2026:warnings", Title: "Warnings", Author: "Skerry Police", Self: "/warnings/feed.atom", Updated: at},
		[]Entry{{ID: "tag:police.example,2026:warning/1", Updated: at, Link: "/warnings/1.xml", Title: "Flood & storm", Summary: "Keep <away>"}})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "feed", string(out))
	f, err := ReadFeed(out)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]string{"tag:police.example,2026:warning/1", "/warnings/1.xml", "Flood & storm"})
	if e := f.Entries[0]; fmt.Sprint([]string{e.ID, e.Link, e.Title}) != want || !e.Updated.Equal(at) {
		t.Errorf("read again as %+v", e)
	}
	if diff := cmp.Diff(1, len(f.Entries)); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(storm(f))
	f.Add([]byte(`<alert xmlns="` + Namespace + `"><identifier>1</identifier><info><area/></info></alert>`))
	f.Add([]byte("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		out, err := Encode(a)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		b, err := Decode(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !a.ID().Same(b.ID()) && a.Sent.Equal(a.Sent.Truncate(time.Second)) {
			t.Fatalf("%v became %v", a.ID(), b.ID())
		}
	})
}

func FuzzReadFeed(f *testing.F) {
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>c</id><content>` + bare(f) + `</content></entry></feed>`))
	f.Add([]byte(`<rss><channel><item><link>x</link></item></channel></rss>`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = ReadFeed(data)
		for _, err := range Find(data) {
			_ = err // whatever it is
		}
	})
}
