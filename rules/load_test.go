package rules_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

func good(t *testing.T) *rules.Set {
	t.Helper()
	set, problems := rules.Load(os.DirFS("../testdata/rules"), "good")
	for _, p := range problems {
		t.Error(p)
	}
	if set == nil {
		t.Fatal("no set")
	}
	return set
}

// load reads one rule written in a test.
func load(t *testing.T, text string) *rules.Rule {
	t.Helper()
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
	if set == nil {
		t.Fatal(problems)
	}
	return set.Rules[0]
}

func TestRulesOfTheDesignLoadWithoutAnyProblemInOrderOfTheirIDs(t *testing.T) {
	var ids []string
	for _, r := range good(t).Rules {
		ids = append(ids, r.ID)
	}
	if d := cmp.Diff([]string{"rb-0003", "rb-0004", "rb-0005", "rb-0006", "rb-0007", "rb-0008"}, ids); d != "" {
		t.Error(d)
	}
}

func TestTheValueBeforeAChangeCanBeReadOverTheMatchAndNotInTheStepsOwnCondition(t *testing.T) {
	const head = "id: x-1\nversion: 1\ntitle: X\nstatus: shadow\nmatch:\n  event:\n    id: mode\n    class: robot_state\n    bind: {robot: robot}\n"
	const changed = "    changed: {value: robot.operating_mode, per: [robot]}\n"
	r := load(t, head+changed+`  unless:
    - {class: robot_state, where: 'mode.prev == "Service" and robot.operating_mode == "Service"', before: 1h, bind: {robot: robot}}
score: 'clamp(50 + (mode.prev == "Automatic" ? 20 : 0) + (known(first(mode).prev) and (mode.prev ?? "x") != mode.robot.operating_mode ? 1 : 0))'
severity_if:
  - {when: 'mode.prev in ["Automatic"]', severity: high}
`)
	m := expression.NewMachine(nil)
	prev := func(v string) *expression.Match {
		of := func(s string) event.FieldValue {
			return event.FieldValue{Kind: event.KindString, Known: s != "", Str: s}
		}
		return &expression.Match{Hits: [][]*event.Hit{{{Fields: []event.FieldValue{of("Manual"), of(v)}}}}}
	}
	for v, want := range map[string]int64{"Automatic": 71, "Service": 51, "": 50} {
		if got, err := r.Plan.Score.Int(m, prev(v)); got != want || err != nil {
			t.Errorf("score after %q is %d, want %d (%v)", v, got, want, err)
		}
		if got, err := r.Plan.Severity[0].When.Bool(m, prev(v)); got != (v == "Automatic") || err != nil {
			t.Errorf("severity_if after %q is %v (%v)", v, got, err)
		}
	}
	for text, want := range map[string]string{
		head + changed + "    where: prev == \"Automatic\"\n":                "prev is known only once the change is decided",
		head + changed + "    where: mode.prev == \"Automatic\"\n":           "prev is known only once the change is decided",
		head + "score: 'mode.prev == \"Automatic\" ? 90 : 50'\n":             "a step with changed has prev",
		head + changed + "score: 'mode.prev == \"Automatc\" ? 90 : 50'\n":    "did you mean Automatic?",
		head + changed + "score: 'inList(\"modes\", mode.prev) ? 90 : 50'\n": "a lookup over a match",
	} {
		_, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
		if !slices.ContainsFunc(problems, func(p rules.Problem) bool { return strings.Contains(p.String(), want) }) {
			t.Errorf("%s\ngives %v, want %q", text, problems, want)
		}
	}
}

func TestPlansSayWhatTheRulesSay(t *testing.T) {
	set := good(t)
	var got strings.Builder
	for _, r := range set.Rules {
		b, err := json.MarshalIndent(r.Describe(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(b, '\n'))
	}
	const golden = "../testdata/rules/good.json"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Error(d)
	}
}

func TestTheKeyIsWhatEveryStepAndGuardBinds(t *testing.T) {
	set := good(t)
	for id, want := range map[string][]string{
		"rb-0003": {"robot"}, "rb-0004": {"robot"}, "rb-0005": {"plc"}, "rb-0006": {}, "rb-0007": {"person"}, "rb-0008": {"edge", "machine"},
	} {
		if d := cmp.Diff(want, set.Rule(id).Describe().Key); d != "" {
			t.Errorf("%s: %s", id, d)
		}
	}
}

