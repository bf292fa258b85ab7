package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// fill appends entries without waiting for each.
func fill(tb testing.TB, log *bus.Log, n int) {
	tb.Helper()
	for i := 0; i < n; i += bus.MaxBatch {
		var call [][]byte
		for k := i; k < min(i+bus.MaxBatch, n); k++ {
			e := entry(k)
			e.Time = noon
			data, err := json.Marshal(e)
			if err != nil {
				tb.Fatal(err)
			}
			call = append(call, data)
		}
		if _, err := log.Append(context.Background(), bus.Audit, call...); err != nil {
			tb.Fatal(err)
		}
	}
}

// replace does what someone with the machine could: it starts a server of its
// own on the files of the log, removes the AUDIT stream and writes another.
func replace(tb testing.TB, dir string, change func(frames [][]byte) [][]byte) {
	tb.Helper()
	srv, err := server.NewServer(&server.Options{JetStream: true, StoreDir: filepath.Join(dir, "log"), DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		tb.Fatal(err)
	}
	go srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the server did not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		tb.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := context.Background()
	st, err := js.Stream(ctx, bus.Audit.Name)
	if err != nil {
		tb.Fatal(err)
	}
	info := st.CachedInfo()
	var frames [][]byte
	for n := info.State.FirstSeq; n <= info.State.LastSeq; n++ {
		m, err := st.GetMsg(ctx, n)
		if err != nil {
			tb.Fatal(err)
		}
		frames = append(frames, m.Data)
	}
	subject := bus.Audit.Prefix + ".frame"
	if err := js.DeleteStream(ctx, bus.Audit.Name); err != nil {
		tb.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, info.Config); err != nil {
		tb.Fatal(err)
	}
	for _, f := range change(frames) {
		if _, err := js.Publish(ctx, subject, f); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestTamperingShows(t *testing.T) {
	for name, c := range map[string]struct {
		change func(frames [][]byte) [][]byte
		want   string // in the report's words
		from   int64
		to     int64
	}{
		"an entry altered": {func(f [][]byte) [][]byte {
			f[13] = bytes.Replace(f[13], []byte("Sam Vale"), []byte("Max Dale"), 1)
			return f
		}, "something was altered", 10, 20},
		"an entry removed": {func(f [][]byte) [][]byte { return append(f[:4:4], f[5:]...) }, "something was altered, removed", 0, 10},
		"entries exchanged": {func(f [][]byte) [][]byte {
			f[21], f[22] = f[22], f[21]
			return f
		}, "moved", 20, 30},
		"an entry put in": {func(f [][]byte) [][]byte { return append(f[:12:12], append([][]byte{f[3]}, f[12:]...)...) }, "put in", 10, 20},
		"the end removed": {func(f [][]byte) [][]byte { return f[:25] }, "the log ends after 25 entries", 25, 30},
		"all removed":     {func([][]byte) [][]byte { return nil }, "the log ends after 0 entries", 0, 30},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log := openBus(t, dir)
			l := openAudit(t, dir, log)
			for n := range 3 {
				record(t, l, n*10, n*10+10)
			}
			l.Close()
			log.Close()
			replace(t, dir, c.change)

			log = openBus(t, dir)
			r := verify(t, log, audit.Evidence{Dir: dir})
			if r.OK() || !strings.Contains(r.String(), c.want) {
				t.Errorf("verdict: %s, want %q", r, c.want)
			}
			if p := r.Problems[0]; p.From != c.from || p.To != c.to {
				t.Errorf("problem with entries %d to %d, want %d to %d", p.From, p.To, c.from, c.to)
			}
			// Carrying on must not cover it up.
			l = openAudit(t, dir, log)
			record(t, l, 30, 60)
			l.Close()
			if again := verify(t, log, audit.Evidence{Dir: dir}); again.OK() {
				t.Error("after more entries and checkpoints the log verifies")
			}
		})
	}
}

// The server does not read back what it appended, so opening finds what the
// saved tree cannot explain, and only that.
func TestOpenSaysThatTheEndIsGone(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	record(t, l, 0, 20)
	l.Close()
	log.Close()
	replace(t, dir, func(f [][]byte) [][]byte { return f[:15] })
	l = openAudit(t, dir, openBus(t, dir))
	if err := l.Trouble(); err == nil || !strings.Contains(err.Error(), "entries were removed") {
		t.Errorf("Trouble = %v", err)
	}
}

func TestTableSaysWhichEntryWasAltered(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	db := storetest.SQLite(t)
	record(t, l, 0, 40)
	if err := db.CatchUp(t.Context(), log, audit.Projection{}, nil); err != nil {
		t.Fatal(err)
	}
	l.Close()
	log.Close()
	replace(t, dir, func(f [][]byte) [][]byte {
		f[23] = bytes.Replace(f[23], []byte("keyholders"), []byte("opening hr"), 1)
		return f
	})
	r := verify(t, openBus(t, dir), audit.Evidence{Dir: dir, DB: db})
	if r.OK() || !strings.Contains(r.String(), "entry 23 is the first that differs") {
		t.Errorf("verdict: %s", r)
	}
}

// A data directory that was restored with the private keys alone goes on with the
// same log.
func TestPublicKeyIsMadeAgainFromTheKey(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	record(t, l, 0, 3)
	key := l.Key()
	l.Close()
	if err := os.Remove(filepath.Join(dir, audit.PublicFile)); err != nil {
		t.Fatal(err)
	}
	l = openAudit(t, dir, log)
	defer l.Close()
	if l.Key() != key {
		t.Errorf("the key is %q, it was %q", l.Key(), key)
	}
	if r := verify(t, log, audit.Evidence{Dir: dir}); !r.OK() {
		t.Error(r)
	}
}

// Whoever has no key cannot sign a log that they wrote themselves.
func TestLogWrittenAgainWithAnotherKey(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	kept, key := record(t, l, 0, 10), l.Key()
	l.Close()
	log.Close()

	forged := t.TempDir()
	log = openBus(t, forged)
	l = openAudit(t, forged, log)
	record(t, l, 5, 20)
	l.Close()
	for name, ev := range map[string]audit.Evidence{
		"the key kept elsewhere":        {Dir: forged, Key: key},
		"the checkpoint kept elsewhere": {Dir: forged, Known: [][]byte{[]byte(kept.Text)}},
	} {
		if r := verify(t, log, ev); r.OK() || !strings.Contains(r.String(), "not a checkpoint signed by this log's key") {
			t.Errorf("%s: %s", name, r)
		}
	}
	for _, f := range []string{audit.CheckpointsFile} {
		if err := os.Remove(filepath.Join(forged, f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Put(t.Context(), bus.Snapshots, "audit-checkpoint", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, log, audit.Evidence{Dir: forged}); r.OK() {
		t.Error("a log without any checkpoint verifies")
	}
}

// A flipped byte on disk is a message whose checksum fails: the server leaves it
// out, and the gap shows.
func TestFlippedByteOnDisk(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	record(t, l, 0, 10)
	record(t, l, 10, 20)
	l.Close()
	log.Close()
	flipped := 0
	err := filepath.WalkDir(filepath.Join(dir, "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".blk") || !strings.Contains(path, bus.Audit.Name) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if i := bytes.Index(data, []byte(`"call 12"`)); i >= 0 {
			data[i+7] = '9'
			flipped++
		}
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || flipped != 1 {
		t.Fatalf("flipped %d bytes: %v", flipped, err)
	}
	log = openBus(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := audit.Verify(ctx, log, audit.Evidence{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() {
		t.Errorf("verdict: %s", r)
	}
	t.Log(r)
}

func TestTornCheckpointFile(t *testing.T) {
	whole, err := os.ReadFile(func() string {
		dir := t.TempDir()
		log := openBus(t, dir)
		l := openAudit(t, dir, log)
		record(t, l, 0, 3)
		record(t, l, 3, 5)
		l.Close()
		return filepath.Join(dir, audit.CheckpointsFile)
	}())
	if err != nil {
		t.Fatal(err)
	}
	texts, rest := audit.SplitCheckpoints(whole)
	if len(texts) != 3 || len(rest) != 0 { // the first is signed over nothing
		t.Fatalf("%d checkpoints, and %q", len(texts), rest)
	}
	second := len(texts[0]) + 1 + len(texts[1]) + 1
	for at := second; at < len(whole); at += 7 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, audit.CheckpointsFile), whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := audit.SaveCheckpoint(dir, audit.Checkpoint{Text: string(texts[2])}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, audit.CheckpointsFile))
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("torn at %d: %q, %v", at, got, err)
		}
	}
}
