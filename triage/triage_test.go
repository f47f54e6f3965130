package triage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

const minute = 60 * 1_000_000

// start is 2026-11-21T02:00:00Z.
const start = int64(1795226400) * 1_000_000

// ref makes an event of a class and activity, minutes after start, with entities as kind:name, "by kind:name" for the actor.
func ref(class uint32, activity uint16, domain string, at int64, entities ...string) *event.Ref {
	r := &event.Ref{
		Event: event.NewID(fmt.Sprint(class, activity, domain, at, entities)), Time: start + at*minute, Received: start + at*minute + 2_000_000, ClassUID: class,
		Activity: activity, Domain: domain, Status: 1, Severity: 1, Format: "okta",
	}
	for _, s := range entities {
		role := event.RoleSubject
		s, by := strings.CutPrefix(s, "by ")
		if by {
			role = event.RoleActor
		}
		s, sensor := strings.CutPrefix(s, "sensor ")
		if sensor {
			role = event.RoleReporter
		}
		kind, key, _ := strings.Cut(s, ":")
		r.Entities = append(r.Entities, event.EntityRef{Kind: event.EntityKindOf(kind), Role: role, Strength: event.Strong, Key: key, ID: s})
	}
	return r
}

func found(rule, title string, tags []string, refs ...*event.Ref) incident.Finding {
	f := incident.Finding{
		ID: event.NewID("finding", rule, fmt.Sprint(refs[0].Time)), Revision: 1, State: incident.Final, First: refs[0].Time, Time: refs[len(refs)-1].Time,
		Score: 60, Severity: incident.High, Rule: incident.RuleRef{ID: rule, Version: 1, Title: title, Tags: tags},
	}
	for i, r := range refs {
		if r.ClassUID == logon && r.Activity == event.ActivityOther {
			r.ActivityName = event.MFAChallenge
		}
		f.Evidence = append(f.Evidence, incident.Evidence{Step: fmt.Sprint("step", i), Event: r})
	}
	return f
}

func change(at int64, entity, what, prev, value, actor string) event.Note {
	r := ref(event.ClassRobotState, 9, "robot", at, entity)
	return event.Note{Entity: entity, What: what, Prev: prev, Value: value, Actor: actor, Ref: r}
}

func ticket(at int64, entity string, activity uint16) event.Note {
	return event.Note{Entity: entity, What: "ticket", Value: "CHG-1", Ref: ref(event.ClassChangeTicket, activity, "change", at, entity)}
}

// stitched is the incident that findings and changes make.
func stitched(t *testing.T, notes []event.Note, findings ...incident.Finding) *incident.Incident {
	t.Helper()
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	s.Apply(findings, notes, event.BatchID{Epoch: 1}, start+90*minute)
	all := s.Incidents()
	if len(all) != 1 {
		t.Fatalf("the test wants one incident, got %d", len(all))
	}
	return all[0]
}

const (
	logon     = event.ClassAuthentication
	state     = event.ClassRobotState
	control   = event.ClassRobotControl
	detection = event.ClassDetection
)

// compromise is an account that is taken over and a robot that is changed with it.
func compromise(t *testing.T, notes ...event.Note) *incident.Incident {
	return stitched(t, append([]event.Note{
		change(-30, "user:ana", "role", "viewer", "admin", "user:root9"),
		change(14, "robot:r1", "firmware", "1.2", "1.3", "user:ana"),
	}, notes...),
		found("fatigue", "Second-factor fatigue, then a sign-in from a new country", []string{"attack.t1621", "attack.t1078"},
			ref(logon, 99, "identity", 0, "by user:ana"), ref(logon, 1, "identity", 2, "by user:ana")),
		found("posture", "Stale posture let in by exception", []string{"ics.t0864"},
			ref(event.ClassDeviceConfigChange, 1, "endpoint", 4, "device:lt1", "user:ana"), ref(event.ClassEntityManagement, 3, "network_access", 6, "device:lt1", "user:ana", "sensor device:ise1")),
		found("program", "Program changed on a robot", []string{"ics.t0843"},
			ref(control, 4, "robot", 10, "by user:ana", "robot:r1"), ref(state, 1, "robot", 11, "robot:r1")),
		found("burst", "Outbound telemetry to a new address", []string{"attack.t1041"}, ref(event.ClassNetwork, 6, "network", 20, "robot:r1", "ip:203.0.113.9")),
	)
}

