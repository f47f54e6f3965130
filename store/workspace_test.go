package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tocsin-siem/tocsin/store"
)

func view(id, body string) store.Doc {
	return store.Doc{Kind: "view", ID: id, Body: []byte(body), By: "ana", At: start}
}

func TestADocumentIsKeptByRevision(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	odd := view("o'dd \x00/\u202e", `{"q":"it's \"h1\""}`)
	first, err := db.Keep(t.Context(), odd, 0)
	must(t, err)
	second := odd
	second.Body, second.By = []byte(`{}`), "ben"
	second, err = open(t, cfg).Keep(t.Context(), second, first.Revision)
	must(t, err)
	if first.Revision != 1 || second.Revision != 2 {
		t.Errorf("revisions %d and %d, want 1 and 2", first.Revision, second.Revision)
	}
	if _, err := db.Keep(t.Context(), odd, 1); !errors.Is(err, store.ErrStale) || !strings.Contains(err.Error(), "at revision 2, not 1") {
		t.Errorf("over a revision that is gone: %v", err)
	}
	if _, err := db.Keep(t.Context(), odd, 0); !errors.Is(err, store.ErrStale) {
		t.Errorf("as a new document: %v", err)
	}
	other, err := db.Keep(t.Context(), view("a", `[]`), 0)
	must(t, err)
	_, err = db.Keep(t.Context(), store.Doc{Kind: "token", ID: "a"}, 0)
	must(t, err)
	list, err := db.Kept(t.Context(), "view")
	must(t, err)
	if diff := cmp.Diff([]store.Doc{other, second}, list); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
	one, found, err := db.KeptOne(t.Context(), "view", odd.ID)
	must(t, err)
	if diff := cmp.Diff(second, one); diff != "" || !found {
		t.Errorf("found %t (-want +got):\n%s", found, diff)
	}
	if n := count(t, db, "workspace"); n != 4 {
		t.Errorf("%d rows, want all 4 revisions", n)
	}
}

func TestADeletedDocumentIsGoneAndCanComeBack(t *testing.T) {
	db := open(t, freshConfig(t))
	_, err := db.Keep(t.Context(), view("a", `1`), 0)
	must(t, err)
	gone := view("a", ``)
	gone.Deleted = true
	_, err = db.Keep(t.Context(), gone, 1)
	must(t, err)
	list, err := db.Kept(t.Context(), "view")
	must(t, err)
	if _, found, err := db.KeptOne(t.Context(), "view", "a"); len(list) != 0 || found || err != nil {
		t.Errorf("after it was deleted: %v, found %t, %v", list, found, err)
	}
	if _, err := db.Keep(t.Context(), view("a", `2`), 2); !errors.Is(err, store.ErrStale) {
		t.Errorf("over the deletion: %v", err)
	}
	back, err := db.Keep(t.Context(), view("a", `3`), 0)
	must(t, err)
	if back.Revision != 3 {
		t.Errorf("it comes back as revision %d, want 3", back.Revision)
	}
}

// Each of several processes reads the same revision and writes the next one.
func TestOfManyThatKeepTheSameRevisionOneSucceeds(t *testing.T) {
	cfg := freshConfig(t)
	const processes, rounds = 4, 6
	var dbs [processes]*store.DB
	for i := range dbs {
		dbs[i] = open(t, cfg)
	}
	for round := range rounds {
		var errs [processes]error
		var all sync.WaitGroup
		for i, db := range dbs {
			all.Go(func() {
				d := view("a", fmt.Sprintf(`"%d of round %d"`, i, round))
				d.By = fmt.Sprint("process ", i)
				_, errs[i] = db.Keep(t.Context(), d, int64(round))
			})
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0:
				t.Fatalf("round %d: both %d and %d succeeded", round, won, i)
			case err == nil:
				won = i
			case !errors.Is(err, store.ErrStale):
				t.Fatalf("round %d: %v", round, err)
			}
		}
		now, _, err := dbs[0].KeptOne(t.Context(), "view", "a")
		must(t, err)
		if won < 0 || now.Revision != int64(round+1) || string(now.Body) != fmt.Sprintf(`"%d of round %d"`, won, round) {
			t.Fatalf("round %d: process %d succeeded, and revision %d is there: %s", round, won, now.Revision, now.Body)
		}
	}
}

