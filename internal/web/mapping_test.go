package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

func TestAMappingIsTriedKeptAndPutToWork(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := rm.signIn(t, auth.Supervisor)
	good := url.Values{"name": {"bins"}, "program": {exampleProgram}, "sample": {exampleSample}, "do": {"try"}}
	with := func(pairs ...string) url.Values {
		v := url.Values{}
		for k, x := range good {
			v[k] = x
		}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	if got := rm.get(t, c, "/mappings/new"); got.status != http.StatusOK || !strings.Contains(got.body, "body.door == 1.0") {
		t.Errorf("%d", got.status)
	}
	got := rm.post(t, c, "/mappings/new", good)
	for _, want := range []string{"1 observation", "Nothing was kept", "some-device", "<td>contact</td>", "<td>open</td>", "2026"} {
		if got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("a try: %d, lacks %q", got.status, want)
		}
	}
	if last, err := rm.log.Last(t.Context(), bus.Mappings); err != nil || last != 0 {
		t.Errorf("a try has left something at %d (%v)", last, err)
	}
	for name, c2 := range map[string]struct {
		v    url.Values
		want string
	}{
		"a slip":            {with("program", "{\n  \"state\": bdy\n}"), "Line 2, column 12: undeclared reference"},
		"its place":         {with("program", "{\n  \"state\": bdy\n}"), "&#34;state&#34;: bdy\n           ^"},
		"a missing key":     {with("sample", "{}"), "no such key: door"},
		"no JSON":           {with("sample", "hello"), "The sample was not understood: it is not JSON"},
		"live, untried":     {with("do", "live", "sample", ""), "Paste a sample"},
		"live, of no use":   {with("do", "live", "program", "[]"), "Nothing came of the sample"},
		"live, and broken":  {with("do", "live", "sample", "{}"), "no such key: door"},
		"a draft, broken":   {with("do", "draft", "program", "{"), "Syntax error"},
		"a name of its own": {with("do", "draft", "name", "Big Bins"), "Invalid mapping: the name"},
	} {
		got := rm.post(t, c, "/mappings/new", c2.v)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, c2.want) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	got = rm.post(t, c, "/mappings/new", with("do", "draft", "why", "first go"))
	if to := got.header.Get("Location"); to != "/mappings/bins?done=draft" {
		t.Fatalf("a draft: %d %s", got.status, got.body)
	}
	if m, err := rm.mappings.Mapping("bins"); err != nil || m.Live != 0 || len(m.Versions) != 1 || m.Versions[0].Why != "first go" {
		t.Errorf("%+v %v", m, err)
	}
	if got := rm.post(t, c, "/mappings/new", with("do", "draft")); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "of this name already") {
		t.Errorf("a second of the name: %d", got.status)
	}
	if got := rm.post(t, c, "/mappings/bins", with("do", "live")); got.header.Get("Location") != "/mappings/bins?done=live" {
		t.Fatalf("live: %d %s", got.status, got.body)
	}
	if m, err := rm.mappings.Mapping("bins"); err != nil || m.Live != 1 || len(m.Versions) != 1 {
		t.Errorf("the same program became %+v %v", m, err)
	}
	changed := strings.Replace(exampleProgram, `"open"`, `"ajar"`, 1)
	rm.post(t, c, "/mappings/bins", with("do", "live", "program", strings.ReplaceAll(changed, "\n", "\r\n")))
	if m, err := rm.mappings.Mapping("bins"); err != nil || m.Live != 2 {
		t.Errorf("a new program: %+v %v", m, err)
	}
	if got := rm.get(t, c, "/mappings/bins?version=1"); !strings.Contains(got.body, "Version 1 is shown") || !strings.Contains(got.body, "&#34;open&#34;") {
		t.Error("version 1 is not shown")
	}
	rm.post(t, c, "/mappings/bins", with("do", "live"))
	if m, err := rm.mappings.Mapping("bins"); err != nil || m.Live != 1 || len(m.Versions) != 2 {
		t.Errorf("going back: %+v %v", m, err)
	}
	rm.post(t, c, "/mappings/bins", with("do", "stop", "why", "the bins are gone"))
	if m, err := rm.mappings.Mapping("bins"); err != nil || m.Live != 0 {
		t.Errorf("stopped: %+v %v", m, err)
	}
	if got := rm.get(t, rm.signIn(t, auth.Analyst), "/mappings/bins"); got.status != http.StatusOK || strings.Contains(got.body, "Go live</button>") {
		t.Errorf("who may only look: %d", got.status)
	}
	if got := rm.get(t, c, "/mappings/none"); got.status != http.StatusNotFound {
		t.Errorf("none: %d", got.status)
	}
	waitFor(t, "the audit log", func() bool {
		return len(rm.entries(t, "mapping.live")) == 3 && len(rm.entries(t, "mapping.stopped")) == 1 && len(rm.entries(t, "mapping.drafted")) >= 1
	})
}
