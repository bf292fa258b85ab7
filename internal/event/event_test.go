package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: what is on people's logs must stay readable, and its ids the same. Got\n%s\nwant\n%s", file, got, want)
	}
}

func TestIDsNeverChange(t *testing.T) {
	var b strings.Builder
	for _, parts := range [][]string{{"k"}, {"k", ""}, {"k", "", ""}, {"k", "ab", "c"}, {"k", "a", "bc"}, {"k", strings.Repeat("x", 300)}, {"", "k"}, {"k", "\x00é"}} {
		fmt.Fprintf(&b, "%.40q %s\n", parts, event.NewID(parts[0], parts[1:]...))
	}
	fmt.Fprintf(&b, "alert %s\n", event.NewAlertID("rule", "cause", 12))
	q := event.NewQuarantined("dc09", "192.0.2.1:4", "crc", "", []byte("bytes"), time.Date(2026, 3, 2, 12, 0, 0, 5, time.UTC), 3)
	fmt.Fprintf(&b, "quarantined %s\n", q.ID)
	golden(t, "ids.golden", b.String())
}

func TestIDsTellApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 0, 3, -1), 1, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		x, y := event.NewID(a[0], a[1:]...), event.NewID(b[0], b[1:]...)
		if (x == y) != reflect.DeepEqual(a, b) {
			t.Fatalf("%q is %s, %q is %s", a, x, b, y)
		}
		if len(x) != 26 || strings.Trim(string(x), "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Fatalf("%q is no id", x)
		}
	})
}

// fill sets every field of a value to something that shows.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 3, 2, 12, 0, 0, 5000, time.UTC)
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("192.0.2.1")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(9)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("bytes"))
			return
		}
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("text"))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

// What the log holds is JSON of these types. A field that loses its name would
// make what is on people's logs unreadable, so its change must be on purpose.
func TestFormatOfTheLogNeverChanges(t *testing.T) {
	for name, v := range map[string]any{
		"observation": &event.Observation{}, "alert": &event.Alert{}, "change": &event.IncidentChange{}, "quarantined": &event.Quarantined{},
	} {
		fill(reflect.ValueOf(v).Elem())
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".golden", string(data)+"\n")

		back := reflect.New(reflect.TypeOf(v).Elem())
		if err := json.Unmarshal(data, back.Interface()); err != nil {
			t.Fatal(err)
		}
		again, err := json.MarshalIndent(back.Interface(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("%s came back as\n%s", name, again)
		}
	}
	for name, v := range map[string]any{
		"observation_empty": event.Observation{}, "alert_empty": event.Alert{}, "change_empty": event.IncidentChange{}, "quarantined_empty": event.Quarantined{},
	} {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".golden", string(data)+"\n")
	}
}

func TestRefs(t *testing.T) {
	at := place.Point{Lat: 54.5, Lon: 2.5}
	for _, c := range []struct {
		o    event.Observation
		want event.Ref
	}{
		{event.Observation{ID: "a", Seq: 4, Place: &at}, event.Ref{ID: "a", Seq: 4}},
		{event.Observation{ID: "a", Flow: &event.Flow{UID: "C1"}}, event.Ref{ID: "a", Name: "C1"}},
		{event.Observation{ID: "a", Login: &event.Login{UID: "C2"}}, event.Ref{ID: "a", Name: "C2"}},
		{event.Observation{ID: "a", Notice: &event.Notice{UID: "C3"}}, event.Ref{ID: "a", Name: "C3"}},
	} {
		if got := c.o.Ref(); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
	if got := (&event.Alert{ID: "b", Seq: 5}).Ref(); got != (event.Ref{ID: "b", Seq: 5}) {
		t.Errorf("%+v", got)
	}
}

func TestQuarantinedIsCut(t *testing.T) {
	long := bytes.Repeat([]byte("x"), event.MaxQuarantineBytes+10)
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	q := event.NewQuarantined("dc09", "here", "size", "too long", long, now, 1)
	if len(q.Bytes) != event.MaxQuarantineBytes || q.Cut != 10 {
		t.Errorf("%d bytes kept, %d cut", len(q.Bytes), q.Cut)
	}
	if again := event.NewQuarantined("dc09", "here", "size", "too long", long, now, 2); again.ID == q.ID {
		t.Error("two arrivals have one id")
	}
	if exact := event.NewQuarantined("dc09", "here", "size", "", long[:event.MaxQuarantineBytes], now, 1); exact.Cut != 0 {
		t.Errorf("%d cut", exact.Cut)
	}
}
