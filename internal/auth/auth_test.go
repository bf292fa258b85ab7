package auth_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files")

const good = "correct horse battery"

// desk is a front desk with all that it stands on.
type desk struct {
	*auth.Auth
	dir string
	log *bus.Log
	now time.Time
	mu  sync.Mutex
	cfg auth.Config
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(t)
}

func open(tb testing.TB, db *store.DB, change func(*auth.Config)) *desk {
	tb.Helper()
	d := &desk{dir: tb.TempDir(), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	var err error
	if d.log, err = bus.Open(context.Background(), bus.Config{Dir: d.dir}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.log.Close)
	sealer, err := seal.Open(d.dir)
	if err != nil {
		tb.Fatal(err)
	}
	d.cfg = auth.Config{
		Log: d.log, DB: db, Audit: audit.NewRecorder(d.log, d.clock), Sealer: sealer, Now: d.clock,
		Hash: auth.HashCost{Memory: 64, Time: 1, Threads: 1},
	}
	if change != nil {
		change(&d.cfg)
	}
	d.Auth = d.again(tb)
	return d
}

// again opens another front desk on the same log, as another server would.
func (d *desk) again(tb testing.TB) *auth.Auth {
	tb.Helper()
	a, err := auth.New(context.Background(), d.cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.Close)
	return a
}

func (d *desk) add(tb testing.TB, name string, roles ...auth.Role) auth.Person {
	tb.Helper()
	p, err := d.Add(context.Background(), auth.Console("test"), auth.NewPerson{Name: name, Roles: roles, Password: good})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// audited counts the entries of an action on the audit log.
func (d *desk) audited(tb testing.TB, action audit.Action) int {
	tb.Helper()
	n := 0
	if err := d.log.Each(context.Background(), bus.Audit, 0, func(r bus.Record) error {
		if strings.Contains(string(r.Data), `"action":"`+string(action)+`"`) {
			n++
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestRolesTable(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s", "")
	for _, r := range auth.Roles() {
		fmt.Fprintf(&b, " %-13s", r)
	}
	for _, p := range auth.Permissions() {
		fmt.Fprintf(&b, "\n%-24s", p)
		for _, r := range auth.Roles() {
			mark := "-"
			if r.Can(p) {
				mark = "yes"
			}
			fmt.Fprintf(&b, " %-13s", mark)
		}
	}
	got := ""
	for l := range strings.Lines(b.String() + "\n") {
		got += strings.TrimRight(l, " \n") + "\n"
	}
	path := filepath.Join("testdata", "roles.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("who may do what has changed; if that is meant, run with -update:\n%s", got)
	}
	for _, p := range auth.Permissions() {
		if len(auth.RolesWith(p)) == 0 {
			t.Errorf("nobody may %s", p)
		}
	}
	if auth.Administrator.Can(auth.SeePersonalData) || auth.Role("none").Can(auth.SeeIncidents) {
		t.Error("a role may do too much")
	}
}

func TestFirstAdministrator(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	ctx := t.Context()
	first, err := d.SetupToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := d.SetupToken(ctx)
	if err != nil || token == first {
		t.Fatalf("a second token: %v", err)
	}
	n := auth.NewPerson{Name: "Robin", FullName: "Robin Ashe", Password: good}
	for name, wrong := range map[string]string{"an old token": first, "no token": "", "another": "x"} {
		if _, err := d.SetUp(ctx, wrong, n, "192.0.2.1:5"); !errors.Is(err, auth.ErrSetupToken) {
			t.Errorf("%s: %v, want ErrSetupToken", name, err)
		}
	}
	d.pass(auth.SetupTokenLife + time.Second)
	if _, err := d.SetUp(ctx, token, n, "192.0.2.1:5"); !errors.Is(err, auth.ErrSetupToken) {
		t.Errorf("an expired token: %v, want ErrSetupToken", err)
	}
	if token, err = d.SetupToken(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.log.Each(ctx, bus.People, 0, func(r bus.Record) error {
		if strings.Contains(string(r.Data), token) {
			t.Error("the token is on the log")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	// Several at once, on two servers: one wins.
	desks := []*auth.Auth{d.Auth, d.again(t)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		wg.Go(func() {
			_, err := desks[i%2].SetUp(ctx, token, auth.NewPerson{Name: fmt.Sprint("admin", i), Password: good}, fmt.Sprint("192.0.2.", i))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, auth.ErrSetUpDone) {
				t.Errorf("losing the race: %v, want ErrSetUpDone", err)
			}
		})
	}
	wg.Wait()
	if won != 1 || len(d.People()) != 1 || !d.People()[0].Can(auth.ManagePeople) {
		t.Errorf("%d won; people: %+v", won, d.People())
	}
	if _, err := d.SetupToken(ctx); !errors.Is(err, auth.ErrSetUpDone) {
		t.Errorf("a token afterwards: %v", err)
	}
	if n := d.audited(t, audit.SetUp); n < 1 {
		t.Error("the audit log does not know of the first administrator")
	}
}

func TestPeopleAreKept(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	ctx := t.Context()
	admin := d.add(t, "robin", auth.Administrator)
	sam := d.add(t, " Sam.Vale ", auth.Operator)
	if sam.Name != "sam.vale" || !sam.Can(auth.RunIncidents) || sam.Can(auth.SeeAudit) {
		t.Errorf("added %+v", sam)
	}
	if _, err := d.SetRoles(ctx, admin, sam.ID, []auth.Role{auth.Auditor, auth.Analyst}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Disable(ctx, admin, sam.ID); err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*auth.Auth{"this": d.Auth, "another": d.again(t)} {
		p, ok := a.ByName("SAM.vale")
		if !ok || !p.Disabled || p.RoleWords() != "auditor, analyst" || p.Can(auth.SeeAudit) || p.ID != sam.ID {
			t.Errorf("%s server knows %+v", name, p)
		}
		if len(a.People()) != 2 {
			t.Errorf("%s server knows %d people", name, len(a.People()))
		}
	}
	if p, err := d.Enable(ctx, admin, sam.ID); err != nil || !p.Can(auth.SeeAudit) {
		t.Errorf("enabled: %+v, %v", p, err)
	}
	for action, want := range map[audit.Action]int{audit.PersonAdded: 2, audit.RolesChanged: 1, audit.PersonDisabled: 1, audit.PersonEnabled: 1} {
		if got := d.audited(t, action); got != want {
			t.Errorf("%s is on the audit log %d times, want %d", action, got, want)
		}
	}
	if err := d.log.Each(ctx, bus.People, 0, func(r bus.Record) error {
		if strings.Contains(string(r.Data), "argon2") {
			t.Errorf("a hash lies open on the log: %s", r.Data)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestChangesOfPeopleRefused(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	ctx := t.Context()
	admin, sam := d.add(t, "robin", auth.Administrator), d.add(t, "sam", auth.Operator)
	person := func(change func(*auth.NewPerson)) error {
		n := auth.NewPerson{Name: "new", Roles: []auth.Role{auth.Operator}, Password: good}
		change(&n)
		_, err := d.Add(ctx, admin, n)
		return err
	}
	second := func(_ auth.Person, err error) error { return err }
	for name, c := range map[string]struct{ got, want error }{
		"a name that is taken":   {person(func(n *auth.NewPerson) { n.Name = "SAM" }), auth.ErrNameTaken},
		"a name with a space":    {person(func(n *auth.NewPerson) { n.Name = "s am" }), auth.ErrName},
		"a long full name":       {person(func(n *auth.NewPerson) { n.FullName = strings.Repeat("x", 101) }), auth.ErrName},
		"no roles":               {person(func(n *auth.NewPerson) { n.Roles = nil }), auth.ErrRoles},
		"an unknown role":        {person(func(n *auth.NewPerson) { n.Roles = []auth.Role{"king"} }), auth.ErrRoles},
		"a short password":       {person(func(n *auth.NewPerson) { n.Password = "short" }), auth.ErrPassword},
		"a password of the name": {person(func(n *auth.NewPerson) { n.FullName, n.Password = "Max Wood", "the Wood of 2026" }), auth.ErrPassword},
		"added by an operator":   {second(d.Add(ctx, sam, auth.NewPerson{})), auth.ErrNotAllowed},
		"promoting oneself":      {second(d.SetRoles(ctx, sam, sam.ID, []auth.Role{auth.Administrator})), auth.ErrNotAllowed},
		"another's password":     {second(d.SetPassword(ctx, sam, admin.ID, good)), auth.ErrNotAllowed},
		"nobody":                 {second(d.Disable(ctx, admin, "x")), auth.ErrNoPerson},
		"the last administrator": {second(d.Disable(ctx, admin, admin.ID)), auth.ErrLastAdministrator},
		"her roles":              {second(d.SetRoles(ctx, admin, admin.ID, []auth.Role{auth.Auditor})), auth.ErrLastAdministrator},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if _, err := d.SetPassword(ctx, sam, sam.ID, "another good password"); err != nil {
		t.Errorf("one's own password: %v", err)
	}
	d.log.Close() // nothing happens that cannot be recorded
	if _, err := d.Disable(ctx, admin, sam.ID); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("without a log: %v", err)
	}
}

func TestNamesAreUniqueAcrossServers(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	desks := []*auth.Auth{d.Auth, d.again(t)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 6 {
		wg.Go(func() {
			_, err := desks[i%2].Add(t.Context(), auth.Console("test"), auth.NewPerson{Name: "sam", Roles: []auth.Role{auth.Analyst}, Password: good})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, auth.ErrNameTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d people have one name", won)
	}
}

func TestSignIn(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	ctx := t.Context()
	admin, sam := d.add(t, "robin", auth.Administrator), d.add(t, "sam", auth.Operator)
	if p, err := d.SignIn(ctx, "Sam ", good, "192.0.2.1:99"); err != nil || p.ID != sam.ID {
		t.Fatalf("SignIn = %+v, %v", p, err)
	}
	for name, c := range map[string]struct{ name, password string }{
		"wrong password": {"robin", good + "x"}, "no such person": {"nobody", good}, "empty": {"", ""},
		"a huge password": {"robin", strings.Repeat("x", 1<<20)},
	} {
		if _, err := d.SignIn(ctx, c.name, c.password, "192.0.2.2"); !errors.Is(err, auth.ErrSignIn) || err.Error() != auth.ErrSignIn.Error() {
			t.Errorf("%s: %v, want ErrSignIn", name, err)
		}
	}
	if _, err := d.SetPassword(ctx, admin, sam.ID, "a different one"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SignIn(ctx, "sam", good, "192.0.2.1"); !errors.Is(err, auth.ErrSignIn) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := d.SignIn(ctx, "sam", "a different one", "192.0.2.1"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if _, err := d.Disable(ctx, admin, sam.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SignIn(ctx, "sam", "a different one", "192.0.2.1"); !errors.Is(err, auth.ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
	if _, err := d.SignIn(ctx, "sam", good, "192.0.2.1"); !errors.Is(err, auth.ErrSignIn) {
		t.Errorf("disabled, and wrong: %v", err)
	}
	if in, out := d.audited(t, audit.SignedIn), d.audited(t, audit.SignInFailed); in != 2 || out != 7 {
		t.Errorf("the audit log has %d sign-ins and %d refusals, want 2 and 7", in, out)
	}
}

func TestGuessingIsSlowed(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	ctx := t.Context()
	d.add(t, "sam", auth.Operator)
	for i := range 5 {
		if _, err := d.SignIn(ctx, "sam", "wrong", fmt.Sprint("192.0.2.", i)); !errors.Is(err, auth.ErrSignIn) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	for range 3 {
		_, err := d.SignIn(ctx, "sam", good, "192.0.2.77")
		var wait *auth.WaitError
		if !errors.As(err, &wait) || wait.Wait != time.Minute || !strings.Contains(err.Error(), "in 60 seconds") {
			t.Errorf("after five failures: %v", err)
		}
	}
	if n := d.audited(t, audit.SignInFailed); n != 6 {
		t.Errorf("%d refusals on the audit log, want 6: a flood must not fill it", n)
	}
	d.pass(time.Minute)
	if _, err := d.SignIn(ctx, "sam", good, "192.0.2.77"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	for i := range 30 { // one address, many names
		_, _ = d.SignIn(ctx, fmt.Sprint("name", i), "wrong", fmt.Sprintf("[2001:db8::%x]:1", i))
	}
	if _, err := d.SignIn(ctx, "sam", good, "[2001:db8::ffff]:1"); !errors.Is(err, auth.ErrThrottled) {
		t.Errorf("a busy network: %v", err)
	}
	if _, err := d.SignIn(ctx, "sam", good, "198.51.100.1"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}

func BenchmarkSignIn(b *testing.B) {
	d := open(b, storetest.SQLite(b), func(c *auth.Config) { c.Hash = auth.DefaultHashCost() })
	d.add(b, "sam", auth.Operator)
	b.ResetTimer()
	for range b.N {
		if _, err := d.SignIn(context.Background(), "sam", good, "192.0.2.1"); err != nil {
			b.Fatal(err)
		}
	}
}
