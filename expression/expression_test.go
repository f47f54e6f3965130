package expression_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

func TestEveryFunctionHasAnExampleThatHolds(t *testing.T) {
	m := expression.NewMachine(tables{})
	for _, fn := range expression.Functions() {
		if fn.Doc == "" || fn.Signature == "" {
			t.Errorf("%s is not documented", fn.Name)
		}
		if fn.Example == "" {
			continue
		}
		x, issues := expression.CompileValue(fn.Example)
		if x == nil {
			t.Errorf("%s: %v", fn.Example, issues)
			continue
		}
		v, err := x.Value(m, &event.Event{})
		if got := show(v); got != fn.Result || err != nil {
			t.Errorf("%s = %s %v, want %s", fn.Example, got, err, fn.Result)
		}
	}
}

func show(v event.FieldValue) string {
	switch v.Kind {
	case event.KindBool:
		return fmt.Sprint(v.Num != 0)
	case event.KindFloat:
		return fmt.Sprint(v.Flt)
	case event.KindString:
		return v.Str
	case event.KindStrings:
		return strings.Join(v.Lst, ",")
	default:
		return fmt.Sprint(v.Num)
	}
}

func TestMistakesAreToldWithPlaceAndHint(t *testing.T) {
	for _, c := range []struct{ source, code, at, hint string }{
		{`user.nmae == "x"`, expression.CodeName, "1:1", "user.name"},
		{`is_mfa and src.ip == "x"`, expression.CodeName, "1:12", "src_endpoint.ip"},
		{"is_mfa\n  and usr.name == 1", expression.CodeName, "2:7", "user.name"},
		{`user == "x"`, expression.CodeName, "1:1", "user."},
		{`status == "Succes"`, expression.CodeCaption, "1:11", "Success"},
		{`"Manuel" == robot.operating_mode`, expression.CodeCaption, "1:1", "Manual"},
		{`status == "Unknown"`, expression.CodeCaption, "1:11", "not known(status)"},
		{`status = "Success"`, expression.CodeSyntax, "1:8", "=="},
		{`(is_mfa`, expression.CodeSyntax, "1:7", "comma"},
		{``, expression.CodeSyntax, "1:1", ""},
		{`user.name`, expression.CodeType, "1:1", "compare"},
		{`user.name == 3`, expression.CodeType, "1:11", ""},
		{`user.roles contains "x"`, expression.CodeType, "1:12", "in list"},
		{`not user.name == "x"`, expression.CodeType, "1:1", "brackets"},
		{`max(1, 2.5) > 1`, expression.CodeType, "1:1", ""},
		{`clamp("x") > 3`, expression.CodeType, "1:1", ""},
		{`user.name matches user.domain`, expression.CodeConstant, "1:19", "contains"},
		{`cidr(src_endpoint.ip, "10.0.0.0/33")`, expression.CodeConstant, "1:23", "cidr("},
		{`cidr(src_endpoint.ip, device.ip)`, expression.CodeConstant, "1:23", ""},
		{`inList(user.name, "x")`, expression.CodeConstant, "1:8", ""},
		{`time > duration("3y")`, expression.CodeConstant, "1:17", "units"},
		{`now() > 3`, expression.CodeName, "1:1", "no clock"},
		{`lwer(user.name) == "x"`, expression.CodeName, "1:1", "lower"},
		{`asset(user.name).zoen == ""`, expression.CodeName, "1:1", "zone"},
		{`asset(user.name) == ""`, expression.CodeName, "1:1", "asset(id)."},
		{`known(user.nam)`, expression.CodeName, "1:7", "user.name"},
		{`user.name == nil`, expression.CodeRefused, "1:14", "known"},
		{`1..9 == [1]`, expression.CodeRefused, "1:2", ""},
		{`{"a": 1} == {"a": 1}`, expression.CodeRefused, "1:1", ""},
		{`repeat("x", 100000) == "x"`, expression.CodeName, "1:1", ""},
		{`sum(user.roles) > 1`, expression.CodeRefused, "1:1", ""},
		{`$env == 1`, expression.CodeName, "1:1", ""},
		{`user.name.length() == 1`, expression.CodeRefused, "1:11", ""},
		{`let user = 1; user == 1`, expression.CodeName, "1:5", "another name"},
		{strings.Repeat("(", 300000), expression.CodeSize, "1:1", ""},
		{strings.Repeat("true and ", 3000) + "true", expression.CodeSize, "1:1", ""},
	} {
		x, issues := expression.CompileEvent(c.source)
		if x != nil || len(issues) == 0 {
			t.Errorf("%.60s: no issue", c.source)
			continue
		}
		got := issues[0]
		if at := fmt.Sprintf("%d:%d", got.Line, got.Column); got.Code != c.code || c.code != expression.CodeSize && at != c.at || !strings.Contains(got.Hint, c.hint) {
			t.Errorf("%.60s\n got %s %s %q (%s)\nwant %s %s (%s)", c.source, got.Code, at, got.Message, got.Hint, c.code, c.at, c.hint)
		}
	}
}

