package console_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

// described is the OpenAPI document, with its schemas.
type described struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Summary     string
		RequestBody any
		Responses   map[string]json.RawMessage
	}
	schemas *jsonschema.Compiler
}

const documentURL = "tocsin:openapi"

func description(t *testing.T, h http.Handler) described {
	t.Helper()
	var d described
	body := get(h, "/api/v1/openapi.json").Body.Bytes()
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	d.schemas = jsonschema.NewCompiler()
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	if err := d.schemas.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// check holds a real answer against what the document says of the operation.
func (d *described) check(t *testing.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	status := strconv.Itoa(w.Code)
	op, ok := d.Paths[path][strings.ToLower(method)]
	if _, said := op.Responses[status]; !ok || !said {
		t.Errorf("%s %s answers %s, which the document does not say: %s", method, path, status, w.Body)
		return
	}
	escape := func(s string) string { return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s)) }
	at := documentURL + "#/paths/" + escape(path) + "/" + strings.ToLower(method) + "/responses/" + status
	var response struct {
		Ref     string `json:"$ref"`
		Content map[string]any
	}
	if err := json.Unmarshal(op.Responses[status], &response); err != nil {
		t.Fatal(err)
	}
	kind, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
	switch {
	case response.Ref != "":
		at, response.Content = documentURL+response.Ref, map[string]any{"application/problem+json": nil}
	case len(response.Content) == 0:
		if w.Body.Len() > 0 {
			t.Errorf("%s %s: a body that the document does not say", method, path)
		}
		return
	}
	if _, said := response.Content[kind]; !said {
		t.Errorf("%s %s answers with %s, the document says %v", method, path, kind, slices.Collect(maps.Keys(response.Content)))
		return
	}
	schema, err := d.schemas.Compile(at + "/content/" + escape(kind) + "/schema")
	if err != nil {
		t.Fatal(err)
	}
	docs := [][]byte{w.Body.Bytes()}
	switch kind {
	case "application/x-ndjson":
		docs = slices.Collect(bytes.Lines(w.Body.Bytes()))
	case "text/event-stream":
		return
	}
	for _, b := range docs {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s %s %s: %v\n%s", method, path, status, err, b)
		}
	}
}

