package console_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// visit is get and where a redirection leads.
func visit(h http.Handler, path string) *httptest.ResponseRecorder {
	w := get(h, path)
	for range 3 {
		to := w.Header().Get("Location")
		if w.Code != http.StatusSeeOther || to == "" {
			break
		}
		w = get(h, to)
	}
	return w
}

func TestTheQueueShowsWhatPassesTheFilterAndKeepsTheFilter(t *testing.T) {
	p, in := compromised(t)
	p.fixed = routine()
	p.fixed[1].Snoozed = p.now + minute
	h := p.handler(t)
	for query, want := range map[string][]string{
		"":                        {in.Title, "protective stops", "Modbus"},
		"q=":                      {in.Title, "protective stops", "contractor", "Modbus", "CHG-20931"},
		"q=open+and+snoozed":      {"contractor"},
		"status=open":             {in.Title, "contractor", "Modbus"},
		"status=closed":           {"CHG-20931"},
		"owner=ot":                {"Modbus", "CHG-20931"},
		"robot=amr-0004":          {"CHG-20931"},
		"robot=robot:amr-0004":    {"CHG-20931"},
		"title=Modbus":            {"Modbus"},
		"title=modBUS":            {"Modbus"},
		"severity=high":           {in.Title, "Modbus"},
		"owner=ot&status=open":    {"Modbus"},
		"owner=%20ot%E2%80%AE%00": {"Modbus", "CHG-20931"},
		"title=nowhere":           {},
		"q=" + url.QueryEscape(`"t1041" in attack or "T1041" in attack`):           {in.Title},
		"status=open&q=" + url.QueryEscape(`owner == "it" or owner == "ot"`):       {"contractor", "Modbus"},
		"q=" + url.QueryEscape(`assignee == "m.weber"`):                            {"protective stops"},
		"q=" + url.QueryEscape(`any(addresses, cidr(#, "198.51.100.0/24"))`):       {in.Title},
		"q=" + url.QueryEscape(`assessment == "intrusion" and "plant-1" in sites`): {in.Title},
		"domain=ot&zone=cell-7": {},
	} {
		got := readPage(t, visit(h, "/incidents?"+query).Body.String())
		for _, title := range []string{in.Title, "protective stops", "contractor", "Modbus", "CHG-20931"} {
			if strings.Contains(got.text, title) != slices.Contains(want, title) {
				t.Errorf("?%s: %q is shown: %v", query, title, strings.Contains(got.text, title))
			}
		}
	}
	w := get(h, "/incidents?status=closed&q=a%22%3Eb")
	if to, err := url.Parse(w.Header().Get("Location")); err != nil || to.Query().Get("q") != `a">b and status == "closed"` {
		t.Errorf("the controls become %s", w.Header())
	}
	w = visit(h, "/incidents?q=a%22%3Eb")
	if body := w.Body.String(); w.Code != http.StatusBadRequest || !strings.Contains(body, `value="a&#34;&gt;b"`) || !strings.Contains(body, `id="wrong"`) {
		t.Errorf("a filter that is wrong: %d, or the form has lost it", w.Code)
	}
	if got := readPage(t, get(h, "/incidents?q=sevrity+%3E+low").Body.String()).text; !strings.Contains(got, "at 1:1: unknown name sevrity (did you mean severity?)") {
		t.Errorf("a misspelt name is not explained: %s", got)
	}
	if got := visit(h, "/incidents?title=nowhere").Body.String(); !strings.Contains(got, "No incident passes the filter.") {
		t.Error("an empty answer to a filter does not say so")
	}
	if got := get(newPlant().handler(t), "/incidents?q=").Body.String(); !strings.Contains(got, "No incident yet.") {
		t.Error("an empty queue does not say so")
	}
}

// links are the addresses on a page by their text.
func links(t *testing.T, body []byte) map[string]string {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for n := range doc.Descendants() {
		if n.Data != "a" || n.FirstChild == nil {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				out[strings.TrimSpace(n.FirstChild.Data)] = a.Val
			}
		}
	}
	return out
}

