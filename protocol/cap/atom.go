package cap

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"time"
)

// Atom is what an Atom feed of messages says of itself when it is written.
type Atom struct {
	ID      string // an IRI that never changes
	Title   string
	Author  string
	Self    string // address of the feed; empty: none is said
	Updated time.Time
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Summary string   `xml:"summary,omitempty"`
	Link    atomLink `xml:"link"`
}

type atomFeed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  struct {
		Name string `xml:"name"`
	} `xml:"author"`
	Link    *atomLink   `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

// EncodeFeed writes an Atom feed (RFC 4287) whose entries link to messages.
func EncodeFeed(about Atom, entries []Entry) ([]byte, error) {
	f := atomFeed{ID: about.ID, Title: about.Title, Updated: atomTime(about.Updated)}
	f.Author.Name = about.Author
	if about.Self != "" {
		f.Link = &atomLink{Rel: "self", Type: FeedMediaType, Href: about.Self}
	}
	for _, e := range entries {
		f.Entries = append(f.Entries, atomEntry{
			ID: e.ID, Title: clean(e.Title), Updated: atomTime(e.Updated), Summary: clean(e.Summary),
			Link: atomLink{Rel: "alternate", Type: MediaType, Href: e.Link},
		})
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("writing a feed: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
