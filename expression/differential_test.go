package expression_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// tables are lookups with something in every table.
type tables struct{}

func (tables) InList(list, value string) bool {
	return list == "vendors" && (value == "acme" || value == "a")
}

func (tables) InWindow(kind, entity string, at int64) bool {
	return kind == "maintenance" && entity == "robot:r1" && at%2 == 0
}

func (tables) AssetField(id, field string) event.FieldValue {
	if id != "robot:r1" {
		return event.FieldValue{}
	}
	return map[string]event.FieldValue{
		"criticality": {Kind: event.KindInt, Known: true, Num: 3}, "humans_near": {Kind: event.KindBool, Known: true, Num: 1},
		"zone": {Kind: event.KindString, Known: true, Str: "cell-1"},
	}[field]
}

var words = []string{"", "a", "b", "acme", "admin", "10.1.2.3", "192.168.0.9", "8.8.8.8", "2001:db8::1", "robot:r1", "Teach-In", "ana@mail.example.co.uk", "17", "-3.5", "ÄÖ"}

// randomEvent sets a random half of the fields from a small vocabulary, so that comparisons are often true.
func randomEvent(r *rand.Rand) *event.Event {
	e := &event.Event{}
	word := func() string { return words[r.IntN(len(words))] }
	for _, f := range event.Fields() {
		if f.Set == nil || f.Flags&event.IsCaption != 0 || r.IntN(2) == 0 {
			continue
		}
		f.Set(e, event.Value{Str: word(), Num: int64(r.IntN(12)), Flt: float64(r.IntN(9)-4) / 2, Tri: event.Bool(r.IntN(3)), Lst: []string{word(), word()}[:r.IntN(3)]})
	}
	e.Time = r.Int64N(1 << 51)
	var raw []event.RawField
	for _, name := range []string{"Image", "CommandLine", "EventID", "Ä"} {
		if r.IntN(2) == 0 {
			raw = append(raw, event.RawField{Name: name, Value: word()})
		}
	}
	e.SetRaw(raw)
	return e
}

