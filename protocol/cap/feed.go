package cap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"
)

// MaxEntries is the most entries of a feed that are read; feeds list the newest
// first.
const MaxEntries = 2000

// Entry is one message of a feed: whole, or where it can be had.
type Entry struct {
	ID      string    // the feed's own name for it
	Updated time.Time // zero when the feed does not say
	Link    string    // address of the message; relative to that of the feed
	Title   string
	Summary string // of entries that are written
	Data    []byte // the message itself, where the entry has it

	from, to int64 // where it stands in the feed
}

// Feed is a list of messages: Atom (RFC 4287) or RSS 2.0.
type Feed struct {
	Title   string
	Entries []Entry
}

// feedEntry is an entry of either kind of feed, as it is read.
type feedEntry struct {
	ID        string     `xml:"id"`
	GUID      string     `xml:"guid"`
	Updated   string     `xml:"updated"`
	PubDate   string     `xml:"pubDate"`
	Title     string     `xml:"title"`
	Links     []feedLink `xml:"link"`
	Enclosure []feedLink `xml:"enclosure"`
}

type feedLink struct {
	Href string `xml:"href,attr"`
	URL  string `xml:"url,attr"`
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// ReadFeed reads a feed. An entry without a link and without a message in it is
// left out.
//
// Errors: an *Error, which wraps ErrInvalid.
func ReadFeed(data []byte) (*Feed, error) {
	if len(data) > MaxDocument {
		return nil, documentError(0, "", "the feed has %d bytes, at most %d are read", len(data), MaxDocument)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := shallow(data); err != nil {
		return nil, err
	}
	d := newDecoder(data)
	f := &Feed{}
	known := false
	for depth := 0; ; {
		from := d.InputOffset()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntaxError(d, err)
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			depth++
			known = known || depth == 1 && (tok.Name.Local == "feed" || tok.Name.Local == "rss" || tok.Name.Local == "RDF")
			if tok.Name.Local != "entry" && tok.Name.Local != "item" || len(f.Entries) == MaxEntries {
				continue
			}
			var e feedEntry
			if err := d.DecodeElement(&e, &tok); err != nil {
				return nil, syntaxError(d, err)
			}
			depth--
			entry := e.entry()
			entry.from, entry.to = from, d.InputOffset()
			f.Entries = append(f.Entries, entry)
		}
	}
	if !known {
		return nil, documentError(1, "", "this is neither an Atom nor an RSS feed")
	}
	f.attach(data)
	return f, nil
}

// shallow refuses declarations and deep nesting before anything is decoded by
// recursion.
func shallow(data []byte) error {
	d := newDecoder(data)
	for depth := 0; ; {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntaxError(d, err)
		}
		switch tok.(type) {
		case xml.Directive:
			return refuseDirective(d)
		case xml.StartElement:
			if depth++; depth > maxAnyDepth {
				line, _ := d.InputPos()
				return documentError(line, "", "elements are nested more than %d deep", maxAnyDepth)
			}
		case xml.EndElement:
			depth--
		}
	}
}

func (e *feedEntry) entry() Entry {
	out := Entry{ID: strings.TrimSpace(e.ID), Title: strings.TrimSpace(e.Title), Link: e.link()}
	if out.ID == "" {
		out.ID = strings.TrimSpace(e.GUID)
	}
	for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z, time.RFC1123} {
		for _, s := range []string{e.Updated, e.PubDate} {
			if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil && out.Updated.IsZero() {
				out.Updated = t.UTC()
			}
		}
	}
	return out
}

// link chooses the link that leads to the message itself.
func (e *feedEntry) link() string {
	best, rank := "", 0
	for _, l := range append(e.Links, e.Enclosure...) {
		href := strings.TrimSpace(l.Href + l.URL)
		if href == "" {
			href = strings.TrimSpace(l.Text) // RSS
		}
		n := 1
		switch kind, _, _ := strings.Cut(strings.ToLower(l.Type), ";"); {
		case strings.TrimSpace(kind) == MediaType:
			n = 4
		case strings.HasSuffix(strings.TrimSpace(kind), "xml") && l.Rel != "self":
			n = 3
		case kind == "" && (l.Rel == "" || l.Rel == "alternate"):
			n = 2
		}
		if href != "" && n > rank {
			best, rank = href, n
		}
	}
	return best
}

// attach gives entries the messages that stand within them, and leaves out
// entries that lead to none.
func (f *Feed) attach(data []byte) {
	found := map[int][]byte{}
	i := 0
	for m, err := range Find(data) {
		if err != nil {
			break
		}
		for i < len(f.Entries) && f.Entries[i].to <= m.at {
			i++
		}
		if i < len(f.Entries) && f.Entries[i].from <= m.at && found[i] == nil {
			found[i] = m.Data
		}
	}
	kept := f.Entries[:0]
	for i, e := range f.Entries {
		e.Data = found[i]
		if e.Data != nil || e.Link != "" {
			kept = append(kept, e)
		}
	}
	f.Entries = kept
}
