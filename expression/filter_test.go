package expression_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

func subject() *expression.Subject {
	return &expression.Subject{
		ID: "inc_a", Title: "Program changed: h1", Status: "open", Assessment: "intrusion", Owner: "ot", Severity: 4, Score: 81, Findings: 3, Events: 12,
		First: 1767607200, Last: 1767607900, Opened: 1767607300, Updated: 1767608000, Age: 7200, Hour: 10, Weekday: 1, Open: true,
		Rules: []string{"rb-0001", "id-0002"}, Tags: []string{"attack.t0859"}, Attack: []string{"T0859"}, Domains: []string{"identity", "robot"}, Robots: []string{"h1", "h2"},
		Users: []string{"ana"}, Addresses: []string{"10.40.7.42", "198.51.100.9"}, Zones: []string{"cell-3"}, Sites: []string{"north"}, Entities: []string{"robot:h1", "user:ana"},
		Change: "escalated", Rule: "rb-0001",
	}
}

func TestAFilterAsksAnIncidentInTheLanguageOfRules(t *testing.T) {
	for source, want := range map[string]bool{
		`severity >= high and "h1" in robots`:                  true,
		`severity == critical`:                                 false,
		`severity in [high, critical]`:                         true,
		`severity in 4..5`:                                     true,
		`any(zones, # startsWith "cell-")`:                     true,
		`status == "open" and age > 3600`:                      true,
		`age > duration("3h")`:                                 false,
		`age > duration("90m")`:                                true,
		`open and not snoozed`:                                 true,
		`any(addresses, cidr(#, "10.0.0.0/8"))`:                true,
		`count(addresses, private(#)) == 1`:                    true,
		`len(filter(robots, # != "h1")) == 1`:                  true,
		`icontains(title, "PROGRAM")`:                          true,
		`title matches "(?i)^program .*h[0-9]$"`:               true,
		`imatches(robots, "^h9$")`:                             false,
		`ilike(users, "a?a")`:                                  true,
		`hour in 8..17 and weekday <= 5`:                       true,
		`first < last and opened > first and updated > opened`: true,
		`(findings > 2 ? score : 0) > 80`:                      true,
		`robots[0] == "h1" and robots[-1] == "h2"`:             true,
		`devices[0] == "x"`:                                    false, // no result
		`not (devices[0] == "x")`:                              false,
		`score % findings == 0 and score / findings == 27`:     true,
		`score % (findings - 3) == 0`:                          false,
		`verdict == "" and assignee == ""`:                     true,
		`assessment in ["intrusion", "misuse"]`:                true,
		`change == "escalated" && rule == "rb-0001"`:           true,
		`"user:ana" in entities or "x" in devices`:             true,
		`"T0859" in attack and "north" in sites`:               true,
		`events >= 12 ? id startsWith "inc_" : false`:          true,
		`max(score, findings, 90) == 90 and clamp(score) > 1`:  true,
		`true`: true,
	} {
		f, err := expression.CompileFilter(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := f.Match(subject()); got != want {
			t.Errorf("%s is %v", source, got)
		}
		if f.String() != source {
			t.Errorf("%s reads %s", source, f)
		}
	}
}

func TestAFilterThatIsWrongSaysWhereAndWhatToWrite(t *testing.T) {
	for _, c := range []struct {
		source, code string
		column       int
		say, hint    string
	}{
		{``, expression.CodeSyntax, 1, "filter is empty", ""},
		{`sevrity >= high`, expression.CodeName, 1, "unknown name sevrity", "did you mean severity?"},
		{`severity >= hihg`, expression.CodeName, 13, "unknown name hihg", "did you mean high?"},
		{`open and palletizer`, expression.CodeName, 10, "unknown name palletizer", `icontains(title, "palletizer")`},
		{`severity == "high"`, expression.CodeType, 13, "severity compares with a word without quotes", "severity >= high"},
		{`status == "opn"`, expression.CodeCaption, 11, "status is never opn", "did you mean open?"},
		{`"done" == status`, expression.CodeCaption, 1, "status is never done", "it has open"},
		{`verdict in ["intrusion", "mistake"]`, expression.CodeCaption, 26, "verdict is never mistake", "it has"},
		{`robots == "h1"`, expression.CodeType, 8, "mismatched types", `"x" in list`},
		{`status = "open"`, expression.CodeSyntax, 8, "", "== compares"},
		{`severity`, expression.CodeType, 1, "a condition must be true or false", "compare"},
		{`hour(first) > 3`, expression.CodeName, 1, "hour is a name here", "without brackets"},
		{`inList("x", title)`, expression.CodeRefused, 1, "filters do not have inList", ""},
		{`raw("x") == "y"`, expression.CodeRefused, 1, "filters do not have raw", ""},
		{`known(title)`, expression.CodeRefused, 1, "filters have no known", ""},
		{`icontain(title, "x")`, expression.CodeName, 1, "there is no function icontain", "did you mean icontains?"},
		{`let x = 1; x > 0`, expression.CodeRefused, 5, "let is not available in filters", ""},
		{`join(robots, title) == ""`, expression.CodeRefused, 1, "filters do not have join", ""},
		{`map(robots, # ) == robots`, expression.CodeRefused, 1, "filters do not have map", ""},
		{`title + title == ""`, expression.CodeRefused, 7, "do not build it", ""},
		{`any(robots, # in users)`, expression.CodeRefused, 18, "a predicate looks at the values of one list", "join two predicates"},
		{`any(robots, any(users, # == "x"))`, expression.CodeRefused, 17, "a predicate looks at the values of one list", ""},
		{`int(title) > 3`, expression.CodeRefused, 1, "filters do not have int", ""},
		{`(title ?? "x") == "y"`, expression.CodeRefused, 8, "filters have no ??", ""},
		{`title matches "(.{9}){9}" or title matches "(.{90}){11}(.{90}){11}"`, expression.CodeSize, 44, "too large for a filter", ""},
		{`imatches(title, ".{900}", ".{900}", ".{900}")`, expression.CodeSize, 27, "too large for a filter", ""},
		{`title matches "("`, expression.CodeType, 7, "missing closing )", ""},
		{`title matches owner`, expression.CodeConstant, 15, "must be a constant", ""},
		{"open and\n  opeen", expression.CodeName, 3, "unknown name opeen", "did you mean open?"},
		{strings.Repeat("x", 5000), expression.CodeSize, 1, "longer than 4096 bytes", ""},
		{strings.Repeat("open and ", 400) + "open", expression.CodeSize, 0, "more than 400 parts", "shorten it"},
		{"now() > 3", expression.CodeName, 1, "there is no function now", ""},
	} {
		f, err := expression.CompileFilter(c.source)
		i, ok := errors.AsType[*expression.Issue](err)
		if f != nil || !ok {
			t.Errorf("%.60s compiles (%v)", c.source, err)
			continue
		}
		if i.Code != c.code || i.Column != c.column && c.column > 0 || !strings.Contains(i.Message, c.say) || !strings.Contains(i.Hint, c.hint) {
			t.Errorf("%.60s: %s %v", c.source, i.Code, i)
		}
	}
}

func TestWhatIsListedForFiltersCompiles(t *testing.T) {
	for _, n := range expression.FilterNames() {
		source := n.Name + ` == ""`
		switch n.Kind {
		case event.KindInt:
			source = n.Name + " == 0"
		case event.KindBool:
			source = "not " + n.Name
		case event.KindStrings:
			source = "len(" + n.Name + ") == 0"
		}
		f, err := expression.CompileFilter(source)
		if err != nil || !f.Match(new(expression.Subject)) {
			t.Errorf("%s: %v", source, err)
		}
		if n.Doc == "" {
			t.Errorf("%s is not documented", n.Name)
		}
	}
	for i, s := range expression.FilterSeverities() {
		if f, err := expression.CompileFilter("severity == " + s); err != nil || !f.Match(&expression.Subject{Severity: int64(i + 1)}) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, fn := range expression.FilterFunctions() {
		if fn.Example == "" || fn.Name == "duration" {
			continue
		}
		want := fn.Result
		switch fn.Result {
		case "true", "false":
		default:
			want = fmt.Sprintf("%q", fn.Result)
			if strings.Trim(fn.Result, "-−.0123456789") == "" {
				want = strings.ReplaceAll(fn.Result, "−", "-")
			}
		}
		if f, err := expression.CompileFilter("(" + fn.Example + ") == " + want); err != nil || !f.Match(subject()) {
			t.Errorf("%s is not %s: %v", fn.Example, want, err)
		}
	}
}

// TestTheDearestFiltersStayCheap runs them over an incident with many entities.
func TestTheDearestFiltersStayCheap(t *testing.T) {
	s := subject()
	for i := range 5000 {
		s.Addresses = append(s.Addresses, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	for _, source := range []string{
		strings.TrimSuffix(strings.Repeat(`any(addresses, # matches "(x+x+)+y") or `, 30), " or "),
		"any(" + strings.Repeat("filter(", 60) + "addresses" + strings.Repeat(`, # != "x")`, 60) + `, # == "y")`,
	} {
		f, err := expression.CompileFilter(source)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1, func() { f.Match(s) }); n > 1000 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestAFilterIsAskedFromManyGoroutinesWithoutAllocating(t *testing.T) {
	f, err := expression.CompileFilter(`severity >= high and any(zones, # startsWith "cell-") and "h1" in robots`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	for range 4 {
		go func() {
			same := true
			for i := range 1000 {
				s := subject()
				s.Severity = int64(i % 6)
				same = same && f.Match(s) == (i%6 >= 4)
			}
			done <- same
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("a goroutine saw another's subject")
		}
	}
	s := subject()
	if n := testing.AllocsPerRun(100, func() { f.Match(s) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCompileFilter(f *testing.F) {
	for _, source := range []string{
		`severity >= high and "h1" in robots`, `any(zones, # startsWith "cell-")`, `status == "open" and age > 3600`, `title matches "a{2,3}"`, `robots[0:1] == ["x"]`,
		`len(filter(robots, # != "h1")) == 1`, `not (score % findings == 0)`, `first ? true : false`, `count(robots) > 1`, `severity in [low..high]`, `vars.x == 1`, `#`, `$env`, `any(robots, .x)`,
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		x, err := expression.CompileFilter(source)
		if err != nil {
			i, ok := errors.AsType[*expression.Issue](err)
			if !ok || i.Line < 1 || i.Column < 1 || i.Message == "" {
				t.Fatalf("%q: %v", source, err)
			}
			return
		}
		for _, s := range []*expression.Subject{subject(), {}} {
			first := x.Match(s)
			if again := x.Match(s); again != first {
				t.Fatalf("%q changes its mind", source)
			}
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	f, err := expression.CompileFilter(`open and severity >= high and any(zones, # startsWith "cell-") and icontains(title, "program")`)
	if err != nil {
		b.Fatal(err)
	}
	subjects := make([]*expression.Subject, 1024)
	for i := range subjects {
		subjects[i] = subject()
		subjects[i].Severity = rand.Int64N(6) + 1
	}
	i := 0
	for b.Loop() {
		f.Match(subjects[i%len(subjects)])
		i++
	}
}

func TestAFilterKnowsWhenItPassesOnlyWhatIsOpen(t *testing.T) {
	for source, want := range map[string]bool{
		"open": true, "open and not snoozed": true, "severity >= high && open": true, `any(zones, # == "x") and open`: true,
		`status == "open"`: true, `"acknowledged" == status`: true, `status == "open" or status == "acknowledged"`: true, `status in ["open", "acknowledged"]`: true,
		"open or severity >= high": false, "not open": false, "not (open and snoozed)": false, `status == "closed"`: false, `status != "closed"`: false, `status in ["open", "closed"]`: false,
		`owner == "open"`: false, "open == false": false, "severity >= high": false, "open ? snoozed : not snoozed": false,
	} {
		f, err := expression.CompileFilter(source)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got := f.OnlyOpen(); got != want {
			t.Errorf("%s: %v, want %v", source, got, want)
		}
		for _, status := range []string{"closed", "merged"} {
			if f.OnlyOpen() && f.Match(&expression.Subject{Status: status, Severity: 6}) {
				t.Errorf("%s passes what is %s", source, status)
			}
		}
	}
}