// addresses are the patterns of the API in the source: whatever the settings of a console leave out is there too.
func addresses(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	mounted, err := filepath.Glob("../app/*.go") // What the program adds to a console.
	if err != nil || len(mounted) == 0 {
		t.Fatal("the program's source is not there: ", err)
	}
	files = append(files, mounted...)
	var out []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([A-Z]+ /api/[^"]+)"`).FindAllSubmatch(b, -1) {
			out = append(out, string(m[1]))
		}
	}
	return out
}

func TestTheOpenAPIDocumentNamesEveryAddressOfTheAPIAndNoOther(t *testing.T) {
	p, _ := compromised(t)
	d := description(t, p.handler(t))
	served := map[string]bool{}
	for _, pattern := range append(addresses(t), console.Patterns(p.settings())...) {
		method, path, _ := strings.Cut(pattern, " ")
		if !strings.HasPrefix(path, "/api/") {
			continue
		}
		served[method+" "+path] = true
		op, said := d.Paths[path][strings.ToLower(method)]
		if !said {
			t.Errorf("%s is served and not described in console/openapi.json", pattern)
			continue
		}
		if op.OperationID == "" || op.Summary == "" || len(op.Responses) == 0 {
			t.Errorf("%s is described by half", pattern)
		}
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if !served[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is described and not served", strings.ToUpper(method), path)
			}
			if ids[op.OperationID] {
				t.Errorf("the operation id %s is given twice", op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
}

func TestAnswersOfTheAPIAreAsTheOpenAPIDocumentSays(t *testing.T) {
	p, in := compromised(t)
	p.fixed = routine()
	p.fixed[0].Snoozed, p.fixed[1].Viewed, p.fixed[1].Said.Assessment = p.now+minute, p.now, "misuse"
	h := p.handler(t)
	d := description(t, h)
	none := event.FormatID(event.IncidentPrefix, event.NewID("none"))
	created := send(h, "POST", "/api/v1/views", `{"name":"mine","q":"open","sort":"-score"}`)
	d.check(t, "POST", "/api/v1/views", created)
	view := created.Header().Get("Location")
	for _, c := range []struct{ method, path, address, body string }{
		{"GET", "/api/v1/openapi.json", "/api/v1/openapi.json", ""},
		{"GET", "/api/v1/health", "/api/v1/health", ""},
		{"GET", "/api/v1/incidents", "/api/v1/incidents", ""},
		{"GET", "/api/v1/incidents", "/api/v1/incidents?limit=2&sort=-severity", ""},
		{"GET", "/api/v1/incidents", "/api/v1/incidents?q=" + url.QueryEscape(`"amr-0017" in robots`), ""},
		{"GET", "/api/v1/incidents", "/api/v1/incidents?q=none", ""},
		{"GET", "/api/v1/incidents", "/api/v1/incidents?as=ocsf", ""},
		{"GET", "/api/v1/incidents/{id}", "/api/v1/incidents/" + id(in), ""},
		{"GET", "/api/v1/incidents/{id}", "/api/v1/incidents/" + id(in) + "?as=card", ""},
		{"GET", "/api/v1/incidents/{id}", "/api/v1/incidents/" + none, ""},
		{"GET", "/api/v1/incidents/{id}", "/api/v1/incidents/x", ""},
		{"GET", "/api/v1/incidents/{id}/findings", "/api/v1/incidents/" + id(in) + "/findings", ""},
		{"GET", "/api/v1/incidents/{id}/findings", "/api/v1/incidents/" + none + "/findings", ""},
		{"GET", "/api/v1/facets", "/api/v1/facets?q=open", ""},
		{"GET", "/api/v1/facets", "/api/v1/facets?q=opn", ""},
		{"GET", "/api/v1/changes.ndjson", "/api/v1/changes.ndjson?q=open", ""},
		{"GET", "/api/v1/changes.ndjson", "/api/v1/changes.ndjson?q=opn", ""},
		{"GET", "/api/v1/changes.ndjson", "/api/v1/changes.ndjson?since=x", ""},
		{"GET", "/api/v1/changes.ndjson", "/api/v1/changes.ndjson?limit=0", ""},
		{"GET", "/api/v1/stream", "/api/v1/stream?q=opn", ""},
		{"GET", "/api/v1/stream", "/api/v1/stream?since=x", ""},
		{"GET", "/api/v1/stream", "/api/v1/stream?min_severity=worst", ""},
		{"GET", "/api/v1/events/{id}", "/api/v1/events/" + in.Findings[0].Evidence[0].Event.Event.String() + "?raw", ""},
		{"GET", "/api/v1/events/{id}", "/api/v1/events/x", ""},
		{"GET", "/api/v1/views", "/api/v1/views", ""},
		{"POST", "/api/v1/views", "/api/v1/views", `{"q":"open"}`},
		{"GET", "/api/v1/views/{id}", view, ""},
		{"GET", "/api/v1/views/{id}", "/api/v1/views/none", ""},
		{"PUT", "/api/v1/views/{id}", view, `{"name":"mine","revision":1}`},
		{"PUT", "/api/v1/views/{id}", view, `{"name":"mine","revision":1}`},
		{"PUT", "/api/v1/views/{id}", "/api/v1/views/none", `{"name":"mine","revision":1}`},
		{"DELETE", "/api/v1/views/{id}", view + "?revision=1", ""},
		{"DELETE", "/api/v1/views/{id}", view + "?revision=x", ""},
		{"DELETE", "/api/v1/views/{id}", view, ""},
	} {
		d.check(t, c.method, c.path, send(h, c.method, c.address, c.body))
	}
}

// TestAnswersAboutEventsAndThingsAreAsTheOpenAPIDocumentSays is the same for what needs a store of events.
func TestAnswersAboutEventsAndThingsAreAsTheOpenAPIDocumentSays(t *testing.T) {
	yard := inYard(t, yardOf("x"), anAnalyst, "x")
	hunting := onGrounds(t, &grounds{events: sightings(3, "x"), groups: []console.Group{{Value: "ana", Count: 3, First: night, Last: night}}}, anAnalyst)
	broken := onGrounds(t, &grounds{err: console.ErrQuestion}, anAnalyst)
	bare := shelfOf("")
	bare.sheet = console.RuleSheet{RuleStanding: console.RuleStanding{ID: "bare", Status: "disabled"}}
	bare.trial = console.RuleTrial{}
	authors := rulesHandler(t, shelfOf("x"), author)
	d := description(t, yard)
	for _, c := range []struct {
		h                           http.Handler
		method, path, address, body string
	}{
		{hunting, "GET", "/api/v1/hunt", "/api/v1/hunt", ""},
		{hunting, "GET", "/api/v1/hunt", "/api/v1/hunt?limit=1&counts&by=user.name&range=7d", ""},
		{hunting, "GET", "/api/v1/hunt", "/api/v1/hunt?range=2y", ""},
		{hunting, "GET", "/api/v1/hunt", "/api/v1/hunt?limit=0", ""},
		{broken, "GET", "/api/v1/hunt", "/api/v1/hunt?q=x", ""},
		{yard, "GET", "/api/v1/changes", "/api/v1/changes", ""},
		{yard, "GET", "/api/v1/changes", "/api/v1/changes?what=nothing", ""},
		{yard, "GET", "/api/v1/fleet", "/api/v1/fleet", ""},
		{yard, "GET", "/api/v1/fleet", "/api/v1/fleet?state=asleep", ""},
		{yard, "GET", "/api/v1/entities/{id}", "/api/v1/entities/robot:amr-1", ""},
		{yard, "GET", "/api/v1/entities/{id}", "/api/v1/entities/robot:amr-1?at=x", ""},
		{withSources(t, "x"), "GET", "/api/v1/sources", "/api/v1/sources", ""},
		{authors, "GET", "/api/v1/rules", "/api/v1/rules", ""},
		{rulesHandler(t, &shelf{}, author), "GET", "/api/v1/rules", "/api/v1/rules", ""},
		{authors, "GET", "/api/v1/rules/{id}", "/api/v1/rules/rb-0001", ""},
		{authors, "GET", "/api/v1/rules/{id}", "/api/v1/rules/none", ""},
		{rulesHandler(t, bare, author), "GET", "/api/v1/rules/{id}", "/api/v1/rules/bare", ""},
		{authors, "POST", "/api/v1/rules/try", "/api/v1/rules/try", `{"text":"id: x","days":2}`},
		{rulesHandler(t, bare, author), "POST", "/api/v1/rules/try", "/api/v1/rules/try", `{"text":"id: x"}`},
		{authors, "POST", "/api/v1/rules/try", "/api/v1/rules/try", `{"txt":"id: x"}`},
	} {
		d.check(t, c.method, c.path, send(c.h, c.method, c.address, c.body))
	}
}