func TestAllWrongNamesOfAnExpressionAreTold(t *testing.T) {
	_, issues := expression.CompileEvent(`user.nmae == "x" and user.roels == "y" and status == "Z"`)
	if len(issues) != 3 {
		t.Errorf("%d issues, want 3: %v", len(issues), issues)
	}
}

func TestUnknownReadsAsZeroAndKnownTellsItApart(t *testing.T) {
	e := &event.Event{}
	zero := &event.Event{IsMFA: event.False, RiskScore: event.IntOf(0)}
	m := expression.NewMachine(nil)
	for source, want := range map[string][2]bool{
		`is_mfa`: {false, false}, `not is_mfa`: {true, true}, `known(is_mfa)`: {false, true}, `risk_score == 0`: {true, true}, `known(risk_score)`: {false, true},
		`(risk_score ?? 50) == 50`: {true, false}, `user.name == ""`: {true, true}, `len(user.roles) == 0`: {true, true},
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil {
			t.Fatal(source, issues)
		}
		for i, e := range []*event.Event{e, zero} {
			if got, err := x.Match(m, e); got != want[i] || err != nil {
				t.Errorf("%s on event %d: %v %v, want %v", source, i, got, err, want[i])
			}
		}
	}
}

func TestFactsAreFoundForTheIndex(t *testing.T) {
	for source, want := range map[string]string{
		`status == "Success" and user.name in ["b", "a"]`:                    `status_id=[] [1]; user.name=[a b] []`,
		`"a" == user.name and is_mfa`:                                        `user.name=[a] []`,
		`dst_endpoint.port in [22, 23] or dst_endpoint.port == 80`:           `dst_endpoint.port=[] [22 23 80]`,
		`dst_endpoint.port == 22 or user.name == "a"`:                        ``,
		`not (user.name == "a")`:                                             ``,
		`user.name != "a"`:                                                   ``,
		`user.name == "a" and user.name == "b"`:                              `user.name=[] []`,
		`(user.name == "a" or user.name == "b") and user.name in ["b", "c"]`: `user.name=[b] []`,
		`dst_endpoint.port == 22.0`:                                          ``,
		`user.name == device.hostname`:                                       ``,
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil {
			t.Fatal(source, issues)
		}
		var got []string
		for _, eq := range x.Equalities() {
			got = append(got, fmt.Sprintf("%s=%v %v", eq.Field.Path, eq.Strs, eq.Ints))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s\n got %s\nwant %s", source, strings.Join(got, "; "), want)
		}
		if never := strings.Contains(want, "[] []"); x.Never() != never {
			t.Errorf("%s: Never is %v", source, x.Never())
		}
	}
}

func TestFieldsAndListsOfAnExpressionAreTold(t *testing.T) {
	x, issues := expression.CompileEvent(`known(is_mfa) and inList("b", lower(user.name)) or inList("a", user.name) and status == "Success"`)
	if x == nil {
		t.Fatal(issues)
	}
	var paths []string
	for _, f := range x.Fields() {
		paths = append(paths, f.Path)
	}
	if d := cmp.Diff([]string{"is_mfa", "status", "user.name"}, paths); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a", "b"}, x.Lists()); d != "" {
		t.Error(d)
	}
}

func TestRunTimeErrorsAreNoMatchAndSayWhy(t *testing.T) {
	m := expression.NewMachine(nil)
	for source, want := range map[string]string{
		`is_mfa or int(user.name) == 3`: `not an integer at column 11 of`, `traffic.bytes % traffic.packets == 0`: `division by zero at column 15`,
		`split(user.name, ",")[5] == "x"`: `index out of range at column 22`, `find(user.roles, # == "x") + "y" == "y"`: `no result`,
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil {
			t.Fatal(source, issues)
		}
		e := &event.Event{}
		e.User.Name = "ana"
		if got, err := x.Match(m, e); got || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v", source, got, err)
		}
	}
	x, _ := expression.CompileEvent(`true or int(user.name) == 3`)
	if got, err := x.Match(m, &event.Event{}); !got || err != nil {
		t.Errorf("what is not reached cannot fail: %v %v", got, err)
	}
}

