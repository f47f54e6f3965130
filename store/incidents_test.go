package store_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func finding(name string, revision int32) incident.Finding {
	e := sample(len(name))
	return incident.Finding{
		ID: event.NewID("finding", name), Revision: revision, State: incident.Provisional, Reason: "history: 3h of 72h",
		Rule: incident.RuleRef{ID: "rule-" + name, Version: 2, Title: "Title <b>", Tags: []string{"attack.t1078"}, Owner: "ot"},
		Key:  "k\x1f1", Vars: []incident.Var{{Name: "user", Value: "user:ana.silva"}}, Time: start + int64(len(name)), First: start, Seen: start + 5,
		Score: 77, Severity: incident.High, Evidence: []incident.Evidence{{Step: "logon", Event: refOf(&e)}},
		Collected: []incident.Collected{{Name: "robots", Values: []string{"a", "b"}}}, Repeats: 2, LastRepeat: start + 9, Notes: []string{"order not certain within 5s"},
	}
}

func change(name string, revision int32, batch event.BatchID, index int, kind incident.ChangeKind) incident.Change {
	in := &incident.Incident{
		ID: event.NewID("incident", name), Revision: revision, Status: incident.Open, Title: "Robot arm moved by " + name, Severity: incident.High, Score: 80,
		Owner: "robot-operations", OwnerWhy: "robots are affected", First: start, Last: start + 9, Opened: start, Updated: start + int64(revision)*1e6,
		Findings: []incident.Finding{finding(name, 1)}, Links: []incident.Link{{Weight: 1.5, Shared: []incident.Shared{{ID: "user:ana.silva", Kind: event.EntityUser, Weight: 1}}}},
		Entities: []incident.Member{{ID: "user:ana.silva", Kind: event.EntityUser, Strength: event.Medium, Roles: []event.Role{event.RoleActor}, Findings: 1}},
		Domains:  []string{"identity", "robot"}, Robots: []string{"robot:" + name}, Changed: []event.Note{{Entity: "robot:" + name, What: "mode", Value: "manual"}},
		Remarks: []incident.Remark{{At: start, By: "ana", Text: "<script>"}},
	}
	if kind == incident.ChangeClosed {
		in.Status, in.Verdict = incident.Closed, incident.Misuse
	}
	return incident.Change{Batch: batch, Index: index, Kind: kind, Fields: []string{"findings", "score"}, Actor: "rule:r1", Origin: "soc", Incident: in}
}

// record puts three incidents into a store: a (open), b (revised and closed), c.
func record(t *testing.T, db *store.DB) []incident.Change {
	t.Helper()
	one, two := event.BatchID{Epoch: 1, Number: 1}, event.BatchID{Epoch: 1, Number: 2}
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 5)))
	must(t, appendTo(t.Context(), db, entry(1, 2, 5, 5)))
	changes := []incident.Change{
		change("a", 1, one, 0, incident.ChangeOpened), change("b", 1, one, 1, incident.ChangeOpened),
		change("b", 2, two, 0, incident.ChangeClosed), change("c", 3, two, 1, incident.ChangeUpdated),
	}
	must(t, db.Record(t.Context(), one, []incident.Finding{finding("a", 1), finding("bb", 1)}, changes[:2]))
	final := finding("bb", 2)
	final.State, final.Shadow = incident.Final, true
	// Twice, as after a crash.
	for range 2 {
		must(t, db.Record(t.Context(), two, []incident.Finding{final}, changes[2:]))
	}
	return changes
}