func TestThePagesOfTheQueueHoldEachIncidentOnce(t *testing.T) {
	p := newPlant()
	for i := range 250 {
		p.fixed = append(p.fixed, &incident.Incident{
			ID: event.NewID(fmt.Sprint(i)), Revision: 1, Status: incident.Open, Title: fmt.Sprintf("number %d", i), Severity: incident.Severity(1 + i%3), Updated: night + int64(i/10), Opened: night,
		})
	}
	h := p.handler(t)
	for _, address := range []string{"/incidents", "/incidents?q=severity+%3E%3D+low&sort=-severity", "/incidents?q=&sort=updated"} {
		seen := map[string]bool{}
		pages := 0
		want := 250
		if strings.Contains(address, "low") {
			want = 166
		}
		for at := address; at != ""; pages++ {
			body := get(h, at).Body.Bytes()
			if !bytes.Contains(body, []byte(fmt.Sprintf("%d incidents", want))) {
				t.Fatalf("%s does not say how many there are", at)
			}
			to := links(t, body)
			for text := range to {
				if strings.HasPrefix(text, "number ") {
					if seen[text] {
						t.Errorf("%s: %s comes again", at, text)
					}
					seen[text] = true
				}
			}
			at = to["next page"]
		}
		if len(seen) != want || pages != (want+99)/100 {
			t.Errorf("%s: %d incidents on %d pages", address, len(seen), pages)
		}
	}
}

func TestAFacetNarrowsTheQueueAndIsTakenBack(t *testing.T) {
	p, _ := compromised(t)
	p.fixed = routine()
	h := p.handler(t)
	to := links(t, get(h, "/incidents?q=").Body.Bytes())
	body := get(h, to["robot-operations"]).Body.Bytes()
	if text := readPage(t, string(body)).text; !strings.Contains(text, "protective stops") || strings.Contains(text, "Modbus") {
		t.Errorf("%s leads elsewhere", to["robot-operations"])
	}
	to = links(t, body)
	narrower := get(h, to["medium"]).Body.Bytes()
	if text := readPage(t, string(narrower)).text; !strings.Contains(text, "protective stops") || strings.Contains(text, "acme/amr-0042") {
		t.Errorf("%s leads elsewhere", to["medium"])
	}
	back := links(t, narrower)["robot-operations"]
	if u, err := url.Parse(back); err != nil || u.Query().Get("q") != "severity == medium" {
		t.Errorf("taking the owner back leads to %s", back)
	}
}

// several is a form of the queue about some incidents as they are now.
func several(action string, list []*incident.Incident, more ...string) url.Values {
	f := url.Values{"action": {action}, "q": {""}, "by": {"ana"}}
	for _, in := range list {
		f.Add("pick", id(in))
		f.Add("revision", fmt.Sprintf("%s:%d", id(in), in.Revision))
	}
	for i := 0; i < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	return f
}

// pair is a plant with two incidents that can be acted on.
func pair(t *testing.T) (*plant, []*incident.Incident) {
	t.Helper()
	p, in := compromised(t)
	a := incident.Action{ID: event.NewID("split"), Kind: incident.ActionSplit, Incident: in.ID, Expected: in.Revision, By: "x", At: p.now, Findings: []event.ID{in.Findings[4].ID}}
	if _, err := p.stitcher.Act(a, event.BatchID{Epoch: 1, Number: 99}); err != nil {
		t.Fatal(err)
	}
	all := p.stitcher.Incidents()
	slices.SortFunc(all, func(a, b *incident.Incident) int { return int(a.Opened - b.Opened) })
	if len(all) != 2 {
		t.Fatal(len(all))
	}
	return p, all
}

func TestActsOnSeveralIncidentsReachEachOfThem(t *testing.T) {
	for _, c := range []struct {
		form func([]*incident.Incident) url.Values
		done string
		want func(p *plant, in *incident.Incident) bool
	}{
		{func(l []*incident.Incident) url.Values { return several("acknowledge", l) }, "2 incidents acknowledged", func(_ *plant, in *incident.Incident) bool {
			return in.Status == incident.Acknowledged && in.Assignee == "ana"
		}},
		{func(l []*incident.Incident) url.Values { return several("assign", l, "assignee", " ben ") }, "2 incidents assigned", func(_ *plant, in *incident.Incident) bool { return in.Assignee == "ben" }},
		{
			func(l []*incident.Incident) url.Values {
				return several("close", l, "verdict", "test", "text", "drill")
			}, "2 incidents closed",
			func(_ *plant, in *incident.Incident) bool {
				return in.Status == incident.Closed && in.Verdict == incident.TestActivity && in.Remarks[0].Text == "drill"
			},
		},
		{func(l []*incident.Incident) url.Values { return several("merge", l) }, "1 incident merged", func(p *plant, in *incident.Incident) bool {
			return in.Status == incident.Merged || in.Opened == night+20*minute && len(in.Findings) == 5
		}},
		{func(l []*incident.Incident) url.Values {
			return several("snooze", l, "until", "4h", "text", "waits for the vendor")
		}, "2 incidents snoozed", func(p *plant, in *incident.Incident) bool { return in.Snoozed == p.now+4*60*minute }},
	} {
		p, all := pair(t)
		form := c.form(all)
		w := post(p.handler(t), "/incidents", form)
		got := readPage(t, w.Body.String())
		if w.Code != http.StatusOK || !strings.Contains(got.text, c.done) || !strings.Contains(w.Body.String(), `value="undo"`) {
			t.Errorf("%s: %d %s", form.Get("action"), w.Code, got.text)
		}
		for _, in := range p.stitcher.Incidents() {
			if !c.want(p, in) {
				t.Errorf("after %s: %+v", form.Get("action"), in)
			}
		}
		before := p.changes
		if w := post(p.handler(t), "/incidents", form); w.Code != http.StatusOK || p.changes != before {
			t.Errorf("%s sent twice: %d, %d changes more\n%s", form.Get("action"), w.Code, p.changes-before, readPage(t, w.Body.String()).text)
		}
	}
}

