package incident_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/incident"
)

func TestEveryVerdictGoesOutAndComesBackAsTheSystemsThatHaveFewerKnowIt(t *testing.T) {
	same := map[incident.Verdict]bool{}
	for _, v := range incident.Verdicts() {
		if got, err := incident.VerdictOf(string(v)); err != nil || got != v {
			t.Errorf("%s reads as %s, %v", v, got, err)
		}
		got, err := incident.VerdictOfOCSF(v.OCSF())
		if err != nil || got.OCSF() != v.OCSF() {
			t.Errorf("%s goes out as %d and comes back as %s, %v", v, v.OCSF(), got, err)
		}
		same[got] = true
		if got, err := incident.VerdictOf(v.Microsoft()); err != nil || got.Microsoft() != v.Microsoft() {
			t.Errorf("%s goes out as %s and comes back as %s, %v", v, v.Microsoft(), got, err)
		}
	}
	if len(same) != 7 { // Misuse is a true positive to OCSF, and a malfunction benign.
		t.Errorf("%d verdicts come back as what they were", len(same))
	}
}

func TestNamesOfOtherSystemsAreUnderstoodAndOthersRefused(t *testing.T) {
	for name, want := range map[string]incident.Verdict{
		"TruePositive": incident.Intrusion, "true_positive": incident.Intrusion, "Benign Positive": incident.AuthorisedActivity, "FALSE-POSITIVE": incident.RuleFalsePositive,
		"undetermined": incident.Undetermined, "Policy Violation": incident.PolicyViolation, "informationalExpectedActivity": incident.AuthorisedActivity,
	} {
		if got, err := incident.VerdictOf(name); err != nil || got != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "positive", "closed"} {
		if got, err := incident.VerdictOf(name); err == nil {
			t.Errorf("%q reads as %s", name, got)
		}
	}
	for _, id := range []int{-1, 3, 99} {
		if got, err := incident.VerdictOfOCSF(id); err == nil {
			t.Errorf("%d reads as %s", id, got)
		}
	}
	for name, want := range map[string]incident.Status{"Open": incident.Open, "new": incident.Open, "In Progress": incident.Acknowledged, "resolved": incident.Closed, "CLOSED": incident.Closed} {
		if got, err := incident.StatusOf(name); err != nil || got != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := incident.StatusOf("merged"); err == nil {
		t.Error("a merged incident can be asked for")
	}
}
