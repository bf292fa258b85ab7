package issue

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	start  = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is an office on a log.
type place struct {
	*Office
	log  *bus.Log
	set  func(time.Time)
	cfg  Config
	cert *x509.Certificate
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	log, err := bus.Open(t.Context(), bus.Config{Dir: dir})
	must(t, err)
	t.Cleanup(log.Close)
	p := &place{log: log}
	var key crypto.Signer
	key, p.cert, err = LoadKey("", dir, "Skerry Police", start)
	must(t, err)
	p.cfg = Config{
		Log: log, Logger: slog.New(slog.DiscardHandler), Sender: "warnings@police.skerry.example", Name: "Skerry Police",
		Web: "https://police.skerry.example/warnings", Key: key, Cert: p.cert,
	}
	p.cfg.Clock, p.set = clock.Held(start)
	p.Office, err = New(t.Context(), p.cfg)
	must(t, err)
	return p
}

func flood() Draft {
	return Draft{
		Status: codec.Actual, Category: "Safety", Event: "Flood", Response: "Avoid", Urgency: "Immediate", Severity: codec.Severe, Certainty: codec.Observed,
		Headline: "Quay Street is under water", Description: "The river has come over the wall.\nIt still rises.", Instruction: "Keep away from Quay Street & the harbour.",
		Area: "Quay Street and the harbour", Circle: "54.706,2.661 0.8", Expires: start.Add(6 * time.Hour),
	}
}

// issue writes and approves something.
func (p *place) issue(t *testing.T, a Action) Warning {
	t.Helper()
	a.Type, a.By = ChangeDrafted, "ada"
	w, err := p.Do(t.Context(), a)
	must(t, err)
	w, err = p.Do(t.Context(), Action{Type: ChangeIssued, Warning: w.ID, Version: w.Version, By: "ben"})
	must(t, err)
	return w
}

// documents returns the signed messages on the log.
func (p *place) documents(t *testing.T, db *store.DB, id event.ID) []byte {
	t.Helper()
	must(t, db.CatchUp(t.Context(), p.log, NewProjection(p.cfg.Logger), nil))
	doc, _, err := NewQueries(db).Document(t.Context(), id)
	must(t, err)
	return doc
}

func TestTwoPeopleIssueAWarning(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPlace(t)
		ctx := t.Context()
		w, err := p.Do(ctx, Action{Type: ChangeDrafted, By: "ada", MsgType: codec.MsgAlert, Draft: flood()})
		must(t, err)
		better := flood()
		better.Headline = "Quay Street is flooded"
		w, err = p.Do(ctx, Action{Type: ChangeRevised, Warning: w.ID, Version: 1, By: "cat", Draft: better})
		must(t, err)
		for _, c := range []struct {
			name string
			a    Action
			want error
		}{
			{"by who wrote it", Action{Type: ChangeIssued, Warning: w.ID, Version: 2, By: "ada"}, ErrOwnWork},
			{"by who revised it", Action{Type: ChangeIssued, Warning: w.ID, Version: 2, By: "cat"}, ErrOwnWork},
			{"by nobody", Action{Type: ChangeIssued, Warning: w.ID, Version: 2}, ErrNotAllowed},
			{"of another version", Action{Type: ChangeIssued, Warning: w.ID, Version: 1, By: "ben"}, ErrChanged},
			{"of nothing", Action{Type: ChangeIssued, Warning: "x", Version: 1, By: "ben"}, ErrNotFound},
			{"discarded without a reason", Action{Type: ChangeDiscarded, Warning: w.ID, Version: 2, By: "ben"}, ErrNotAllowed},
			{"an unknown action", Action{Type: "burnt", Warning: w.ID, Version: 2, By: "ben"}, ErrNotAllowed},
			{"an update of a draft", Action{Type: ChangeDrafted, MsgType: codec.MsgUpdate, Of: w.ID, By: "ben", Why: "x", Draft: flood()}, ErrNotAllowed},
			{"a cancellation of nothing", Action{Type: ChangeDrafted, MsgType: codec.MsgCancel, Of: "x", By: "ben", Why: "x"}, ErrNotFound},
		} {
			if err := p.Check(ctx, c.a); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			if _, err := p.Do(ctx, c.a); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		q := NewQueries(db)
		must(t, db.CatchUp(ctx, p.log, NewProjection(p.cfg.Logger), nil))
		if all, err := q.Issued(ctx, time.Time{}, 10); err != nil || len(all) != 0 {
			t.Errorf("a draft is shown: %v %v", all, err)
		}
		if _, _, err := q.Document(ctx, w.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a draft has a message: %v", err)
		}

		w, err = p.Do(ctx, Action{Type: ChangeIssued, Warning: w.ID, Version: 2, By: "ben"})
		must(t, err)
		a, by, err := signed.Open(p.documents(t, db, w.ID), []*x509.Certificate{p.cert}, start)
		must(t, err)
		if !by.Equal(p.cert) || !a.ID().Same(w.Ref()) || a.Infos[0].Headline != "Quay Street is flooded" || a.Infos[0].Language != "en-GB" || len(a.Flaws) != 0 {
			t.Errorf("issued %+v", a)
		}
		standing, err := q.Standing(ctx, start)
		must(t, err)
		if diff := cmp.Diff([]Warning{w}, standing); diff != "" {
			t.Errorf("what stands:\n%s", diff)
		}
		if past, err := q.Standing(ctx, w.Expires); err != nil || len(past) != 0 {
			t.Errorf("it stands after its end: %v", err)
		}
		if _, err := p.Do(ctx, Action{Type: ChangeRevised, Warning: w.ID, Version: 3, By: "ada", Draft: better}); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("what was issued is changed: %v", err)
		}
	})
}

func TestUpdateAndCancelReferToAllBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPlace(t)
		ctx := t.Context()
		first := p.issue(t, Action{MsgType: codec.MsgAlert, Draft: flood()})
		worse := flood()
		worse.Severity, worse.Headline = codec.Extreme, "The wall at Quay Street has broken"
		second := p.issue(t, Action{MsgType: codec.MsgUpdate, Of: first.ID, Why: "The wall has broken.", Draft: worse})
		if !second.Sent.After(first.Sent) || second.Root != first.ID {
			t.Errorf("sent at %v, %v", first.Sent, second.Sent)
		}
		if _, err := p.Do(ctx, Action{Type: ChangeDrafted, By: "ada", MsgType: codec.MsgCancel, Of: first.ID, Why: "x"}); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("what was updated is cancelled: %v", err)
		}
		p.set(start.Add(time.Hour))
		third := p.issue(t, Action{MsgType: codec.MsgCancel, Of: second.ID, Why: "The water has gone."})
		a, err := codec.Decode(p.documents(t, db, third.ID))
		must(t, err)
		if a.MsgType != codec.MsgCancel || len(a.References) != 2 || !a.References[0].Same(first.Ref()) || !a.References[1].Same(second.Ref()) || a.Note != "The water has gone." {
			t.Errorf("%+v", a)
		}
		if a.Infos[0].Urgency != codec.Past || a.Infos[0].Headline != "Cancelled: The wall at Quay Street has broken" {
			t.Errorf("%+v", a.Infos[0])
		}
		q := NewQueries(db)
		if standing, err := q.Standing(ctx, start.Add(time.Hour)); err != nil || len(standing) != 0 {
			t.Errorf("after the cancellation %v stand, %v", standing, err)
		}
		all, err := q.Issued(ctx, start, 10)
		must(t, err)
		if len(all) != 3 || all[0].ID != third.ID || all[2].ReplacedBy != second.ID {
			t.Errorf("%+v", all)
		}
		golden(t, "cancel", strip(string(p.documents(t, db, third.ID))))

		// Another office on the log, and tables made anew, know the same.
		again, err := New(ctx, p.cfg)
		must(t, err)
		w, err := again.Get(ctx, second.ID)
		must(t, err)
		mine, err := p.Get(ctx, second.ID)
		must(t, err)
		if diff := cmp.Diff(mine, w); diff != "" {
			t.Errorf("after a restart:\n%s", diff)
		}
		if c := again.Chain(third.ID); len(c) != 2 || c[0].ID != first.ID {
			t.Errorf("chain %v", c)
		}
		must(t, db.Rebuild(ctx, p.log, []store.Projection{NewProjection(p.cfg.Logger)}, nil))
		rebuilt, err := q.Issued(ctx, start, 10)
		must(t, err)
		if diff := cmp.Diff(all, rebuilt); diff != "" {
			t.Errorf("after a rebuild:\n%s", diff)
		}
	})
}

