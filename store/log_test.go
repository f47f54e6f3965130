package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

const start = int64(1_772_330_400_000_000) // 2026-03-01 02:00:00 UTC

// sample is a robot event of the i-th second.
func sample(i int) event.Event {
	var e event.Event
	pos := event.Position{Source: "fleet", Partition: int32(i % 3), Offset: int64(i)}
	e.Envelope = event.Envelope{
		ID: event.PositionID(pos, 0), Position: pos, Format: "vda5050", Site: "plant-1", Received: start + int64(i)*1e6 + 250,
		Raw: fmt.Appendf(nil, `{"headerId":%d,"serialNumber":"amr-%02d"}`, i, i%7), TimeSource: event.TimeParsed, Quality: event.LossyDecode,
	}
	e.ClassUID, e.ActivityID, e.Time, e.SeverityID, e.StatusID = event.ClassRobotState, 1, start+int64(i)*1e6, 1, 1
	e.Robot = &event.Robot{UID: fmt.Sprintf("amr-%02d", i%7), Serial: fmt.Sprintf("sn-%d", i%7)}
	e.SrcEndpoint.IP = fmt.Sprintf("10.1.0.%d", i%250)
	e.User.Name = "ana.silva"
	e.Traffic = &event.Traffic{BytesOut: event.IntOf(0)}
	e.IsMFA = event.False
	e.Message = "state of robot"
	e.FindEntities()
	return e
}

func samples(from, n int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		list[i] = sample(from + i)
	}
	return list
}

func refOf(e *event.Event) *event.Ref {
	return &event.Ref{
		Event: e.Envelope.ID, Time: e.Time, Received: e.Envelope.Received, Sequence: "fleet/1", ClassUID: e.ClassUID, Activity: e.ActivityID,
		Severity: 1, Status: 2, Future: true, Domain: "robot", Source: "fleet", Format: "vda5050", Summary: "amr-01 changed its mode", Entities: e.Entities,
	}
}

// entry is a batch with events, two hits of one event, a hit of another, a note, an action, a reject and a carried record.
func entry(epoch, number uint64, from, n int) *incident.Entry {
	events := samples(from, n)
	a, b := refOf(&events[0]), refOf(&events[n-1])
	return &incident.Entry{
		Batch: &event.Batch{
			ID: event.BatchID{Epoch: epoch, Number: number}, Events: events, Received: start + int64(from+n)*1e6,
			Rejects: []event.Reject{{Position: event.Position{Source: "fleet", Offset: int64(from)}, Format: "vda5050", Received: start + int64(from), Code: "json_syntax", Reason: "no end", Raw: []byte{'{', 0xff}, Key: []byte("amr-01"), Headers: []event.Header{{Key: "mqtt.topic", Value: []byte("uagv/v2/x")}, {Key: "empty", Value: []byte{}}}}},
			Ends:    []event.End{{Source: "fleet", Partition: int32(number % 3), Offset: int64(from + n), Cookie: "inode 7"}},
			Marks:   []event.Mark{{Source: "fleet", Newest: events[n-1].Time, Received: start}, {Source: "fleet", Partition: 2, Newest: start, Idle: true}, {Source: "nac", Idle: true}},
			Carry: []event.Record{{
				Value: []byte("half"), Wire: []byte{0, 0, 0, 0, 7}, Headers: []event.Header{{Key: "topic", Value: []byte{}}}, Position: event.Position{Source: "syslog", Offset: 9},
				Basis: events[0].Envelope.ID, Format: "syslog", Site: "plant-1", Received: start, Partial: true, Location: time.FixedZone("plant", 7200),
			}},
		},
		Hits: []event.Hit{
			{Rule: "r1", Version: 3, Branch: 1, Step: 2, Key: "a\x1fb", Vars: []string{"robot:amr-01", ""}, Ref: a, Fields: []event.FieldValue{
				{Kind: event.KindString, Known: true, Str: "x"},
				{Kind: event.KindInt},
				{Kind: event.KindFloat, Known: true, Flt: 0.5},
				{Kind: event.KindBool, Known: true},
				{Kind: event.KindStrings, Known: true, Lst: []string{"p", "q"}},
				{Kind: event.KindTime, Known: true, Num: -5},
			}},
			{Rule: "r2", Version: 1, Ref: a},
			{Rule: "r1", Version: 3, Ref: b},
		},
		Notes: []event.Note{{Entity: "robot:amr-01", What: "mode", Prev: "auto", Value: "manual", Actor: "user:ana.silva", Ref: b}},
		Actions: []incident.Action{{
			ID: events[0].Envelope.ID, Kind: incident.ActionClose, Incident: events[n-1].Envelope.ID, Expected: 4, By: "ana", At: start,
			Verdict: incident.Misuse, Text: "</script>\xff", Findings: []event.ID{events[0].Envelope.ID},
		}},
		Rules: "rules-1", Tables: "tables-1",
	}
}

// forReplay is e as the log gives it back.
func forReplay(e *incident.Entry) *incident.Entry {
	b, c := *e.Batch, *e
	b.Events, b.Rejects = nil, nil
	c.Batch = &b
	c.Actions = append([]incident.Action(nil), c.Actions...)
	for i := range c.Actions {
		c.Actions[i].Text = "</script>\uFFFD"
	}
	return &c
}

func replay(t *testing.T, db *store.DB, after event.BatchID) []*incident.Entry {
	t.Helper()
	var list []*incident.Entry
	for e, err := range db.Replay(t.Context(), after) {
		must(t, err)
		list = append(list, e)
	}
	return list
}

var zones = cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })

func TestReplayGivesBackWhatWasAppended(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	if tail, err := db.Tail(t.Context()); err != nil || tail.Batch != (event.BatchID{}) {
		t.Errorf("the tail of an empty log is %v, %v", tail, err)
	}
	var want []*incident.Entry
	for n := range uint64(5) {
		e := entry(1, n+1, int(n)*40, 40)
		must(t, appendTo(t.Context(), db, e))
		want = append(want, forReplay(e))
	}
	empty := &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 6}, Received: start}}
	must(t, appendTo(t.Context(), db, empty))
	want = append(want, empty)

	again := open(t, cfg)
	got := replay(t, again, event.BatchID{})
	if diff := cmp.Diff(want, got, zones); diff != "" {
		t.Errorf("replayed entries differ (-appended +replayed):\n%s", diff)
	}
	if got[0].Hits[0].Ref != got[0].Hits[1].Ref {
		t.Error("hits of one event do not share it")
	}
	if diff := cmp.Diff(want[3:], replay(t, again, event.BatchID{Epoch: 1, Number: 3}), zones); diff != "" {
		t.Errorf("replay from the middle (-want +got):\n%s", diff)
	}

	tail, err := again.Tail(t.Context())
	must(t, err)
	wantTail := incident.Tail{
		Batch: event.BatchID{Epoch: 1, Number: 6}, Epoch: 1, Received: start, Recorded: event.BatchID{Epoch: 1, Number: 5},
		Ends: []event.End{
			{Source: "fleet", Partition: 0, Offset: 120, Cookie: "inode 7"},
			{Source: "fleet", Partition: 1, Offset: 160, Cookie: "inode 7"},
			{Source: "fleet", Partition: 2, Offset: 200, Cookie: "inode 7"},
		},
	}
	if diff := cmp.Diff(wantTail, tail); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
	if newest, err := again.MaxEpoch(t.Context()); err != nil || newest != 1 {
		t.Errorf("the newest epoch is %d, %v; want 1", newest, err)
	}
}

func TestAProcessThatWasOvertakenIsRefusedAndItsLaterBatchesAreVoid(t *testing.T) {
	cfg := freshConfig(t)
	old, fresh := open(t, cfg), open(t, cfg)
	must(t, appendTo(t.Context(), old, entry(1, 1, 0, 10)))
	_, err := fresh.Tail(t.Context())
	must(t, err)
	// The old process goes on writing after the new one has read the log and before it has claimed it.
	must(t, appendTo(t.Context(), old, entry(1, 2, 10, 10)))
	must(t, appendTo(t.Context(), fresh, entry(2, 1, 10, 10)))
	if err := appendTo(t.Context(), old, entry(1, 3, 20, 10)); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the overtaken process got %v, want ErrFenced", err)
	}
	var ids []event.BatchID
	for _, e := range replay(t, open(t, cfg), event.BatchID{}) {
		ids = append(ids, e.Batch.ID)
	}
	if diff := cmp.Diff([]event.BatchID{{Epoch: 1, Number: 1}, {Epoch: 2, Number: 1}}, ids); diff != "" {
		t.Errorf("batches of the log (-want +got):\n%s", diff)
	}
	if err := appendTo(t.Context(), open(t, cfg), entry(2, 2, 30, 10)); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a second process with the same epoch got %v, want ErrFenced", err)
	}
}

// The store satisfies what the worker declares.
var (
	_ correlate.Log         = (*store.DB)(nil)
	_ correlate.Records     = (*store.DB)(nil)
	_ correlate.Checkpoints = (*store.DB)(nil)
)

// A process that had begun its epoch and died before its first marker must not keep the next one from writing.
func TestAnEpochWithoutABatchIsPassedOver(t *testing.T) {
	cfg := freshConfig(t)
	must(t, appendTo(t.Context(), open(t, cfg), entry(1, 1, 0, 10)))
	must(t, admin(t, cfg).Exec(t.Context(), "INSERT INTO "+cfg.Database+".epochs SELECT 2, 'dead', now64(6), 1, 1"))
	db := open(t, cfg)
	tail, err := db.Tail(t.Context())
	must(t, err)
	if tail.Batch.Epoch != 1 || tail.Epoch != 2 {
		t.Errorf("the tail is batch %v, epoch %d; want a batch of epoch 1, epoch 2", tail.Batch, tail.Epoch)
	}
	must(t, appendTo(t.Context(), db, entry(tail.Epoch+1, 1, 10, 10)))
	if got := replay(t, db, event.BatchID{}); len(got) != 2 {
		t.Errorf("%d batches, want 2", len(got))
	}
}

func TestALargeBatchIsSentInSeveralBlocks(t *testing.T) {
	db := open(t, freshConfig(t))
	e := entry(1, 1, 0, 60)
	for i := range e.Batch.Events {
		e.Batch.Events[i].Envelope.Raw = bytes.Repeat([]byte{'x'}, 3<<20)
	}
	must(t, appendTo(t.Context(), db, e))
	for row, err := range mustQuery(t, db, "SELECT count(), sum(length(raw)) FROM events") {
		must(t, err)
		if diff := cmp.Diff([]any{uint64(60), uint64(60 * 3 << 20)}, row); diff != "" {
			t.Errorf("rows and bytes (-want +got):\n%s", diff)
		}
	}
}

func TestAPasswordDoesNotShowItself(t *testing.T) {
	cfg := store.DefaultConfig()
	cfg.Password = "hunter2"
	marshalled, err := json.Marshal(cfg)
	must(t, err)
	for _, shown := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v %q", cfg, cfg, cfg.Password), string(marshalled), slog.AnyValue(cfg.Password).Resolve().String()} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("the password is in %s", shown)
		}
	}
}
