package incident_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const minute = 60 * 1_000_000

// finding makes a finding at a minute with entities written kind:name=strength; no strength is strong.
func finding(name string, at int64, entities ...string) incident.Finding {
	ref := &event.Ref{Event: event.NewID("event", name), Time: at * minute, Domain: "network"}
	for _, s := range entities {
		role := event.RoleSubject
		s, sensor := strings.CutPrefix(s, "sensor ")
		if sensor {
			role = event.RoleReporter
		}
		id, strength, _ := strings.Cut(s, "=")
		kind, key, _ := strings.Cut(id, ":")
		x := event.EntityRef{Kind: event.EntityKindOf(kind), Role: role, Key: key, ID: id, Strength: event.Strong}
		switch strength {
		case "weak":
			x.Strength = event.Weak
		case "medium":
			x.Strength = event.Medium
		case "context":
			x.Strength = event.Context
		}
		ref.Entities = append(ref.Entities, x)
	}
	return incident.Finding{
		ID: event.NewID("finding", name), Revision: 1, State: incident.Provisional, Time: at * minute, First: at * minute, Score: 50, Severity: incident.Medium,
		Rule: incident.RuleRef{ID: "r-" + name, Version: 1, Title: name}, Evidence: []incident.Evidence{{Step: "s", Event: ref}},
	}
}

// partition writes which findings are together, independent of ids and order.
func partition(s *incident.Stitcher) string {
	var groups []string
	for _, in := range s.Incidents() {
		if len(in.Findings) == 0 {
			continue
		}
		var names []string
		for _, f := range in.Findings {
			names = append(names, f.Rule.Title)
		}
		slices.Sort(names)
		groups = append(groups, strings.Join(names, "+"))
	}
	slices.Sort(groups)
	return strings.Join(groups, " ")
}

func apply(s *incident.Stitcher, findings ...incident.Finding) []incident.Change {
	return s.Apply(findings, nil, event.BatchID{Epoch: 1}, 1)
}

func TestFindingsJoinByWhatTheyShare(t *testing.T) {
	join := func(name, want string, findings ...incident.Finding) {
		t.Helper()
		s := incident.NewStitcher(incident.DefaultConfig(), nil)
		apply(s, findings...)
		if got := partition(s); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	join("a strong entity joins", "a+b", finding("a", 0, "robot:r1"), finding("b", 30, "robot:r1"))
	join("different robots stay apart", "a b", finding("a", 0, "robot:r1"), finding("b", 30, "robot:r2"))
	join("an address alone does not join", "a b", finding("a", 0, "ip:10.0.0.1=weak"), finding("b", 1, "ip:10.0.0.1=weak"))
	join("three weak ones join", "a+b", finding("a", 0, "ip:10.0.0.1=weak", "user:ana=weak", "device:lt1=weak"), finding("b", 1, "ip:10.0.0.1=weak", "user:ana=weak", "device:lt1=weak"))
	join("a medium device and an address join", "a+b", finding("a", 0, "ip:10.0.0.1=weak", "device:lt1=medium"), finding("b", 0, "ip:10.0.0.1=weak", "device:lt1=medium"))
	join("a sensor never joins", "a b", finding("a", 0, "sensor device:s1"), finding("b", 1, "sensor device:s1"))
	join("context never joins", "a b", finding("a", 0, "user:root=context"), finding("b", 1, "user:root=context"))
	join("too far apart stays apart", "a b", finding("a", 0, "robot:r1"), finding("b", 121, "robot:r1"))
	join("the greatest gap itself joins", "a+b", finding("a", 0, "robot:r1"), finding("b", 120, "robot:r1"))
	join("a chain joins through the middle", "a+b+c", finding("a", 0, "user:ana"), finding("b", 10, "user:ana", "robot:r1"), finding("c", 20, "robot:r1"))
}

func TestHubsDoNotJoin(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	for i := range 10 {
		apply(s, finding(fmt.Sprint("h", i), int64(i), "user:svc", fmt.Sprintf("robot:h%d", i)))
	}
	apply(s, finding("a", 70, "user:svc", "robot:r1"), finding("b", 75, "user:svc", "robot:r2"))
	if got := partition(s); !strings.Contains(got, "a b ") {
		t.Errorf("findings that share only a hub were joined: %s", got)
	}
}

func TestPartitionDoesNotDependOnOrderBatchesOrRestarts(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	for range 60 {
		var all []incident.Finding
		for i := range 12 {
			all = append(all, finding(fmt.Sprint("f", i), int64(r.IntN(400)), fmt.Sprintf("robot:r%d", r.IntN(4)), fmt.Sprintf("user:u%d", r.IntN(5)), "ip:10.0.0.1=weak"))
		}
		want := ""
		for round := range 4 {
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			s := incident.NewStitcher(incident.DefaultConfig(), nil)
			for rest := all; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				apply(s, rest[:n]...)
				rest = rest[n:]
				if r.IntN(2) == 0 {
					s = restart(t, s)
				}
			}
			got := partition(s)
			if round == 0 {
				want = got
			} else if got != want {
				t.Fatalf("seed %d: order changed the incidents:\n%s\n%s", seed, want, got)
			}
		}
	}
}

func restart(t *testing.T, s *incident.Stitcher) *incident.Stitcher {
	t.Helper()
	b, err := s.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := incident.NewStitcher(incident.DefaultConfig(), nil)
	if err := again.Restore(b); err != nil {
		t.Fatal(err)
	}
	c, err := again.Snapshot(nil)
	if err != nil || string(b) != string(c) {
		t.Fatalf("a restored stitcher writes another snapshot (%v)", err)
	}
	return again
}

