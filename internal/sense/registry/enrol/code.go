package enrol

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// Link is the address that a code carries: where to enrol, and with what.
func Link(enrolURL, token string) string { return enrolURL + "#" + token }

// quiet is how many modules of light surround a code (ISO/IEC 18004, 6.3.8).
const quiet = 4

// PNG draws a text as a QR code.
func PNG(text string) ([]byte, error) {
	code, err := encode(text)
	if err != nil {
		return nil, err
	}
	return code.PNG(), nil
}

// Blocks draws a text as a QR code of half blocks, two modules high each, light
// on the dark of a terminal.
func Blocks(text string) (string, error) {
	code, err := encode(text)
	if err != nil {
		return "", err
	}
	light := func(x, y int) bool { return !code.Black(x, y) } // also around it
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := light(x, y), y+1 < code.Size+quiet && light(x, y+1); {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func encode(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code of %d bytes: %w: use a shorter enrolment URL", len(text), err)
	}
	code.Scale = 6
	return code, nil
}
