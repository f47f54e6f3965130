package console_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
)

// page is a well-formed answer: its text as a reader sees it, its tags with the names of their attributes, its titles.
type page struct {
	text string
	tags []string
}

// readPage fails the test for a tag that is not closed, an id given twice, and anything that runs, styles or loads inline.
func readPage(t *testing.T, body string) page {
	t.Helper()
	var p page
	var open []string
	var text strings.Builder
	ids := map[string]bool{}
	void := []string{"meta", "link", "img", "input", "br"}
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		kind := z.Next()
		token := z.Token()
		switch kind {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("the page ends inside %v", open)
			}
			p.text = text.String()
			return p
		case html.TextToken:
			text.WriteString(token.Data)
		case html.CommentToken:
			t.Errorf("the page has a comment: %q", token.Data)
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes nothing: open are %v", token.Data, open)
			}
			open = open[:len(open)-1]
		case html.StartTagToken, html.SelfClosingTagToken:
			p.tags = append(p.tags, tagOf(t, token, ids))
			if kind == html.StartTagToken && !slices.Contains(void, token.Data) {
				open = append(open, token.Data)
			}
		}
	}
}

func tagOf(t *testing.T, token html.Token, ids map[string]bool) string {
	t.Helper()
	if slices.Contains([]string{"script", "style", "iframe", "object", "embed", "base"}, token.Data) {
		t.Errorf("the page has a <%s>", token.Data)
	}
	tag := token.Data
	for _, a := range token.Attr {
		tag += " " + a.Key
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "xlink:href":
			t.Errorf("<%s> has the attribute %s", token.Data, a.Key)
		case a.Key == "id" && ids[a.Val]:
			t.Errorf("the id %q is given twice", a.Val)
		case (a.Key == "href" || a.Key == "action" || a.Key == "src") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#"):
			t.Errorf("<%s> leads to %q", token.Data, a.Val)
		case a.Key == "id":
			ids[a.Val] = true
		}
	}
	return tag
}

func id(in *incident.Incident) string { return event.FormatID(event.IncidentPrefix, in.ID) }

