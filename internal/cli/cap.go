package cli

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bluelamp/bluelamp/internal/clock"
	source "github.com/bluelamp/bluelamp/internal/sense/cap"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// capCmd is about public warnings.
type capCmd struct {
	Check capCheckCmd `cmd:"" help:"Say what is wrong with CAP 1.2 messages, where, and who signed them."`
}

// capCheckCmd checks messages.
type capCheckCmd struct {
	Certificates []string `name:"certificate" help:"Files with the certificates (PEM) of those who may sign." placeholder:"FILE" type:"existingfile"`
	JSON         bool     `name:"json" help:"Print each message as a JSON object on a line."`
	Files        []string `arg:"" name:"file" help:"Files with one message or several, or feeds that hold messages; - for standard input." type:"path"`
}

// Help adds to the command's help.
func (capCheckCmd) Help() string {
	return `Exit code 0: every message is as the standard wants it. Problems are named with their
line and element. One that leaves no doubt about the meaning, such as a time that ends
in Z, is called a flaw: Bluelamp takes such a message, others may not.
With --certificate, a message must also be signed by one of those who are named.`
}

// capVerdict is what was found of one message.
type capVerdict struct {
	File       string   `json:"file"`
	Line       int      `json:"line"` // at which the message begins
	Identifier string   `json:"identifier,omitempty"`
	Sender     string   `json:"sender,omitempty"`
	Sent       string   `json:"sent,omitempty"`
	Status     string   `json:"status,omitempty"`
	MsgType    string   `json:"msg_type,omitempty"`
	Valid      bool     `json:"valid"`
	Problems   []string `json:"problems,omitempty"`
	Flaws      []string `json:"flaws,omitempty"`
	Signature  string   `json:"signature"`
}

// Run implements the command.
func (c capCheckCmd) Run(e *env) error {
	trusted, err := source.Certificates(c.Certificates...)
	if err != nil {
		return err
	}
	messages, bad := 0, 0
	for _, name := range c.Files {
		data, err := readAtMost(e, name, codec.MaxDocument)
		if err != nil {
			return err
		}
		for _, v := range checkMessages(name, data, trusted) {
			messages++
			if !v.Valid {
				bad++
			}
			if err := c.print(e.Out, v); err != nil {
				return err
			}
		}
	}
	switch {
	case messages == 0:
		return errors.New("there is no CAP 1.2 message in the files")
	case bad > 0:
		return fmt.Errorf("%d of %s not as the standard wants it", bad, count(messages, "message"))
	}
	return nil
}

func readAtMost(e *env, name string, most int64) ([]byte, error) {
	src := io.NopCloser(e.In)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("opening a file to check: %w", err)
		}
		src = f
	}
	defer func() { _ = src.Close() }()
	data, err := io.ReadAll(io.LimitReader(src, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d MiB", most>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}

// checkMessages checks all messages of a file. What is no message at all is one
// that is wrong.
func checkMessages(name string, data []byte, trusted []*x509.Certificate) []capVerdict {
	var out []capVerdict
	for m, err := range codec.Find(data) {
		if err != nil {
			out = append(out, capVerdict{File: name, Line: 1, Problems: problemsOf(err, 0), Signature: "not looked at"})
			continue
		}
		out = append(out, checkMessage(name, m, trusted))
	}
	if len(out) == 0 { // say why, as far as it can be told
		if _, err := codec.Decode(data); err != nil {
			out = append(out, capVerdict{File: name, Line: 1, Problems: problemsOf(err, 0), Signature: "not looked at"})
		}
	}
	return out
}

func checkMessage(name string, m codec.Found, trusted []*x509.Certificate) capVerdict {
	v := capVerdict{File: name, Line: m.Line}
	a, err := codec.Decode(m.Data)
	if err != nil {
		v.Problems, v.Signature = problemsOf(err, m.Line-1), "not looked at"
		return v
	}
	v.Identifier, v.Sender, v.Sent = a.Identifier, a.Sender, codec.FormatTime(a.Sent)
	v.Status, v.MsgType = string(a.Status), string(a.MsgType)
	for _, f := range a.Flaws {
		f.Line += m.Line - 1
		v.Flaws = append(v.Flaws, f.String())
	}
	var good bool
	v.Signature, good = signatureWords(m.Data, trusted)
	v.Valid = len(v.Flaws) == 0 && (good || len(trusted) == 0)
	return v
}

// problemsOf lists what is wrong; the message begins so many lines down the file.
func problemsOf(err error, down int) []string {
	var bad *codec.Error
	if !errors.As(err, &bad) {
		return []string{err.Error()}
	}
	var out []string
	for _, p := range bad.Problems {
		if p.Line > 0 {
			p.Line += max(down, 0)
		}
		out = append(out, p.String())
	}
	return out
}

// signatureWords say who signed a message, as far as it can be told, and whether
// that is somebody trusted.
func signatureWords(doc []byte, trusted []*x509.Certificate) (words string, good bool) {
	now := clock.Wall().Now()
	_, cert, err := signed.Open(doc, trusted, now)
	switch {
	case err == nil:
		return "good, by " + signed.Name(cert), true
	case errors.Is(err, signed.ErrUnsigned):
		return "none", false
	case len(trusted) > 0:
		return err.Error(), false
	}
	claimed := signed.Claimed(doc)
	if claimed == nil {
		return "there is one; give --certificate to verify it", false
	}
	if _, _, err := signed.Open(doc, []*x509.Certificate{claimed}, now); err != nil {
		return "it names " + signed.Name(claimed) + ", and does not fit: " + err.Error(), false
	}
	return "it fits the certificate that it carries, of " + signed.Name(claimed) + ", which anybody can make: give --certificate to verify it", false
}

func (c capCheckCmd) print(w io.Writer, v capVerdict) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(v)
	}
	what := "not a message"
	if v.Identifier != "" {
		what = fmt.Sprintf("%s %s of %s, %s, sent %s", v.Status, v.MsgType, v.Sender, v.Identifier, v.Sent)
	}
	verdict := "valid"
	switch {
	case len(v.Problems) > 0:
		verdict = "invalid"
	case len(v.Flaws) > 0:
		verdict = "flawed"
	case !v.Valid:
		verdict = "not signed by anybody named"
	}
	if _, err := fmt.Fprintf(w, "%s:%d: %s: %s\n", v.File, v.Line, verdict, what); err != nil {
		return err
	}
	for _, p := range v.Problems {
		fmt.Fprintf(w, "  %s\n", p)
	}
	for _, f := range v.Flaws {
		fmt.Fprintf(w, "  flaw: %s\n", f)
	}
	_, err := fmt.Fprintf(w, "  signature: %s\n", v.Signature)
	return err
}
