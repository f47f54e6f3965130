package event_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

func TestPlaceholdersAreToldInAnySpelling(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, " ": true, "-": true, "N/A": true, " Unknown ": true, "NULL": true, "(null)": true, "Not Available": true,
		"9999-12-31T23:59:59Z": true, "00000000-0000-0000-0000-000000000000": true,
		"unknown-host": false, "0": false, "00000000-0000-0000-0000-000000000001": false, "nobody": false, "nullable": false, "9998-12-31": false,
	} {
		if got := event.Placeholder(s); got != want {
			t.Errorf("Placeholder(%q) is %t", s, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { event.Placeholder("UNKNOWN") }); n != 0 {
		t.Errorf("Placeholder makes %v allocations", n)
	}
}