func TestAnActOnSeveralIncidentsSaysWhichFailedAndWhy(t *testing.T) {
	p, all := pair(t)
	h := p.handler(t)
	stale := several("acknowledge", all)
	if w := post(h, "/incidents/"+id(all[0]), form(all[0], "note", "text", "meanwhile")); w.Code != http.StatusSeeOther {
		t.Fatal(w.Code)
	}
	w := post(h, "/incidents", stale)
	got := readPage(t, w.Body.String()).text
	if w.Code != http.StatusOK || !strings.Contains(got, "1 incident acknowledged") || !strings.Contains(got, "1 not acknowledged") || !strings.Contains(got, "somebody was faster") || !strings.Contains(got, "look at it again") {
		t.Errorf("%d %s", w.Code, got)
	}
	if w := post(h, "/incidents", several("acknowledge", all[:1], "revision", id(all[0])+":1")); w.Code != http.StatusConflict {
		t.Errorf("nothing done: %d", w.Code)
	}
	for _, c := range []struct {
		form   url.Values
		status int
		text   string
	}{
		{several("explode", all), 400, `"explode" is nothing that can be done to several incidents`},
		{several("split", all), 400, "nothing that can be done to several"},
		{several("close", all), 400, "closing needs a verdict"},
		{several("snooze", all), 400, "say how long"},
		{several("merge", all[:1]), 400, "pick at least two"},
		{several("acknowledge", nil), 400, "pick at least one"},
		{several("acknowledge", all, "pick", "inc_x"), 400, "is not inc_"},
		{several("acknowledge", all, "pick", event.FormatID(event.IncidentPrefix, event.NewID("none"))), 400, "there is no incident"},
		{several("acknowledge", all, "revision", ""), 400, "load the queue again"},
		{several("acknowledge", all, "revision", id(all[0])+":x"), 400, "load the queue again"},
		{several("assign", all, "assignee", strings.Repeat("é", 101)), 400, "the assignee has 101 characters"},
	} {
		w := post(h, "/incidents", c.form)
		if got := readPage(t, w.Body.String()); w.Code != c.status || !strings.Contains(got.text, c.text) {
			t.Errorf("%s: %d %s", c.text, w.Code, got.text)
		}
	}
}

func TestTheNameOfWhoSignedInIsNotTakenFromTheForm(t *testing.T) {
	p, all := pair(t)
	set := p.settings()
	set.Person = func(*http.Request) access.Person {
		return access.Person{Name: "eve", Role: access.Analyst, Via: "local"}
	}
	post(mustNew(t, set), "/incidents", several("acknowledge", all))
	if len(p.acts) != 2 || p.acts[0].By != "eve" || p.acts[1].By != "eve" {
		t.Errorf("%+v", p.acts)
	}
}

func TestSitesBoundWhatThePersonSeesAndDoes(t *testing.T) {
	p, in := compromised(t) // at plant-1
	set := p.settings()
	who := access.Person{Name: "eve", Role: access.Analyst, Via: "local", Sites: []string{"plant-2"}}
	set.Person = func(*http.Request) access.Person { return who }
	h := mustNew(t, set)
	for _, path := range []string{
		"/incidents?q=", "/incidents.csv", "/incidents.ndjson", "/api/v1/incidents", "/api/v1/incidents?as=ocsf", "/api/v1/facets", "/api/v1/changes.ndjson?since=0", "/api/v1/incidents/" + id(in) + "/findings",
	} {
		if body := get(h, path).Body.String(); strings.Contains(body, "rb-0005") || strings.Contains(body, "restricted area") || strings.Contains(body, "amr-0042") {
			t.Errorf("%s tells of another plant: %s", path, body)
		}
	}
	if w := post(h, "/incidents", several("acknowledge", []*incident.Incident{in})); w.Code != http.StatusBadRequest || p.changes != 0 {
		t.Errorf("an act on another plant's incident: %d", w.Code)
	}
	who.Sites = []string{"plant-1"}
	if body := get(h, "/api/v1/incidents").Body.String(); !strings.Contains(body, "amr-0042") {
		t.Error("the own plant is missing")
	}
}

