package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/export"
)

const night = int64(1795226400) * 1_000_000

func ref(class uint32, activity uint16, domain string, at int64, summary string, entities ...string) *event.Ref {
	r := &event.Ref{
		Event: event.NewID("export", fmt.Sprint(at), summary), Time: night + at*1_000_000, Received: night + at*1_000_000 + 250_000, ClassUID: class, Activity: activity, Domain: domain, Source: "s",
		Severity: 1, Summary: summary,
	}
	for _, id := range entities {
		kind, _, _ := strings.Cut(id, ":")
		role := event.RoleActor
		if kind == "robot" {
			role = event.RoleTarget
		}
		r.Entities = append(r.Entities, event.EntityRef{Kind: event.EntityKindOf(kind), Role: role, Strength: event.Strong, Key: id, ID: id})
	}
	return r
}

// taken is an incident in which text stands in every place that somebody outside, or an analyst, can write to.
func taken(text string) *incident.Incident {
	signIn := ref(event.ClassAuthentication, 1, "identity", 0, "sign-in "+text, "user:ana"+text, "ip:203.0.113.77", "ip:2001:db8::7")
	work := ref(event.ClassRobotControl, 4, "robot", 300, "program load "+text, "user:ana"+text, "robot:amr-0042", "mac:3c:22:fb:00:11:07")
	bare := ref(event.ClassRobotState, 1, "robot", 310, "mode change", "robot:amr-0042")
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	found := func(rule string, tags []string, evidence ...*event.Ref) incident.Finding {
		f := incident.Finding{
			ID: event.NewID("finding", rule), Revision: 1, State: incident.Final, Rule: incident.RuleRef{ID: rule, Version: 3, Title: "Rule " + rule + text, Tags: tags},
			First: evidence[0].Time, Time: evidence[len(evidence)-1].Time, Seen: evidence[len(evidence)-1].Received, Score: 70, Severity: incident.High,
		}
		for _, r := range evidence {
			f.Evidence = append(f.Evidence, incident.Evidence{Step: "step" + text, Event: r})
		}
		return f
	}
	note := event.Note{Entity: "robot:amr-0042", What: "program", Prev: "v8" + text, Value: "=v9" + text, Actor: "user:ana" + text, Ref: work}
	s.Apply([]incident.Finding{found("r1", []string{"attack.t1621", "attack.t1078"}, signIn), found("r2", []string{"ics.t0843"}, work, bare)}, []event.Note{note}, event.BatchID{Epoch: 1}, night+400_000_000)
	in := *s.Incidents()[0]
	in.Title += text
	in.Assignee, in.Verdict = "ana"+text, incident.Intrusion
	in.Remarks = []incident.Remark{{At: night + 500_000_000, By: "ana" + text, Text: "seen on the floor" + text}}
	in.Tickets = []incident.Ticket{{System: "jira" + text, ID: "SOC-1", URL: "https://tickets.example/SOC-1"}}
	in.Said = incident.Said{Assessment: "intrusion", ScopeSet: true, Scope: in.Robots, Trigger: "program" + text, By: "ana" + text, At: night + 500_000_000}
	return &in
}

// forms are the exports by name.
func forms(in *incident.Incident) map[string][]byte {
	return map[string][]byte{
		"stix": export.STIX(in, "urn:tocsin:test", "https://console.example"), "cacao": export.CACAO(in, "urn:tocsin:test"), "csv": export.CSV(in), "json": export.JSON(in),
	}
}

func TestExportsAreTheSameEachTime(t *testing.T) {
	for name, first := range forms(taken("")) {
		if again := forms(taken(""))[name]; !bytes.Equal(first, again) {
			t.Errorf("%s: another time it differs", name)
		}
	}
	next := taken("")
	next.Revision++
	ids := func(doc []byte) []string {
		return regexp.MustCompile(`"id": "[a-z-]+--[0-9a-f-]{36}"`).FindAllString(string(doc), -1)
	}
	a, b := ids(forms(taken(""))["stix"]), ids(forms(next)["stix"])
	if slices.Equal(a, b) || !slices.Equal(a[1:], b[1:]) && len(a) != len(b) {
		t.Error("another revision is not another bundle of the same objects")
	}
}

