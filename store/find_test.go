package store_test

import (
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		must(t, err)
		list = append(list, v)
	}
	return list
}

// offsets are what tells samples apart.
func offsets(events []*event.Event) []int64 {
	var list []int64
	for _, e := range events {
		list = append(list, e.Envelope.Position.Offset)
	}
	return list
}

func TestEventsComeBackWholeAndInOrder(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 30)))
	got := collect(t, db.Events(t.Context(), store.EventFilter{Forward: true}))
	var want []*event.Event
	for i := range 30 {
		want = append(want, new(sample(i)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-appended +read):\n%s", diff)
	}
}

func TestFiltersFindTheEventsTheyDescribe(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 30)))
	other := sample(30)
	other.ClassUID, other.ActivityID, other.Activity, other.IsMFA, other.Robot = event.ClassAuthentication, event.ActivityOther, event.MFAChallenge, event.Unknown, nil
	other.SrcEndpoint.IP = "2001:db8::7"
	other.Envelope.Raw = []byte("It's 100% {odd} \\ RAW")
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 2}, Events: []event.Event{other}}}))

	third := sample(3)
	robot := third.PrimaryEntity(event.EntityRobot, event.RoleNone)
	seconds := func(n int64) int64 { return start + n*1e6 }
	for name, tc := range map[string]struct {
		filter store.EventFilter
		want   []int64
	}{
		"range":            {store.EventFilter{From: seconds(3), To: seconds(6)}, []int64{5, 4, 3}},
		"limit":            {store.EventFilter{Limit: 2}, []int64{30, 29}},
		"cursor":           {store.EventFilter{After: store.EventCursor{Time: seconds(5), ID: sample(5).Envelope.ID}, Limit: 2}, []int64{4, 3}},
		"cursor forward":   {store.EventFilter{After: store.EventCursor{Time: seconds(5), ID: sample(5).Envelope.ID}, Limit: 2, Forward: true}, []int64{6, 7}},
		"class":            {store.EventFilter{Classes: []string{"authentication"}}, []int64{30}},
		"class, activity":  {store.EventFilter{Classes: []string{"authentication.mfa_challenge"}}, []int64{30}},
		"another activity": {store.EventFilter{Classes: []string{"authentication.logon"}}, nil},
		"entity":           {store.EventFilter{Entity: robot, From: seconds(4)}, []int64{24, 17, 10}},
		"entity, cursor":   {store.EventFilter{Entity: robot, After: store.EventCursor{Time: seconds(17), ID: sample(17).Envelope.ID}}, []int64{10, 3}},
		"text in the raw":  {store.EventFilter{Text: "it's 100% {odd} \\ raw"}, []int64{30}},
		"address":          {store.EventFilter{Where: []store.Condition{{Path: "src_endpoint.ip", Op: store.Equal, Values: []string{"10.1.0.4"}}}}, []int64{4}},
		"block":            {store.EventFilter{Where: []store.Condition{{Path: "src_endpoint.ip", Op: store.Equal, Values: []string{"10.1.0.4/31", "2001:db8::/32"}}}}, []int64{30, 5, 4}},
		"not in a block":   {store.EventFilter{Where: []store.Condition{{Path: "src_endpoint.ip", Op: store.NotEqual, Values: []string{"10.1.0.0/16"}}}}, []int64{30}},
		"known false":      {store.EventFilter{From: seconds(29), Where: []store.Condition{{Path: "is_mfa", Op: store.Equal, Values: []string{"false"}}}}, []int64{29}},
		"unknown is other": {store.EventFilter{From: seconds(29), Where: []store.Condition{{Path: "is_mfa", Op: store.NotEqual, Values: []string{"false"}}}}, []int64{30}},
		"known":            {store.EventFilter{From: seconds(29), Where: []store.Condition{{Path: "robot.uid", Op: store.Known}}}, []int64{29}},
		"zero is a number": {store.EventFilter{From: seconds(29), Where: []store.Condition{{Path: "traffic.bytes_out", Op: store.AtMost, Values: []string{"0"}}}}, []int64{30, 29}},
		"prefix":           {store.EventFilter{To: seconds(2), Where: []store.Condition{{Path: "robot.uid", Op: store.Prefix, Values: []string{"amr-"}}, {Path: "user.name", Op: store.Contains, Values: []string{"SILVA"}}, {Path: "site", Op: store.Equal, Values: []string{"plant-1"}}}}, []int64{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, offsets(collect(t, db.Events(t.Context(), tc.filter)))); diff != "" {
				t.Errorf("offsets (-want +got):\n%s", diff)
			}
		})
	}
	for name, f := range map[string]store.EventFilter{
		"robot.pose.x has no column":    {Where: []store.Condition{{Path: "robot.pose.x", Op: store.Equal, Values: []string{"1"}}}},
		"want an address or a CIDR":     {Where: []store.Condition{{Path: "src_endpoint.ip", Op: store.Equal, Values: []string{"10.1.0"}}}},
		"want a comparison with a numb": {Where: []store.Condition{{Path: "dst_endpoint.port", Op: store.Less, Values: []string{"many"}}}},
		"unknown class robot":           {Classes: []string{"robot"}},
	} {
		for _, err := range db.Events(t.Context(), f) {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an error with %q", err, name)
			}
		}
	}
}