func TestEvaluationDoesNotAllocate(t *testing.T) {
	e := randomEvent(rand.New(rand.NewPCG(7, 7)))
	m := expression.NewMachine(tables{})
	for _, source := range []string{
		`status == "Success" and user.name in ["a", "b"] and not cidr(src_endpoint.ip, "10.0.0.0/8")`,
		`robot.operating_mode in ["Manual", "Teach-In"] or hour(time) < 6 or inList("vendors", user.name)`,
		`any(user.roles, # startsWith "a") or traffic.bytes / 2 > 3.5 or asset("robot:r1").humans_near`,
		`int(user.name) == 3`, `traffic.bytes % 0 == 1`,
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil {
			t.Fatal(source, issues)
		}
		if strings.HasPrefix(source, "int(") {
			continue // strconv's error is the one allocation
		}
		if n := testing.AllocsPerRun(100, func() { x.Match(m, e) }); n != 0 {
			t.Errorf("%s: %v allocations", source, n)
		}
	}
}

func TestCaptionsStandForOneIdEach(t *testing.T) {
	for _, f := range event.Fields() {
		if f.Flags&event.IsCaption == 0 {
			continue
		}
		id := event.FieldByPath(f.Path + "_id")
		if id == nil || id.Flags&event.Enum == 0 {
			t.Errorf("%s has no enumerated field beside it", f.Path)
		}
		for _, c := range event.Captions(f.Object, f.Attr) {
			if n := event.CaptionID(f.Object, f.Attr, c); n != 0 && event.Caption(f.Object, f.Attr, n) != c {
				t.Errorf("caption %q of %s reads back as %q", c, f.Path, event.Caption(f.Object, f.Attr, n))
			}
		}
	}
}

func TestNoFieldIsAlsoAPrefixOfOthers(t *testing.T) {
	for _, a := range event.Fields() {
		for _, b := range event.Fields() {
			if strings.HasPrefix(b.Path, a.Path+".") {
				t.Errorf("%s is a value and has the field %s", a.Path, b.Path)
			}
		}
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]int64{
		"0s": 0, "500ms": 500_000, "90s": 90e6, "1h30m": 5400e6, "14d": 14 * 86400e6, "2w": 14 * 86400e6, "1d12h": 36 * 3600e6,
		"": -1, "5": -1, "h": -1, "1.5h": -1, "3mo": -1, "1y": -1, "10us": -1, "30m1h": -1, "1h1h": -1, "-5m": -1, "99999999999999w": -1, "5 m": -1, "1H": -1,
	} {
		got, err := expression.ParseDuration(s)
		if want < 0 && err == nil || want >= 0 && (got != want || err != nil) {
			t.Errorf("%q: %d %v, want %d", s, got, err, want)
		}
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for range 1000 {
		n := r.Int64N(1e9) * 1000
		if got, err := expression.ParseDuration(expression.FormatDuration(n)); got != n || err != nil {
			t.Fatalf("seed %d: %d reads back as %d, %v", seed, n, got, err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 9))
	events := make([]*event.Event, 512)
	for i := range events {
		events[i] = randomEvent(r)
	}
	for name, source := range map[string]string{
		"three_equalities": `status == "Success" and user.name == "a" and device.hostname == "b"`,
		"int_in":           `dst_endpoint.port in [22, 23, 2222, 5900] and src_endpoint.port > 3`,
		"two_contains":     `user.name contains "dm" or device.hostname contains "ot"`,
		"caption_in":       `robot.operating_mode in ["Manual", "Teach-In", "Service"] and robot.uid != ""`,
		"arithmetic":       `traffic.bytes_out / 60 > 1000 and traffic.packets * 2 < 50`,
		"cidr":             `cidr(src_endpoint.ip, "10.0.0.0/8", "192.168.0.0/16")`,
		"fallback":         `split(user.name, ",")[0] == "x"`,
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil {
			b.Fatal(issues)
		}
		m := expression.NewMachine(nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				x.Match(m, events[i&511])
				i++
			}
		})
	}
}
