package alarm

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each case is one decision of the policy; its golden file is what a control
// room reads.
var cases = map[string]string{
	"first":                   "0s BA/1",
	"confirmed":               "0s BA/1\n 20m BA/2",
	"confirmed_at_the_limit":  "0s BA/1\n 60m BA/2",
	"just_after_the_window":   "0s BA/1\n 60m1s BA/2\n 70m BA/3",
	"window_ends":             "0s BA/1\n 60m TICK\n 60m31s TICK\n 61m BA/2",
	"same_zone_repeats":       "0s BA/1\n 1m BA/1\n 2m BA/1\n 3m BA/1\n 4m BA/1\n 5m BA/1\n 6m BA/1\n 7m BA/1\n 8m BA/1",
	"confirmed_repeats":       "0s BA/1\n 1m BA/2\n 2m BA/1\n 3m BA/2\n 4m BA/3",
	"external_alone":          "0s BA/8\n 1m BA/9\n 2m BA/8\n 3m BA/9",
	"external_and_interior":   "0s BA/8\n 10m BA/2\n 20m BA/9",
	"external_starts_nothing": "0s BA/8\n 50m BA/1\n 65m BA/2",
	"tamper":                  "0s TA/1\n 1m BA/1\n 2m TA/2",
	"tamper_flutters":         "0s TA/1\n 1m TR/1\n 2m TA/1\n 3m TR/1\n 4m TA/1\n 5m TR/1\n 6m TA/1\n 7m TA/1\n 8m TR/1",
	"tamper_comes_again":      "0s TA/1\n 1m TR/1\n 3h TA/1",
	"no_zone":                 "0s BA\n 1m BA\n 2m BA/1\n 3m BA\n 4m BA/2",
	"two_systems":             "0s BA/1\n 1m BA/2 account=5678",
	"verified_by_panel":       "0s BV/1",
	"verified_contact_id":     "0s BA/1\n 1m 139/1\n 2m 139/1",
	"restored":                "0s BA/1\n 5m BR/1\n 6m BR/1",
	"restored_one_of_two":     "0s BA/1\n 1m BA/2\n 5m BR/1\n 6m BR/2",
	"restored_without_zone":   "0s BA/1\n 1m BA/2\n 5m BR",
	"restored_then_again":     "0s BA/1\n 5m BR/1\n 6m BA/1\n 7m BR/1\n 8m BA/1\n 9m BR/1\n 10m BA/1\n 11m BA/2\n 12m BR",
	"restored_unknown":        "0s BR/1\n 1m TR/1\n 2m FR",
	"unset":                   "0s BA/1\n 3m OP user=4\n 4m BA/2",
	"unset_before":            "1m BA/1\n 2m OP late=5m\n 3m BR/1 late=4m",
	"unset_unnamed":           "0s BA/1\n 1m BA/2\n 3m OP",
	"set_and_unset_in_peace":  "0s CL user=4\n 10h OP user=4",
	"hold_up":                 "0s HA/21\n 1m HA/21\n 2m HA/21\n 3m HA/21\n 9m HR/21",
	"hold_up_too_near":        "0s HA/21\n 2m HA/22\n 5m HA/22\n 6m HA/21",
	"hold_up_confirmed":       "0s HA/21\n 2m1s HA/22\n 3m HA/21",
	"hold_up_pressed_again":   "0s HA/21\n 1m HA/22\n 2m HR/22\n 5m HA/22",
	"hold_up_same_device":     "0s HA/21\n 1m HR/21\n 9m HA/21",
	"hold_up_after_window":    "0s HA/21\n 8h1s HA/22",
	"hold_up_no_zone":         "0s HA\n 5m HA/21\n 9m HA/22",
	"hold_up_verified":        "0s HV/21",
	"hold_up_contact_id":      "0s HA/21\n 1m 129/22",
	"direct":                  "0s FA/4\n 1m MA/5\n 2m WA/6\n 3m FA/7\n 4m FR\n 5m FA",
	"not_our_matter":          "0s AT\n 1m RP\n 2m BS/1",
	"sent_late":               "0s BA/1 late=3h\n 1s BA/2 late=2h50m\n 2s HA/21 late=26h",
	"sent_late_during_alarm":  "0s BA/1\n 1m BA/2 late=26h\n 2m BA/2",
	"silent":                  "0s SILENT\n 1m SILENT\n 30h RETURNED\n 31h RETURNED",
	"never_heard":             "0s UNKNOWN\n 1m RETURNED",
	"delivered_again":         "0s BA/1 id=a\n 1s BA/1 id=a\n 1m BA/2 id=b\n 61s BA/2 id=b\n 2m BR id=c\n 121s BR id=c\n 3m OP id=d\n 4m OP id=d\n 5m BA/1 id=a",
	"out_of_order":            "10m BA/2\n 11m BA/1 late=5m\n 12m HA/21\n 13m HA/22 late=9m",
}

func TestPolicy(t *testing.T) {
	for name, script := range cases {
		t.Run(name, func(t *testing.T) {
			got := play(t, script)
			file := filepath.Join("testdata", name+".golden")
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
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, ok := cases[strings.TrimSuffix(filepath.Base(f), ".golden")]; !ok {
			t.Errorf("%s belongs to no case", f)
		}
	}
}