func TestRecordedIncidentsAreListedByTheirLatestRevision(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db)
	a, b, c := changes[0].Incident, changes[2].Incident, changes[3].Incident
	for name, tc := range map[string]struct {
		filter store.IncidentFilter
		want   []*incident.Incident
	}{
		"all":      {store.IncidentFilter{}, []*incident.Incident{c, b, a}},
		"page":     {store.IncidentFilter{Limit: 1, After: store.IncidentCursor{Updated: c.Updated, ID: c.ID}}, []*incident.Incident{b}},
		"open":     {store.IncidentFilter{Status: []incident.Status{incident.Open, incident.Acknowledged}}, []*incident.Incident{c, a}},
		"robot":    {store.IncidentFilter{Robot: "robot:b"}, []*incident.Incident{b}},
		"rule":     {store.IncidentFilter{Rule: "rule-a"}, []*incident.Incident{a}},
		"title":    {store.IncidentFilter{Title: "BY C"}, []*incident.Incident{c}},
		"severity": {store.IncidentFilter{Severity: incident.Critical}, nil},
		"updated":  {store.IncidentFilter{From: b.Updated, To: c.Updated}, []*incident.Incident{b}},
		"nobody's": {store.IncidentFilter{Entity: "user:ana.silva", Owner: "it"}, nil},
	} {
		if diff := cmp.Diff(tc.want, collect(t, db.Incidents(t.Context(), tc.filter))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for revision, want := range map[int32]*incident.Incident{0: b, 1: changes[1].Incident, 2: b} {
		got, found, err := db.Incident(t.Context(), b.ID, revision)
		must(t, err)
		if !found || got.Revision != want.Revision || got.Status != want.Status {
			t.Errorf("revision %d of incident b: found %v, %+v", revision, found, got)
		}
	}
	if _, found, err := db.Incident(t.Context(), event.NewID("none"), 0); found || err != nil {
		t.Errorf("an unknown incident gave %v, %v", found, err)
	}
}

func TestFindingsAreListedByTheirLatestRevision(t *testing.T) {
	db := open(t, freshConfig(t))
	record(t, db)
	final := finding("bb", 2)
	final.State, final.Shadow = incident.Final, true
	a := finding("a", 1)
	if diff := cmp.Diff([]*incident.Finding{&final, &a}, collect(t, db.Findings(t.Context(), store.FindingFilter{}))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for name, f := range map[string]store.FindingFilter{
		"state": {State: incident.Provisional}, "shadow": {Shadow: event.False}, "rule": {Rule: "rule-a"},
		"cursor": {After: store.EventCursor{Time: final.Time, ID: final.ID}}, "time": {To: final.Time, Entity: "user:ana.silva"},
	} {
		if diff := cmp.Diff([]*incident.Finding{&a}, collect(t, db.Findings(t.Context(), f))); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
	}
	got, found, err := db.Finding(t.Context(), final.ID)
	must(t, err)
	if diff := cmp.Diff(&final, got); !found || diff != "" {
		t.Errorf("by id: found %v (-want +got):\n%s", found, diff)
	}
}

func TestChangesComeInTheOrderOfTheLogAndOnce(t *testing.T) {
	db := open(t, freshConfig(t))
	want := record(t, db)
	if diff := cmp.Diff(want, collect(t, db.Changes(t.Context(), store.ChangeCursor{}, 0))); diff != "" {
		t.Errorf("changes (-recorded +read):\n%s", diff)
	}
	if at, err := db.LastChange(t.Context()); err != nil || at != (store.ChangeCursor{Batch: want[len(want)-1].Batch, Index: want[len(want)-1].Index}) {
		t.Errorf("the last change is %+v: %v", at, err)
	}
	if diff := cmp.Diff(want[2:3], collect(t, db.Changes(t.Context(), store.ChangeCursor{Batch: want[1].Batch, Index: want[1].Index}, 1))); diff != "" {
		t.Errorf("one change behind the second (-want +got):\n%s", diff)
	}
	tail, err := db.Tail(t.Context())
	must(t, err)
	if want := (event.BatchID{Epoch: 1, Number: 1}); tail.Recorded != want { // The last one's successor would say so of it.
		t.Errorf("recorded up to %v, want %v", tail.Recorded, want)
	}
}

func TestWhatHappenedIsTheLatestChangesOfItsKindsSinceAMoment(t *testing.T) {
	db := open(t, freshConfig(t))
	want := record(t, db)
	kinds := []incident.ChangeKind{incident.ChangeOpened, incident.ChangeClosed}
	for _, c := range []struct {
		since int64
		limit int
		want  []incident.Change
	}{{0, 10, want[:3]}, {0, 2, want[1:3]}, {time.Now().Add(time.Hour).UnixMicro(), 10, nil}} {
		got, err := db.Happened(t.Context(), c.since, kinds, c.limit)
		must(t, err)
		if diff := cmp.Diff(listed(c.want), got); diff != "" {
			t.Errorf("since %d, at most %d (-want +got):\n%s", c.since, c.limit, diff)
		}
	}
}

// listed are changes with what a list shows of those incidents that nobody opened by hand.
func listed(changes []incident.Change) []incident.Change {
	out := slices.Clone(changes)
	for i, c := range out {
		if in := c.Incident; c.Kind == incident.ChangeOpened && !strings.HasPrefix(c.Actor, "user:") {
			out[i].Incident = &incident.Incident{ID: in.ID, Revision: in.Revision, Title: in.Title, Severity: in.Severity, Updated: in.Updated, Sites: in.Sites}
		}
	}
	return out
}

func TestChangesAreReadInSteps(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 5)))
	var want []incident.Change
	for i := range 450 {
		want = append(want, change(fmt.Sprint("i", i), 1, event.BatchID{Epoch: 1, Number: 1}, i, incident.ChangeOpened))
	}
	must(t, db.Record(t.Context(), event.BatchID{Epoch: 1, Number: 1}, nil, want))
	if diff := cmp.Diff(want, collect(t, db.Changes(t.Context(), store.ChangeCursor{}, 0))); diff != "" {
		t.Errorf("changes (-recorded +read):\n%s", diff)
	}
}