func TestWithdrawalSplitsAnUntouchedIncidentAndNotATouchedOne(t *testing.T) {
	build := func() (*incident.Stitcher, incident.Finding) {
		s := incident.NewStitcher(incident.DefaultConfig(), nil)
		middle := finding("b", 10, "user:ana", "robot:r1")
		apply(s, finding("a", 0, "user:ana"), middle, finding("c", 20, "robot:r1"))
		middle.State, middle.Revision = incident.Withdrawn, 2
		return s, middle
	}
	s, middle := build()
	apply(s, middle)
	if got := partition(s); got != "a c" {
		t.Errorf("untouched: %q", got)
	}
	s, middle = build()
	in := s.Incidents()[0]
	if _, err := s.Act(incident.Action{ID: event.NewID("1"), Kind: incident.ActionAcknowledge, Incident: in.ID, Expected: in.Revision, By: "ana", At: 5}, event.BatchID{}); err != nil {
		t.Fatal(err)
	}
	apply(s, middle)
	if got := partition(s); got != "a+c" {
		t.Errorf("touched: %q", got)
	}
}

func TestActionsCheckTheRevisionAndHappenOnce(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	apply(s, finding("a", 0, "robot:r1"))
	in := s.Incidents()[0]
	ack := incident.Action{ID: event.NewID("1"), Kind: incident.ActionAcknowledge, Incident: in.ID, Expected: in.Revision, By: "ana", At: 5}
	if changes, err := s.Act(ack, event.BatchID{}); err != nil || len(changes) != 1 || changes[0].Incident.Status != incident.Acknowledged || changes[0].Actor != "user:ana" {
		t.Fatalf("acknowledge: %v, %v", changes, err)
	}
	if changes, err := s.Act(ack, event.BatchID{}); err != nil || changes != nil {
		t.Errorf("the same action again did something: %v, %v", changes, err)
	}
	stale := ack
	stale.ID, stale.Kind, stale.Verdict = event.NewID("2"), incident.ActionClose, incident.Intrusion
	if _, err := s.Act(stale, event.BatchID{}); !errors.Is(err, incident.ErrStale) {
		t.Errorf("stale revision: %v", err)
	}
	stale.Expected = s.Get(in.ID).Revision
	stale.Verdict = "whatever"
	if _, err := s.Act(stale, event.BatchID{}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("unknown verdict: %v", err)
	}
	stale.Incident = event.NewID("nobody")
	if _, err := s.Act(stale, event.BatchID{}); !errors.Is(err, incident.ErrUnknown) {
		t.Errorf("unknown incident: %v", err)
	}
}

func TestNewEvidenceReopensAClosedIncident(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	apply(s, finding("a", 0, "robot:r1"))
	in := s.Incidents()[0]
	if _, err := s.Act(incident.Action{ID: event.NewID("1"), Kind: incident.ActionClose, Incident: in.ID, Expected: in.Revision, By: "ana", Verdict: incident.Malfunction}, event.BatchID{}); err != nil {
		t.Fatal(err)
	}
	changes := apply(s, finding("b", 5, "robot:r1"))
	if len(changes) != 1 || changes[0].Kind != incident.ChangeReopened || changes[0].Incident.Status != incident.Open {
		t.Fatalf("got %+v", changes)
	}
}

func TestMergeAndSplitMoveFindingsAndStayThatWay(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	apply(s, finding("a", 0, "robot:r1"), finding("b", 1, "robot:r2"))
	all := s.Incidents()
	_, err := s.Act(incident.Action{ID: event.NewID("1"), Kind: incident.ActionMerge, Incident: all[1].ID, Into: all[0].ID, Expected: all[1].Revision, By: "ana"}, event.BatchID{})
	if err != nil {
		t.Fatal(err)
	}
	apply(s, finding("c", 2, "robot:r2"))
	if got := partition(s); got != "a+b+c" {
		t.Fatalf("after merging: %q", got)
	}
	in := s.Incidents()[0]
	_, err = s.Act(incident.Action{ID: event.NewID("2"), Kind: incident.ActionDetach, Incident: in.ID, Expected: in.Revision, Findings: []event.ID{event.NewID("finding", "a")}, By: "ana"}, event.BatchID{})
	if err != nil {
		t.Fatal(err)
	}
	apply(s, finding("d", 3, "robot:r1"))
	if got := partition(s); got != "a+d b+c" {
		t.Errorf("after detaching: %q", got)
	}
}

func TestWhatChangedBeforeIsListedWithTheIncident(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	note := func(at int64, entity, what string) event.Note {
		return event.Note{Entity: entity, What: what, Value: "x", Ref: &event.Ref{Event: event.NewID(what), Time: at * minute}}
	}
	s.Apply(nil, []event.Note{note(39, "robot:r1", "too early"), note(41, "robot:r1", "firmware"), note(50, "robot:r2", "elsewhere")}, event.BatchID{}, 1)
	s.Apply([]incident.Finding{finding("a", 100, "robot:r1")}, nil, event.BatchID{}, 1)
	var got []string
	for _, n := range s.Incidents()[0].Changed {
		got = append(got, n.What)
	}
	if d := cmp.Diff([]string{"firmware"}, got); d != "" {
		t.Error(d)
	}
}
