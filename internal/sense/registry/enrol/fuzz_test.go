package enrol

import (
	"strings"
	"testing"
)

// FuzzParse: whatever is sent, there is a token or words, and the words never
// repeat what was sent.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"token":"x"}`, `{"token":"https://a/enrol#b"}`, `{"token":[]}`, "", "\x00", `{"token":"\ud800"}`, `{"token":" # "}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := parse(body)
		if (err == nil) != (token != "") || token != strings.TrimSpace(token) {
			t.Errorf("token %q, %v", token, err)
		}
	})
}