func TestADeliveryIsAsItsLastAttemptLeftIt(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db)
	deliveries := make([]incident.Delivery, 3)
	for i := range deliveries {
		in := changes[i].Incident
		deliveries[i] = incident.Delivery{ID: incident.DeliveryID(in.ID, in.Revision, "soc"), Endpoint: "soc", Change: changes[i], Attempts: 1, Next: start + 60e6, State: incident.DeliveryPending, Error: "503"}
	}
	must(t, db.Settle(t.Context(), deliveries...))
	deliveries[1].Attempts, deliveries[1].State, deliveries[1].Error = 2, incident.DeliveryDone, ""
	deliveries[2].Attempts, deliveries[2].State, deliveries[2].Next = 9, incident.DeliveryDead, 0
	must(t, db.Settle(t.Context(), deliveries[1:]...))
	for name, tc := range map[string]struct {
		filter store.DeliveryFilter
		want   []incident.Delivery
	}{
		"pending":  {store.DeliveryFilter{State: incident.DeliveryPending}, deliveries[:1]},
		"due":      {store.DeliveryFilter{State: incident.DeliveryPending, Due: start + 60e6}, deliveries[:1]},
		"not due":  {store.DeliveryFilter{State: incident.DeliveryPending, Due: start + 60e6 - 1}, nil},
		"done":     {store.DeliveryFilter{State: incident.DeliveryDone, Endpoint: "soc"}, deliveries[1:2]},
		"dead":     {store.DeliveryFilter{State: incident.DeliveryDead, Incident: changes[2].Incident.ID}, deliveries[2:]},
		"nobody's": {store.DeliveryFilter{Endpoint: "other"}, nil},
	} {
		if diff := cmp.Diff(outlined(tc.want), collect(t, db.Deliveries(t.Context(), tc.filter)), unstamped); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		tc.filter.Whole = true
		if diff := cmp.Diff(tc.want, collect(t, db.Deliveries(t.Context(), tc.filter)), unstamped); diff != "" {
			t.Errorf("%s, whole (-want +got):\n%s", name, diff)
		}
	}
}

// outlined are deliveries with what a list shows of their incidents.
func outlined(list []incident.Delivery) []incident.Delivery {
	out := slices.Clone(list)
	for i := range out {
		in := out[i].Change.Incident
		out[i].Change.Incident = &incident.Incident{ID: in.ID, Revision: in.Revision, Title: in.Title, Severity: in.Severity, Updated: in.Updated, Sites: in.Sites}
	}
	return out
}

func TestStandingsAreTheLastAttemptOfEachDeliveryWithoutItsChange(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db)
	if got := collect(t, db.Standings(t.Context(), "soc")); len(got) != 0 {
		t.Errorf("nothing was attempted, but there are %v", got)
	}
	deliveries := make([]incident.Delivery, 3)
	for i := range deliveries {
		in := changes[i].Incident
		deliveries[i] = incident.Delivery{ID: incident.DeliveryID(in.ID, in.Revision, "soc"), Endpoint: "soc", Change: changes[i], Attempts: 1, Next: start + 60e6, State: incident.DeliveryPending, Error: "503"}
	}
	other := deliveries[0]
	other.ID, other.Endpoint = incident.DeliveryID(other.Change.Incident.ID, other.Change.Incident.Revision, "other"), "other"
	must(t, db.Settle(t.Context(), append(slices.Clone(deliveries), other)...))
	deliveries[0].Attempts, deliveries[0].Error = 10, "502" // 10 comes after 1 and 2, and after 9
	deliveries[1].State, deliveries[1].Error, deliveries[1].Next = incident.DeliveryCoalesced, "", 0
	deliveries[2].Attempts, deliveries[2].State, deliveries[2].Error, deliveries[2].Next = 2, incident.DeliveryDone, "", 0
	must(t, db.Settle(t.Context(), deliveries...))
	nine := deliveries[0]
	nine.Attempts = 9
	must(t, db.Settle(t.Context(), nine)) // a straggler
	want := map[event.ID]incident.Delivery{}
	for _, d := range deliveries {
		d.Change = incident.Change{}
		want[d.ID] = d
	}
	var last event.ID
	for d, err := range db.Standings(t.Context(), "soc") {
		must(t, err)
		if bytes.Compare(last[:], d.ID[:]) >= 0 {
			t.Errorf("%v comes after %v", d.ID, last)
		}
		last = d.ID
		if diff := cmp.Diff(want[d.ID], d, unstamped); diff != "" {
			t.Errorf("delivery (-want +got):\n%s", diff)
		}
		delete(want, d.ID)
	}
	if len(want) != 0 {
		t.Errorf("not told of: %v", want)
	}
}

