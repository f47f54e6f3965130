package export_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-siem/tocsin/triage/export"
)

func TestAPlaybookIsAllManualAndLeadsThroughEveryStep(t *testing.T) {
	var p struct {
		Type, SpecVersion, ID, Start string
		Workflow                     map[string]map[string]any
		Agents                       map[string]map[string]any `json:"agent_definitions"`
	}
	doc := export.CACAO(taken(""), "urn:tocsin:test")
	var raw map[string]any
	for _, v := range []any{&p, &raw} {
		if err := json.Unmarshal(doc, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"type", "spec_version", "id", "name", "created_by", "created", "modified", "workflow_start", "workflow"} { // CACAO 2.0, 3.1
		if raw[f] == nil || raw[f] == "" {
			t.Errorf("the playbook lacks %s", f)
		}
	}
	if raw["type"] != "playbook" || raw["spec_version"] != "cacao-2.0" || !strings.HasPrefix(raw["created_by"].(string), "identity--") {
		t.Errorf("%v %v by %v", raw["type"], raw["spec_version"], raw["created_by"])
	}
	at := raw["workflow_start"].(string)
	steps := 0
	for range len(p.Workflow) + 1 {
		s := p.Workflow[at]
		switch s["type"] {
		case "end":
			if steps != len(p.Workflow)-2 || steps < 5 {
				t.Errorf("%d of %d steps are on the way", steps, len(p.Workflow))
			}
			return
		case "action":
			steps++
			for _, c := range s["commands"].([]any) {
				if c.(map[string]any)["type"] != "manual" || c.(map[string]any)["command"] == "" {
					t.Errorf("%v is not manual", s["name"])
				}
			}
			if a := p.Agents[s["agent"].(string)]; a["type"] != "group" || a["name"] == "" {
				t.Errorf("%v is for %v", s["name"], a)
			}
		case "start":
		default:
			t.Fatalf("a step of type %v at %s", s["type"], at)
		}
		at, _ = s["on_completion"].(string)
	}
	t.Error("the workflow does not end")
}

// What CACAO 2.0 demands beyond required fields, by hand from the specification: nothing else stands in an object (3.1, 4, 5, 7), ids of steps are
// UUIDv4 and no UUID serves two objects (10.10), what is named in steps is named of the whole, too (3.1).
func TestAPlaybookKeepsWhatCACAODemandsOfItsParts(t *testing.T) {
	var p struct {
		Workflow   map[string]map[string]any
		Agents     map[string]map[string]any `json:"agent_definitions"`
		Activities []string                  `json:"playbook_activities"`
		Kinds      []string                  `json:"playbook_types"`
		References []map[string]string       `json:"external_references"`
	}
	doc := export.CACAO(taken(""), "urn:tocsin:test")
	var raw map[string]any
	for _, v := range []any{&p, &raw} {
		if err := json.Unmarshal(doc, v); err != nil {
			t.Fatal(err)
		}
	}
	allowed := map[string][]string{
		"playbook": {
			"type", "spec_version", "id", "name", "description", "playbook_types", "playbook_activities", "playbook_processing_summary", "created_by", "created", "modified", "revoked", "valid_from", "valid_until",
			"derived_from", "related_to", "priority", "severity", "impact", "industry_sectors", "labels", "external_references", "markings", "playbook_variables", "workflow_start", "workflow_exception", "workflow",
			"playbook_extensions", "authentication_info_definitions", "agent_definitions", "target_definitions", "extension_definitions", "data_marking_definitions", "signatures",
		},
		"start":  {"type", "name", "description", "external_references", "delay", "timeout", "step_variables", "owner", "on_completion", "step_extensions"},
		"end":    {"type", "name", "description", "external_references", "delay", "timeout", "step_variables", "owner", "step_extensions"},
		"action": {"type", "name", "description", "external_references", "delay", "timeout", "step_variables", "owner", "on_completion", "on_success", "on_failure", "step_extensions", "commands", "agent", "targets", "in_args", "out_args"},
		"manual": {"type", "description", "version", "playbook_activity", "external_references", "command", "command_b64"},
		"group":  {"type", "name", "description", "location", "agent_target_extensions", "contact"},
	}
	only := func(o map[string]any) {
		kind, _ := o["type"].(string)
		for k := range o {
			if !slices.Contains(allowed[kind], k) {
				t.Errorf("a %q has %s, which CACAO does not know", kind, k)
			}
		}
	}
	only(raw)
	id := regexp.MustCompile(`^[a-z][a-z0-9-]+[a-z0-9]--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	uuids := map[string]bool{}
	check := func(key, kind string) {
		_, uuid, _ := strings.Cut(key, "--")
		if !id.MatchString(key) || !strings.HasPrefix(key, kind+"--") || uuids[uuid] {
			t.Errorf("%s is no id of its own for a %s", key, kind)
		}
		uuids[uuid] = true
	}
	check(raw["id"].(string), "playbook")
	check(raw["created_by"].(string), "identity")
	if !slices.Contains([]string{"investigation", "mitigation", "remediation"}, p.Kinds[0]) || len(slices.Compact(slices.Sorted(slices.Values(p.Kinds)))) != len(p.Kinds) {
		t.Errorf("types %v", p.Kinds)
	}
	for _, severity := range []string{"priority", "severity"} {
		if n := raw[severity].(float64); n < 0 || n > 100 {
			t.Errorf("%s is %v", severity, n)
		}
	}
	does, refs := map[string]bool{}, map[string]bool{}
	for key, s := range p.Workflow {
		check(key, s["type"].(string))
		only(s)
		list, _ := s["external_references"].([]any)
		for _, r := range list {
			refs[r.(map[string]any)["external_id"].(string)] = true
		}
		commands, _ := s["commands"].([]any)
		for _, c := range commands {
			only(c.(map[string]any))
			does[c.(map[string]any)["playbook_activity"].(string)] = true
		}
	}
	for key, a := range p.Agents {
		check(key, a["type"].(string))
		only(a)
	}
	if got := slices.Sorted(slices.Values(p.Activities)); !slices.Equal(got, slices.Sorted(maps.Keys(does))) {
		t.Errorf("activities %v, and those of the steps are %v", got, slices.Sorted(maps.Keys(does)))
	}
	for _, r := range p.References {
		delete(refs, r["external_id"])
	}
	if len(refs) > 0 {
		t.Errorf("references of steps that the playbook lacks: %v", slices.Sorted(maps.Keys(refs)))
	}
}

func TestTheNextRevisionIsAnotherVersionOfTheSamePlaybook(t *testing.T) {
	read := func(revision int32, updated int64) (p struct{ ID, Created, Modified string }) {
		in := taken("")
		in.Revision, in.Updated = in.Revision+revision, in.Updated+updated
		if err := json.Unmarshal(export.CACAO(in, "urn:tocsin:test"), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := read(0, 0), read(1, 60_000_000)
	if a.ID != b.ID || a.Created != b.Created || a.Modified >= b.Modified {
		t.Errorf("%+v and then %+v", a, b)
	}
}

func TestPlaybooksPassTheSchemasOfOASIS(t *testing.T) {
	folder := os.Getenv("TOCSIN_CACAO_SCHEMAS")
	if folder == "" {
		t.Skip("TOCSIN_CACAO_SCHEMAS names no folder: it is schemas/ of github.com/oasis-open/cacao-json-schemas; what the specification demands is checked by hand beside this")
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(schemasIn(folder))
	schema, err := c.Compile(cacaoSchemas + "playbook.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"plain": "", "hostile": "<script>\u202e\x1b[31m\"'=1+1"} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(export.CACAO(taken(text), "urn:tocsin:test")))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// cacaoSchemas is where the schemas say that they are.
const cacaoSchemas = "https://raw.githubusercontent.com/oasis-open/cacao-json-schemas/main/schemas/"

// schemasIn loads them from a folder. They are read as what they say they are, draft 7, which knows no unevaluatedProperties: what else stands in an
// object is held by hand.
type schemasIn string

func (folder schemasIn) Load(address string) (any, error) {
	raw, err := os.ReadFile(filepath.Join(string(folder), filepath.FromSlash(strings.TrimPrefix(address, cacaoSchemas))))
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(raw))
}