// breakdown is a robot that fails on its own.
func breakdown(t *testing.T, summary string, extra ...incident.Finding) *incident.Incident {
	fault := ref(state, 7, "robot", 1, "robot:r1")
	fault.Summary = summary
	return stitched(t, nil, append([]incident.Finding{found("faults", "Repeated faults", nil, fault, ref(state, 4, "robot", 2, "robot:r1"))}, extra...)...)
}

func texts(claims []incident.Claim) string {
	var out []string
	for _, c := range claims {
		out = append(out, fmt.Sprintf("%d %s", c.Weight, c.Text))
	}
	return strings.Join(out, "\n")
}

func TestTheAssessmentFollowsTheEvidence(t *testing.T) {
	open, done := ticket(-40, "robot:r1", 2), ticket(5, "robot:r1", 4)
	work := found("mode", "Mode changed to service", []string{"ics.t0858"}, ref(control, 4, "robot", 10, "by user:ana", "robot:r1"), ref(state, 1, "robot", 11, "robot:r1"))
	for _, c := range []struct {
		name, want string
		in         *incident.Incident
	}{
		{"a taken-over account that changes a robot", triage.Intrusion, compromise(t)},
		{"the same with a ticket nobody connects to the sign-in", triage.Intrusion, compromise(t, ticket(-20, "robot:r2", 2))},
		{"a robot that fails on its own", triage.Malfunction, breakdown(t, "r1 reports fault E-17: battery cell voltage low")},
		{"a fault beside an alert of the network", triage.Undetermined, breakdown(t, "", func() incident.Finding {
			r := ref(detection, 1, "network", 3, "robot:r1")
			r.Severity = uint8(incident.High)
			return found("ids", "Exploit attempt", []string{"ics.t0866"}, r)
		}())},
		{"work under an approved ticket", triage.Authorised, stitched(t, []event.Note{open}, work)},
		{"work after the ticket was completed", triage.Undetermined, stitched(t, []event.Note{open, done}, work)},
		{"work on another robot than the ticket's", triage.Undetermined, stitched(t, []event.Note{ticket(-40, "robot:r2", 2)}, work)},
		{"a person outside their role", triage.Misuse, stitched(t, nil, found("role", "Order sent outside their role",
			nil, ref(logon, 1, "identity", 0, "by user:bo"), ref(control, 1, "robot", 3, "by user:bo", "robot:r1")))},
		{"nothing that weighs", triage.Undetermined, stitched(t, nil, found("odd", "Odd", nil, ref(state, 9, "robot", 0, "robot:r1")))},
	} {
		a := triage.Answer(c.in)
		if a.Assessment != c.want {
			t.Errorf("%s: got %s, want %s\nfor\n%s\nagainst\n%s", c.name, a.Assessment, c.want, texts(a.For), texts(a.Against))
		}
	}
}

