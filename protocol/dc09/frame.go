package dc09

import "time"

// Token names the format of a frame's data (DC-09 clause 5.5.1.4), without
// quotes and without the asterisk of an encrypted frame.
type Token string

// The tokens that this package gives a meaning to. Any other is kept as text.
const (
	TokenSIA  Token = "SIA-DCS" // SIA event codes (DC-03)
	TokenCID  Token = "ADM-CID" // Ademco Contact ID (DC-05)
	TokenNull Token = "NULL"    // link test, no data
	TokenACK  Token = "ACK"     // receiver: taken over
	TokenNAK  Token = "NAK"     // receiver: time or encryption not acceptable
	TokenDUH  Token = "DUH"     // receiver: unable to process
	TokenRSP  Token = "RSP"     // answer to a remote command
)

// IsReply tells whether frames with this token answer another frame and so
// must never be answered themselves.
func (t Token) IsReply() bool {
	return t == TokenACK || t == TokenNAK || t == TokenDUH || t == TokenRSP
}

// IsEvent tells whether this package knows what frames with this token report.
func (t Token) IsEvent() bool {
	return t == TokenSIA || t == TokenCID || t == TokenNull
}

// Sizes, in bytes.
const (
	// MaxBody is the most that the length field 0LLL can count.
	MaxBody = 0xFFF

	// MaxFrame is MaxBody with checksum and length, without LF and CR.
	MaxFrame = headerSize + MaxBody

	headerSize = 8
)

// Bounds of the header's fields, in characters, and of the extended blocks.
const (
	maxToken    = 16
	maxNumber   = 6
	maxAccount  = 16
	maxExtended = 32
)

// Frame is one DC-09 message. All strings are as on the wire, escapes and
// code pages included (DC-09 texts are Windows-1252), without the letters,
// brackets and separators that frame them.
type Frame struct {
	Token     Token
	Encrypted bool   // the token carried an asterisk
	Sequence  uint16 // 0 to 9999
	Receiver  string // 1 to 6 hexadecimal digits, or "" when the frame has none
	Line      string // 1 to 6 hexadecimal digits
	Account   string // 1 to 16 letters and digits; "" only in NAK and DUH

	// Data is the first bracket's content, such as "#1234|Nri1/BA003"; empty
	// for a link test, and for an encrypted frame before Decrypt.
	Data     string
	Extended []Extended
	Time     time.Time // UTC, whole seconds; zero when the frame has none

	cipher string // the encrypted region in hexadecimal, until Decrypt
}

// Sealed tells whether the frame still waits for Decrypt.
func (f *Frame) Sealed() bool { return f.Encrypted && f.cipher != "" }

// NextSequence returns the number after n: 1 to 9999, then 1 again.
func NextSequence(n uint16) uint16 {
	if n >= 9999 {
		return 1
	}
	return n + 1
}
