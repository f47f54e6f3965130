package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const floodHour = 3600 * 1_000_000

// flooding is a finding of a rule, one of a kind.
func flooding(n int, at int64) incident.Finding {
	ref := &event.Ref{Event: event.NewID("event", fmt.Sprint(n)), Time: at, Entities: []event.EntityRef{{Kind: event.EntitySession, Strength: event.Strong, Key: fmt.Sprint(n), ID: fmt.Sprint("session:", n)}}}
	return incident.Finding{
		ID: event.NewID("flood", fmt.Sprint(n)), Revision: 1, State: incident.Provisional, Rule: incident.RuleRef{ID: "rb-1", Version: 1, Title: "Noise", Owner: "soc"},
		Vars: []incident.Var{{Name: "robot", Value: fmt.Sprintf("robot:r%d", n%7)}}, Time: at, First: at, Score: 40, Severity: incident.Medium, Evidence: []incident.Evidence{{Step: "a", Event: ref}},
	}
}

func floodStitcher(findings int) *incident.Stitcher {
	cfg := incident.DefaultConfig()
	cfg.Flood = incident.Flood{Findings: findings, Per: floodHour}
	return incident.NewStitcher(cfg, nil)
}

// announce announces findings one batch each, then all of them as final, and gives the changes.
func announce(s *incident.Stitcher, findings ...incident.Finding) (out []incident.Change) {
	for _, f := range findings {
		out = append(out, s.Apply([]incident.Finding{f}, nil, event.BatchID{}, f.Time)...)
	}
	for _, f := range findings {
		f.Revision, f.State = 2, incident.Final
		out = append(out, s.Apply([]incident.Finding{f}, nil, event.BatchID{}, f.Time)...)
	}
	return out
}

func digests(s *incident.Stitcher) (plain int, out []*incident.Incident) {
	for _, in := range s.Incidents() {
		if slices.ContainsFunc(in.Findings, func(f incident.Finding) bool { return f.Digest != nil }) {
			out = append(out, in)
			continue
		}
		plain++
	}
	return plain, out
}

func TestAFloodBecomesOneDigestPerPeriodThatIsToldAFewTimes(t *testing.T) {
	s := floodStitcher(5)
	var all []incident.Finding
	for n := range 105 {
		all = append(all, flooding(n, 10*floodHour+int64(n)*1_000_000))
	}
	changes := announce(s, all...)
	plain, found := digests(s)
	if plain != 5 || len(found) != 1 {
		t.Fatalf("%d incidents and %d digests, want 5 and 1", plain, len(found))
	}
	if n := len(changes); n > 5+8 {
		t.Errorf("%d changes for 105 findings", n)
	}
	d := found[0].Findings[0]
	if d.Digest.Count != 64 || d.Digest.From != 10*floodHour || len(d.Digest.Entities) != 7 || found[0].Owner != "soc" {
		t.Errorf("digest %+v, owner %q", d.Digest, found[0].Owner)
	}
	defer func() {
		announce(s, flooding(1000, 11*floodHour))
		if _, found := digests(s); found[0].Findings[0].Digest.Count != 100 {
			t.Errorf("with the next period the digest counts %d, want 100", found[0].Findings[0].Digest.Count)
		}
	}()
	if !strings.Contains(strings.Join(d.Notes, " "), "64 of them stand together here, from 10:00:05 to 10:01:08 UTC") || !strings.HasPrefix(found[0].Title, "Flood of findings: Noise") {
		t.Error(d.Notes, found[0].Title)
	}
}

func TestAFloodEndsByItselfAfterACalmPeriod(t *testing.T) {
	s := floodStitcher(3)
	var all []incident.Finding
	n := 0
	for hour, count := range []int{2, 10, 2, 2} {
		for i := range count {
			all = append(all, flooding(n, int64(20+hour)*floodHour+int64(i)*60_000_000))
			n++
		}
	}
	announce(s, all...)
	plain, found := digests(s)
	// Two, three of the flood, none of the calm hour after it, two of the next.
	if plain != 7 || len(found) != 2 {
		t.Errorf("%d incidents and %d digests, want 7 and 2", plain, len(found))
	}
}

func TestFloodsGoOnAfterASnapshotAndWithdrawnFindingsLeaveThem(t *testing.T) {
	var all []incident.Finding
	for n := range 40 {
		all = append(all, flooding(n, 10*floodHour+int64(n)*1_000_000))
	}
	straight, restored := floodStitcher(4), floodStitcher(4)
	announce(straight, all...)
	announce(restored, all[:17]...)
	b, err := restored.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := floodStitcher(4)
	if err := again.Restore(b); err != nil {
		t.Fatal(err)
	}
	announce(again, all[17:]...)
	for _, s := range []*incident.Stitcher{straight, again} {
		gone := all[30]
		gone.State, gone.Revision = incident.Withdrawn, 3
		if got := s.Apply([]incident.Finding{gone}, nil, event.BatchID{}, 0); len(got) != 0 {
			t.Errorf("a withdrawal inside of a digest gave %d changes", len(got))
		}
	}
	_, want := digests(straight)
	_, got := digests(again)
	if d := cmp.Diff(want[0].Findings[0].Digest, got[0].Findings[0].Digest); d != "" {
		t.Error(d)
	}
}

func TestARuleMayHaveItsOwnBreakerAndOthersAreNotConcerned(t *testing.T) {
	s := floodStitcher(0)
	var all []incident.Finding
	for n := range 10 {
		f := flooding(n, 10*floodHour+int64(n)*1_000_000)
		if n%2 == 0 {
			f.Rule.ID, f.Rule.Flood = "rb-2", incident.Flood{Findings: 1, Per: floodHour}
		}
		all = append(all, f)
	}
	announce(s, all...)
	if plain, found := digests(s); plain != 6 || len(found) != 1 {
		t.Errorf("%d incidents and %d digests, want 6 and 1", plain, len(found))
	}
}

func TestARuleIsInDigestModeFromItsOverflowToTheEndOfTheFirstCalmPeriod(t *testing.T) {
	s := floodStitcher(5)
	if got := s.Flooded(10 * floodHour); len(got) != 0 {
		t.Errorf("before any finding %v floods", got)
	}
	var all []incident.Finding
	for n := range 5 {
		all = append(all, flooding(n, 10*floodHour+int64(n)*1_000_000))
	}
	announce(s, all...)
	if got := s.Flooded(10 * floodHour); len(got) != 0 {
		t.Errorf("within its breaker it floods: %v", got)
	}
	announce(s, flooding(5, 10*floodHour+5_000_000), flooding(6, 10*floodHour+6_000_000))
	want := []incident.Flooded{{Rule: "rb-1", From: 10 * floodHour, Folded: 2}}
	for _, at := range []int64{0, 10*floodHour + 6_000_000, 11 * floodHour, 12*floodHour - 1} {
		if diff := cmp.Diff(want, s.Flooded(at)); diff != "" {
			t.Errorf("at %d (-want +got):\n%s", at, diff)
		}
	}
	if got := s.Flooded(12 * floodHour); len(got) != 0 {
		t.Errorf("after a calm period it floods: %v", got)
	}

	announce(s, flooding(7, 11*floodHour)) // Folded, since the period before overflowed; calm by itself.
	want[0].Folded = 3
	if diff := cmp.Diff(want, s.Flooded(0)); diff != "" {
		t.Errorf("in the period after (-want +got):\n%s", diff)
	}
	if got := s.Flooded(12 * floodHour); len(got) != 0 {
		t.Errorf("after one finding in a calm period it floods: %v", got)
	}
}
