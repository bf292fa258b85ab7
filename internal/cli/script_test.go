package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// TestMain makes this binary the program itself when a script calls bluelamp, so
// that scripts drive the real program, built as the test is built.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bluelamp": func() {
			os.Exit(Main(os.Args[1:], IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, "test"))
		},
	})
}

// TestScripts runs testdata/script. BLUELAMP_DATA names the folder of recorded
// test data; what needs it is skipped without.
func TestScripts(t *testing.T) {
	recorded := os.Getenv("BLUELAMP_DATA")
	testscript.Run(t, testscript.Params{
		Dir:             "testdata/script",
		UpdateScripts:   os.Getenv("UPDATE_SCRIPTS") == "1",
		ContinueOnError: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("RECORDED", recorded)
			e.Values[browser{}] = &http.Client{}
			e.Setenv("BLUELAMP_MQTT", "") // scripts run side by side: each opens what it needs
			e.Setenv("BLUELAMP_INTAKE", "")
			for _, name := range []string{"HTTP", "DC09", "MQTT", "INTAKE"} {
				port, err := freePort()
				if err != nil {
					return err
				}
				e.Setenv(name, port)
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "recorded" {
				return recorded != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":      code,
			"ready":     ready,
			"stop":      stop,
			"setup":     setUp,
			"fetch":     fetch,
			"submit":    submit,
			"incidents": waitIncidents,
			"rows":      rows,
			"alter":     alter,
			"lines":     lines,
			"padded":    padded,
			"frames":    frames,
			"scan":      scan,
			"tally":     tally,
			"within":    untilSays,
			"await":     await,
		},
	})
}

// freePort returns a port of the loopback interface that is free for TCP and UDP.
func freePort() (string, error) {
	for range 20 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		pc, err := net.ListenPacket("udp", ln.Addr().String())
		_ = ln.Close()
		if err == nil {
			return ln.Addr().String(), pc.Close()
		}
	}
	return "", errors.New("no port is free for TCP and UDP alike")
}

// code runs a command that must end with the given exit code: code 2 bluelamp ...
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// within tries until ok is true, and fails the script after a long time.
func within(ts *testscript.TestScript, what string, ok func() bool) {
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("waited a minute in vain for %s", what)
		}
	}
}

// ready waits until the server at $HTTP takes signals in.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	within(ts, "the server to be ready", func() bool {
		res, err := http.Get("http://" + ts.Getenv("HTTP") + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// await waits until a file has a text that fits a pattern: await FILE PATTERN
func await(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[1])
	within(ts, args[1]+" in "+args[0], func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && want.Match(data)
	})
}

// untilSays runs a program again and again until what it prints fits a pattern:
// within PATTERN PROGRAM ARGUMENT...
func untilSays(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	within(ts, args[0]+" from "+args[1], func() bool {
		return ts.Exec(args[1], args[2:]...) == nil && want.MatchString(ts.ReadFile("stdout"))
	})
}

// stop asks everything in the background to end, as a service manager does.
func stop(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
	}
}

// browser is the key of a script's http.Client, which setup signs in.
type browser struct{}

// setUp opens the set-up link that stands in a file, makes the first
// administrator, and signs in: setup FILE
func setUp(ts *testscript.TestScript, _ bool, args []string) {
	var link string
	within(ts, "a set-up link in "+args[0], func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		link = regexp.MustCompile(`http://\S+/setup\?token=\S+`).FindString(string(data))
		return err == nil && link != ""
	})
	u, err := url.Parse(link)
	ts.Check(err)
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	const password = "three random words"
	for _, form := range []struct {
		path   string
		values url.Values
	}{
		{"/setup", url.Values{"token": {u.Query().Get("token")}, "name": {"ada"}, "full": {"Ada Min"}, "password": {password}, "again": {password}}},
		{"/signin", url.Values{"name": {"ada"}, "password": {password}}},
	} {
		res, err := c.PostForm("http://"+u.Host+form.path, form.values)
		ts.Check(err)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusSeeOther {
			ts.Fatalf("%s is answered %s", form.path, res.Status)
		}
	}
	*ts.Value(browser{}).(*http.Client) = *c
}

// fetch reads a page of the server, signed in, into a file: fetch PATH FILE
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	res, err := ts.Value(browser{}).(*http.Client).Get("http://" + ts.Getenv("HTTP") + args[0])
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("%s is answered %s: %.300s", args[0], res.Status, body)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o600))
}

// submit sends a form, signed in, and reads the page that answers it into a file:
// submit PATH FILE NAME=VALUE...
func submit(ts *testscript.TestScript, _ bool, args []string) {
	form := url.Values{}
	for _, field := range args[2:] {
		name, value, _ := strings.Cut(field, "=")
		form.Add(name, value)
	}
	res, err := ts.Value(browser{}).(*http.Client).PostForm("http://"+ts.Getenv("HTTP")+args[0], form)
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSeeOther {
		ts.Fatalf("%s is answered %s: %.300s", args[0], res.Status, body)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o600))
}

// waitIncidents waits until a database shows so many incidents: incidents DIR N
func waitIncidents(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	db, err := store.Open(context.Background(), filepath.Join(ts.MkAbs(args[0]), "bluelamp.db"))
	ts.Check(err)
	defer db.Close()
	within(ts, args[1]+" incidents", func() bool {
		is, err := incident.NewQueries(db).Recent(context.Background(), 0, 0)
		ts.Check(err)
		return len(is) >= n
	})
}

