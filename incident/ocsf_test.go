package incident_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
)

// hostile are strings that an attacker may have put into the values findings carry.
var hostile = []string{"", "ana", "a\"b\\c", "\xff\xfe", "line\nbreak\x00", "</script>", "unknown", strings.Repeat("x", 3000), "\u202e"}

func anyText(r *rand.Rand) string { return hostile[r.IntN(len(hostile))] }

func anyRef(r *rand.Rand) *event.Ref {
	ref := &event.Ref{
		Event: event.NewID(fmt.Sprint(r.Uint64())), Time: 1795230123456789 + int64(r.IntN(1e9)), Received: 1795230123456789, ClassUID: uint32(r.IntN(10000)),
		Activity: uint16(r.IntN(100)), Severity: uint8(r.IntN(9)), Domain: "robot", Format: anyText(r), Summary: anyText(r),
	}
	for range r.IntN(5) {
		kind := event.EntityKind(r.IntN(11))
		key := anyText(r)
		ref.Entities = append(ref.Entities, event.EntityRef{Kind: kind, Role: event.Role(r.IntN(8)), Strength: event.Strength(r.IntN(4)), Key: key, ID: kind.String() + ":" + key})
	}
	return ref
}

func anyFinding(r *rand.Rand) incident.Finding {
	f := incident.Finding{
		ID: event.NewID(fmt.Sprint(r.Uint64())), Revision: 1 + int32(r.IntN(3)), State: incident.State(1 + r.IntN(3)), Reason: anyText(r), Shadow: r.IntN(2) == 0,
		Rule: incident.RuleRef{ID: "rb-0001", Version: 2, Title: anyText(r), Tags: []string{"attack.t1556.006", "ics.t0859", "attack.initial-access", "attack.ta0001", "robot", "attack.", anyText(r)}},
		Key:  "a\x1fb", Vars: []incident.Var{{Name: "user", Value: anyText(r)}}, Time: 1795230123456789, First: 1795230120000000, Score: r.IntN(101),
		Severity: incident.Severity(r.IntN(8)), Repeats: int32(r.IntN(3)), Collected: []incident.Collected{{Name: "peers", Values: []string{anyText(r)}}}, Notes: []string{anyText(r)},
	}
	if r.IntN(3) == 0 {
		f.Suppressed = event.NewID("suppression")
	}
	for i := range r.IntN(5) {
		f.Evidence = append(f.Evidence, incident.Evidence{Step: fmt.Sprint("s", i%2), Event: anyRef(r)})
	}
	return f
}

func anyIncident(r *rand.Rand) (*incident.Incident, incident.Answers, []incident.Moment) {
	in := &incident.Incident{
		ID: event.NewID("in"), Revision: 1 + int32(r.IntN(3)), Status: incident.Status(1 + r.IntN(4)), Title: anyText(r), Severity: incident.Severity(r.IntN(8)),
		Owner: []string{"", "it"}[r.IntN(2)], Assignee: anyText(r), First: 1795230120000000, Last: 1795230123456789,
	}
	if r.IntN(2) == 0 {
		in.Verdict = incident.Verdicts()[r.IntN(9)]
	}
	for range r.IntN(3) {
		in.Tickets = append(in.Tickets, incident.Ticket{System: anyText(r), ID: anyText(r), URL: []string{"", "https://t.example/1"}[r.IntN(2)]})
		in.Said = incident.Said{Assessment: "misuse", ScopeSet: true, Trigger: anyText(r), TriggerEvent: event.NewID("t"), By: anyText(r), At: 1795230123456789}
	}
	for range r.IntN(3) {
		in.Pins = append(in.Pins, incident.Pin{Event: event.NewID(anyText(r)), Time: 1795230123456789, Text: anyText(r), By: anyText(r), At: 1795230123456789})
	}
	for range r.IntN(4) {
		f := anyFinding(r)
		in.Findings = append(in.Findings, f)
		in.Entities = append(in.Entities, incident.Member{ID: "user:" + anyText(r), Kind: event.EntityUser, Strength: event.Strong})
		in.Links = append(in.Links, incident.Link{A: f.ID, B: f.ID, Weight: r.Float64(), Shared: []incident.Shared{{ID: anyText(r), Kind: event.EntityIP}}})
	}
	claims := []incident.Claim{{Text: anyText(r), At: 1795230123456789, Weight: 3, Refs: []event.ID{event.NewID("e")}}, {}}
	a := incident.Answers{Assessment: "intrusion", For: claims, Against: claims, Affected: claims, ChangedBefore: nil, Text: anyText(r)}
	return in, a, []incident.Moment{{At: 1795230123456789, Lane: "robot", Text: anyText(r), Event: event.NewID("e"), Count: 1}, {}}
}

