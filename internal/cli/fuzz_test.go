package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzReadPremises: whatever a file holds, an import says what is wrong or gives
// premises that the registry takes by themselves.
func FuzzReadPremises(f *testing.F) {
	for _, s := range []string{
		"", "id,name,lat,lon\n", "\ufeffID,Name,Lat,Lon\na,A,55,3\n", "id,name,lat,lon,account,class,key,zones\na,A,55,3,1,SP3,00,1=interior:Hall;\n",
		"id,name,lat,lon\na,\"A\n", "id,id,name,lat,lon\na,b,A,55,3\n", "id,name,lat,lon\na,A,NaN,3\na,A,+Inf,0x1p3\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		read, err := readPremises(strings.NewReader(s))
		if err != nil {
			return
		}
		for i := range read.found {
			if err := read.found[i].Check(); err != nil {
				t.Errorf("taken without a complaint: %v", err)
			}
		}
	})
}

// FuzzConfigFile: whatever the file holds, reading it ends with an error or with
// values.
func FuzzConfigFile(f *testing.F) {
	for _, s := range []string{"", "http: 1", "dc09: {tcp: a, udp: [b, c]}", "oidc: {roles: {a: b}}", "a: &x {b: *x}", "- 1", "? [a]: b", "a: !!binary x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		file := &configFile{}
		if err := file.load([]string{"--config=" + path}); err != nil && !strings.Contains(err.Error(), "configuration file") {
			t.Errorf("the error does not say what it is about: %v", err)
		}
	})
}