// tally waits until a query of the database gives a number: tally DIR N QUERY
func tally(ts *testscript.TestScript, _ bool, args []string) {
	db, err := store.Open(context.Background(), filepath.Join(ts.MkAbs(args[0]), "bluelamp.db"))
	ts.Check(err)
	defer db.Close()
	var n int
	defer func() { ts.Logf("%s: %d", args[2], n) }()
	within(ts, args[1]+" of "+args[2], func() bool {
		ts.Check(db.Read().QueryRowContext(context.Background(), args[2]).Scan(&n))
		return strconv.Itoa(n) == args[1]
	})
}

// rows writes all rows of the read models into a file: rows DIR FILE
func rows(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(ts.MkAbs(args[0]), "bluelamp.db"))
	ts.Check(err)
	defer db.Close()
	var b bytes.Buffer
	for _, p := range app.Projections(slog.New(slog.DiscardHandler)) {
		for _, table := range p.Tables() {
			fmt.Fprintf(&b, "== %s\n", table)
			ts.Check(dump(ctx, db, &b, table))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

func dump(ctx context.Context, db *store.DB, w io.Writer, table string) error {
	rs, err := db.Read().QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY 1, 2, 3")
	if err != nil {
		return err
	}
	defer func() { _ = rs.Close() }()
	cols, err := rs.Columns()
	if err != nil {
		return err
	}
	row, into := make([]any, len(cols)), make([]any, len(cols))
	for i := range row {
		into[i] = &row[i]
	}
	for rs.Next() {
		if err := rs.Scan(into...); err != nil {
			return err
		}
		fmt.Fprintf(w, "%v\n", row)
	}
	return rs.Err()
}

// alter changes the last byte of a text in the files of a stream: alter DIR STREAM TEXT
func alter(ts *testscript.TestScript, _ bool, args []string) {
	altered := 0
	err := filepath.WalkDir(filepath.Join(ts.MkAbs(args[0]), "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".blk") || !strings.Contains(path, args[1]) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if i := bytes.Index(data, []byte(args[2])); i >= 0 {
			data[i+len(args[2])-1] ^= 1
			altered++
		}
		return os.WriteFile(path, data, 0o600)
	})
	ts.Check(err)
	if altered != 1 {
		ts.Fatalf("altered %d files, want 1", altered)
	}
}

// lines checks that a file has at least N lines, each a JSON object with the
// given fields: lines FILE N FIELD...
func lines(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	all := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	if len(all) < n || all[0] == "" {
		ts.Fatalf("%d lines, want %d", len(all), n)
	}
	for i, line := range all {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			ts.Fatalf("line %d is no JSON object: %v", i+1, err)
		}
		for _, f := range args[2:] {
			if v, ok := o[f]; !ok || v == nil || v == "" {
				ts.Fatalf("line %d has no %s: %.300s", i+1, f, line)
			}
		}
	}
}

// padded checks that the last output is a table whose columns begin where those
// of its heading do: padded
func padded(ts *testscript.TestScript, _ bool, _ []string) {
	all := strings.Split(strings.TrimRight(ts.ReadFile("stdout"), "\n"), "\n")
	for _, at := range regexp.MustCompile(`\s\s(\S)`).FindAllStringSubmatchIndex(all[0], -1) {
		for _, line := range all[1:] {
			r := []rune(line)
			if len(r) <= at[2] || r[at[2]] == ' ' || r[at[2]-1] != ' ' {
				ts.Fatalf("column %d of %q does not begin below its heading", at[2], line)
			}
		}
	}
}

// frames writes DC-09 frames into a file, one a line: frames FILE MINUTE=FRAME...
func frames(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	for i, arg := range args[1:] {
		minute, spec, _ := strings.Cut(arg, "=")
		n, err := strconv.Atoi(minute)
		ts.Check(err)
		f, err := dc09.ParseSpec(spec)
		ts.Check(err)
		f.Sequence, f.Line = uint16(i+1), "0"
		f.Time = time.Date(2026, 11, 6, 20, n, 0, 0, time.UTC)
		wire, err := dc09.Encode(nil, &f, nil, nil)
		ts.Check(err)
		b.WriteString(strings.Trim(string(wire), "\r\n") + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// scan writes a Zeek log in which an address tries sixty ports of a host, all of
// them shut: scan tsv|json ADDRESS FILE
func scan(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	if args[0] == "tsv" {
		b.WriteString("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n" +
			"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n" +
			"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\n")
	}
	for i := range 60 {
		format := "{\"ts\":%d.5,\"uid\":\"C%d%s\",\"id.orig_h\":\"%s\",\"id.orig_p\":%d,\"id.resp_h\":\"192.0.2.7\",\"id.resp_p\":%d,\"proto\":\"tcp\",\"conn_state\":\"REJ\"}\n"
		if args[0] == "tsv" {
			format = "%d.5\tC%d%s\t%s\t%d\t192.0.2.7\t%d\ttcp\tREJ\n"
		}
		fmt.Fprintf(&b, format, 1_790_000_000+i, i, strings.ReplaceAll(args[1], ".", ""), args[1], 40000+i, 1+i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b.Bytes(), 0o600))
}