func TestAnEventIsFoundByItsIDWithTheRawTextOfItsRecord(t *testing.T) {
	db := open(t, freshConfig(t))
	e := entry(1, 1, 0, 10)
	second := sample(4)
	second.Envelope.Index, second.Envelope.ID = 1, event.PositionID(second.Envelope.Position, 1)
	e.Batch.Events = append(e.Batch.Events, second)
	must(t, appendTo(t.Context(), db, e))
	for _, want := range []event.Event{sample(4), second} {
		got, found, err := db.Event(t.Context(), want.Envelope.ID)
		must(t, err)
		if !found {
			t.Errorf("event %d of the record was not found", want.Envelope.Index)
			continue
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("event %d of the record (-appended +read):\n%s", want.Envelope.Index, diff)
		}
	}
	var raw uint64
	for row, err := range mustQuery(t, db, "SELECT countIf(raw != '') FROM events WHERE offset = 4") {
		must(t, err)
		raw = row[0].(uint64)
	}
	if raw != 1 {
		t.Errorf("the raw text is stored %d times, want once", raw)
	}
	if _, found, err := db.Event(t.Context(), event.NewID("none")); found || err != nil {
		t.Errorf("an unknown id gave %v, %v", found, err)
	}
}

func mustQuery(t *testing.T, db *store.DB, statement string) iter.Seq2[[]any, error] {
	t.Helper()
	r, err := db.Query(t.Context(), strings.ReplaceAll(statement, "FROM ", "FROM "+db.Database()+"."))
	must(t, err)
	return r.Rows
}

func TestAnEventAppendedTwiceIsSeenOnce(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 10)))
	must(t, appendTo(t.Context(), db, entry(1, 2, 5, 10)))
	if got := offsets(collect(t, db.Events(t.Context(), store.EventFilter{Limit: 12}))); len(got) != 12 || got[0] != 14 || got[11] != 3 {
		t.Errorf("offsets %v, want 14 down to 3", got)
	}
	if got := offsets(collect(t, db.Events(t.Context(), store.EventFilter{Entity: "user:ana.silva"}))); len(got) != 15 {
		t.Errorf("%d events of the entity, want 15", len(got))
	}
}

func TestAPersonsStatementCanOnlyRead(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 10)))
	r, err := db.Query(t.Context(), "SELECT class, count() AS n, max(is_mfa) FROM "+db.Database()+".events GROUP BY class")
	must(t, err)
	if diff := cmp.Diff([]string{"class", "n", "max(is_mfa)"}, r.Columns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]any{{"robot_state.mode_change", uint64(10), new(false)}}, collect(t, r.Rows)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for _, statement := range []string{
		"DROP TABLE " + db.Database() + ".events",
		"INSERT INTO " + db.Database() + ".epochs (epoch) SELECT 9",
		"ALTER TABLE " + db.Database() + ".events DELETE WHERE 1",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"SELECT 1 INTO OUTFILE 'x'",
		"SET readonly = 0",
	} {
		r, err := db.Query(t.Context(), statement)
		if err == nil {
			for _, e := range r.Rows {
				err = errors.Join(err, e)
			}
		}
		if err == nil {
			t.Errorf("%s was run", statement)
		}
	}
	if newest, err := db.MaxEpoch(t.Context()); err != nil || newest != 1 {
		t.Errorf("the newest epoch is %d, %v; want 1", newest, err)
	}
}
