package incident_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/incident"
)

func TestARevisionWithOtherEvidenceJoinsByThatAlone(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	revised := finding("a", 0, "robot:r2")
	revised.Revision = 2
	apply(s, finding("a", 0, "robot:r1"))
	apply(s, revised)
	apply(s, finding("b", 1, "robot:r1"), finding("c", 1, "robot:r2"))
	if got, want := partition(s), "a+c b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
