package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

// misread is a service that was told another format than its sources have, so that every record becomes a reject: a file and an HTTP source.
func misread(t *testing.T) *outlet {
	o := newSmall(t, "")
	o.cfg.Console.Listen = freeAddress(t)
	for i := range o.cfg.Sources {
		o.cfg.Sources[i].Format = "okta"
	}
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	return o
}

// mend is the fix: the right formats in the configuration.
func (o *outlet) mend() {
	for i := range o.cfg.Sources {
		o.cfg.Sources[i].Format = "openssh"
	}
	o.config = writeConfig(o.t, o.dir, o.cfg)
}

// rejects asks as `tocsin rejects list --json` does.
func (o *outlet) rejects(f store.RejectFilter) (out []app.RejectRow) {
	o.t.Helper()
	must(o.t, app.Rejects(o.t.Context(), o.cfg, f, app.RejectsSettings{Talk: o.svc.log}, func(r app.RejectRow) error { out = append(out, r); return nil }))
	return out
}

// replayRejects does what `tocsin rejects replay` does.
func (o *outlet) replayRejects(r app.RejectReplay) (sum app.RejectSummary, outcomes []app.RejectOutcome) {
	o.t.Helper()
	sum, err := app.ReplayRejects(o.t.Context(), o.cfg, r, app.RejectsSettings{Talk: o.svc.log}, func(x app.RejectOutcome) error { outcomes = append(outcomes, x); return nil })
	if err != nil {
		o.t.Fatalf("replay: %v\n%s", err, o.svc.log)
	}
	return sum, outcomes
}

func TestRejectsBecomeTheEventsTheyWouldHaveBeenAfterAFix(t *testing.T) {
	needEngine(t)
	o := misread(t)
	file, posted := refused(0, users(0, 3)...), refused(3, users(3, 5)...)
	junk := []byte("this is of no format\n")
	o.say("sshd", append(slices.Clone(file), junk...))
	if status, answer := o.post(posted, "k"); status != http.StatusOK {
		t.Fatalf("the records were answered with %d %s", status, answer)
	}
	o.heard("sshd", len(file)+len(junk))
	before := o.rejects(store.RejectFilter{})
	if len(before) != 6 {
		t.Fatalf("%d rejects, want 6: %v", len(before), before)
	}
	if got := o.rejects(store.RejectFilter{Source: "push", Limit: 1}); len(got) != 1 || got[0].Source != "push" {
		t.Errorf("one of the HTTP source's rejects is %v", got)
	}

	o.mend()
	o.restart()
	sum, outcomes := o.replayRejects(app.RejectReplay{DryRun: true})
	if want := (app.RejectSummary{Replayed: 5, Events: 5, Failed: 1}); sum != want || len(outcomes) != 6 {
		t.Errorf("the dry run says %+v with %d outcomes, want %+v with 6", sum, len(outcomes), want)
	}
	if diff := cmp.Diff(before, o.rejects(store.RejectFilter{})); diff != "" {
		t.Errorf("a dry run changes the rejects (-before +after):\n%s", diff)
	}
	o.incidents(0)

	sum, _ = o.replayRejects(app.RejectReplay{})
	if want := (app.RejectSummary{Replayed: 5, Events: 5, Failed: 1}); sum != want {
		t.Errorf("the replay says %+v, want %+v", sum, want)
	}
	o.incidents(5)
	left := o.rejects(store.RejectFilter{})
	if len(left) != 1 || string(left[0].Bytes) != strings.TrimSpace(string(junk)) || left[0].Format != "openssh" || left[0].Tried == nil || left[0].Code == before[0].Code && left[0].Reason == before[0].Reason {
		t.Errorf("left is %+v, want the record of no format with its newest reason", left)
	}
	if all := o.rejects(store.RejectFilter{All: true}); len(all) != 6 {
		t.Errorf("%d rejects with the replayed ones, want 6", len(all))
	}

	// Again, as after an interruption: nothing changes.
	queue := o.queue()
	sum, _ = o.replayRejects(app.RejectReplay{Filter: store.RejectFilter{All: true}})
	if sum.Replayed != 5 {
		t.Errorf("%d are replayed the second time, want 5", sum.Replayed)
	}
	if diff := cmp.Diff(queue, o.queue()); diff != "" {
		t.Errorf("replaying twice changes incidents (-once +twice):\n%s", diff)
	}
	// And the service goes on where its sources were.
	more := refused(6, users(6, 7)...)
	o.say("sshd", more)
	o.incidents(6)
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	checkAsAtFirst(t, o, file, posted, more)
}

