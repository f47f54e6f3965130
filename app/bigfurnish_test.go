package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Who asks for the pages of the big store, and who is told of its incidents.
const (
	bigPerson, bigPassword = "bench", "a long way to the big store"
	bigEndpoint            = "soc"
	bigAudit, bigRejects   = 200_000, 20_000
)

func bigDelivery(i int) event.ID { return incident.DeliveryID(bigIncident(i), 1, bigEndpoint) }

// furnish writes once what stands in the store beside events and incidents: people and their tokens, the audit, rejects, and a delivery of
// each incident, one in ten of them dead.
func furnish(t *testing.T, cfg app.Config, dir string, incidents int) {
	t.Helper()
	done := filepath.Join(dir, "furnished")
	if _, err := os.Stat(done); err == nil {
		return
	}
	feeds := ""
	must(t, app.People(t.Context(), cfg, nil, func(s *access.Service) (access.Entry, error) {
		admin := access.Person{Name: bigPerson, Role: access.Admin, Via: access.ViaLocal}
		if err := s.AddUser(t.Context(), bigPerson, bigPassword, access.Admin, nil, "test"); err != nil {
			return access.Entry{}, err
		}
		for i := range 20 {
			if err := s.AddUser(t.Context(), fmt.Sprintf("analyst-%02d", i), bigPassword, access.Analyst, nil, "test"); err != nil {
				return access.Entry{}, err
			}
		}
		for i := range 100 {
			secret, _, err := s.AddToken(t.Context(), access.Token{Name: fmt.Sprintf("reader %d", i), Owner: bigPerson, Role: access.Viewer, Scopes: []string{access.ScopeFeeds}}, 0, admin)
			if err != nil {
				return access.Entry{}, err
			}
			feeds = secret
		}
		return access.Entry{}, nil
	}))
	db, err := app.OpenDatabase(t.Context(), cfg, discard, nil, nil)
	must(t, err)
	defer db.Close()
	must(t, db.Exec(t.Context(), fmt.Sprintf(`INSERT INTO audit SELECT now64(6) - toIntervalSecond(number * 12) AS at, sipHash128(number) AS id, concat('person-', leftPad(toString(number %% 2000), 4, '0')) AS who, 'local' AS via,
		['sign-in', 'incident.close', 'incident.acknowledge', 'rule.try'][1 + number %% 4] AS action, concat('/incidents/', toString(number %% 5000)) AS target, '{"status":200}' AS detail, '127.0.0.1' AS from, number %% 50 != 0 AS ok FROM numbers(%d)`, bigAudit)))
	var rejects []event.Reject
	for i := range bigRejects {
		at := time.Now().Add(-time.Duration(i) * time.Minute).UnixMicro()
		rejects = append(rejects, event.Reject{Position: event.Position{Source: "broken", Offset: int64(i)}, Format: "okta", Received: at, Code: "json_syntax", Reason: "line 1, column 17: the text ends", Raw: fmt.Appendf(nil, `{"seq":%d,"actor":`, i)})
	}
	epoch, err := db.MaxEpoch(t.Context())
	must(t, err)
	batch := event.BatchID{Epoch: epoch + 1, Number: 1}
	must(t, logTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: batch, Received: time.Now().UnixMicro(), Rejects: rejects}}))
	must(t, db.Record(t.Context(), batch, nil, nil))
	var owed []incident.Delivery
	for i := range incidents {
		d := incident.Delivery{ID: bigDelivery(i), Endpoint: bigEndpoint, Attempts: 1, State: incident.DeliveryDone, Reply: incident.Reply{Status: 204, Took: 12_000}}
		d.Change.Incident = &incident.Incident{ID: bigIncident(i), Revision: 1}
		if i%10 == 3 {
			d.Attempts, d.State, d.Error, d.Status, d.Answer = 10, incident.DeliveryDead, "503 Service Unavailable", 503, "try later"
		}
		owed = append(owed, d)
	}
	must(t, db.Settle(t.Context(), owed...))
	must(t, os.WriteFile(done, []byte(feeds), 0o600))
}

// visitor is somebody who has signed in to the console.
type visitor struct {
	t           *testing.T
	url         string
	client      *http.Client
	view, feeds string
}

func visit(t *testing.T, address string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	c := &visitor{t: t, url: address, client: &http.Client{Jar: jar, Timeout: time.Minute}}
	r, err := c.client.PostForm(address+"/sign-in", url.Values{"name": {bigPerson}, "password": {bigPassword}})
	must(t, err)
	_ = r.Body.Close()
	return c
}

func (c *visitor) get(path string) *http.Response {
	c.t.Helper()
	r, err := c.client.Get(c.url + path)
	must(c.t, err)
	return r
}

// furnish makes, once, what is made through the console: a view.
func (c *visitor) furnish(dir string) {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "furnished"))
	must(c.t, err)
	c.feeds, c.view, _ = strings.Cut(string(b), " ")
	if c.view != "" {
		return
	}
	c.view = c.make("/api/v1/views", `{"name":"closed","q":"not open","shared":true}`)["id"].(string)
	must(c.t, os.WriteFile(filepath.Join(dir, "furnished"), []byte(c.feeds+" "+c.view), 0o600))
}

// make posts a document and gives the answer.
func (c *visitor) make(path, body string) (doc map[string]any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(c.t.Context()), http.MethodPost, c.url+path, strings.NewReader(body))
	must(c.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin") // As a browser says of the page's own requests.
	r.Header.Set("Idempotency-Key", event.FormatID(event.EventPrefix, event.NewID(path, body)))
	w, err := c.client.Do(r)
	must(c.t, err)
	defer w.Body.Close()
	must(c.t, json.NewDecoder(w.Body).Decode(&doc))
	if w.StatusCode >= 300 {
		c.t.Fatalf("%s: %d %v", path, w.StatusCode, doc)
	}
	return doc
}