func TestRejectsAndNotesAreListedWithWhatTheyHold(t *testing.T) {
	db := open(t, freshConfig(t))
	e := entry(1, 1, 0, 5)
	must(t, appendTo(t.Context(), db, e))
	if diff := cmp.Diff(e.Batch.Rejects, collect(t, db.Rejects(t.Context(), store.RejectFilter{Code: "json_syntax", Limit: 5}))); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(e.Notes, collect(t, db.Notes(t.Context(), store.NoteFilter{Entities: []string{"robot:amr-01"}, From: start, Limit: 10}))); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestTheMirrorOfBindingsKeepsTheLatestEnd(t *testing.T) {
	db := open(t, freshConfig(t))
	b := store.Binding{Relation: "ip-mac", Identifier: "10.1.0.7", Entity: "mac:02:00:5e:10:00:07", Since: start, Until: start + 10, Source: "dhcp", Confidence: 50}
	must(t, db.MirrorBindings(t.Context(), []store.Binding{b}))
	b.Until = start + 99
	must(t, db.MirrorBindings(t.Context(), []store.Binding{b}))
	if diff := cmp.Diff([]store.Binding{b}, collect(t, db.Bindings(t.Context(), "10.1.0.7", start+50, 10))); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	if got := collect(t, db.Bindings(t.Context(), "10.1.0.7", start+99, 10)); len(got) != 0 {
		t.Errorf("%v after its end, want none", got)
	}
}

func TestTheNewestWholeCheckpointIsTaken(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	if c, err := db.Latest(t.Context()); err != nil || c.Batch != (event.BatchID{}) {
		t.Errorf("without a checkpoint: %v, %v", c.Batch, err)
	}
	saved := map[uint64][]byte{}
	for n := range uint64(5) {
		must(t, appendTo(t.Context(), db, entry(1, n+1, int(n)*5, 5)))
		data := make([]byte, 9<<20+int(n))
		_, _ = rand.Read(data)
		saved[n+1] = data
		must(t, db.Save(t.Context(), incident.Checkpoint{Batch: event.BatchID{Epoch: 1, Number: n + 1}, Data: data}))
	}
	conn := admin(t, cfg)
	table := cfg.Database + ".checkpoints"
	var kept uint64
	must(t, conn.QueryRow(t.Context(), "SELECT uniqExact(number) FROM "+table).Scan(&kept))
	if kept != 3 {
		t.Errorf("%d checkpoints are kept, want 3", kept)
	}
	check := func(number uint64) {
		t.Helper()
		c, err := db.Latest(t.Context())
		if err != nil || c.Batch.Number != number || string(c.Data) != string(saved[number]) {
			t.Errorf("the latest is %v with %d bytes, %v; want batch %d as it was saved", c.Batch, len(c.Data), err, number)
		}
	}
	check(5)
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+table+" UPDATE data = concat('x', substring(data, 2)) WHERE number = 5 AND chunk = 1 SETTINGS mutations_sync = 2"))
	check(4)
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+table+" DELETE WHERE number = 4 AND chunk = 2 SETTINGS mutations_sync = 2"))
	check(3)
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".batches DELETE WHERE number = 3 SETTINGS mutations_sync = 2"))
	if c, err := db.Latest(t.Context()); err != nil || c.Data != nil {
		t.Errorf("with none whole: batch %v, %v; want none", c.Batch, err)
	}
}

func TestAPermanentErrorIsReturnedAtOnce(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	must(t, admin(t, cfg).Exec(t.Context(), "DROP TABLE "+cfg.Database+".hits"))
	err := appendTo(t.Context(), db, entry(1, 1, 0, 5))
	if err == nil || errors.Is(err, store.ErrFenced) {
		t.Errorf("appending without a table gave %v, want the engine's error", err)
	}
	if got := replay(t, db, event.BatchID{}); len(got) != 0 {
		t.Errorf("%d batches after a failed append, want none", len(got))
	}
}

