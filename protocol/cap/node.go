package cap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of what is read. Real messages stay far below them.
const (
	MaxMessage = 1 << 20 // bytes of one message
	MaxInfos   = 64      // of one message
	MaxAreas   = 500     // of one info
	MaxPoints  = 20_000  // of one polygon
	MaxRefs    = 500     // references of one message

	maxDepth    = 8  // of the elements of CAP
	maxAnyDepth = 32 // of what is within a signature
	maxNodes    = 20_000
	maxValue    = 512 << 10 // bytes of one element's text
)

// node is an element as it was read.
type node struct {
	name xml.Name
	line int
	text strings.Builder
	kids []*node
}

// documentError is a problem of the document as such.
func documentError(line int, path, format string, args ...any) error {
	return &Error{[]Problem{{Line: line, Path: path, What: fmt.Sprintf(format, args...)}}}
}

// newDecoder returns a decoder that knows no entities but XML's own five.
func newDecoder(data []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("the encoding %.40q is not read: send UTF-8", charset)
	}
	return d
}

// syntaxError says what is wrong with XML, and where.
func syntaxError(d *xml.Decoder, err error) error {
	line, _ := d.InputPos()
	var bad *xml.SyntaxError
	if errors.As(err, &bad) {
		return documentError(bad.Line, "", "the XML is broken: %s", bad.Msg)
	}
	return documentError(line, "", "the XML is broken: %v", err)
}

// refuseDirective refuses a DTD: CAP has none, and entities are how XML attacks.
func refuseDirective(d *xml.Decoder) error {
	line, _ := d.InputPos()
	return documentError(line, "", "it has a document type declaration (<!...>), which is refused: remove it")
}

// treeReader builds the tree of one document.
type treeReader struct {
	d          *xml.Decoder
	nodes      int
	signatures int
}

// readTree reads a whole document.
func readTree(data []byte) (root *node, signatures int, err error) {
	if len(data) > MaxMessage {
		return nil, 0, documentError(0, "", "it has %d bytes, at most %d are read", len(data), MaxMessage)
	}
	r := treeReader{d: newDecoder(data)}
	for {
		tok, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, syntaxError(r.d, err)
		}
		line, _ := r.d.InputPos()
		switch tok := tok.(type) {
		case xml.Directive:
			return nil, 0, refuseDirective(r.d)
		case xml.CharData:
			if strings.Trim(string(tok), " \t\r\n") != "" {
				return nil, 0, documentError(line, "", "there is text outside the message: %s", excerpt(string(tok)))
			}
		case xml.StartElement:
			if root != nil {
				return nil, 0, documentError(line, "", "the document goes on after the message: send one message at a time")
			}
			if root, err = r.element(tok, line, 1); err != nil {
				return nil, 0, err
			}
		}
	}
	if root == nil {
		return nil, 0, documentError(1, "", "it is empty")
	}
	return root, r.signatures, nil
}

// element reads an element up to its end.
func (r *treeReader) element(start xml.StartElement, line, depth int) (*node, error) {
	n := &node{name: start.Name, line: line}
	if r.nodes++; r.nodes > maxNodes {
		return nil, documentError(line, "", "it has more than %d elements", maxNodes)
	}
	if depth > maxDepth {
		return nil, documentError(line, "", "elements are nested more than %d deep", maxDepth)
	}
	for {
		tok, err := r.d.Token()
		if err != nil {
			return nil, syntaxError(r.d, err)
		}
		line, _ := r.d.InputPos()
		switch tok := tok.(type) {
		case xml.EndElement:
			return n, nil
		case xml.Directive:
			return nil, refuseDirective(r.d)
		case xml.CharData:
			if n.text.Len()+len(tok) > maxValue {
				return nil, documentError(line, n.name.Local, "its text has more than %d bytes", maxValue)
			}
			n.text.Write(tok)
		case xml.StartElement:
			if tok.Name.Space == SignatureNamespace {
				r.signatures++
				if err := r.skip(); err != nil {
					return nil, err
				}
				continue
			}
			kid, err := r.element(tok, line, depth+1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
	}
}

// skip leaves out an element that has begun.
func (r *treeReader) skip() error {
	for depth := 1; depth > 0; {
		tok, err := r.d.Token()
		if err != nil {
			return syntaxError(r.d, err)
		}
		switch tok.(type) {
		case xml.Directive:
			return refuseDirective(r.d)
		case xml.StartElement:
			depth++
			if r.nodes++; r.nodes > maxNodes || depth > maxAnyDepth {
				line, _ := r.d.InputPos()
				return documentError(line, "", "what is within the signature is nested more than %d deep, or has too many elements", maxAnyDepth)
			}
		case xml.EndElement:
			depth--
		}
	}
	return nil
}
