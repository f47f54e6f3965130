package triage_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
)

// TestWhatTheOCSFFormsSendIsValidOCSF sends incidents as they are opened, changed and closed, with plain and with hostile text, and holds what arrives
// against the compiled schema.
func TestWhatTheOCSFFormsSendIsValidOCSF(t *testing.T) {
	type parcel struct {
		path string
		body []byte
	}
	arrived := make(chan parcel, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the body cannot be read: %v", err)
		}
		arrived <- parcel{r.URL.Path, b}
	}))
	t.Cleanup(hook.Close)
	cfg := config(t, hook.URL+"/ocsf")
	cfg.Endpoints[0].Adapter = "ocsf"
	findings := cfg.Endpoints[0]
	findings.Name, findings.Adapter, findings.URL = "findings", "ocsf-detections", hook.URL+"/ocsf-detections"
	cfg.Endpoints = append(cfg.Endpoints, findings)

	changes := ocsfChanges(t)
	o := &outbox{state: map[event.ID]incident.Delivery{}}
	o.record(changes...)
	d, stop := desk(t, cfg, o)
	defer stop()
	want := 2*len(changes) + 2
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, endpoint := range []string{"soc", "findings"} {
		if err := d.Test(ctx, endpoint); err != nil {
			t.Errorf("the test of %s: %v", endpoint, err)
		}
	}
	var v ocsf.Validator
	valid := func(p parcel, doc []byte, class uint32) {
		for _, problem := range v.Validate(doc) {
			if problem.Severity == ocsf.Error {
				t.Errorf("%s: %s\n%.2000s", p.path, problem, doc)
			}
		}
		var head struct {
			Class uint32 `json:"class_uid"`
		}
		if err := json.Unmarshal(doc, &head); err != nil || head.Class != class {
			t.Errorf("%s: class %d, %v", p.path, head.Class, err)
		}
	}
	for got := range want {
		var p parcel
		select {
		case p = <-arrived:
		case <-ctx.Done():
			t.Fatalf("%d of %d parcels arrived", got, want)
		}
		if p.path == "/ocsf" {
			valid(p, p.body, 2005)
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(p.body, &list); err != nil {
			t.Fatal(err)
		}
		for _, doc := range list {
			valid(p, doc, 2004)
		}
	}
}

// ocsfChanges are changes of incidents of their own, so that none takes the place of another.
func ocsfChanges(t *testing.T) []incident.Change {
	t.Helper()
	opened := compromise(t)
	closed := *breakdown(t, "")
	closed.Status, closed.Verdict, closed.ClosedAt = incident.Closed, incident.Malfunction, start+95*minute
	closed.Tickets = []incident.Ticket{{System: "snow", ID: "INC0042", URL: "https://snow.example/INC0042"}}
	merged := *breakdown(t, "")
	merged.ID, merged.Status, merged.MergedInto = event.NewID("merged"), incident.Merged, opened.ID
	acknowledged := *compromise(t)
	acknowledged.ID, acknowledged.Status, acknowledged.Assignee = event.NewID("acknowledged"), incident.Acknowledged, "ana"
	hostile := *compromise(t, change(12, "robot:r1", "program", "a\x00\u202eb", "<script>\xff\xfe\x1b[31m", "user:\u2028x"))
	hostile.ID, hostile.Title, hostile.Owner = event.NewID("hostile"), "\x1b[31m\u202e<script>\xff", "o\x00t"
	var out []incident.Change
	for _, c := range []struct {
		kind incident.ChangeKind
		in   *incident.Incident
	}{
		{incident.ChangeOpened, opened},
		{incident.ChangeAcknowledged, &acknowledged},
		{incident.ChangeClosed, &closed},
		{incident.ChangeMerged, &merged},
		{incident.ChangeOpened, &hostile},
	} {
		c.in.Updated = time.Now().UnixMicro()
		out = append(out, incident.Change{Kind: c.kind, Fields: []string{"findings"}, Actor: "rule:fatigue", Incident: c.in})
	}
	return out
}