func TestEveryPageIsWellFormedAndSaysWhatItIsAbout(t *testing.T) {
	p, in := compromised(t)
	p.fixed = routine()
	h := p.handler(t)
	for path, texts := range map[string][]string{
		"/incidents?q=": {"Repeated protective stops of AMR-0017", "m.weber", "device management", "CHG-20931", "authorised activity", "5 incidents"},
		"/incidents/" + id(in): {
			"Malfunction or intrusion?", "intrusion", "Which robots?", "acme/amr-0042", "What changed just before?", "firmware of acme/amr-0042 from 5.14.2 to 5.14.3", "Check next",
			"refused a push prompt", "×3", "Network access", "Why these belong together", "user 00u1anaf", "Burst of telemetry to an address never seen before at 02:18:01", "and 14 repeats",
			"Have OT operations stop the cell", "Act", "Acknowledge", "Close with a verdict", "lock the account", "executes: false", "2 named people", "firmware",
		},
		"/incidents/" + id(p.fixed[0]): {"Repeated protective stops", "None that the evidence names.", "No finding is left in it."},
		"/events/" + in.Findings[0].Evidence[0].Event.Event.String(): {
			"authentication.mfa_challenge", "user rejected push", "auth_factors.factor_type_id", "Push Notification", "status_id", "2 Failure", `"eventType":"user.authentication.auth_via_mfa"`, `"class_uid": 3002`, "2026-11-21 02:00:00.000 UTC",
		},
		"/rejects": {"json_syntax", "The object ends at byte 54", `"uuid":"7b0fd2c6`, "okta-plant-1", "88213"},
		"/health":  {"store", "good", "source okta", "needs attention", "silent for 3 h"},
	} {
		w := get(h, path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: status %d, type %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		got := readPage(t, w.Body.String())
		for _, text := range texts {
			if !strings.Contains(got.text, text) {
				t.Errorf("%s lacks %q", path, text)
			}
		}
	}
	if w := get(h, "/"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/incidents" {
		t.Errorf("/ leads to %d %s", w.Code, w.Header().Get("Location"))
	}
	for path, kind := range map[string]string{"/style.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml"} {
		if w := get(h, path); w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestRejectsAreBoundedAndSaySo(t *testing.T) {
	p := newPlant()
	for range 250 {
		p.rejected = append(p.rejected, event.Reject{Code: "json_syntax", Raw: []byte(strings.Repeat("r", 1000))})
	}
	rejects := get(p.handler(t), "/rejects").Body.String()
	if n := strings.Count(rejects, "json_syntax"); n != 100 || strings.Count(rejects, strings.Repeat("r", 400)) != 100 || strings.Contains(rejects, strings.Repeat("r", 401)) || !strings.Contains(rejects, "the first part of 1000 bytes") {
		t.Errorf("the page shows %d rejects, or not the first 400 bytes of each", n)
	}
	if want := []int{100}; !slices.Equal(p.limits, want) {
		t.Errorf("the reader was asked for %v", p.limits)
	}
}

func TestWhatGoesWrongIsExplained(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	none := event.FormatID(event.IncidentPrefix, event.NewID("none"))
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/incidents/" + none:          {404, "\nthere is no incident inc_"},
		"/incidents/inc_short":        {400, "is not inc_ and 26 characters of base32"},
		"/incidents?sort=broken":      {400, "sort is one of updated, severity"},
		"/incidents?cursor=broken":    {400, "not a cursor"},
		"/incidents?after=broken":     {400, "goes on by cursor"},
		"/events/" + id(in):           {400, "is not ev_"},
		"/events/ev_" + none[4:]:      {404, "retention time"},
		"/nowhere":                    {404, "There is nothing at /nowhere"},
		"/incidents/" + none + "/act": {404, "There is nothing at"},
	} {
		w := get(h, path)
		got := readPage(t, w.Body.String())
		if w.Code != want.status || !strings.Contains(got.text, want.text) || !strings.Contains(got.text, "Queue") {
			t.Errorf("%s: %d %s", path, w.Code, got.text)
		}
	}
	for path, want := range map[string]int{"/api/v1/incidents/" + none: 404, "/api/v1/incidents/x": 400, "/api/v1/events/x": 400, "/api/v1/events/ev_" + none[4:]: 404, "/api/v1/nothing": 404, "/api/v1/incidents?status=x": 400} {
		w := get(h, path)
		var answer struct {
			Type, Title, Detail string
			Status              int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Detail == "" || answer.Title == "" || answer.Type != "about:blank" || answer.Status != want || w.Code != want ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/rejects":     {405, "POST does nothing at /rejects"},
		"/nowhere":     {404, "There is nothing at /nowhere"},
		"/ingest/none": {404, "the name of a source that has http: true"},
	} {
		if w := post(h, path, nil); w.Code != want.status || !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
	}
	p.broken = errors.New("connection refused")
	for _, path := range []string{"/incidents", "/incidents/" + id(in), "/rejects", "/events/" + in.Findings[0].Evidence[0].Event.Event.String()} {
		w := get(h, path)
		if got := readPage(t, w.Body.String()); w.Code != 500 || !strings.Contains(got.text, "The store did not answer: ") || !strings.Contains(got.text, "Nothing is lost") {
			t.Errorf("%s with a broken store: %d %s", path, w.Code, got.text)
		}
	}
}

func TestTheAPIAnswersInOCSF(t *testing.T) {
	p, in := compromised(t)
	p.fixed = routine()
	h := p.handler(t)
	var v ocsf.Validator
	check := func(doc []byte) {
		t.Helper()
		for _, problem := range v.Validate(doc) {
			if problem.Severity == ocsf.Error {
				t.Errorf("%s\n%s", problem, doc)
			}
		}
	}
	check(get(h, "/api/v1/incidents/"+id(in)).Body.Bytes())
	lines := 0
	for s := bufio.NewScanner(get(h, "/api/v1/incidents?as=ocsf").Body); s.Scan(); lines++ {
		check(s.Bytes())
	}
	if lines != 5 {
		t.Errorf("the queue has %d lines", lines)
	}
	at := "/api/v1/events/" + in.Findings[0].Evidence[0].Event.Event.String()
	check(get(h, at).Body.Bytes())
	if with, without := get(h, at+"?raw").Body.String(), get(h, at).Body.String(); !strings.Contains(with, "raw_data") || strings.Contains(without, "raw_data") {
		t.Error("?raw does not decide whether the raw record is told")
	}
	if w := get(h, "/api/v1/health"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `{"name":"source okta","good":false,`) {
		t.Errorf("health: %d %s", w.Code, w.Body)
	}
	p.checks = p.checks[:1]
	if w := get(h, "/api/v1/health"); w.Code != http.StatusOK {
		t.Errorf("good health: %d", w.Code)
	}
}

func TestAConsoleThatOnlyReadsHasNoForm(t *testing.T) {
	p, in := compromised(t)
	set := p.settings()
	set.Analyst, set.Health = nil, nil
	h := mustNew(t, set)
	if got := get(h, "/incidents/"+id(in)).Body.String(); strings.Contains(got, `method="post"`) {
		t.Error("the page has a form")
	}
	if w := post(h, "/incidents/"+id(in), url.Values{"revision": {"1"}, "by": {"ana"}, "action": {"note"}, "text": {"x"}}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "only reads") {
		t.Errorf("an act got %d", w.Code)
	}
	if w := get(h, "/api/v1/health"); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("health without checks: %d %s", w.Code, w.Body)
	}
}

func TestARawRecordIsShownFromItsFirstByte(t *testing.T) {
	p, in := compromised(t)
	at := in.Findings[0].Evidence[0].Event.Event
	p.events[at].Envelope.Raw = []byte("\n\r first")
	doc, err := html.Parse(get(p.handler(t), "/events/"+at.String()).Body)
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data == "pre" {
			if got := n.FirstChild.Data; got != "\n\\u000d first" {
				t.Errorf("shown as %q", got)
			}
			return
		}
	}
	t.Error("there is no raw record")
}

func TestAStoreThatFailsIsLoggedAndAClientThatLeavesIsNot(t *testing.T) {
	p, _ := compromised(t)
	set := p.settings()
	var log bytes.Buffer
	set.Log = slog.New(slog.NewTextHandler(&log, nil))
	h := mustNew(t, set)
	p.broken = context.Canceled
	get(h, "/incidents")
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
	p.broken = errors.New("connection refused")
	get(h, "/incidents")
	get(h, "/api/v1/incidents")
	if n := strings.Count(log.String(), "connection refused"); n != 2 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}