func TestHitsCarryWhatExpressionsOverTheMatchName(t *testing.T) {
	set := good(t)
	step := set.Rule("rb-0005").Plan.Branches[0].Steps[0]
	var carried []string
	for _, f := range step.Fields {
		carried = append(carried, f.Path)
	}
	for _, v := range step.Values {
		carried = append(carried, v.String())
	}
	if d := cmp.Diff([]string{
		"dst_endpoint.kind", "dst_endpoint.zone", "src_endpoint.zone",
		`dst_endpoint.ip + "/" + string(dst_endpoint.port)`, `window("maintenance", src_endpoint.asset, time)`,
	}, carried); d != "" {
		t.Error(d)
	}
	if n := step.New; n.Value != 3 || n.Freeze != 4 {
		t.Errorf("new reads %d and freezes by %d, want 3 and 4", n.Value, n.Freeze)
	}
	guard := set.Rule("rb-0007").Plan.Branches[0].Guards[0]
	if guard.When == nil || guard.Step.Where == nil || len(guard.Step.Fields) != 1 || len(guard.Step.Values) != 1 {
		t.Errorf("guard is not split: %+v", guard)
	}
	if guard.Before != 600_000_000 || guard.After != 30_000_000 || guard.Of != -1 {
		t.Errorf("guard looks %d before and %d after %d", guard.Before, guard.After, guard.Of)
	}
}

func TestStepsHaveSlotsOfTheirOwn(t *testing.T) {
	p := good(t).Rule("rb-0008").Plan
	if p.Slots != 2 || p.Branches[0].Steps[0].Slot != 0 || p.Branches[1].Steps[0].Slot != 1 || p.Branches[1].Guards[0].Step.Slot != -1 {
		t.Errorf("slots: %+v", p)
	}
}

func TestTestsOfARuleBecomeEvents(t *testing.T) {
	tests := good(t).Rule("rb-0006").Tests
	if len(tests) != 2 {
		t.Fatal(len(tests))
	}
	ev := tests[0].Events[1]
	if ev.At != 0 || ev.Event.Time != rules.TestStart || ev.Event.ClassKey() != "authentication.logon" || ev.Event.StatusID != 1 || ev.Event.AuthProtocolID != 10 {
		t.Errorf("%+v", ev.Event)
	}
	if got := ev.Event.PrimaryEntity(event.EntityDevice, event.RoleSource); got != "device:lap-7" {
		t.Errorf("entities were not found: %q", got)
	}
	if tests[0].Events[0].Event.Envelope.ID == tests[0].Events[1].Event.Envelope.ID || tests[0].Events[0].Event.Envelope.ID.IsZero() {
		t.Error("events have no ids of their own")
	}
	want := []rules.Fire{{At: 420_000_000, Vars: []rules.VarWant{{"laptop", "device:lap-7"}, {"machine", "robot:acme/h1"}}, Score: 100, Line: tests[0].Fires[0].Line}}
	if d := cmp.Diff(want, tests[0].Fires); d != "" {
		t.Error(d)
	}
	if !tests[0].Fires[0].Vars[0].Matches(incident.Var{Name: "laptop", Value: "device:lap-7"}) {
		t.Error("a wanted variable does not match itself")
	}
	ticket := good(t).Rule("rb-0004").Tests[2].Events[0].Event
	if ticket.ChangeTicket.End != rules.TestStart+2*3600_000000 {
		t.Errorf("a time given as an offset is %d", ticket.ChangeTicket.End)
	}
}

const given = `
id: g-1
version: 1
title: Given
status: shadow
match:
  event:
    id: enter
    class: authentication.logon
    where: inList("vip", user.name) and asset(entities.robot).criticality >= 3 and window("maintenance", entities.robot, time)
    bind: {laptop: source.device, machine: robot}
    new: {value: user.name, per: [laptop, machine]}
tests:
  - name: everything is given
    given:
      lists: {vip: [ana]}
      assets: {"robot:r1": {criticality: 3, zone: cell-1}}
      schedules: [{kind: maintenance, entity: "robot:r1", from: -1h, to: 1h}]
      bindings: [{ip: 10.0.0.5, entity: "device:lap-7", to: 10m}]
      new: {enter: {"lap-7, r1": [bo]}}
    events:
      - {at: 0s, class: authentication.logon, source: okta, user: {name: ana}, src_endpoint: {ip: 10.0.0.5}, robot: {uid: r1}}
      - {at: 10m, class: authentication.logon, user: {name: ana}, src_endpoint: {ip: 10.0.0.5}, robot: {uid: r1}}
    fires: []
`