// strip leaves out the signature, and ids that follow from the clock.
func strip(doc string) string {
	from, to := strings.Index(doc, "<ds:Signature"), strings.Index(doc, "</ds:Signature>")
	if from > 0 {
		doc = doc[:from] + "<ds:Signature/>" + doc[to+len("</ds:Signature>"):]
	}
	return doc
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		must(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// Two people who act at once do not both succeed.
func TestOfTwoOfficesOneIsFirst(t *testing.T) {
	p := newPlace(t)
	ctx := t.Context()
	other, err := New(ctx, p.cfg)
	must(t, err)
	w, err := p.Do(ctx, Action{Type: ChangeDrafted, By: "ada", MsgType: codec.MsgAlert, Draft: flood()})
	must(t, err)
	errs := make(chan error, 2)
	for i, o := range []*Office{p.Office, other} {
		go func() {
			_, err := o.Do(context.WithoutCancel(ctx), Action{Type: ChangeIssued, Warning: w.ID, Version: 1, By: []string{"ben", "cat"}[i]})
			errs <- err
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Errorf("%v, %v: want one to be first", a, b)
	}
}

func TestDraftsAreChecked(t *testing.T) {
	p := newPlace(t)
	for name, spoil := range map[string]func(*Draft){
		"no headline":     func(d *Draft) { d.Headline = " " },
		"long headline":   func(d *Draft) { d.Headline = strings.Repeat("x", 161) },
		"no description":  func(d *Draft) { d.Description = "" },
		"no area":         func(d *Draft) { d.Area = "" },
		"no shape":        func(d *Draft) { d.Circle = "" },
		"broken circle":   func(d *Draft) { d.Circle = "54.7 2.6" },
		"broken polygon":  func(d *Draft) { d.Polygon = "1,2 3,4 5,6 7,8" },
		"no end":          func(d *Draft) { d.Expires = time.Time{} },
		"ended":           func(d *Draft) { d.Expires = start },
		"very long":       func(d *Draft) { d.Expires = start.AddDate(0, 1, 0) },
		"begins late":     func(d *Draft) { d.Onset = start.Add(7 * time.Hour) },
		"no status":       func(d *Draft) { d.Status = "" },
		"draft":           func(d *Draft) { d.Status = codec.Draft },
		"broken text":     func(d *Draft) { d.Instruction = "a\xffb" },
		"unknown urgency": func(d *Draft) { d.Urgency = "Soon" },
		"no category":     func(d *Draft) { d.Category = "" },
	} {
		d := flood()
		spoil(&d)
		w, err := p.Do(t.Context(), Action{Type: ChangeDrafted, By: "ada", MsgType: codec.MsgAlert, Draft: d})
		if err == nil { // what the draft's form makes sure of is found at the latest when it is issued
			_, err = p.Do(t.Context(), Action{Type: ChangeIssued, Warning: w.ID, Version: 1, By: "ben"})
		}
		if !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(t.Context(), Config{Sender: "a b"}); err == nil {
		t.Error("a sender with a space is taken")
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	_, a, err := LoadKey("", dir, "Skerry Police", start)
	must(t, err)
	_, b, err := LoadKey("", dir, "Another", start.Add(time.Hour))
	must(t, err)
	if !a.Equal(b) {
		t.Error("a new key each time")
	}
	st, err := os.Stat(filepath.Join(dir, KeyFile))
	must(t, err)
	if st.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v", st.Mode())
	}
	if _, _, err := LoadKey(filepath.Join(dir, "none.pem"), dir, "x", start); err == nil {
		t.Error("a file that is not there is taken")
	}
	alone := filepath.Join(dir, "alone.pem")
	data, err := os.ReadFile(filepath.Join(dir, KeyFile))
	must(t, err)
	must(t, os.WriteFile(alone, data[:strings.Index(string(data), "-----BEGIN CERT")], 0o600))
	if _, _, err := LoadKey(alone, dir, "x", start); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a key without its certificate: %v", err)
	}
}

func TestXmlsecVerifiesWhatIsIssued(t *testing.T) {
	path, err := exec.LookPath("xmlsec1")
	if err != nil {
		if os.Getenv(storetest.RequireAll) == "1" {
			t.Fatalf("required: %v", err)
		}
		t.Skipf("no xmlsec1: %v", err)
	}
	p, db := newPlace(t), storetest.SQLite(t)
	w := p.issue(t, Action{MsgType: codec.MsgAlert, Draft: flood()})
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "cert.pem"), p.Certificate(), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "doc.xml"), p.documents(t, db, w.ID), 0o600))
	cmd := exec.CommandContext(t.Context(), path, "--verify", "--pubkey-cert-pem", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "doc.xml"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