// checkAsAtFirst compares the events with those of a service that had the right formats from the start.
func checkAsAtFirst(t *testing.T, o *outlet, file, posted, more []byte) {
	t.Helper()
	right := newSmall(t, "")
	right.svc = start(t, right.config, right.ahead)
	right.say("sshd", file)
	if status, _ := right.post(posted, "k"); status != http.StatusOK {
		t.Fatalf("the records were answered with %d", status)
	}
	right.say("sshd", append([]byte("this is of no format\n"), more...))
	right.incidents(6)
	if err := right.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, right.svc.log)
	}
	type place struct {
		ID       event.ID
		Position event.Position
		Raw      string
		Time     int64
	}
	places := func(o *outlet) (out []place) {
		db, err := app.OpenDatabase(t.Context(), o.cfg, discard, nil, nil)
		must(t, err)
		defer db.Close()
		for e, err := range db.Events(t.Context(), store.EventFilter{Forward: true}) {
			must(t, err)
			v := e.Envelope
			out = append(out, place{v.ID, v.Position, string(v.Raw), e.Time})
		}
		return out
	}
	got, want := places(o), places(right)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-read rightly at first +replayed):\n%s", diff)
	}
}

func TestRejectsAreReplayedWithoutAService(t *testing.T) {
	needEngine(t)
	o := misread(t)
	lines := refused(0, users(0, 3)...)
	o.say("sshd", lines)
	o.heard("sshd", len(lines))
	if err := o.svc.interrupt(t); err != nil {
		t.Fatalf("the service ended with %v\n%s", err, o.svc.log)
	}
	o.mend()
	list := o.rejects(store.RejectFilter{})
	if len(list) != 3 {
		t.Fatalf("%d rejects without a service, want 3", len(list))
	}
	id, err := event.ParseID(store.RejectPrefix, list[0].ID)
	must(t, err)
	sum, _ := o.replayRejects(app.RejectReplay{Filter: store.RejectFilter{IDs: []event.ID{id}}})
	if want := (app.RejectSummary{Replayed: 1, Events: 1}); sum != want {
		t.Errorf("one by its id: %+v, want %+v", sum, want)
	}
	sum, _ = o.replayRejects(app.RejectReplay{})
	if want := (app.RejectSummary{Replayed: 2, Events: 2}); sum != want {
		t.Errorf("the rest: %+v, want %+v", sum, want)
	}
	// The service finds its sources where they were, and what followed.
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(3, users(3, 4)...))
	o.incidents(4)
	if got := o.rejects(store.RejectFilter{}); len(got) != 0 {
		t.Errorf("%d rejects are left", len(got))
	}
}

// A header line is not part of the record it explains; without it the record would never decode.
func TestARejectOfAColumnFormatIsReadWithItsHeaderLines(t *testing.T) {
	needEngine(t)
	o := newOutlet(t, []logFile{{name: "conn", format: "zeek"}}, "")
	o.cfg.Console.Listen = freeAddress(t)
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	head := "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\n"
	bad := "nothing of the kind\n"
	o.say("conn", []byte(head+bad))
	o.heard("conn", len(head)+len(bad))
	list := o.rejects(store.RejectFilter{})
	if len(list) != 1 || list[0].Code != "wrong_format" {
		t.Fatalf("rejects: %v, want one of the wrong format", list)
	}
	_, outcomes := o.replayRejects(app.RejectReplay{})
	if len(outcomes) != 1 || outcomes[0].Events != 0 || outcomes[0].Code != list[0].Code || outcomes[0].Reason != list[0].Reason {
		t.Errorf("decoded again with the same format: %+v, want %s: %s", outcomes, list[0].Code, list[0].Reason)
	}
}

func TestTheAPIOfRejectsSaysWhatIsWrong(t *testing.T) {
	needEngine(t)
	o := misread(t)
	for query, want := range map[string]string{"since=yesterday": "2026-11-21T08:00:00Z", "limit=-1": "write a number", "id=rj_x": "26 characters"} {
		status, body, err := get(t, o.svc.url+"/api/v1/rejects?"+query)
		must(t, err)
		if status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("?%s: %d %s, want 400 and %q", query, status, body, want)
		}
		answer, err := http.PostForm(o.svc.url+"/api/v1/rejects/replay", mustQuery(t, query))
		must(t, err)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("replay with %s: %d, want 400", query, answer.StatusCode)
		}
	}
	answer, err := http.PostForm(o.svc.url+"/api/v1/rejects/replay", nil)
	must(t, err)
	defer answer.Body.Close()
	var line struct{ Summary *app.RejectSummary }
	must(t, json.NewDecoder(answer.Body).Decode(&line))
	if line.Summary == nil || *line.Summary != (app.RejectSummary{}) {
		t.Errorf("without rejects: %+v, want an empty summary", line.Summary)
	}
}

func mustQuery(t *testing.T, s string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(s)
	must(t, err)
	return v
}
