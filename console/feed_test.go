package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// saved keeps a view of the queue and gives its id.
func saved(t *testing.T, h http.Handler, name, q string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "q": q})
	if err != nil {
		t.Fatal(err)
	}
	w := send(h, "POST", "/api/v1/views", string(body))
	if w.Code != http.StatusCreated {
		t.Fatal(w.Code, w.Body)
	}
	return strings.TrimPrefix(w.Header().Get("Location"), "/api/v1/views/")
}

func TestAFeedReaderReadsTheFeedsOfAView(t *testing.T) {
	p, in := compromised(t)
	p.fixed = routine()
	h := p.handler(t)
	view := saved(t, h, "Grave ones", "severity >= medium")
	for _, kind := range []string{"atom", "json"} {
		w := get(h, "/feeds/"+view+"."+kind)
		feed, err := gofeed.NewParser().Parse(w.Body)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if feed.Title != "Grave ones" || len(feed.Items) != 3 || feed.FeedType != kind || feed.Link == "" || feed.FeedLink != "http://localhost:8080/feeds/"+view+"."+kind {
			t.Fatalf("%s: %d items of %q, a feed of %s at %s", kind, len(feed.Items), feed.Title, feed.FeedType, feed.FeedLink)
		}
		first := feed.Items[0]
		if first.Title != in.Title || first.Link != "http://localhost:8080/incidents/"+id(in) || first.GUID != "urn:tocsin:"+id(in) || !first.UpdatedParsed.Equal(time.UnixMicro(in.Updated)) {
			t.Errorf("%s: the first item is %+v", kind, first)
		}
		if text := first.Description + first.Content; !strings.Contains(text, "critical, score 100, open; intrusion") {
			t.Errorf("%s: the first item says %q", kind, text)
		}
		for _, raw := range []string{"00u1anaf", "203.0.113.77", "pick_v9", "user rejected push"} {
			if strings.Contains(w.Body.String(), raw) {
				t.Errorf("%s: the feed has text of events: %s", kind, raw)
			}
		}
		if feed.UpdatedParsed != nil && !feed.UpdatedParsed.Equal(time.UnixMicro(in.Updated)) {
			t.Errorf("%s: updated %v", kind, feed.UpdatedParsed)
		}
	}
	for _, path := range []string{"/feeds/" + view, "/feeds/" + view + ".rss", "/feeds/none.atom"} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestFeedsCarryHostileTextAsText(t *testing.T) {
	for name, attack := range attacks {
		p := newPlant()
		p.fixed = []*incident.Incident{{
			ID: event.NewID(name), Revision: 1, Status: incident.Open, Title: attack.text, Owner: attack.text, Severity: incident.Low, Updated: night, Opened: night,
			Robots: []string{"robot:" + attack.text}, Domains: []string{attack.text},
		}}
		h := p.handler(t)
		view := saved(t, h, "view "+name, "")
		for _, kind := range []string{"atom", "json"} {
			body := get(h, "/feeds/"+view+"."+kind).Body.String()
			mustBeVisible(t, name+" "+kind, body)
			feed, err := gofeed.NewParser().ParseString(body)
			if err != nil || len(feed.Items) != 1 {
				t.Errorf("%s %s: %v\n%s", name, kind, err, body)
				continue
			}
			if text := feed.Items[0].Title + feed.Items[0].Description + feed.Items[0].Content; strings.ContainsAny(text, "<>") {
				t.Errorf("%s %s: markup for a reader that takes it for such: %q", name, kind, text)
			}
		}
	}
}

// listen reads server-sent events until it has n, and gives their ids and names.
func listen(t *testing.T, base, query, last string, n int) (ids, names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	for s := bufio.NewScanner(w.Body); len(names) < n && s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "id: "); ok {
			ids = append(ids, v)
		}
		if v, ok := strings.CutPrefix(s.Text(), "event: "); ok {
			names = append(names, v)
		}
	}
	return ids, names
}

func TestTheStreamTellsOnlyWhatPassesAndGoesOnWhereItWas(t *testing.T) {
	p, _ := compromised(t)
	p.fixed = routine()
	set := p.settings()
	who := access.Person{Name: "ana", Role: access.Viewer, Via: "local"}
	set.Person = func(*http.Request) access.Person { return who }
	server := httptest.NewServer(mustNew(t, set))
	defer server.Close()
	start := triage.Sequence{}.String()
	high := url.Values{"q": {"severity >= high and change == \"updated\""}}
	ids, names := listen(t, server.URL, high.Encode(), start, 2)
	if len(ids) != 2 || names[0] != "incident.updated" {
		t.Fatalf("%v %v", ids, names)
	}
	again, _ := listen(t, server.URL, high.Encode(), ids[0], 1)
	if len(again) != 1 || again[0] != ids[1] {
		t.Errorf("after %s comes %v, not %s", ids[0], again, ids[1])
	}
	who.Sites = []string{"plant-2"} // what has no site is for everybody; the plant's incident is of plant-1
	elsewhere, _ := listen(t, server.URL, high.Encode(), start, 1)
	if len(elsewhere) != 1 || elsewhere[0] != ids[1] {
		t.Errorf("of another site: %v", elsewhere)
	}
}