func TestWhatIsGivenServesAsTables(t *testing.T) {
	r := load(t, given)
	test := &r.Tests[0]
	first, second := test.Events[0].Event, test.Events[1].Event
	if got := first.PrimaryEntity(event.EntityDevice, event.RoleSource); got != "device:lap-7" {
		t.Errorf("a bound address names %q", got)
	}
	if got := second.PrimaryEntity(event.EntityDevice, event.RoleSource); got != "" {
		t.Errorf("a binding that has ended names %q", got)
	}
	if first.Envelope.Position.Source != "okta" || second.Envelope.Position.Source != "test" {
		t.Error("sources")
	}
	if d := cmp.Diff([]rules.GivenSeen{{Step: "enter", Per: []string{"device:lap-7", "robot:r1"}, Values: []string{"bo"}}}, test.Given.Seen); d != "" {
		t.Error(d)
	}
	where := r.Plan.Branches[0].Steps[0].Where
	if ok, err := where.Match(expression.NewMachine(&test.Given), first); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if ok, _ := where.Match(expression.NewMachine(nil), first); ok {
		t.Error("true without tables")
	}
}

func TestTheHashFollowsWhatMatchesAndNothingElse(t *testing.T) {
	base := load(t, given)
	same := load(t, strings.NewReplacer("title: Given", "title:   'Other'  # words", "criticality >= 3 and", `criticality >= 3 and`).Replace(given))
	other := load(t, strings.Replace(given, "criticality >= 3 and", "criticality >= 2 and", 1))
	if base.Hash != same.Hash {
		t.Error("a new title changes the hash")
	}
	if base.Hash == other.Hash {
		t.Error("a new condition does not change the hash")
	}
	swapped := load(t, strings.Replace(given, "{laptop: source.device, machine: robot}", "{machine: robot, laptop: source.device}", 1))
	if base.Hash != swapped.Hash {
		t.Error("the order of keys changes the hash")
	}
}

func TestASetWithAnErrorIsRefusedWhole(t *testing.T) {
	fsys := fstest.MapFS{"a/one.yaml": {Data: []byte(given)}, "a/b/two.yml": {Data: []byte(strings.Replace(given, "g-1", "g 2", 1))}, "a/notes.txt": {Data: []byte("x: [")}}
	set, problems := rules.Load(fsys, "a")
	if set != nil || len(problems) != 1 || problems[0].File != "a/b/two.yml" {
		t.Errorf("%v %v", set, problems)
	}
	if set, problems = rules.Load(fsys, "a/one.yaml", "nowhere"); set != nil || len(problems) != 1 {
		t.Errorf("%v %v", set, problems)
	}
	delete(fsys, "a/b/two.yml")
	if set, problems = rules.Load(fsys, "a", "a/one.yaml"); set == nil || len(set.Rules) != 1 {
		t.Errorf("%v %v", set, problems)
	}
}

func TestClassesThatNobodyEmitsAreWarnedOf(t *testing.T) {
	set := good(t)
	emitted := []string{"robot_control", "network_activity.open", "network_activity.close", "network_activity.traffic", "change_ticket.approved", "authentication.logon", "robot_state.mode_change", "device_config_state_change.log"}
	if got := set.CheckClasses(emitted); len(got) != 0 {
		t.Errorf("%v", got)
	}
	got := set.CheckClasses(slices.DeleteFunc(emitted, func(s string) bool { return strings.HasPrefix(s, "change_ticket") || s == "robot_control" }))
	if len(got) != 7 || got[0].Severity != rules.Warning || got[0].Code != "R053" {
		t.Errorf("%d: %v", len(got), got)
	}
}

func TestTheTableOfKeysIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range rules.Keys() {
		if k.Doc == "" || k.Type == "" || len(k.Places) == 0 {
			t.Errorf("key %s is not documented", k.Name)
		}
		for _, p := range k.Places {
			if seen[string(p)+"/"+k.Name] {
				t.Errorf("key %s stands twice at %s", k.Name, p)
			}
			seen[string(p)+"/"+k.Name] = true
		}
	}
	codes := map[string]bool{}
	for _, c := range rules.Codes() {
		if codes[c.Code] || c.Doc == "" {
			t.Errorf("code %s stands twice or is not documented", c.Code)
		}
		codes[c.Code] = true
	}
}

func FuzzLoadingNeverPanics(f *testing.F) {
	for _, dir := range []string{"../testdata/rules/good", "../testdata/rules/bad"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range files {
			text, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: text}}, "r.yaml")
		if (set == nil) != rules.HasErrors(problems) {
			t.Fatalf("set %v with %v", set, problems)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Code == "" || p.Message == "" {
				t.Fatalf("incomplete problem %+v", p)
			}
		}
		if set == nil {
			return
		}
		for _, r := range set.Rules {
			r.Describe()
		}
	})
}