func bundled(t *testing.T, doc []byte) []map[string]any {
	t.Helper()
	var b struct {
		Type, ID string
		Objects  []map[string]any
	}
	if err := json.Unmarshal(doc, &b); err != nil {
		t.Fatal(err)
	}
	if b.Type != "bundle" || len(b.Objects) == 0 {
		t.Fatalf("no bundle: %.200s", doc)
	}
	return b.Objects
}

// What STIX 2.1 requires of each type we write, by hand from the specification; the schemas of OASIS are asked where they can be had.
var required = map[string][]string{
	"identity": {"name"}, "incident": {"name"}, "attack-pattern": {"name"}, "relationship": {"relationship_type", "source_ref", "target_ref"},
	"observed-data": {"first_observed", "last_observed", "number_observed", "object_refs"}, "note": {"content", "object_refs"},
	"user-account": {"user_id"}, "ipv4-addr": {"value"}, "ipv6-addr": {"value"}, "mac-addr": {"value"},
}

func TestABundleHasWhatSTIXRequires(t *testing.T) {
	objects := bundled(t, export.STIX(taken(""), "urn:tocsin:test", "https://console.example"))
	id := regexp.MustCompile(`^(user-account|ipv4-addr|ipv6-addr|mac-addr)--[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$` +
		`|^[a-z0-9-]+--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`) // Version 5 for observables, 4 for the rest.
	ids := map[string]bool{}
	counts := map[string]int{}
	for _, o := range objects {
		kind := o["type"].(string)
		counts[kind]++
		if ids[o["id"].(string)] {
			t.Errorf("%s is there twice", o["id"])
		}
		ids[o["id"].(string)] = true
		if !id.MatchString(o["id"].(string)) || !strings.HasPrefix(o["id"].(string), kind+"--") || o["spec_version"] != "2.1" {
			t.Errorf("%s: id %v, version %v", kind, o["id"], o["spec_version"])
		}
		fields, known := required[kind]
		if !known {
			t.Errorf("a %s is written, which nothing checks", kind)
		}
		for _, f := range fields {
			if o[f] == nil || o[f] == "" {
				t.Errorf("a %s lacks %s", kind, f)
			}
		}
		if created, has := o["created"].(string); has && o["modified"].(string) < created {
			t.Errorf("%s is modified before it is created", o["id"])
		}
	}
	for _, o := range objects {
		for _, f := range []string{"created_by_ref", "source_ref", "target_ref"} {
			if to, has := o[f].(string); has && !ids[to] {
				t.Errorf("%s of %s leads nowhere", f, o["id"])
			}
		}
		list, _ := o["object_refs"].([]any)
		for _, to := range list {
			if !ids[to.(string)] {
				t.Errorf("%s of %s leads nowhere", to, o["id"])
			}
		}
	}
	for kind, want := range map[string]int{"incident": 1, "observed-data": 2, "note": 3, "ipv4-addr": 1, "ipv6-addr": 1, "mac-addr": 1, "user-account": 1, "attack-pattern": 3, "identity": 2} {
		if counts[kind] != want {
			t.Errorf("%d of %s, not %d", counts[kind], kind, want)
		}
	}
}

// The id is the one that python-stix2 3.0.2 of OASIS gives the same address.
func TestObservablesHaveTheIDsThatOtherProducersGiveThem(t *testing.T) {
	in := taken("")
	in.Entities = append(in.Entities, incident.Member{ID: "ip:198.51.100.3", Kind: event.EntityIP, Strength: event.Medium, Roles: []event.Role{event.RoleSource}})
	if doc := string(export.STIX(in, "urn:tocsin:test", "")); !strings.Contains(doc, `"id": "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"`) {
		t.Error("the address has another id")
	}
}

