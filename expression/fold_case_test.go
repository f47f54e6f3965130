package expression_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// ask evaluates a condition over raw("v").
func ask(t *testing.T, condition, v string) bool {
	t.Helper()
	x, issues := expression.CompileEvent(condition)
	if x == nil {
		t.Fatal(condition, issues)
	}
	e := &event.Event{}
	e.SetRaw([]event.RawField{{Name: "v", Value: v}})
	got, err := x.Match(expression.NewMachine(nil), e)
	if err != nil {
		t.Fatal(condition, err)
	}
	return got
}

// call writes a call of a function over raw("v") with one constant.
func call(name, constant string) string {
	return name + `(raw("v"), ` + strconv.Quote(constant) + ")"
}

func TestTextIsComparedWithoutCase(t *testing.T) {
	for _, c := range []struct {
		function, constant, text string
		want                     bool
	}{
		{"iequals", `c:\WINDOWS\cmd.exe`, `C:\Windows\CMD.EXE`, true},
		{"iequals", "cmd", "cmd.exe", false},
		{"iequals", "ΣΊΣΥΦΟΣ", "σίσυφος", true},
		{"iequals", "straße", "STRASSE", false},
		{"iequals", "k", "\u212a", true},
		{"iequals", "", "", true},
		{"icontains", "ÄPFEL", "rote äpfel essen", true},
		{"icontains", "", "", true},
		{"icontains", "ſ", "xSx", true},
		{"icontains", "aab", "aaab", true},
		{"istarts", "NET ", "net user", true},
		{"istarts", "net user", "net", false},
		{"iends", "\u212aEY", "mykey", true},
		{"iends", "key", "ey", false},
		{"ilike", "", "", true},
		{"ilike", "", "a", false},
		{"ilike", "*", "", true},
		{"ilike", "?", "ä", true},
		{"ilike", "?", "", false},
		{"ilike", "a*a", "a", false},
		{"ilike", "a*b*c", "aXbYbZc", true},
		{"ilike", `*\cmd.exe`, `C:\CMD.EXE`, true},
		{"ilike", `*\\cmd.exe`, `C:\CMD.EXE`, true},
		{"ilike", `a\*b`, "a*B", true},
		{"ilike", `a\*b`, "axb", false},
		{"ilike", `a\?`, "a?", true},
		{"ilike", `C:\\*`, `c:\x`, true},
		{"ilike", `a\`, `A\`, true},
		{"imatches", `\bUSER\b`, "net user", false},
		{"imatches", `(?i)\bUSER\b`, "net user x", true},
		{"imatches", `(?i)a+\$?\{b`, "xA{B", true},
		{"imatches", `(?i)a+\$?\{b`, "xA$B", false},
		{"imatches", "`x|y", "y", true},
		{"imatches", "(?i)k", "\u212a", true},
	} {
		if got := ask(t, call(c.function, c.constant), c.text); got != c.want {
			t.Errorf("%s of %q is %v", call(c.function, c.constant), c.text, got)
		}
	}
}

func TestAnElementOfAListIsEnough(t *testing.T) {
	if !ask(t, `icontains(["x", raw("v")] == [] ? raws() : raws(), "B", "c")`, "ABA") || ask(t, `iequals(raws(), "x", "y")`, "z") || !ask(t, `iequals(raws(), "x", "Z")`, "z") {
		t.Error("a list is not searched for each of the constants")
	}
}

func TestFieldsThatAreWrittenOutAsAListAreAskedOneByOne(t *testing.T) {
	for _, name := range []string{"iequals", "icontains", "istarts", "iends", "ilike", "imatches"} {
		condition := name + `([user.name, "k", raw("v"), upper(message)], "needle")`
		x, issues := expression.CompileEvent(condition)
		if x == nil {
			t.Fatal(condition, issues)
		}
		slow, issues := x.Interpreted()
		if slow == nil {
			t.Fatal(condition, issues)
		}
		if !x.Native() {
			t.Errorf("%s runs in expr's machine", condition)
		}
		for _, e := range []*event.Event{{}, {Message: "Needle"}, {Message: "other"}, {Actor: event.Actor{}, Message: ""}} {
			for _, v := range []string{"", "NEEDLE", "needles", "k"} {
				e.SetRaw([]event.RawField{{Name: "v", Value: v}})
				got, err1 := x.Match(expression.NewMachine(nil), e)
				want, err2 := slow.Match(expression.NewMachine(nil), e)
				if got != want || (err1 == nil) != (err2 == nil) {
					t.Errorf("%s of %q and %q: %t, %v and in the machine %t, %v", condition, e.Message, v, got, err1, want, err2)
				}
			}
		}
	}
}

// slowFold is s with every character as the least one of its cases.
func slowFold(s string) []rune {
	var out []rune
	for _, r := range s {
		for _, c := range []rune{r, []rune(strings.ToUpper(string(r)))[0], []rune(strings.ToLower(string(r)))[0], 'K', 'S'} {
			if strings.EqualFold(string(c), string(r)) {
				r = min(r, c)
			}
		}
		out = append(out, r)
	}
	return out
}

// slowLike is the definition of ilike by its shortest program.
func slowLike(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return slowLike(p[1:], s) || len(s) > 0 && slowLike(p, s[1:])
	case len(s) == 0:
		return false
	case p[0] == '?':
		return slowLike(p[1:], s[1:])
	case p[0] == '\\' && len(p) > 1 && strings.ContainsRune(`*?\`, p[1]):
		return p[1] == s[0] && slowLike(p[2:], s[1:])
	}
	return p[0] == s[0] && slowLike(p[1:], s[1:])
}

func FuzzLikeIsWhatItsDefinitionSays(f *testing.F) {
	f.Add("a*b?c", "AxxBxC")
	f.Add(`*\*ä`, "x*Ä")
	f.Add("*k*s*", "\u212aſ")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if !utf8.ValidString(pattern) || strings.ContainsRune(pattern, 0) || len(pattern) > 12 || len(s) > 24 || strings.Count(pattern, "*") > 4 {
			return
		}
		if got, want := ask(t, call("ilike", pattern), s), slowLike(slowFold(pattern), slowFold(s)); got != want {
			t.Errorf("ilike(%q, %q) is %v", s, pattern, got)
		}
	})
}

func TestTextTestsAreWhatTheirDefinitionsSay(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	alphabet := []string{"a", "A", "b", "k", "K", "\u212a", "s", "ſ", "ä", "Ä", "Σ", "ς", "\xff", "*", "?", `\`}
	text := func(n int, valid bool) string {
		var b strings.Builder
		for range r.IntN(n + 1) {
			if c := alphabet[r.IntN(len(alphabet))]; !valid || utf8.ValidString(c) {
				b.WriteString(c)
			}
		}
		return b.String()
	}
	for range 3000 {
		c, s := text(3, true), text(7, false)
		w, v := string(slowFold(c)), string(slowFold(s))
		for name, want := range map[string]bool{
			"iequals": v == w && strings.EqualFold(c, s), "icontains": strings.Contains(v, w), "istarts": strings.HasPrefix(v, w), "iends": strings.HasSuffix(v, w),
			"ilike": slowLike([]rune(w), []rune(v)),
		} {
			if got := ask(t, call(name, c), s); got != want {
				t.Fatalf("seed %d: %s of %q is %v", seed, call(name, c), s, got)
			}
		}
	}
}

func TestMistakesInTextTestsAreFoundWhenCompiled(t *testing.T) {
	for source, want := range map[string]string{
		`iequals(user.name)`:                     "iequals needs something to compare with",
		`iequals()`:                              "iequals needs something to compare with",
		`iequals(user.name, device.hostname)`:    "argument 2 of iequals must be a constant string",
		`icontains(traffic.bytes, "x")`:          "icontains looks at a string or a list of strings, and this is int",
		`imatches(user.name, "(")`:               "not a regular expression",
		`raw(user.name) == ""`:                   "raw takes the name of one field as a constant",
		`raw("") == "" or raw() == ""`:           "raw takes the name of one field as a constant",
		`raw == ""`:                              "unknown field raw",
		`rawKnown(user.name)`:                    "argument 1 of rawKnown must be a constant string",
		`rawKnown("a", "b")`:                     "too many arguments to call rawKnown",
		`icontain(user.name, "x")`:               "there is no function icontain",
		`ilike(split(user.name, ","), "x")`:      "",
		`ilike(is_mfa ? "x" : user.roles, "x")`:  "ilike looks at a string or a list of strings",
		`icontains(raws("x"), "x")`:              "too many arguments to call raws",
		`imatches(find(raws(), # == ""), "[")`:   "not a regular expression",
		`icontains(find(raws(), # == ""), "\\")`: "",
	} {
		x, issues := expression.CompileEvent(source)
		if want == "" {
			if x == nil {
				t.Errorf("%s: %v", source, issues)
			}
			continue
		}
		if x != nil || len(issues) == 0 || !strings.Contains(issues[0].Message, want) {
			t.Errorf("%s: %v, want %q", source, issues, want)
		}
	}
}

func TestRawFieldsAnExpressionReadsAreTold(t *testing.T) {
	x, issues := expression.CompileEvent(`raw("b") == "" and (rawKnown("a") or raw("b") == "x")`)
	if x == nil {
		t.Fatal(issues)
	}
	if names, all := x.Raws(); strings.Join(names, ",") != "a,b" || all {
		t.Errorf("%v %v", names, all)
	}
	x, _ = expression.CompileEvent(`icontains(raws(), "x")`)
	if names, all := x.Raws(); len(names) != 0 || !all {
		t.Errorf("%v %v", names, all)
	}
	x, _ = expression.CompileEvent(`raw("EventID") == "1" and raw.Channel in ["a", "b"]`)
	if eq := x.Equalities(); len(eq) != 2 || eq[0].Field != event.FieldNamed("raw.Channel") || eq[1].Field.Path != "raw.EventID" {
		t.Errorf("facts are %v", eq)
	}
}

func TestOverAMatchRawFieldsAreTheGuardsOwn(t *testing.T) {
	own := &expression.StepScope{}
	scope := &expression.Scope{Steps: []*expression.StepScope{{ID: "one"}}, Own: own}
	alone, citing, issues := expression.CompileGuard(`raw("Image") == "x" and (raw("User") == one.raw.User and not rawKnown("x") or one.user.name == "z")`, scope)
	if alone == nil || citing == nil {
		t.Fatal(issues)
	}
	if len(own.Fields) != 1 || own.Fields[0] != event.FieldNamed("raw.User") {
		t.Fatalf("the guard's hit carries %v", own.Fields)
	}
	match := &expression.Match{
		Hits: [][]*event.Hit{{{Fields: []event.FieldValue{{Kind: event.KindString, Known: true, Str: "ana"}}}}},
		Own:  &event.Hit{Fields: []event.FieldValue{{Kind: event.KindString, Known: true, Str: "ana"}, {Kind: event.KindBool, Known: true}}},
	}
	if got, err := citing.Bool(expression.NewMachine(nil), match); !got || err != nil {
		t.Error(got, err)
	}
	scope.Own = nil
	if _, issues := expression.CompileFold(`raw("User") == one.user.name`, scope, expression.Condition); len(issues) != 1 || !strings.Contains(issues[0].Message, "over the whole match") {
		t.Error(issues)
	}
}

func TestTextTestsDoNotAllocate(t *testing.T) {
	e := &event.Event{}
	e.SetRaw([]event.RawField{{Name: "Image", Value: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`}, {Name: "CommandLine", Value: "powershell -enc ÄÖ"}})
	m := expression.NewMachine(nil)
	for _, source := range []string{
		`iends(raw("Image"), "\\powershell.exe", "\\pwsh.exe")`, `icontains(raws(), "-ENC ä")`, `ilike(raw("CommandLine"), "*shell*-e?c*")`,
		`iequals(raw("Image"), "x") or istarts(raw("CommandLine"), "POWER")`, `imatches(raw("CommandLine"), "(?i)-enc")`, `any(raws(), # endsWith "exe")`,
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil || !x.Native() {
			t.Fatal(source, issues)
		}
		if ok, _ := x.Match(m, e); !ok {
			t.Errorf("%s is false", source)
		}
		if n := testing.AllocsPerRun(100, func() { x.Match(m, e) }); n != 0 {
			t.Errorf("%s: %v allocations", source, n)
		}
	}
}

func BenchmarkTextTests(b *testing.B) {
	e := &event.Event{}
	e.SetRaw([]event.RawField{{Name: "CommandLine", Value: `"C:\Program Files\Common Files\Vendor\Product\service.exe" --type=utility --lang=en --service-sandbox --channel=1234.0.5678`}})
	m := expression.NewMachine(nil)
	for name, source := range map[string]string{
		"iends":     `iends(raw("CommandLine"), "\\powershell.exe", "\\pwsh.exe")`,
		"icontains": `icontains(raw("CommandLine"), " -enc ")`,
		"ilike":     `ilike(raw("CommandLine"), "*-enc*hidden*")`,
	} {
		x, issues := expression.CompileEvent(source)
		if x == nil {
			b.Fatal(issues)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Match(m, e)
			}
		})
	}
}