func TestSignsInTheShapeOfTheEvidence(t *testing.T) {
	success := func() *event.Ref { return ref(logon, 1, "identity", 0, "by user:bo") }
	load := func(at int64, robot string) *event.Ref { return ref(control, 4, "robot", at, "by user:bo", robot) }
	noted := found("mode", "Mode changed", nil, load(3, "robot:r1"))
	noted.Notes = []string{"inside the maintenance window of r1"}
	for want, in := range map[string]*incident.Incident{
		"2 the same happened on several robots (bo, r1 and r2)":                                     stitched(t, nil, found("loads", "Program loaded", nil, load(1, "robot:r1"), load(2, "robot:r2"))),
		"2 it happened in a maintenance window (bo and r1)":                                         stitched(t, nil, noted),
		"2 a known account acted, and nothing speaks against its sign-in or its device (bo and r1)": stitched(t, nil, found("loads", "Program loaded", nil, success(), load(2, "robot:r1"))),
		"2 firmware, program, map or safety settings changed in the hour before the faults, without an approved change (r1)": stitched(t, []event.Note{change(-9, "robot:r1", "firmware", "1.2", "1.3", "")},
			found("f", "Faults", nil, ref(state, 7, "robot", 1, "robot:r1"))),
		"3 text that outsiders can write speaks to a language model (bo)":                     stitched(t, nil, found("s", "Text", []string{triage.TagInjection}, success())),
		"1 nothing is known to have changed before the faults (r1)":                           breakdown(t, ""),
		"3 firmware, program, map or safety settings changed without an approved change (r1)": stitched(t, []event.Note{change(5, "robot:r1", "program", "", "p2", "")}, found("s", "S", nil, load(1, "robot:r1"), load(9, "robot:r1"))),
		"5 an approved change covers the robot at that time (r1)":                             stitched(t, []event.Note{ticket(-5, "robot:r1", 3)}, found("s", "S", nil, load(1, "robot:r1"))),
		"1 it happened outside working hours (bo and r1)":                                     stitched(t, nil, found("s", "Program loaded at night", nil, load(1, "robot:r1"))),
		"2 protection, alarms or logs were switched off (lt1)":                                stitched(t, nil, found("s", "Agent removed", []string{"attack.t1562.001"}, ref(event.ClassAppLifecycle, 2, "endpoint", 1, "device:lt1"))),
		"3 passwords, keys or codes were guessed (bo)":                                        stitched(t, nil, found("s", "Many failures", []string{"attack.t1110"}, success())),
		"2 wireless access to a robot was tried (r1)":                                         stitched(t, nil, found("s", "Pairing", []string{"ics.t0860"}, ref(state, 12, "robot", 1, "robot:r1"))),
		"2 a contractor, or someone who never did this before, acted (bo and r1)":             stitched(t, nil, found("s", "Contractor loads a program", nil, load(1, "robot:r1"))),
	} {
		a := triage.Answer(in)
		if all := strings.Split(texts(append(a.For, a.Against...)), "\n"); !slices.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, strings.Join(all, "\n"))
		}
	}
	a := triage.Answer(stitched(t, nil, found("s", "Sign-in from a new country", []string{"attack.t1078"}, success())))
	if len(a.For) != 1 || a.For[0].Weight != 4 {
		t.Errorf("two signs of one group both count:\n%s", texts(a.For))
	}
}

func TestClaimsNameTheirEventsAndStormsWeighOnce(t *testing.T) {
	in := compromise(t)
	known := map[event.ID]bool{}
	for _, f := range in.Findings {
		for _, ev := range f.Evidence {
			known[ev.Event.Event] = true
		}
	}
	for _, n := range in.Changed {
		known[n.Ref.Event] = true
	}
	a := triage.Answer(in)
	for _, list := range [][]incident.Claim{a.For, a.Against, a.Affected, a.ChangedBefore} {
		for _, c := range list {
			if len(c.Refs) == 0 {
				t.Errorf("no event proves %q", c.Text)
			}
			for _, id := range c.Refs {
				if !known[id] {
					t.Errorf("%q rests on an event that is not in the incident", c.Text)
				}
			}
		}
	}
	many := []*event.Ref{}
	for i := range int64(40) {
		many = append(many, ref(state, 7, "robot", i, "robot:r1"))
	}
	storm := triage.Answer(stitched(t, nil, found("faults", "Repeated faults", nil, many...)))
	single := triage.Answer(stitched(t, nil, found("faults", "Repeated faults", nil, many[0])))
	weight := func(list []incident.Claim) (n int) {
		for _, c := range list {
			n += c.Weight
		}
		return n
	}
	if weight(storm.For) != weight(single.For) {
		t.Errorf("forty faults weigh %d, one weighs %d", weight(storm.For), weight(single.For))
	}
}

