package console_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func TestMeasuresAreShownAndGiven(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	post(h, "/incidents/"+id(in), form(in, "close", "verdict", "intrusion"))
	for _, by := range append(triage.Groupings(), "") {
		w := get(h, "/measures?days=365&by="+by)
		page := readPage(t, w.Body.String())
		if w.Code != 200 || !strings.Contains(page.text, "Open to closed (MTTR)") || !strings.Contains(page.text, "Precision by rule") {
			t.Errorf("%s: %d %s", by, w.Code, page.text)
		}
	}
	var doc struct {
		Durations []triage.Spread
		Noise     triage.Noise
		Groups    []triage.Group
	}
	if err := json.Unmarshal(get(h, "/api/v1/measures?days=365&by=zone").Body.Bytes(), &doc); err != nil || len(doc.Durations) != 8 || doc.Noise.Closed != 1 || doc.Groups[0].Name != "cell-3" {
		t.Errorf("%v %+v", err, doc)
	}
	for path, says := range map[string]string{"/measures?days=5": "days is one of", "/measures?by=mood": "by is one of"} {
		if w := get(h, path); w.Code != 400 || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := get(h, "/api/v1"+path); w.Code != 400 || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestAHandoverSaysWhatHappenedAndWhatIsLeft(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	do := func(in *incident.Incident, action string, more ...string) {
		t.Helper()
		f := form(in, action, more...)
		f.Set("revision", fmt.Sprint(p.stitcher.Get(in.ID).Revision))
		if w := post(h, "/incidents/"+id(in), f); w.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", action, w.Code, w.Body)
		}
	}
	do(in, "close", "verdict", "malfunction", "text", "worn bearing")
	do(in, "reopen")
	p.mu.Lock()
	now := p.stitcher.Get(in.ID)
	if _, err := p.stitcher.Act(incident.Action{ID: event.NewID("s"), Kind: incident.ActionSnooze, Incident: in.ID, Expected: now.Revision, By: "ana", At: p.now, Until: p.now + 60*minute, Text: "vendor"}, event.BatchID{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.stitcher.Act(incident.Action{ID: event.NewID("w"), Kind: incident.ActionSuppress, By: "ana", At: p.now, Suppression: &incident.Suppression{Title: "ends tomorrow", Expression: "x", Owner: "ot", Reason: "r", Until: p.now + 24*60*minute}}, event.BatchID{}); err != nil {
		t.Fatal(err)
	}
	p.mu.Unlock()
	page := readPage(t, get(h, "/handover").Body.String())
	for _, says := range []string{"1 closed", "1 reopened", "worn bearing", "malfunction", "Still open", "ends tomorrow", "Snoozed, and when it wakes up"} {
		if !strings.Contains(page.text, says) {
			t.Errorf("it does not say %q:\n%s", says, page.text)
		}
	}
	if page := readPage(t, get(h, "/handover?since=2027-01-01T00:00").Body.String()); !strings.Contains(page.text, "0 closed") {
		t.Error(page.text)
	}
	for _, path := range []string{"/handover?hours=7", "/handover?since=dawn"} {
		if w := get(h, path); w.Code != 400 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	p.broken = errors.New("store is away")
	if w := get(h, "/handover"); w.Code != 500 {
		t.Errorf("%d", w.Code)
	}
}

func TestHostileTextIsTextOnThePagesOfASoc(t *testing.T) {
	pages := []string{"/suppressions", "/handover?hours=168", "/measures?days=365", "/measures?days=365&by=rule", "/measures?days=365&by=site"}
	show := func(text string) map[string]page {
		p, in := compromised(t)
		x := *in
		x.ID, x.Title, x.Owner, x.Assignee, x.Robots, x.Sites = event.NewID("hostile"), "title="+text, "owner="+text, "assignee="+text, []string{"robot:robot=" + text}, []string{"site=" + text}
		x.Remarks, x.Updated, x.Snoozed = []incident.Remark{{At: p.now, By: "by=" + text, Text: "remark=" + text}}, p.now, p.now+minute
		p.fixed = append(p.fixed, &x)
		for _, kind := range []incident.ChangeKind{incident.ChangeOpened, incident.ChangeClosed, incident.ChangeMerged} {
			p.happened = append(p.happened, incident.Change{Kind: kind, Actor: "user:actor=" + text, Incident: &x})
		}
		for _, maintenance := range []bool{false, true} {
			p.held = append(p.held, incident.Suppression{
				ID: event.NewID("s"), Title: "stitle=" + text, Expression: "expression=" + text, Owner: "sowner=" + text, Reason: "reason=" + text, By: "maker=" + text, At: p.now,
				Until: p.now + minute, Maintenance: maintenance, Broken: "broken=" + text, RevokedBy: "revoker=" + text,
			}, incident.Suppression{ID: event.NewID("r"), Title: "t", At: p.now, Until: p.now, Revoked: p.now, RevokedBy: "revoker=" + text, Maintenance: maintenance})
		}
		out := map[string]page{}
		h := p.handler(t)
		for _, path := range pages {
			w := get(h, path)
			if w.Code != 200 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
			mustBeVisible(t, path, w.Body.String())
			out[path] = readPage(t, w.Body.String())
		}
		return out
	}
	for name, attack := range attacks {
		tame, got := show(strings.Repeat("x", len(attack.text))), show(attack.text)
		for _, path := range pages {
			if diff := cmp.Diff(tame[path].tags, got[path].tags); diff != "" {
				t.Errorf("%s: the attack %s changes the markup (-tame +attack):\n%s", path, name, diff)
			}
		}
		seen := strings.TrimSpace(attack.seen[:min(len(attack.seen), 20)])
		for path, labels := range map[string][]string{"/suppressions": {"stitle=", "expression=", "sowner=", "reason=", "broken=", "maker=", "revoker="}, pages[1]: {"title=", "owner=", "assignee=", "robot=", "actor=", "remark="}} {
			for _, label := range labels {
				if !strings.Contains(got[path].text, label+seen) {
					t.Errorf("%s: %s%s is not shown", path, label, seen)
				}
			}
		}
	}
}