// corpus are expressions as rules contain them, and the corners of the language.
var corpus = []string{
	`status == "Success" and user.name in ["a", "b"] and not cidr(src_endpoint.ip, "10.0.0.0/8", "2001:db8::/32")`,
	`"admin" in user.roles and src_endpoint.location.country != ""`,
	`dst_endpoint.port in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] or dst_endpoint.port in 1..4`,
	`robot.operating_mode in ["Manual", "Teach-In", "Service"]`,
	`robot.operating_mode != "Manual" and robot.operating_mode != robot.prev_operating_mode`,
	`status == "success"`, `severity in ["High", "Critical"]`, `disposition == "Blocked" or action == "Denied"`,
	`traffic.packets >= 3 and traffic.bytes / traffic.packets > 1.5`, `traffic.bytes % traffic.packets == 1`, `traffic.bytes % 0 == 1 or is_mfa`,
	`is_mfa or traffic.bytes % 0 == 1`, `any(user.roles, 1 % len(#) == 0)`, `all(user.roles, # startsWith "a")`, `none(user.roles, # == "a")`,
	`one(user.roles, # == "a")`, `count(user.roles, # == "a") == 1`, `len(filter(user.roles, # != "a")) > 0`, `filter(user.roles, # != "a")`,
	`any(user.roles, any(actor.user.roles, # == "a") and # == "b")`, `len(user.name) > 1`, `len(user.roles)`, `upper(lower(user.name)) + "x"`,
	`trim(user.name, "a")`, `trimPrefix(user.name, "a")`, `trimSuffix(user.name, "e")`, `hasPrefix(user.name, "a") or hasSuffix(user.name, "a")`,
	`indexOf(user.name, "m")`, `lastIndexOf(user.name, "a")`, `int(user.name)`, `float(user.name)`, `int(robot.battery_pct)`, `string(robot.battery_pct)`,
	`string(is_mfa) + string(time) + string(user.name)`, `abs(robot.battery_pct)`, `abs(0 - traffic.bytes)`, `ceil(robot.battery_pct) + floor(1.5) + round(2.5)`,
	`min(traffic.bytes, traffic.packets, 3)`, `max(robot.battery_pct, 0.25)`, `-traffic.bytes + +3 - 2 * traffic.packets`, `2 ** traffic.packets`, `robot.battery_pct ^ 2`,
	`traffic.bytes == 3.0`, `robot.battery_pct <= traffic.bytes`, `user.name < device.hostname`, `is_mfa == is_remote`, `is_mfa == false`, `not is_mfa and !is_remote`,
	`user.name contains "a" and user.name startsWith "a" and not (user.name endsWith "z")`, `user.name contains device.hostname`, `user.name matches "^a.*[0-9]?$"`,
	`user.name in [device.hostname, "a"]`, `traffic.bytes in [traffic.packets, 2]`, `user.name in user.roles`, `user.name in ["a"] ? traffic.bytes : 7`,
	`is_mfa ? user.name : device.hostname`, `is_mfa ? user.roles : actor.user.roles`, `is_mfa ? 1.5 : robot.battery_pct`, `known(is_mfa) and known(user.name) and known(traffic.bytes)`,
	`(user.name ?? device.hostname) == "a"`, `(traffic.bytes ?? 9) > 3`, `inList("vendors", user.name)`, `window("maintenance", entities.robot, time)`,
	`window("maintenance", "robot:r1", time)`, `asset("robot:r1").criticality + 1`, `asset(user.name).zone == "cell-1"`, `asset("robot:r1").humans_near`,
	`hour(time) < 6 or weekday(time) > 5`, `time - start_time > duration("30m")`, `domainOf(user.email_addr)`, `domainOf(user.name)`, `private(src_endpoint.ip)`,
	`clamp(traffic.bytes * 30)`, `clamp(robot.battery_pct, 0, 1)`, `1 < traffic.bytes < 9`, `1 < len(user.name) < 9`, `(1 / 0) > 3`, `0 / 0 == 0 / 0`,
	`let n = user.name; n == "a" or n == "b"`, `split(user.email_addr, "@")[1]`, `user.roles[0] == "a"`, `user.name[0:1]`, `join(user.roles, "-")`, `map(user.roles, upper(#))`,
	`"A" in map(user.roles, upper(#))`, `find(user.roles, # == "a") == "a"`, `user.roles | any(# == "a")`, `true ? user.name : "x"`, `user.name == "a" or true`,
	`raw("Image") == "a" and rawKnown("CommandLine")`, `raw("absent") == "" and not rawKnown("absent")`, `len(raws()) > 1`, `any(raws(), # == "acme")`, `raws()`, `raw("Ä")`, `raw.Image == "a"`, `known(raw.Image)`, `(raw.Image ?? "x") == raw("EventID")`,
	`iequals(raw("Image"), "ACME", "äö")`, `icontains(raws(), "DM", "ö")`, `istarts(user.name, "AD", "t")`, `iends(user.roles, "ME", "-IN")`, `iends(user.name, "")`,
	`ilike(raw("Image"), "A*N", "*-?n", "??")`, `ilike(raws(), "*.*.*.*")`, `imatches(raw("CommandLine"), "(?i)^ADM", "[0-9]$")`, `icontains(map(user.roles, upper(#)), "a")`,
	`icontains(find(raws(), # != ""), "a") or iequals(split(user.name, "m")[0], "AD")`, `icontains(is_mfa ? raws() : user.roles, "a")`, `icontains("Kelvin", "\u212aELVIN")`,
	`user.roles[-1]`, `user.roles[traffic.bytes] == "a"`, `user.name[1:]`, `user.name[-3:-1]`, `user.name[5:2] == ""`, `user.roles[1:]`, `user.roles[:1]`, `user.roles[traffic.bytes:traffic.packets]`, `join(user.roles)`,
	`map(user.roles, int(#) > 1 ? # : user.name)`, `map(split(user.email_addr, "@"), trim(#))[0]`, `any(map(user.roles, # + "x"), # startsWith "a")`, `let n = int(user.name); is_mfa`,
	`let n = lower(user.name); let m = n + "x"; n contains "a" and m endsWith "x"`, `any(user.roles, let n = upper(#); n == "A" or n == user.name)`, `let n = traffic.bytes * 2; n > 3 ? n : -n`,
	`let n = robot.battery_pct / 2; n`, `let n = user.roles; n[0]`, `let n = is_mfa; n or is_remote`, `let n = 1; let n2 = n + 1; let n3 = n2 + 1; let n4 = n3 + traffic.bytes; let n5 = n4 + 1; n5`, `(is_mfa ? 1 : 2.5) > 2`, `["a", "b"] == user.roles`, `user.name not in ["a", "b"]`, `user?.name == "a"`, `user["name"] == "a"`,
}

func TestClosuresAndTheMachineOfExprAgreeOnTheCorpus(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	events := make([]*event.Event, 400)
	for i := range events {
		events[i] = randomEvent(r)
	}
	native := 0
	for _, source := range corpus {
		if agree(t, seed, source, events) {
			native++
		}
	}
	if native*10 < len(corpus)*8 {
		t.Errorf("only %d of %d expressions run as closures", native, len(corpus))
	}
	t.Logf("%d of %d expressions run as closures", native, len(corpus))
}

