package expression_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// hitOf carries what a step's scope asks for, as the engine does.
func hitOf(t *testing.T, st *expression.StepScope, e *event.Event, l expression.Lookups) *event.Hit {
	t.Helper()
	h := &event.Hit{}
	m := expression.NewMachine(l)
	for _, f := range st.Fields {
		v := event.FieldValue{Kind: f.Kind, Known: f.Known(e)}
		switch f.Kind {
		case event.KindString:
			v.Str = f.Str(e)
		case event.KindInt, event.KindTime:
			v.Num, _ = f.Num(e)
		case event.KindFloat:
			v.Flt, _ = f.Flt(e)
		case event.KindBool:
			if f.Tri(e) == event.True {
				v.Num = 1
			}
		default:
			v.Lst = f.Lst(e)
		}
		h.Fields = append(h.Fields, v)
	}
	for _, x := range st.Values {
		v, err := x.Value(m, e)
		if err != nil {
			t.Fatal(err)
		}
		h.Fields = append(h.Fields, v)
	}
	return h
}

func scopeOf(ids ...string) *expression.Scope {
	s := &expression.Scope{Vars: []expression.Var{{Name: "who"}, {Name: "machine"}}}
	for _, id := range ids {
		s.Steps = append(s.Steps, &expression.StepScope{ID: id})
	}
	return s
}

func login(name string, bytes int64, ok bool) *event.Event {
	e := &event.Event{StatusID: 2, Time: 1767607200_000000, Traffic: &event.Traffic{Bytes: event.IntOf(bytes)}}
	if ok {
		e.StatusID = 1
	}
	e.User.Name = name
	return e
}

func TestExpressionsOverAMatch(t *testing.T) {
	for source, want := range map[string]int64{
		`later.user.name == "" ? 1 : 0`: 1, `try.user.name == "cy" ? 1 : 0`: 1, `first(try).user.name == "ana" ? 1 : 0`: 1, `last(try).user.name == "cy" ? 1 : 0`: 1,
		`count(try)`: 3, `count(later)`: 0, `count(try, .status == "Success")`: 2, `count(try, .user.name startsWith "a" and .traffic.bytes > 5)`: 1,
		`distinct(try, "user.name")`: 3, `distinct(try, "status")`: 2, `sum(try, "traffic.bytes")`: 60, `min(try, "traffic.bytes")`: 10, `max(try, "traffic.bytes")`: 30,
		`sum(try, .traffic.bytes)`: 60, `any(try, .traffic.bytes == 20) ? 1 : 0`: 1, `all(try, .traffic.bytes > 10) ? 1 : 0`: 0, `none(try, .user.name == "x") ? 1 : 0`: 1,
		`clamp(50 + (hour(try.time) < 12 ? 20 : 0) + count(try) * 20)`: 100, `vars.who == "user:ana" ? 7 : 8`: 7, `vars.machine == "" ? 7 : 8`: 7,
		`known(later.user.name) ? 1 : 0`: 0, `known(try.is_mfa) ? 1 : 0`: 0, `(later.traffic.bytes ?? 9) + 1`: 10, `count(try) / 2`: 2,
		`min(count(try), 2)`: 2, `inList("vendors", try.user.name) ? 1 : 0`: 0, `inList("vendors", first(try).user.name) ? 1 : 0`: 0,
		`count(try, inList("vendors", .user.domain))`: 0,
	} {
		scope := scopeOf("try", "later")
		x, issues := expression.CompileFold(source, scope, expression.Number)
		if x == nil {
			t.Errorf("%s: %v", source, issues)
			continue
		}
		in := &expression.Match{Hits: make([][]*event.Hit, 2), Vars: []string{"user:ana"}}
		for _, e := range []*event.Event{login("ana", 10, true), login("bo", 20, false), login("cy", 30, true)} {
			in.Hits[0] = append(in.Hits[0], hitOf(t, scope.Steps[0], e, tables{}))
		}
		if got, err := x.Int(expression.NewMachine(tables{}), in); got != want || err != nil {
			t.Errorf("%s = %d %v, want %d", source, got, err, want)
		}
		if _, err := x.Int(expression.NewMachine(nil), &expression.Match{}); err != nil {
			t.Errorf("%s over an empty match: %v", source, err)
		}
	}
}

func TestALookupOverAMatchReadsTheFieldsOfOneStep(t *testing.T) {
	for _, source := range []string{`inList("vendors", vars.who)`, `asset("robot:r1").humans_near`, `asset(vars.machine).humans_near`, `window("maintenance", vars.machine, first(try).time)`} {
		x, issues := expression.CompileFold(source, scopeOf("try"), expression.Condition)
		if x != nil || len(issues) != 1 || issues[0].Code != expression.CodeRefused {
			t.Errorf("%s: %v", source, issues)
		}
	}
}

// listed has ana in every list.
type listed struct{ tables }

func (listed) InList(_, value string) bool { return value == "ana" }

