package console_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// withEvents is a console that reads the plant's events in bulk.
func withEvents(t *testing.T, p *plant, who *access.Person) http.Handler {
	t.Helper()
	g := &vicinity{}
	for _, e := range p.events {
		g.events = append(g.events, e)
	}
	return around(t, p, g, who)
}

func TestAnIncidentIsExportedInEveryFormAsAFile(t *testing.T) {
	p, in := compromised(t)
	h := withEvents(t, p, nil)
	page := get(h, "/incidents/"+id(in)).Body.String()
	for format, media := range map[string]string{
		"json": "application/json", "ocsf": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present", "stix": "application/stix+json;version=2.1", "cacao": "application/cacao+json;version=2.0",
	} {
		w := get(h, "/incidents/"+id(in)+"/export/"+format)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != media || !strings.HasPrefix(w.Header().Get("Content-Disposition"), `attachment; filename="`+id(in)+".") || w.Body.Len() < 100 {
			t.Errorf("%s: %d %v", format, w.Code, w.Header())
		}
		if !strings.Contains(page, `href="/incidents/`+id(in)+"/export/"+format+`"`) {
			t.Errorf("the page does not lead to %s", format)
		}
	}
	var v ocsf.Validator
	lines := 0
	for s := bufio.NewScanner(get(h, "/incidents/"+id(in)+"/export/ndjson").Body); s.Scan(); lines++ {
		for _, problem := range v.Validate(s.Bytes()) {
			if problem.Severity == ocsf.Error {
				t.Error(problem)
			}
		}
	}
	if lines != 13 { // the evidence, and the firmware's change
		t.Errorf("%d events", lines)
	}
	if w := get(h, "/incidents/"+id(in)+"/export/exe"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "json, ocsf, ndjson, csv, stix, cacao") {
		t.Errorf("an unknown form: %d", w.Code)
	}
}

func TestExportsAreOfWhatThePersonSees(t *testing.T) {
	p, in := compromised(t)
	who := access.Person{Name: "vera", Role: access.Viewer, Via: "local", Sites: []string{"plant-9"}}
	if w := get(withEvents(t, p, &who), "/incidents/"+id(in)+"/export/json"); w.Code != http.StatusNotFound {
		t.Errorf("another site's incident: %d", w.Code)
	}
	who.Sites = []string{"plant-1"}
	at := in.Findings[0].Evidence[0].Event.Event
	p.events[at].Envelope.Site = "plant-9"
	body := get(withEvents(t, p, &who), "/incidents/"+id(in)+"/export/ndjson").Body.String()
	if strings.Contains(body, at.String()) || strings.Count(body, "\n") != 12 {
		t.Error("an event of another site is exported")
	}
}

func TestHostileTextIsTextInEveryExport(t *testing.T) {
	for name, attack := range attacks {
		p, in := poisoned(t, attack.text)
		h := withEvents(t, p, nil)
		for _, format := range []string{"json", "ocsf", "csv", "stix", "cacao"} {
			w := get(h, "/incidents/"+id(in)+"/export/"+format)
			body, marked := strings.CutPrefix(w.Body.String(), "\ufeff") // What Excel knows UTF-8 by.
			if marked != (format == "csv") {
				t.Errorf("%s %s: a byte order mark: %t", name, format, marked)
			}
			mustBeVisible(t, name+" "+format, body)
			if w.Code != http.StatusOK || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: %d", name, format, w.Code)
			}
			if format == "csv" {
				if rows, err := csv.NewReader(strings.NewReader(body)).ReadAll(); err != nil || len(rows) < 10 {
					t.Errorf("%s %s: %v", name, format, err)
				}
				continue
			}
			if !json.Valid([]byte(body)) || format != "ocsf" && strings.ContainsAny(body, "<>") {
				t.Errorf("%s %s is no JSON, or has a bracket", name, format)
			}
		}
	}
}