// agree compares both ways of running an expression on every event; it reports whether the expression has closures.
func agree(t *testing.T, seed uint64, source string, events []*event.Event) bool {
	t.Helper()
	fast, issues := expression.CompileValue(source)
	for _, i := range issues {
		t.Errorf("%s: %v", source, i)
	}
	slow, issues := expression.CompileSlow(source)
	for _, i := range issues {
		t.Errorf("%s in the machine: %v", source, i)
	}
	if fast == nil || slow == nil {
		return false
	}
	m, m2 := expression.NewMachine(tables{}), expression.NewMachine(tables{})
	for i, e := range events {
		got, err := fast.Value(m, e)
		want, err2 := slow.Value(m2, e)
		if (err != nil) != (err2 != nil) || !sameValue(got, want) {
			t.Fatalf("seed %d, event %d: %s\nclosures: %+v %v\nmachine:  %+v %v", seed, i, source, got, err, want, err2)
		}
		if fast.Kind() != event.KindBool || err != nil {
			continue
		}
		if cond, _ := expression.CompileEvent(source); got.Num != 0 {
			checkFacts(t, seed, source, cond, e)
		}
	}
	return fast.Native()
}

// sameValue compares results; NaN equals itself and an empty list a missing one.
func sameValue(a, b event.FieldValue) bool {
	if a.Flt != a.Flt && b.Flt != b.Flt {
		a.Flt, b.Flt = 0, 0
	}
	if len(a.Lst) == 0 && len(b.Lst) == 0 {
		a.Lst, b.Lst = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// checkFacts holds a true condition to the facts that indexing relies on.
func checkFacts(t *testing.T, seed uint64, source string, x *expression.Event, e *event.Event) {
	t.Helper()
	for _, eq := range x.Equalities() {
		ok := false
		if eq.Field.Kind == event.KindString {
			for _, s := range eq.Strs {
				ok = ok || eq.Field.Str(e) == s
			}
		} else {
			v, _ := eq.Field.Num(e)
			for _, n := range eq.Ints {
				ok = ok || v == n
			}
		}
		if !ok {
			t.Fatalf("seed %d: %s is true although %s is none of %q %v", seed, source, eq.Field.Path, eq.Strs, eq.Ints)
		}
	}
}

func TestClosuresAndTheMachineOfExprAgreeOnRandomExpressions(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	events := make([]*event.Event, 40)
	for i := range events {
		events[i] = randomEvent(r)
	}
	g := newGrammar(r)
	for range 1500 {
		agree(t, seed, g.condition(4), events)
	}
}

// grammar writes random well-typed expressions.
type grammar struct {
	r        *rand.Rand
	byKind   map[event.Kind][]event.Field
	captions []event.Field
	inList   bool
}

func newGrammar(r *rand.Rand) *grammar {
	g := &grammar{r: r, byKind: map[event.Kind][]event.Field{}}
	for _, f := range event.Fields() {
		if f.Flags&event.IsCaption != 0 {
			g.captions = append(g.captions, f) // only compared with words they have
			continue
		}
		g.byKind[f.Kind] = append(g.byKind[f.Kind], f)
	}
	return g
}

func (g *grammar) one(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *grammar) field(k event.Kind) string {
	return g.byKind[k][g.r.IntN(len(g.byKind[k]))].Path
}

func (g *grammar) condition(depth int) string {
	if depth <= 0 {
		return g.one(g.field(event.KindBool), "true", "false", "known("+g.field(event.KindString)+")", g.caption())
	}
	d := depth - 1
	switch g.r.IntN(16) {
	case 0, 1:
		return "(" + g.condition(d) + g.one(" and ", " && ") + g.condition(d) + ")"
	case 2, 3:
		return "(" + g.condition(d) + g.one(" or ", " || ") + g.condition(d) + ")"
	case 4:
		return "not (" + g.condition(d) + ")"
	case 5:
		return g.number(d) + g.one(" < ", " > ", " <= ", " >= ", " == ", " != ") + g.number(d)
	case 6:
		return g.text(d) + g.one(" == ", " != ", " < ", " contains ", " startsWith ", " endsWith ") + g.text(d)
	case 7:
		return g.text(d) + " in " + g.list(d)
	case 8:
		return g.integer(d) + " in [" + g.integer(0) + ", 1, 2, " + strconv.Itoa(g.r.IntN(9)) + "]"
	case 9:
		return g.text(d) + ` matches "` + g.one("^a", "[0-9]+", "(a|b)c?", "") + `"`
	case 10:
		inner := *g
		inner.inList = true
		return g.one("any", "all", "none", "one") + "(" + g.list(d) + ", " + inner.condition(d) + ")"
	case 11:
		return "(" + g.condition(d) + " ? " + g.condition(d) + " : " + g.condition(d) + ")"
	case 12:
		return g.one(`cidr(`+g.text(0)+`, "10.0.0.0/8", "8.8.8.8")`, "private("+g.text(d)+")", `inList("vendors", `+g.text(d)+")")
	case 13, 14:
		return g.one("iequals", "icontains", "istarts", "iends", "ilike") + "(" + g.one(g.text(d), g.list(d)) + ", " + g.one(`"A"`, `"*M*", "?"`, `"ADMIN", "*in"`, `"-?n", "äÖ", ""`) + ")"
	default:
		return g.caption()
	}
}

func (g *grammar) caption() string {
	f := g.captions[g.r.IntN(len(g.captions))]
	var known []string
	for _, c := range event.Captions(f.Object, f.Attr) {
		if event.CaptionID(f.Object, f.Attr, c) != 0 {
			known = append(known, strconv.Quote(c))
		}
	}
	return g.one(f.Path+" == "+g.one(known...), f.Path+" != "+g.one(known...), f.Path+" in ["+g.one(known...)+", "+g.one(known...)+"]")
}

func (g *grammar) number(depth int) string {
	if g.r.IntN(2) == 0 {
		return g.integer(depth)
	}
	if depth <= 0 {
		return g.one(g.field(event.KindFloat), "0.5", "-1.5")
	}
	d := depth - 1
	return g.one("("+g.number(d)+g.one(" + ", " - ", " * ", " / ")+g.number(d)+")", "round("+g.number(d)+")", "float("+g.number(d)+")")
}

func (g *grammar) integer(depth int) string {
	if depth <= 0 {
		return g.one(g.field(event.KindInt), g.field(event.KindTime), "0", "1", "3", "-2")
	}
	d := depth - 1
	return g.one("("+g.integer(d)+g.one(" + ", " - ", " * ", " % ")+g.integer(d)+")", "len("+g.text(d)+")", "len("+g.list(d)+")", "int("+g.text(d)+")",
		"min("+g.integer(d)+", "+g.integer(d)+")", "hour("+g.integer(d)+")", "clamp("+g.integer(d)+")", "("+g.condition(d)+" ? "+g.integer(d)+" : "+g.integer(d)+")")
}

func (g *grammar) text(depth int) string {
	if depth <= 0 {
		if g.inList && g.r.IntN(2) == 0 {
			return "#"
		}
		return g.one(g.field(event.KindString), strconv.Quote(words[g.r.IntN(len(words))]), `raw("Image")`)
	}
	d := depth - 1
	return g.one(g.one("lower", "upper", "trim", "domainOf", "string")+"("+g.text(d)+")", "("+g.text(d)+" + "+g.text(d)+")", g.text(0),
		"trimPrefix("+g.text(d)+", "+g.text(d)+")", "string("+g.integer(d)+")", "("+g.condition(d)+" ? "+g.text(d)+" : "+g.text(d)+")", "("+g.field(event.KindString)+` ?? "z")`)
}

func (g *grammar) list(depth int) string {
	if depth <= 0 || g.inList {
		return g.one(g.field(event.KindStrings), "raws()", `["a", "b"]`, `["acme", "a", "17", "x", "y", "z", "u", "v", "w"]`)
	}
	inner := *g
	inner.inList = true
	return g.one(g.list(0), "filter("+g.list(0)+", "+inner.condition(depth-1)+")")
}

func FuzzCompilingAndRunningNeverPanics(f *testing.F) {
	for _, s := range corpus {
		f.Add(s)
	}
	e := randomEvent(rand.New(rand.NewPCG(1, 1)))
	f.Fuzz(func(t *testing.T, source string) {
		fast, _ := expression.CompileValue(source)
		slow, _ := expression.CompileSlow(source)
		if (fast == nil) != (slow == nil) {
			t.Fatalf("%q compiles in one way only", source)
		}
		if fast == nil {
			return
		}
		got, err := fast.Value(expression.NewMachine(tables{}), e)
		want, err2 := slow.Value(expression.NewMachine(tables{}), e)
		if (err != nil) != (err2 != nil) || !sameValue(got, want) {
			t.Fatalf("%q\nclosures: %+v %v\nmachine:  %+v %v", source, got, err, want, err2)
		}
		scope := &expression.Scope{Steps: []*expression.StepScope{{ID: "one"}, {ID: "two"}}, Vars: []expression.Var{{Name: "v"}}, Own: &expression.StepScope{}, Prev: true}
		if x, _ := expression.CompileFold(source, scope, expression.Condition); x != nil {
			if _, err := x.Bool(expression.NewMachine(nil), &expression.Match{}); err != nil && !strings.Contains(fmt.Sprint(err), "column") {
				t.Fatalf("error without a place: %v", err)
			}
		}
	})
}