// The server forgets old tokens. A process that was stopped for so long between looking and writing must not win.
func TestARowThatComesLateUnderAForgottenTokenLoses(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	kept, err := db.Keep(t.Context(), view("a", `"first"`), 0)
	must(t, err)
	must(t, admin(t, cfg).Exec(t.Context(), "INSERT INTO "+cfg.Database+".workspace (kind, id, revision, nonce, at, by, body) VALUES ('view', 'a', 1, '', '2001-01-01 00:00:00', 'late', '\"late\"')"))
	one, _, err := db.KeptOne(t.Context(), "view", "a")
	must(t, err)
	list, err := db.Kept(t.Context(), "view")
	must(t, err)
	if diff := cmp.Diff([]store.Doc{kept, kept}, append(list, one)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADocumentOutOfBoundsIsRefused(t *testing.T) {
	db := open(t, freshConfig(t))
	for name, d := range map[string]store.Doc{"no kind": {ID: "a"}, "no id": {Kind: "view"}, "long id": view(strings.Repeat("a", 600), ""), "long body": view("a", strings.Repeat("a", store.MaxDoc+1))} {
		if _, err := db.Keep(t.Context(), d, 0); err == nil {
			t.Errorf("%s: it is kept", name)
		}
	}
}

func TestTheAuditIsReadByWhoWhatAndWhen(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	var want []store.AuditEntry
	for i := range 6 {
		e := store.AuditEntry{
			At: start + int64(i/2)*1e6, Who: []string{"ana", "ben"}[i%2], Via: "local", Action: []string{"sign-in", "incident.close", "export"}[i%3],
			Target: fmt.Sprintf("inc_%d'", i), From: "192.0.2.7", OK: i != 3,
		}
		if i == 0 {
			e.Detail = []byte(`{"why":"\u202e"}`)
		}
		must(t, db.Audit(t.Context(), e))
		want = append(want, e)
	}
	noID := cmpopts.IgnoreFields(store.AuditEntry{}, "ID")
	byTime := cmpopts.SortSlices(func(a, b store.AuditEntry) bool { return a.Target < b.Target })
	for name, tc := range map[string]struct {
		filter store.AuditFilter
		want   []store.AuditEntry
	}{
		"all":     {store.AuditFilter{}, want},
		"who":     {store.AuditFilter{Who: "ben"}, []store.AuditEntry{want[1], want[3], want[5]}},
		"action":  {store.AuditFilter{Action: "export"}, []store.AuditEntry{want[2], want[5]}},
		"target":  {store.AuditFilter{Target: "inc_4'", Via: "local"}, want[4:5]},
		"time":    {store.AuditFilter{From: start + 1e6, To: start + 2e6}, want[2:4]},
		"refused": {store.AuditFilter{Refused: true}, want[3:4]},
	} {
		if diff := cmp.Diff(tc.want, collect(t, db.Audited(t.Context(), tc.filter)), noID, byTime); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, forward := range []bool{false, true} {
		all := collect(t, db.Audited(t.Context(), store.AuditFilter{Forward: forward}))
		var paged []store.AuditEntry
		for f := (store.AuditFilter{Forward: forward, Limit: 1}); ; {
			page := collect(t, db.Audited(t.Context(), f))
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
			f.After = store.AuditCursor{At: page[0].At, ID: page[0].ID}
		}
		if diff := cmp.Diff(all, paged); diff != "" || len(all) != 6 || (all[0].At < all[5].At) != forward {
			t.Errorf("forward %t: one by one (-all +paged):\n%s", forward, diff)
		}
	}
}

func TestSessionsAreRemovedWhenLongOver(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	old := time.Now().Add(-60 * 24 * time.Hour).UnixMicro()
	table := cfg.Database + ".workspace"
	must(t, admin(t, cfg).Exec(t.Context(), "SYSTEM STOP MERGES "+table)) // What is old when it is written may go at once.
	for _, kind := range []string{"session", "view"} {
		_, err := db.Keep(t.Context(), store.Doc{Kind: kind, ID: "a", At: old}, 0)
		must(t, err)
	}
	must(t, admin(t, cfg).Exec(t.Context(), "SYSTEM START MERGES "+table))
	must(t, admin(t, cfg).Exec(t.Context(), "OPTIMIZE TABLE "+table+" FINAL"))
	if n := count(t, db, "workspace"); n != 1 {
		t.Errorf("%d documents are left, want the view alone", n)
	}
	var ddl string
	must(t, admin(t, cfg).QueryRow(t.Context(), "SHOW CREATE TABLE "+cfg.Database+".audit").Scan(&ddl))
	if !strings.Contains(ddl, "TTL toDateTime(at) + toIntervalDay(400)") {
		t.Errorf("the audit is kept otherwise:\n%s", ddl)
	}
}

func TestAnswersToKeysAreRemovedAfterAMonthAndNothingElseWithThem(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	old, young := time.Now().AddDate(0, 0, -31).UnixMicro(), time.Now().AddDate(0, 0, -29).UnixMicro()
	table := cfg.Database + ".workspace"
	must(t, admin(t, cfg).Exec(t.Context(), "SYSTEM STOP MERGES "+table)) // What is old when it is written may go at once.
	for _, d := range []store.Doc{
		{Kind: "reply", ID: "old", Body: []byte("{}"), By: "system", At: old}, {Kind: "reply", ID: "young", Body: []byte("{}"), By: "system", At: young}, {Kind: "view", ID: "old", Body: []byte("{}"), By: "ana", At: old},
	} {
		if _, err := db.Keep(t.Context(), d, 0); err != nil {
			t.Fatal(err)
		}
	}
	must(t, admin(t, cfg).Exec(t.Context(), "SYSTEM START MERGES "+table))
	must(t, admin(t, cfg).Exec(t.Context(), "OPTIMIZE TABLE "+table+" FINAL"))
	for _, x := range []struct {
		kind, id string
		kept     bool
	}{{"reply", "old", false}, {"reply", "young", true}, {"view", "old", true}} {
		_, found, err := db.KeptOne(t.Context(), x.kind, x.id)
		must(t, err)
		if found != x.kept {
			t.Errorf("the %s %s: found %t", x.kind, x.id, found)
		}
	}
}
