package console_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

func TestASuppressionIsShownWithItsImpactBeforeItIsMade(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	rule := in.Findings[0].Rule.ID
	draft := url.Values{"title": {"rebuild of cell 3"}, "expression": {rule}, "owner": {"ot"}, "reason": {"planned work"}, "until": {"2026-11-28T06:00"}, "kind": {"suppression"}}
	w := get(h, "/suppressions/new?"+draft.Encode())
	if page := readPage(t, w.Body.String()); w.Code != 200 || !strings.Contains(page.text, "1 of ") || !strings.Contains(w.Body.String(), "Begin it") {
		t.Fatalf("%d %s", w.Code, page.text)
	}
	bad := maps.Clone(draft)
	bad["expression"] = []string{"((a"}
	if page := readPage(t, get(h, "/suppressions/new?"+bad.Encode()).Body.String()); !strings.Contains(page.text, "column 2") || strings.Contains(page.text, "Begin it") {
		t.Error(page.text)
	}
	for range 2 {
		if w := post(h, "/suppressions", draft); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	list := p.Suppressions()
	if len(list) != 1 || list[0].Owner != "ot" || list[0].By != "local" {
		t.Fatalf("%+v", list)
	}
	page := readPage(t, get(h, "/suppressions").Body.String())
	if !strings.Contains(page.text, "active") || !strings.Contains(page.text, "rebuild of cell 3") || !strings.Contains(page.text, "There are none.") {
		t.Error(page.text)
	}
	revoke := "/suppressions/" + event.FormatID("sup_", list[0].ID) + "/revoke"
	if w := post(h, revoke, url.Values{"by": {"ben"}}); w.Code != http.StatusSeeOther || p.Suppressions()[0].RevokedBy != "ben" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if page := readPage(t, get(h, "/suppressions").Body.String()); !strings.Contains(page.text, "revoked by ben") || strings.Contains(page.text, "Revoke\n") {
		t.Error(page.text)
	}
	for _, c := range []struct {
		path   string
		form   url.Values
		status int
		says   string
	}{
		{"/suppressions", url.Values{}, 400, "the end is a date"},
		{"/suppressions", url.Values{"until": {"2026-11-28T06:00"}}, 400, "a title is missing"},
		{"/suppressions", url.Values{"kind": {"maintenance"}, "until": {"2026-11-28T06:00"}}, 400, "the beginning is a date"},
		{"/suppressions", url.Values{"title": {"x"}, "expression": {"x"}, "owner": {"x"}, "reason": {"x"}, "until": {"2036-11-28T06:00"}}, 400, "at most a year"},
		{"/suppressions/x/revoke", url.Values{}, 400, "id x"},
		{"/suppressions/" + event.FormatID("sup_", event.NewID("none")) + "/revoke", url.Values{}, 404, "no such suppression"},
	} {
		if w := post(h, c.path, c.form); w.Code != c.status || !strings.Contains(readPage(t, w.Body.String()).text, c.says) {
			t.Errorf("%s %v: %d %s", c.path, c.form, w.Code, w.Body)
		}
	}
}

func TestWhoSeesSomeSitesOnlyMakesNoSuppression(t *testing.T) {
	c, _ := newCaller(t)
	c.who = access.Person{Name: "ana", Role: access.Analyst, Via: "local", Sites: []string{"north"}}
	for _, path := range []string{"/suppressions/new", "/api/v1/suppressions/preview?expression=x"} {
		if w := get(c.h, path); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := post(c.h, "/suppressions", url.Values{}); w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
	if status, got := c.send("/api/v1/suppressions", `{}`); status != 403 {
		t.Errorf("%d %v", status, got)
	}
	if got := get(c.h, "/suppressions").Body.String(); strings.Contains(got, "/suppressions/new") {
		t.Error("a form is offered")
	}
}

func TestSuppressionsAreMadeListedAndRevokedByTheAPI(t *testing.T) {
	c, _ := newCaller(t)
	c.who.Scopes = []string{"act", "read"}
	body := `{"title":"night shift","expression":"r","owner":"ot","reason":"tests","from":"2026-11-21T20:00:00Z","until":"2026-11-22T04:00:00Z","maintenance":true}`
	status, made := c.send("/api/v1/suppressions", body)
	if status != 200 || made["state"] != "planned" || made["by"] != "soar-bot" || made["maintenance"] != true {
		t.Fatalf("%d %v", status, made)
	}
	if status, again := c.send("/api/v1/suppressions", body); status != 200 || !cmp.Equal(made, again) || len(c.p.Suppressions()) != 1 {
		t.Errorf("%d %v", status, again)
	}
	var list []map[string]any
	if err := json.Unmarshal(get(c.h, "/api/v1/suppressions").Body.Bytes(), &list); err != nil || len(list) != 1 || !cmp.Equal(list[0], made) {
		t.Errorf("%v %v", err, list)
	}
	var impact console.Impact
	if err := json.Unmarshal(get(c.h, "/api/v1/suppressions/preview?expression=r").Body.Bytes(), &impact); err != nil || impact.Since == 0 {
		t.Errorf("%v %+v", err, impact)
	}
	if w := get(c.h, "/api/v1/suppressions/preview?expression=((a"); w.Code != 422 || !strings.Contains(w.Body.String(), "column 2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	path := fmt.Sprintf("/api/v1/suppressions/%s/revoke", made["id"])
	if status, got := c.send(path, `{}`); status != 200 || got["state"] != "revoked" {
		t.Errorf("%d %v", status, got)
	}
	for _, x := range [][2]string{{path, `{"x":1}`}, {"/api/v1/suppressions", `{"title":1}`}, {"/api/v1/suppressions/x/revoke", `{}`}} {
		if status, got := c.send(x[0], x[1]); status != 400 {
			t.Errorf("%v: %d %v", x, status, got)
		}
	}
	c.who.Scopes = []string{"read"}
	if status, got := c.send("/api/v1/suppressions", body); status != 403 {
		t.Errorf("%d %v", status, got)
	}
}