func TestWordsOfASourceNeverMoveTheBalanceTowardsInnocence(t *testing.T) {
	in := compromise(t)
	plain := triage.Answer(in)
	for i := range in.Findings {
		for j := range in.Findings[i].Evidence {
			in.Findings[i].Evidence[j].Event.Summary = "battery motor fault, approved maintenance window, outside their role, benign"
		}
	}
	if d := cmp.Diff(texts(plain.For)+texts(plain.Against), texts(triage.Answer(in).For)+texts(triage.Answer(in).Against)); d != "" {
		t.Errorf("text written by a source changed the balance:\n%s", d)
	}
}

func TestAffectedAndChangedAreTold(t *testing.T) {
	a := triage.Answer(compromise(t))
	if got, want := texts(a.Affected), `0 robot r1: firmware from 1.2 to 1.3, program loaded, operating mode changed and traffic
0 user ana: second-factor prompt, sign-in, posture reported, entity management: update and program loaded
0 device lt1: posture reported and entity management: update`; got != want {
		t.Errorf("affected:\n%s", got)
	}
	if got, want := texts(a.ChangedBefore), "0 role of ana from viewer to admin by root9, 32 min before the first finding\n0 firmware of r1 from 1.2 to 1.3 by ana, during the incident"; got != want {
		t.Errorf("changed:\n%s\nwant\n%s", got, want)
	}
	for _, part := range []string{"This looks like an intrusion", "Affected: 1 robot, r1", "involved: user ana", "Changed in the hour before: 01:30 UTC role of ana from viewer to admin by root9"} {
		if !strings.Contains(a.Text, part) {
			t.Errorf("%q is missing in: %s", part, a.Text)
		}
	}
	if strings.Contains(a.Text, "ise1") || strings.Contains(texts(a.Affected), "ise1") {
		t.Error("a sensor is not affected")
	}
}

func TestTextHoldsNoControlOrDirectionCharacters(t *testing.T) {
	in := compromise(t, change(-5, "user:ana", "account", "", "x\x1b[2J\u202e\nroot", "user:ana"))
	in.Remarks = []incident.Remark{{At: start, By: "bo\x07", Text: "a\u2066b"}}
	a := triage.Answer(in)
	all := a.Text + texts(a.Affected) + strings.ReplaceAll(texts(a.ChangedBefore), "\n", "")
	for _, m := range triage.Timeline(in) {
		all += m.Text
	}
	if i := strings.IndexFunc(strings.ReplaceAll(all, "\n0 ", ""), func(r rune) bool { return r < 0x20 || r == '\u202e' || r == '\u2066' }); i >= 0 {
		t.Errorf("a control character came through: %q", all)
	}
}

func TestTheTimelineHasEveryLaneInOrderAndCollapsesRuns(t *testing.T) {
	in := *compromise(t)
	var burst []*event.Ref
	for i := range int64(30) {
		burst = append(burst, ref(event.ClassNetwork, 6, "network", 40+i, "robot:r1"))
	}
	f := found("burst2", "Burst", nil, burst...)
	for i := range f.Evidence {
		f.Evidence[i].Step = "flow"
	}
	in.Findings = append(slices.Clone(in.Findings), f)
	in.Status, in.ClosedAt, in.Verdict = incident.Closed, start+200*minute, incident.Intrusion
	in.Remarks = []incident.Remark{{At: start + 100*minute, By: "bo", Text: "called the shift lead"}}
	tl := triage.Timeline(&in)
	lanes := map[string]bool{}
	total, longest := 0, 0
	for _, m := range tl {
		lanes[m.Lane] = true
		longest = max(longest, m.Count)
		if slices.Contains(m.Entities, "device:ise1") {
			t.Error("a sensor stands among the entities of a row")
		}
		if m.Lane != "analyst" && m.Lane != "changes" {
			total += m.Count
			if m.Seen != m.At+2_000_000 {
				t.Errorf("%s: seen %d, at %d", m.Text, m.Seen, m.At)
			}
		}
	}
	for _, lane := range []string{"robot", "identity", "network_access", "endpoint", "ot_network", "changes", "analyst"} {
		if !lanes[lane] {
			t.Errorf("the lane %s is empty", lane)
		}
	}
	events := 0
	for _, f := range in.Findings {
		events += len(f.Evidence)
	}
	if total != events || longest != 30 {
		t.Errorf("rows stand for %d events, the longest for %d; want %d and 30", total, longest, events)
	}
	if !slices.IsSortedFunc(tl, func(a, b incident.Moment) int {
		if a.At != b.At {
			return int(a.At - b.At)
		}
		return a.Event.Compare(b.Event)
	}) {
		t.Error("the rows are not sorted")
	}
	if last := tl[len(tl)-1]; last.Text != "closed as intrusion" {
		t.Errorf("the last row is %q", last.Text)
	}
}