func TestLookupsOverOneHitAreMadeWhenTheHitIs(t *testing.T) {
	scope := scopeOf("login")
	x, issues := expression.CompileFold(`inList("travel", login.user.name) and asset(login.entities.robot).zone == ""`, scope, expression.Condition)
	if x == nil {
		t.Fatal(issues)
	}
	var carried []string
	for _, v := range scope.Steps[0].Values {
		carried = append(carried, v.String())
	}
	if d := cmp.Diff([]string{`inList("travel", user.name)`, `asset(entities.robot).zone`}, carried); d != "" {
		t.Error(d)
	}
	hit := hitOf(t, scope.Steps[0], login("ana", 1, true), listed{})
	in := &expression.Match{Hits: [][]*event.Hit{{hit}}, Vars: []string{"ana"}}
	if got, err := x.Bool(expression.NewMachine(listed{}), in); !got || err != nil {
		t.Errorf("%v %v, want true", got, err)
	}
	if got, err := x.Bool(expression.NewMachine(nil), in); !got || err != nil {
		t.Errorf("with other tables at the fold: %v %v, want the answer that the hit carries", got, err)
	}
	if d := cmp.Diff([]string{"travel"}, x.Lists()); d != "" {
		t.Error(d)
	}
}

func TestFieldsThatHitsMustCarryAreFound(t *testing.T) {
	scope := scopeOf("a", "b")
	one, issues := expression.CompileFold(`a.user.name == b.user.name and count(a, .status == "Success") > distinct(b, "device.hostname")`, scope, expression.Condition)
	if one == nil {
		t.Fatal(issues)
	}
	if _, issues = expression.CompileFold(`a.traffic.bytes + a.traffic.packets`, scope, expression.Number); issues != nil {
		t.Fatal(issues)
	}
	paths := func(fields []*event.Field) (out []string) {
		for _, f := range fields {
			out = append(out, f.Path)
		}
		return out
	}
	if d := cmp.Diff([]string{"user.name", "status"}, paths(one.Needs(scope.Steps[0]))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"user.name", "status", "traffic.bytes", "traffic.packets"}, paths(scope.Steps[0].Fields)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"user.name", "device.hostname"}, paths(scope.Steps[1].Fields)); d != "" {
		t.Error(d)
	}
}

func TestConsecutiveConditionsSeeTheHitBefore(t *testing.T) {
	scope := scopeOf("gap")
	scope.Own, scope.Prev = scope.Steps[0], true
	x, issues := expression.CompileFold(`traffic.bytes != prev.traffic.bytes + 1 and gap.user.name == prev.user.name`, scope, expression.Condition)
	if x == nil {
		t.Fatal(issues)
	}
	m := expression.NewMachine(nil)
	for next, want := range map[int64]bool{11: false, 12: true, 10: true} {
		in := &expression.Match{Prev: hitOf(t, scope.Own, login("ana", 10, true), nil), Own: hitOf(t, scope.Own, login("ana", next, true), nil)}
		in.Hits = [][]*event.Hit{{in.Own}}
		if got, err := x.Bool(m, in); got != want || err != nil {
			t.Errorf("10 then %d: %v %v, want %v", next, got, err, want)
		}
	}
}

func TestGuardConditionsAreSplitByWhatTheyNeed(t *testing.T) {
	scope := scopeOf("opened")
	scope.Own = &expression.StepScope{}
	where, when, issues := expression.CompileGuard(`status == "Success" and (src_endpoint.ip == opened.src_endpoint.ip or inList("nat", src_endpoint.ip)) and is_mfa and vars.who != ""`, scope)
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	if got := len(where.Fields()); got != 2 {
		t.Errorf("%d fields decide at match time, want status and is_mfa", got)
	}
	if len(scope.Own.Fields) != 1 || len(scope.Own.Values) != 1 || len(scope.Steps[0].Fields) != 1 {
		t.Errorf("carried: %d fields, %d values of the guard, %d of the step", len(scope.Own.Fields), len(scope.Own.Values), len(scope.Steps[0].Fields))
	}
	e := &event.Event{}
	e.SrcEndpoint.IP = "10.0.0.1"
	in := &expression.Match{Hits: [][]*event.Hit{{hitOf(t, scope.Steps[0], e, nil)}}, Own: hitOf(t, scope.Own, e, nil), Vars: []string{"user:ana"}}
	if got, err := when.Bool(expression.NewMachine(nil), in); !got || err != nil {
		t.Errorf("%v %v, want true", got, err)
	}
	where, when, issues = expression.CompileGuard(`opened.status == "Succes" or usr.name == ""`, scope)
	if where != nil || when != nil || len(issues) != 2 {
		t.Errorf("%v %v %v", where, when, issues)
	}
}

func TestMistakesOverAMatchAreTold(t *testing.T) {
	for source, want := range map[string]string{
		`opend.time > 3`: "did you mean opened?", `user.name == ""`: "name the step: opened.user.name", `vars.hwo == ""`: "did you mean vars.who?",
		`opened.tme > 3`: "did you mean time?", `opened == 3`: "name one of its fields", `first(opened) == 3`: "name one of its fields",
		`distinct(opened, user.name) > 1`: "in quotes", `sum(opened, "user.name") > 1`: "needs a number", `count(opened, # == 1) > 1`: "after a dot",
		`prev.time > 1`: "steps here", `let x = 1; x == 1`: "not available", `count(opened, .staus == "Success") > 1`: "did you mean",
		`opened.status == "Succes"`: "did you mean Success?", `find(split(opened.user.name, ","), # == "") == ""`: "too rich", `filter(opened, .is_mfa) == 1`: "step",
	} {
		x, issues := expression.CompileFold(source, scopeOf("opened"), expression.Condition)
		if x != nil || len(issues) == 0 {
			t.Errorf("%s: no issue", source)
			continue
		}
		if got := issues[0].Error(); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}
