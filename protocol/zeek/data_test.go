package zeek

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every row of the real logs is read, is of the log that its file says, and its
// typed form has no bad value.
func TestRealLogs(t *testing.T) {
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		t.Skip("BLUELAMP_DATA is not set: the real logs are not read")
	}
	files, err := filepath.Glob(filepath.Join(dir, "network/zeek/*/*.log*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no logs in %s: %v", dir, err)
	}
	got := map[string]int{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		key := filepath.Base(filepath.Dir(name))[:3] + " "
		bad := readAll(t, NewReader(f), func(r *Record) { // no name: the kind comes from the log itself
			got[key+r.Path()+" "+r.Format.String()]++
			err := error(nil)
			switch r.Path() {
			case KindConn:
				err = r.Conn(new(Conn))
			case KindSSH:
				err = r.SSH(new(SSH))
			case KindNotice:
				err = r.Notice(new(Notice))
			case KindDNS:
				err = r.DNS(new(DNS))
			case KindHTTP:
				err = r.HTTP(new(HTTP))
			case KindSSL:
				err = r.SSL(new(SSL))
			case KindWeird:
				err = r.Weird(new(Weird))
			}
			if err != nil {
				t.Errorf("%s line %d: %v", name, r.Line, err)
			}
			if !strings.HasPrefix(kindOfName(name), r.Path()) {
				t.Errorf("%s line %d is taken for %q", name, r.Line, r.Path())
			}
		})
		f.Close()
		for _, b := range bad {
			t.Error(b)
		}
	}
	want := map[string]int{
		"001 conn tsv": 992, "002 conn json": 4504,
		"007 ssh json": 8528, "007 notice json": 345, "007 software json": 724,
		"008 conn tsv": 5663, "008 http tsv": 342, "008 notice tsv": 16, "008 sip tsv": 33, "008 ssl tsv": 545, "008 weird tsv": 56,
		"010 conn tsv": 5347, "010 dns tsv": 8, "010 http tsv": 5, "010 notice tsv": 2, "010 sip tsv": 17, "010 ssl tsv": 1039, "010 weird tsv": 298,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