func mustBeValid(t *testing.T, v *ocsf.Validator, seed uint64, doc []byte) {
	t.Helper()
	for _, p := range v.Validate(doc) {
		if p.Severity == ocsf.Error {
			t.Fatalf("seed %d: %s\n%s", seed, p, doc)
		}
	}
}

func TestEveryFindingAndIncidentIsValidOCSFAndAlwaysTheSameBytes(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 9))
	var v ocsf.Validator
	for range 300 {
		f := anyFinding(r)
		doc := incident.AppendFinding(nil, &f)
		mustBeValid(t, &v, seed, doc)
		if again := incident.AppendFinding([]byte("x"), &f); string(again) != "x"+string(doc) {
			t.Fatalf("seed %d: the same finding gave other bytes", seed)
		}
		in, a, tl := anyIncident(r)
		doc = incident.AppendIncident(nil, in, a, tl)
		mustBeValid(t, &v, seed, doc)
		if again := incident.AppendIncident(nil, in, a, tl); string(again) != string(doc) {
			t.Fatalf("seed %d: the same incident gave other bytes", seed)
		}
	}
}

// at reads a dotted path; numbers index lists.
func at(t *testing.T, doc []byte, path string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i := int(name[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func TestAFindingSaysWhatTheContractPromises(t *testing.T) {
	f := finding("a", 7, "robot:r1", "user:ana")
	f.Rule.Tags = []string{"attack.t1556.006", "ics.t0859"}
	f.Vars = []incident.Var{{Name: "robot", Value: "robot:r1"}}
	f.Truncated = 2
	doc := incident.AppendFinding(nil, &f)
	for path, want := range map[string]any{
		"class_uid": 2004.0, "type_uid": 200401.0, "time": 7 * 60000.0, "risk_score": 50.0, "severity": "Medium", "status": "New", "activity_name": "Create",
		"finding_info.uid": event.FormatID("fi_", f.ID), "metadata.uid": event.FormatID("fi_", f.ID),
		"finding_info.analytic.uid": "r-a", "finding_info.analytic.version": "1", "finding_info.related_events.0.uid": f.Evidence[0].Event.Event.String(),
		"finding_info.attacks.0.sub_technique.uid": "T1556.006", "finding_info.attacks.1.technique.uid": "T0859",
		"unmapped.tocsin.revision": 1.0, "unmapped.tocsin.state": "provisional", "unmapped.tocsin.vars.robot": "robot:r1", "unmapped.tocsin.truncated": 2.0,
		"unmapped.tocsin.steps.0.step": "s", "unmapped.tocsin.steps.0.events.0": f.Evidence[0].Event.Event.String(),
	} {
		if got := at(t, doc, path); !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	f.State, f.Revision, f.Reason, f.SupersededBy = incident.Withdrawn, 2, "a late event", event.NewID("other")
	doc = incident.AppendFinding(nil, &f)
	for path, want := range map[string]any{
		"status": "Deleted", "activity_name": "Close", "is_alert": false, "unmapped.tocsin.reason": "a late event", "unmapped.tocsin.superseded_by": event.FormatID("fi_", event.NewID("other")),
	} {
		if got := at(t, doc, path); !cmp.Equal(got, want) {
			t.Errorf("withdrawn, %s: got %v, want %v", path, got, want)
		}
	}
}

func TestAnIncidentSaysWhatTheContractPromises(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	apply(s, finding("a", 0, "robot:r1"), finding("b", 5, "robot:r1"))
	in := s.Incidents()[0]
	a := incident.Answers{Assessment: "intrusion", For: []incident.Claim{{Text: "why", Weight: 4, Refs: []event.ID{event.NewID("e")}}}, Text: "In plain words."}
	doc := incident.AppendIncident(nil, in, a, []incident.Moment{{At: 60_000_000, Seen: 61_000_000, Lane: "robot", Text: "moved", Count: 3}})
	for path, want := range map[string]any{
		"class_uid": 2005.0, "assignee_group.name": "robot-operations", "start_time": 0.0, "end_time": 5 * 60000.0, "desc": "In plain words.", "status": "New",
		"finding_info_list.1.uid": event.FormatID("fi_", in.Findings[1].ID), "unmapped.tocsin.id": event.FormatID("inc_", in.ID), "unmapped.tocsin.revision": 1.0,
		"unmapped.tocsin.domains.0": "network", "unmapped.tocsin.robots.0": "robot:r1", "unmapped.tocsin.answers.assessment": "intrusion",
		"unmapped.tocsin.answers.for.0.refs.0": event.NewID("e").String(), "unmapped.tocsin.timeline.0.at": 60000.0, "unmapped.tocsin.timeline.0.seen": 61000.0,
		"unmapped.tocsin.timeline.0.count": 3.0, "unmapped.tocsin.links.0.weight": 1.0, "unmapped.tocsin.links.0.shared.0.id": "robot:r1",
	} {
		if got := at(t, doc, path); !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	for _, path := range []string{"unmapped.tocsin.answers.against", "unmapped.tocsin.answers.affected", "unmapped.tocsin.answers.changed_before"} {
		if list, ok := at(t, doc, path).([]any); !ok || len(list) != 0 {
			t.Errorf("%s must be an empty list and not be left out", path)
		}
	}
}

func TestWhatPeopleDidIsInTheDocuments(t *testing.T) {
	f := incident.Finding{ID: event.NewID("f"), Revision: 1, State: incident.Final, Suppressed: event.NewID("s")}
	if doc := string(incident.AppendFinding(nil, &f)); !strings.Contains(doc, `"suppressed_by":"`+event.FormatID("sup_", f.Suppressed)+`"`) || strings.Contains(doc, `"is_alert":true`) {
		t.Error(doc)
	}
	in := &incident.Incident{
		ID: event.NewID("i"), Revision: 2, Status: incident.Open, Understood: 5000, Tickets: []incident.Ticket{{System: "snow", ID: "INC1", URL: "https://snow.example/1"}},
		Said: incident.Said{Assessment: "malfunction", ScopeSet: true, Trigger: "unknown", By: "ana", At: 5000},
	}
	doc := string(incident.AppendIncident(nil, in, incident.Answers{}, nil))
	for _, want := range []string{`"tickets":[{"uid":"INC1","src_url":"https://snow.example/1","title":"snow"}]`, `"said":{"assessment":"malfunction","robots":[],"trigger":"unknown","by":"ana","at":5}`, `"understood":5`} {
		if !strings.Contains(doc, want) {
			t.Errorf("%s is missing in %s", want, doc)
		}
	}
	if plain := string(incident.AppendIncident(nil, &incident.Incident{ID: in.ID, Revision: 1, Status: incident.Open}, incident.Answers{}, nil)); strings.Contains(plain, "said") || strings.Contains(plain, "tickets") {
		t.Errorf("what nobody said is in %s", plain)
	}
}