func TestBundlesPassTheValidatorOfOASIS(t *testing.T) {
	validator, err := exec.LookPath("stix2_validator")
	if v := os.Getenv("TOCSIN_STIX_VALIDATOR"); v != "" {
		validator, err = v, nil
	}
	if err != nil {
		t.Skip("no stix2_validator: pip install stix2-validator==3.2.0, which has the schemas with it, or let TOCSIN_STIX_VALIDATOR name it; the required fields are checked by hand beside this")
	}
	for name, text := range map[string]string{"plain": "", "hostile": "<script>\u202e\x1b[31m\"'=1+1"} {
		file := filepath.Join(t.TempDir(), name+".json")
		if err := os.WriteFile(file, export.STIX(taken(text), "urn:tocsin:test", "https://console.example"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), validator, "--version", "2.1", file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Valid") || strings.Contains(string(out), "Invalid") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "Warning") && !strings.Contains(line, "{302}") { // A page that goes on changing has no hash to give.
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestNoCellOfATableIsAFormula(t *testing.T) {
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "|calc", "%0a=1"} {
		in := taken("")
		in.Findings[0].Evidence[0].Event.Summary = text
		in.Findings[0].Evidence[0].Step = text
		rows, err := csv.NewReader(bytes.NewReader(export.CSV(in))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) < 4 {
			t.Fatalf("%d rows", len(rows))
		}
		for _, row := range rows {
			for _, cell := range row {
				if first := strings.TrimLeft(cell, " \t\r\n"); first != "" && strings.ContainsRune("=+-@|%\uff1d", []rune(first)[0]) {
					t.Errorf("%q: the cell %q begins a formula", text, cell)
				}
			}
		}
	}
}

func TestTheJSONHoldsTheIncidentAsOCSFAndWhatPeopleSaid(t *testing.T) {
	var d struct {
		Incident json.RawMessage
		Answers  struct{ Assessment, Trigger string } `json:"answers_by_people"`
		Actions  []struct {
			ID       string
			Executes *bool
		}
		Notes, Tickets []map[string]string
	}
	if err := json.Unmarshal(export.JSON(taken("")), &d); err != nil {
		t.Fatal(err)
	}
	var v ocsf.Validator
	for _, problem := range v.Validate(d.Incident) {
		if problem.Severity == ocsf.Error {
			t.Error(problem)
		}
	}
	if d.Answers.Assessment != "intrusion" || len(d.Notes) != 1 || len(d.Tickets) != 1 || len(d.Actions) < 5 {
		t.Errorf("%+v", d)
	}
	for _, a := range d.Actions {
		if a.Executes == nil || *a.Executes {
			t.Errorf("%s does not say that it executes nothing", a.ID)
		}
	}
}

func TestHostileTextStaysTextInEveryExport(t *testing.T) {
	for _, text := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202etxt\x1b[31m", "bad\xff\xfe", `","admin":true`, "line\r\nline", strings.Repeat("long", 5000)} {
		tame := forms(taken("x"))
		for name, doc := range forms(taken(text)) {
			if !utf8.Valid(doc) && name != "csv" {
				t.Errorf("%s of %.20q is not UTF-8", name, text)
			}
			if name == "csv" {
				if _, err := csv.NewReader(bytes.NewReader(doc)).ReadAll(); err != nil {
					t.Errorf("%s of %.20q: %v", name, text, err)
				}
				continue
			}
			if bytes.ContainsAny(doc, "<>") {
				t.Errorf("%s of %.20q has a bracket that a page would take for its own", name, text)
			}
			var a, b any
			if json.Unmarshal(doc, &a) != nil || json.Unmarshal(tame[name], &b) != nil {
				t.Errorf("%s of %.20q is no JSON", name, text)
			}
			if x, y := shape(a), shape(b); x != y {
				t.Errorf("%s: %.20q changes the shape of the document", name, text)
			}
		}
	}
}

// shape is the names and kinds of a document, without its values.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		var b strings.Builder
		for _, k := range keys {
			name := k
			if strings.Contains(k, "--") { // ids of steps follow from the incident's
				name = strings.SplitN(k, "--", 2)[0]
			}
			b.WriteString(name + ":" + shape(v[k]) + ",")
		}
		return "{" + b.String() + "}"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = shape(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprintf("%T", v)
}
