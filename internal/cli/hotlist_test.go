package cli

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/bluelamp/bluelamp/internal/app"
)

func TestHotlistCommands(t *testing.T) {
	var out, errs bytes.Buffer
	dir := t.TempDir()
	var flags struct {
		Config  app.Config `embed:""`
		Version versionCmd `cmd:""`
	}
	k, err := kong.New(&flags)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := k.Parse([]string{"version", "--data", dir})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{
		IO: IO{Out: &out, Err: &errs}, ctx: context.Background(), logger: slog.New(slog.DiscardHandler),
		root: &root{Config: flags.Config}, kong: k, parsed: parsed, file: &configFile{},
	}
	file := filepath.Join(dir, "wanted.csv")
	until := time.Now().AddDate(0, 0, 9).Format(time.DateOnly)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plate,list,reason,authoriser,expires\nqx73 zzk,stolen,taken on Friday,Insp Hale," + until + "\nAB12CDE,missing,\"not home, unwell\",,\n")
	for _, step := range []struct {
		run  func() error
		fail string // in the error
		out  string
	}{
		{func() error { return hotlistImportCmd{File: file, Days: 28}.Run(e) }, "the authoriser must have", ""},
		{func() error {
			return hotlistImportCmd{File: file, Days: 28, Authoriser: "Sgt Roe", DryRun: true}.Run(e)
		}, "", "2 number plates would be put"},
		{func() error { return hotlistImportCmd{File: file, Days: 28, Authoriser: "Sgt Roe"}.Run(e) }, "", "2 number plates put on the hotlist, which now has 2"},
		{func() error { return hotlistListCmd{Why: "review"}.Run(e) }, "", "AB12CDE  missing  not home, unwell  Sgt Roe"},
		{func() error { return hotlistListCmd{Why: "review", JSON: true}.Run(e) }, "", `{"plate":"QX73ZZK","list":"stolen"`},
		{func() error { return hotlistRemoveCmd{Why: "found", Plates: []string{"QX73 zzk", "NONE"}}.Run(e) }, "1 of the 2", "1 number plate taken off the hotlist, which now has 1"},
		{func() error { return hotlistImportCmd{File: file + "x"}.Run(e) }, "no such file", ""},
	} {
		out.Reset()
		err := step.run()
		if (err != nil) != (step.fail != "") || err != nil && !strings.Contains(err.Error(), step.fail) || !strings.Contains(out.String(), step.out) {
			t.Fatalf("%v, %q; want %q, %q", err, out.String(), step.fail, step.out)
		}
	}
	for text, want := range map[string]string{
		"plate,list\n": "lacks the column", "": "reading the header", "plate,list,reason\n": "no entries",
		"plate,list,reason\na,b\n": "wrong number of fields", "plate,list,reason,expires\na,b,c,soon\n": "is no date",
	} {
		write(text)
		if err := (hotlistImportCmd{File: file, Days: 28}).Run(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	_ = hotlistCmd{}
}
