package format_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// checkValid holds an event to what the model promises of any event: a time has a source, and what leaves the system is valid OCSF.
func checkValid(t testing.TB, e *event.Event) {
	t.Helper()
	if e.Time < 0 {
		t.Errorf("negative time %d", e.Time)
	}
	if (e.Time != 0) != (e.Envelope.TimeSource != event.TimeUnknown) {
		t.Errorf("%s has the time %d from %s", e.ClassKey(), e.Time, e.Envelope.TimeSource)
	}
	stamped := *e
	if stamped.Time == 0 {
		stamped.Time = received.UnixMicro() // As the pipeline does.
	}
	doc := event.AppendOCSF(nil, &stamped, false)
	var v ocsf.Validator
	problems := v.Validate(doc)
	if !ocsf.HasErrors(problems) {
		return
	}
	for _, p := range problems {
		if p.Severity == ocsf.Error {
			t.Errorf("%s is not valid OCSF: %s", e.ClassKey(), p)
		}
	}
	t.Logf("%.2000s", doc)
}