func TestAViewIsKeptSharedAndRemoved(t *testing.T) {
	p, _ := compromised(t)
	p.fixed = routine()
	set := p.settings()
	who := access.Person{Name: "ana", Role: access.Viewer, Via: "local"}
	set.Person = func(*http.Request) access.Person { return who }
	h := mustNew(t, set)
	w := post(h, "/views", url.Values{"action": {"keep"}, "name": {"OT <b>"}, "q": {`owner == "ot"`}, "sort": {"-severity"}})
	if w.Code != http.StatusSeeOther {
		t.Fatal(w.Code, w.Body)
	}
	at := w.Header().Get("Location")
	body := get(h, at).Body.String()
	if got := readPage(t, body).text; !strings.Contains(got, "OT <b>") || !strings.Contains(got, "Modbus") || strings.Contains(got, "contractor") || !strings.Contains(body, ".atom") {
		t.Errorf("%s shows %s", at, got)
	}
	if w := post(h, "/views", url.Values{"action": {"keep"}, "name": {"for all"}, "shared": {"yes"}}); w.Code != http.StatusBadRequest {
		t.Errorf("a viewer shares a view: %d", w.Code)
	}
	var mine struct{ Views []console.QueueView }
	if err := json.Unmarshal(get(h, "/api/v1/views").Body.Bytes(), &mine); err != nil || len(mine.Views) != 1 {
		t.Fatalf("%v %+v", err, mine)
	}
	v := mine.Views[0]
	who = access.Person{Name: "ben", Role: access.Analyst, Via: "local"}
	if w := get(h, "/feeds/"+v.ID+".atom"); w.Code != http.StatusNotFound {
		t.Errorf("another person's view: %d", w.Code)
	}
	if w := post(h, "/views", url.Values{"action": {"drop"}, "id": {v.ID}}); w.Code != http.StatusNotFound {
		t.Errorf("another person's view is removed: %d", w.Code)
	}
	shared := send(h, "POST", "/api/v1/views", `{"name":"all of it","q":"","shared":true}`)
	if shared.Code != http.StatusCreated || !strings.HasPrefix(shared.Header().Get("Location"), "/api/v1/views/vw_") {
		t.Fatal(shared.Code, shared.Body)
	}
	address := shared.Header().Get("Location")
	if w := send(h, "PUT", address, `{"name":"all of it","q":"open","shared":true,"revision":7}`); w.Code != http.StatusConflict {
		t.Errorf("a stale change: %d %s", w.Code, w.Body)
	}
	if w := send(h, "PUT", address, `{"name":"all of it","q":"open","shared":true,"revision":1}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"revision":2`) {
		t.Errorf("a change: %d %s", w.Code, w.Body)
	}
	who = access.Person{Name: "ana", Role: access.Analyst, Via: "local"}
	if w := get(h, address); w.Code != http.StatusOK {
		t.Errorf("a shared view: %d", w.Code)
	}
	if w := send(h, "DELETE", address, ""); w.Code != http.StatusBadRequest {
		t.Errorf("somebody else removes it: %d", w.Code)
	}
	for _, body := range []string{`{"name":"x"`, `{"name":"x","admin":true}`, `{}`, `[]`, `{"name":"x","q":"sevrity"}`, `{"name":"x","sort":"y"}`, `{"name":"x"} {}`} {
		if w := send(h, "POST", "/api/v1/views", body); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
	who.Name = "ben"
	if w := send(h, "DELETE", address+"?revision=2", ""); w.Code != http.StatusNoContent || len(p.views.list) != 1 {
		t.Errorf("removing it: %d", w.Code)
	}
}

func send(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return ask(h, r)
}

func TestAPollerThatGoesForwardsSeesEachIncident(t *testing.T) {
	p := newPlant()
	for i := range 30 {
		p.fixed = append(p.fixed, &incident.Incident{ID: event.NewID(fmt.Sprint(i)), Revision: 1, Status: incident.Open, Title: "n", Severity: incident.Low, Updated: night + int64(i/7)*second, Opened: night})
	}
	h := p.handler(t)
	seen := map[string]int{}
	query := url.Values{"updated_since": {time.UnixMicro(night + second).UTC().Format(time.RFC3339)}, "limit": {"4"}}
	last := ""
	for {
		w := get(h, "/api/v1/incidents?"+query.Encode())
		var page struct {
			Incidents []struct{ ID, Updated string }
			Next      string
			Total     int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Total != 23 {
			t.Fatalf("%v %s", err, w.Body)
		}
		for _, in := range page.Incidents {
			seen[in.ID]++
			if in.Updated < last {
				t.Error("the order goes back")
			}
			last = in.Updated
		}
		if page.Next == "" {
			break
		}
		if !strings.Contains(w.Header().Get("Link"), page.Next) {
			t.Errorf("Link: %s", w.Header().Get("Link"))
		}
		query.Set("cursor", page.Next)
	}
	if len(seen) != 23 {
		t.Errorf("%d incidents", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	for _, bad := range []string{"updated_since=yesterday", "cursor=x", "after=x", "limit=0", "limit=1001", "limit=x", "sort=x", "q=x", "status=x"} {
		if w := get(h, "/api/v1/incidents?"+bad); w.Code != http.StatusBadRequest || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

func TestExportsCarryHostileTextAsText(t *testing.T) {
	texts := []string{"=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|x", "%x", " =1", "\u3000=1", "\uff1d1"}
	for _, a := range attacks {
		texts = append(texts, a.text)
	}
	p := newPlant()
	for i, text := range texts {
		p.fixed = append(p.fixed, &incident.Incident{
			ID: event.NewID(fmt.Sprint(i)), Revision: 1, Status: incident.Open, Title: text, Owner: text, Assignee: text, Severity: incident.Low, Updated: night, Opened: night,
			Robots: []string{"robot:" + text}, Domains: []string{text},
		})
	}
	h := p.handler(t)
	w := get(h, "/incidents.csv?q=")
	sheet, marked := strings.CutPrefix(w.Body.String(), "\ufeff")
	mustBeVisible(t, "the CSV", sheet)
	rows, err := csv.NewReader(strings.NewReader(sheet)).ReadAll()
	if err != nil || !marked || len(rows) != len(texts)+1 || !strings.Contains(w.Header().Get("Content-Disposition"), "attachment") { // Excel knows UTF-8 by the mark.
		t.Fatalf("%d rows, a byte order mark: %t: %v", len(rows), marked, err)
	}
	for _, row := range rows {
		for _, c := range row {
			if first := []rune(strings.TrimLeft(c, " \u3000")); len(first) > 0 && strings.ContainsRune("=+-@\t\r\uff1d", first[0]) {
				t.Errorf("a cell is a formula: %q", c)
			}
		}
	}
	w = get(h, "/incidents.ndjson?q=")
	mustBeVisible(t, "the NDJSON", w.Body.String())
	for line := range strings.Lines(w.Body.String()) {
		var c struct{ Title string }
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	if n := strings.Count(w.Body.String(), "\n"); n != len(texts) {
		t.Errorf("%d lines", n)
	}
}

// BenchmarkQueuePage is the queue over 5,000 incidents, with counts, rendered.
func BenchmarkQueuePage(b *testing.B) {
	kept := board.New(board.Settings{Now: func() int64 { return night + minute }, Zones: func(string) string { return "cell-7" }})
	var changes []incident.Change
	for i := range 5000 {
		in := &incident.Incident{
			ID: event.NewID(fmt.Sprint(i)), Revision: 1, Status: incident.Open, Title: fmt.Sprintf("Program changed on amr-%04d", i), Severity: incident.Severity(1 + i%6), Score: i % 101, Owner: "ot",
			Updated: night + int64(i), Opened: night, First: night, Last: night, Robots: []string{fmt.Sprintf("robot:amr-%04d", i%300)}, Domains: []string{"robot", "identity"}, Sites: []string{"plant-1"},
			Entities: []incident.Member{{ID: fmt.Sprintf("robot:amr-%04d", i%300), Kind: event.EntityRobot, Strength: event.Strong, Roles: []event.Role{event.RoleTarget}}},
		}
		changes = append(changes, incident.Change{Batch: event.BatchID{Epoch: 1, Number: uint64(i)}, Incident: in})
	}
	kept.Publish(changes)
	p := newPlant()
	set := p.settings()
	set.Board = kept
	h, err := console.New(set)
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/incidents", "/incidents?q=" + url.QueryEscape(`severity >= high and any(zones, # startsWith "cell-")`) + "&sort=-severity", "/api/v1/incidents?q=open"} {
		b.Run(path[:min(len(path), 20)], func(b *testing.B) {
			for b.Loop() {
				if w := get(h, path); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