func TestBlocksArriveRowByRowAsTheyDoWhole(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	db.SendRowByRow()
	e := entry(1, 1, 0, 20)
	must(t, appendTo(t.Context(), db, e))
	var want []*event.Event
	for i := range 20 {
		want = append(want, new(sample(i)))
	}
	if diff := cmp.Diff(want, collect(t, db.Events(t.Context(), store.EventFilter{Forward: true}))); diff != "" {
		t.Errorf("events (-appended +read):\n%s", diff)
	}
	if diff := cmp.Diff([]*incident.Entry{forReplay(e)}, replay(t, db, event.BatchID{}), zones); diff != "" {
		t.Errorf("replay (-appended +read):\n%s", diff)
	}
}

// What recovery may still need is never removed, however old it is.
func TestTheLogIsKeptBehindTheOldestOfThreeCheckpoints(t *testing.T) {
	cfg := freshConfig(t)
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), cfg, store.Settings{Now: func() time.Time { return now }})
	must(t, err)
	defer db.Close()
	for n := range uint64(3) {
		must(t, appendTo(t.Context(), db, entry(1, n+1, int(n)*5, 5)))
	}
	now = now.Add(40 * 24 * time.Hour)
	for n := uint64(4); n <= 6; n++ {
		must(t, appendTo(t.Context(), db, entry(1, n, int(n)*5, 5)))
	}
	for _, step := range []struct {
		checkpoint uint64
		batches    int
	}{{2, 6}, {4, 6}, {5, 6}, {6, 3}} {
		must(t, db.Save(t.Context(), incident.Checkpoint{Batch: event.BatchID{Epoch: 1, Number: step.checkpoint}, Data: []byte("state")}))
		if got := replay(t, db, event.BatchID{}); len(got) != step.batches {
			t.Errorf("%d batches are left after the checkpoint of batch %d, want %d", len(got), step.checkpoint, step.batches)
		}
	}
}

// unstamped compares deliveries without the time that the store gives them.
var unstamped = cmpopts.IgnoreFields(incident.Delivery{}, "At")

func TestTheHistoryOfADeliveryHasWhatWasAnsweredAndWhoAskedAgain(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db)
	in := changes[0].Incident
	d := incident.Delivery{ID: incident.DeliveryID(in.ID, in.Revision, "soc"), Endpoint: "soc", Change: changes[0], Attempts: 1, State: incident.DeliveryPending, Error: "HTTP 503", Reply: incident.Reply{Status: 503, Answer: "later\x1b[31m", Took: 1500}}
	other := d
	other.ID, other.Change, other.State = incident.DeliveryID(changes[1].Incident.ID, changes[1].Incident.Revision, "soc"), changes[1], incident.DeliveryDead
	must(t, db.Settle(t.Context(), d, other))
	d.Attempts, d.State, d.Reply = 2, incident.DeliveryDead, incident.Reply{Status: 500, Answer: "no", Took: 7}
	must(t, db.Settle(t.Context(), d))
	again := d
	again.State, again.Spent, again.Replayed, again.By, again.Reply = incident.DeliveryPending, 2, start+5, "ana", incident.Reply{}
	must(t, db.Settle(t.Context(), again))
	history, err := db.Attempts(t.Context(), d.ID, 10)
	must(t, err)
	if len(history) != 3 || history[0].Status != 503 || history[0].Answer != "later\x1b[31m" || history[0].Took != 1500 || history[1].State != incident.DeliveryDead || history[2].By != "ana" || history[2].At == 0 {
		t.Errorf("history %+v", history)
	}
	for since, want := range map[int64]int{start: 1, start + 6: 0} {
		got, err := db.Replays(t.Context(), "soc", since)
		must(t, err)
		if len(got) != want || want == 1 && (got[0].Spent != 2 || got[0].Change.Incident == nil) {
			t.Errorf("replays since %d: %+v", since, got)
		}
	}
	list := collect(t, db.Deliveries(t.Context(), store.DeliveryFilter{Newest: true, Limit: 5}))
	if len(list) != 2 || list[0].ID != d.ID || list[0].State != incident.DeliveryPending {
		t.Errorf("the last attempted first: %+v", list)
	}
	if list := collect(t, db.Deliveries(t.Context(), store.DeliveryFilter{IDs: []event.ID{other.ID}})); len(list) != 1 || list[0].ID != other.ID {
		t.Errorf("by id: %+v", list)
	}
	if list := collect(t, db.Deliveries(t.Context(), store.DeliveryFilter{Since: history[2].At + 1, Newest: true})); len(list) != 0 {
		t.Errorf("later than all: %+v", list)
	}
}
