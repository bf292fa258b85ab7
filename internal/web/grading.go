package web

import (
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
)

// What a person chooses from when grading and closing. Grades follow the
// College of Policing's call grading; the words are ours.

var gradeChoices = []option{
	{string(event.Immediate), "Immediate", "Danger to life, violence, or a crime in progress: a unit goes now."},
	{string(event.Prompt), "Prompt", "Serious concern, or evidence and witnesses may be lost: a unit goes soon."},
	{string(event.Scheduled), "Scheduled", "Needs an officer, but no harm comes of an appointment."},
	{string(event.ResolvedWithoutDeployment), "Resolved without deployment", "Advice, a keyholder or another service is enough."},
}

// factors are what may be weighed. The values are what the log keeps.
var factors = []option{
	{"risk_to_life", "Risk to life", ""},
	{"crime_in_progress", "Crime in progress", ""},
	{"suspect_at_scene", "Suspect at the scene", ""},
	{"vulnerable_person", "Vulnerable person", ""},
	{"confirmed_by_second_detector", "Confirmed by a second detector", ""},
	{"person_reports_offence", "A person at the scene reports an offence", ""},
	{"evidence_may_be_lost", "Evidence may be lost", ""},
	{"repeat_location", "Repeat location", ""},
	{"critical_service", "Critical service affected", ""},
	{"keyholder_attending", "Keyholder attending", ""},
	{"likely_false_alarm", "Likely false alarm", ""},
}

var factorWords = wordsOf(factors)

var codeChoices = []option{
	{string(event.ClosedTrue), "True", "A real cause, dealt with."},
	{string(event.ClosedFalse), "False alarm", "No cause that needed the police."},
	{string(event.ClosedDuplicate), "Duplicate", "Handled under another incident: name it."},
	{string(event.ClosedTest), "Test", "A test or maintenance."},
}

// purposes are why personal data may be opened.
var purposes = purposeOptions()

var purposeWords = wordsOf(purposes)

func purposeOptions() []option {
	words := auth.PurposeWords()
	out := []option{}
	for _, p := range auth.Purposes() {
		out = append(out, option{string(p), words[p], ""})
	}
	return out
}

func wordsOf(options []option) map[string]string {
	out := map[string]string{}
	for _, o := range options {
		out[o.Value] = o.Label
	}
	return out
}
