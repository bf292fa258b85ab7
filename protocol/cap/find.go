package cap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
)

// MaxDocument is the most bytes of a file or a feed that Find and ReadFeed take.
const MaxDocument = 32 << 20

// Found is a message within a larger document.
type Found struct {
	Data []byte // the message as a document of its own
	Line int    // where it begins

	at int64 // offset
}

// Find gives the messages of a document, whatever is around them: one message,
// several after one another, a feed, an envelope such as EDXL-DE. They are not
// decoded. An error ends it: what follows broken XML cannot be told.
func Find(data []byte) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		if len(data) > MaxDocument {
			yield(Found{}, documentError(0, "", "it has %d bytes, at most %d are read", len(data), MaxDocument))
			return
		}
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
		f := finder{d: newDecoder(data), data: data}
		for {
			found, err := f.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(found, err) || err != nil {
				return
			}
		}
	}
}

// finder walks a document.
type finder struct {
	d      *xml.Decoder
	data   []byte
	around [][]xml.Attr // namespace declarations of the open elements
}

func (f *finder) next() (Found, error) {
	for {
		from := f.d.InputOffset()
		tok, err := f.d.Token()
		if errors.Is(err, io.EOF) {
			return Found{}, err
		}
		if err != nil {
			return Found{}, syntaxError(f.d, err)
		}
		switch tok := tok.(type) {
		case xml.Directive:
			return Found{}, refuseDirective(f.d)
		case xml.StartElement:
			if tok.Name.Space == Namespace && tok.Name.Local == "alert" {
				return f.take(tok, from)
			}
			if len(f.around) >= maxAnyDepth {
				line, _ := f.d.InputPos()
				return Found{}, documentError(line, "", "elements are nested more than %d deep", maxAnyDepth)
			}
			f.around = append(f.around, declarations(tok))
		case xml.EndElement:
			f.around = f.around[:len(f.around)-1]
		}
	}
}

// declarations returns an element's namespace declarations.
func declarations(e xml.StartElement) []xml.Attr {
	var out []xml.Attr
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			out = append(out, a)
		}
	}
	return out
}

// take cuts out a message that begins with the element that was just read.
func (f *finder) take(start xml.StartElement, from int64) (Found, error) {
	line, _ := f.d.InputPos()
	for depth := 1; depth > 0; {
		tok, err := f.d.Token()
		if err != nil {
			return Found{}, syntaxError(f.d, err)
		}
		switch tok.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if f.d.InputOffset()-from > MaxMessage {
			return Found{}, documentError(line, "", "the message has more than %d bytes", MaxMessage)
		}
	}
	raw := f.data[from:f.d.InputOffset()]
	return Found{Data: f.alone(raw, declarations(start)), Line: line, at: from}, nil
}

// alone gives a message the namespaces that were declared around it. Declarations
// do not change what an exclusive canonicalisation signs.
func (f *finder) alone(raw []byte, own []xml.Attr) []byte {
	var add strings.Builder
	for i := len(f.around) - 1; i >= 0; i-- {
		for _, a := range f.around[i] {
			same := func(b xml.Attr) bool { return b.Name == a.Name }
			if slices.ContainsFunc(own, same) {
				continue
			}
			own = append(own, a)
			name := "xmlns"
			if a.Name.Space == "xmlns" {
				name += ":" + a.Name.Local
			}
			add.WriteString(" " + name + `="`)
			_ = xml.EscapeText(&add, []byte(a.Value)) // a builder takes everything
			add.WriteString(`"`)
		}
	}
	if add.Len() == 0 {
		return bytes.Clone(raw)
	}
	end := bytes.IndexAny(raw, " \t\r\n/>")
	return slices.Concat(raw[:end], []byte(add.String()), raw[end:])
}
