package dc09

import (
	"fmt"
	"strings"
)

// ParseSpec reads a frame as a person writes it:
//
//	SIA-DCS|#1234|Nri1/BA003
//	ADM-CID|#1234|1130 00 015
//	NULL|#1234
//	SIA-DCS|#1234|Nri1/BA003[X006E07.777][Y49N06.666]
//
// An asterisk before the token marks the frame to be encrypted. The frame has
// sequence 1, line 0, no receiver number and no time; the caller sets what it
// needs. Errors say what to write instead.
func ParseSpec(spec string) (Frame, error) {
	const example = `write TOKEN|#ACCOUNT|DATA, such as "SIA-DCS|#1234|Nri1/BA003"`
	fail := func(what string, args ...any) (Frame, error) {
		return Frame{}, fmt.Errorf("frame %.60q: %s; %s", spec, fmt.Sprintf(what, args...), example)
	}
	token, data, ok := strings.Cut(spec, "|")
	f := Frame{Sequence: 1, Line: "0"}
	token, f.Encrypted = strings.CutPrefix(token, "*")
	f.Token = Token(token)
	if !f.Token.IsEvent() {
		return fail("token %q is not SIA-DCS, ADM-CID or NULL", token)
	}
	if !ok || !strings.HasPrefix(data, "#") {
		return fail("# and the account must follow the token and a bar")
	}
	data, blocks, hasBlocks := strings.Cut(data, "[")
	account, content, hasContent := strings.Cut(data[1:], "|")
	f.Account = account
	switch {
	case account == "" || len(account) > maxAccount || accountRun(account, 0) != len(account):
		return fail("account %q is not 1 to %d letters and digits", account, maxAccount)
	case f.Token == TokenNull && hasContent:
		return fail("NULL is a link test and has no data after the account")
	case f.Token != TokenNull && content == "":
		return fail("%s needs data after the account", f.Token)
	case f.Token != TokenNull:
		f.Data = data
	}
	if hasBlocks {
		inner, ok := strings.CutSuffix(blocks, "]")
		if !ok {
			return fail("an extended block must end with ]")
		}
		for block := range strings.SplitSeq(inner, "][") {
			f.Extended = append(f.Extended, splitExtended(block))
		}
	}
	plain := f
	plain.Encrypted = false // whether there is a key is known only later
	if err := plain.check(); err != nil {
		return fail("%v", err)
	}
	if _, err := f.Signals(); err != nil {
		return fail("%v", err)
	}
	return f, nil
}
