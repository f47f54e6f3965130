package app_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestFindingsAreOrderedAsTheyArePrinted(t *testing.T) {
	letter := incident.Finding{ID: event.ID{0x28}, Time: 1_795_224_520_002_100}
	digit := incident.Finding{ID: event.ID{0xe8}, Time: 1_795_224_520_002_900}
	for _, f := range []incident.Finding{letter, digit} {
		t.Log(event.FormatID(event.FindingPrefix, f.ID))
	}
	if app.CompareShown(digit, letter) >= 0 {
		t.Error("of the same millisecond, the id that begins with a digit is not the first")
	}
	later := incident.Finding{ID: digit.ID, Time: letter.Time + 1000}
	if app.CompareShown(letter, later) >= 0 {
		t.Error("the later finding is not the last")
	}
}