func TestChecksAreFewAndFitTheEvidence(t *testing.T) {
	got := triage.Checks(compromise(t))
	if len(got) == 0 || len(got) > 6 || !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "firmware") }) {
		t.Errorf("got %q", got)
	}
	if got := triage.Checks(breakdown(t, "")); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "fault history") }) {
		t.Errorf("got %q", got)
	}
}

func TestAnswersAreTheSameEveryTimeAndValidInTheIncidentsDocument(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	var v ocsf.Validator
	classes := []uint32{logon, state, control, detection, event.ClassNetwork, event.ClassDeviceConfigChange, event.ClassChangeTicket}
	domains := []string{"identity", "robot", "endpoint", "network", "change", "ot", ""}
	for range 100 {
		var findings []incident.Finding
		for i := range 1 + r.IntN(4) {
			var refs []*event.Ref
			for range 1 + r.IntN(4) {
				refs = append(refs, ref(classes[r.IntN(len(classes))], uint16(r.IntN(12)), domains[r.IntN(len(domains))], int64(r.IntN(50)), "robot:r1", fmt.Sprint("by user:u", r.IntN(3))))
			}
			slices.SortFunc(refs, func(a, b *event.Ref) int { return int(a.Time - b.Time) })
			findings = append(findings, found(fmt.Sprint("r", i), "New country", []string{"attack.t1078", "ics.t0843"}, refs...))
		}
		in := stitched(t, []event.Note{change(int64(r.IntN(60))-30, "robot:r1", "mode", "", "manual", "user:u1"), ticket(int64(r.IntN(60))-30, "robot:r1", uint16(r.IntN(7)))}, findings...)
		doc := incident.AppendIncident(nil, in, triage.Answer(in), triage.Timeline(in))
		if again := incident.AppendIncident(nil, in, triage.Answer(in), triage.Timeline(in)); string(again) != string(doc) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		for _, p := range v.Validate(doc) {
			if p.Severity == ocsf.Error {
				t.Fatalf("seed %d: %s", seed, p)
			}
		}
	}
}

func TestWhatElseHappenedStandsInTheTimelineOnceAndIsOfNoFinding(t *testing.T) {
	in := compromise(t)
	before := triage.Timeline(in)
	var events []*event.Event
	for i := range 5 {
		e := &event.Event{ClassUID: event.ClassNetwork, ActivityID: 6, Time: in.First + int64(i)*1_000_000, SrcEndpoint: event.Endpoint{IP: "10.1.1.1"}}
		e.Envelope = event.Envelope{ID: event.NewID("around", fmt.Sprint(i)), Received: e.Time}
		e.FindEntities()
		events = append(events, e)
	}
	known := in.Findings[0].Evidence[0].Event
	events = append(events, &event.Event{ClassUID: known.ClassUID, Time: known.Time, Envelope: event.Envelope{ID: known.Event}}, &event.Event{Time: in.Changed[0].Ref.Time, Envelope: event.Envelope{ID: in.Changed[0].Ref.Event}})
	got := triage.Around(in, events)
	if len(got) != len(before)+1 {
		t.Fatalf("%d moments became %d", len(before), len(got))
	}
	i := slices.IndexFunc(got, func(m incident.Moment) bool { return m.Event == events[0].Envelope.ID })
	if i < 0 || got[i].Count != 5 || !got[i].Finding.IsZero() || got[i].Lane != "ot_network" || got[i].Class != "network_activity.traffic" {
		t.Errorf("the run of five is %+v", got[max(i, 0)])
	}
}
