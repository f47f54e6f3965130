package jsonscan_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

const signIn = `{
  "uuid": "4f1c", "published": "2026-03-01T02:11:09.120Z", "version": 0,
  "actor": {"id": "00u1", "alternateId": "ana@plant.example", "detail": null},
  "client": {"ip": "198.51.100.7", "geo": {"lat": 48.85, "lon": -2}},
  "target": [
    {"id": "r-17", "type": "Robot"},
    {"id": "r-18"},
    {"type": "User", "id": "u \"x\""}
  ],
  "flow": 9007199254740993, "ok": true
}`

func TestScanFillsSlotsInTheOrderOfThePaths(t *testing.T) {
	p := jsonscan.Compile("flow", "actor.alternateId", "actor", "target[].type", "target[0].id", "target[2].id",
		"actor.detail", "ok", "absent.here", "client.geo.lat", "version")
	var r jsonscan.Result
	if err := p.Scan([]byte(signIn), &r); err != nil {
		t.Fatal(err)
	}
	if got, ok := r.Int64(0); got != 9007199254740993 || !ok {
		t.Errorf("flow = %d, %v; want the exact integer", got, ok)
	}
	if got := r.Str(1); got != "ana@plant.example" {
		t.Errorf("actor.alternateId = %q", got)
	}
	if got, want := string(r.Raw(2)), `{"id": "00u1", "alternateId": "ana@plant.example", "detail": null}`; got != want {
		t.Errorf("actor = %s, want %s", got, want)
	}
	var types []string
	for v := range r.Each(3) {
		types = append(types, v.Str())
	}
	if diff := cmp.Diff([]string{"Robot", "User"}, types); diff != "" {
		t.Errorf("target[].type: %s", diff)
	}
	if got := r.Str(4); got != "r-17" {
		t.Errorf("target[0].id = %q", got)
	}
	if got := r.Str(5); got != `u "x"` {
		t.Errorf("target[2].id = %q, want it unescaped", got)
	}
	if !r.Exists(6) || !r.IsNull(6) || r.Str(6) != "" {
		t.Errorf("actor.detail = %v, want an existing null", r.Kind(6))
	}
	if v, ok := r.Bool(7); !v || !ok {
		t.Errorf("ok = %v, %v", v, ok)
	}
	if r.Exists(8) || r.Kind(8) != jsonscan.Missing || r.Raw(8) != nil {
		t.Errorf("absent.here exists as %v", r.Kind(8))
	}
	if f, ok := r.Float(9); f != 48.85 || !ok {
		t.Errorf("lat = %v, %v", f, ok)
	}
	if n, ok := r.Int64(10); n != 0 || !ok {
		t.Errorf("version = %d, %v; a known zero is known", n, ok)
	}
}

func TestStringsOutliveTheResultThatGaveThem(t *testing.T) {
	p := jsonscan.Compile("a")
	var r jsonscan.Result
	var got, want []string
	for i := range 3000 {
		doc := fmt.Sprintf(`{"a":"line\n%d"}`, i)
		if err := p.Scan([]byte(doc), &r); err != nil {
			t.Fatal(err)
		}
		got, want = append(got, r.Str(0)), append(want, fmt.Sprintf("line\n%d", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestArrayOfObjectsIsReadWithASecondPlan(t *testing.T) {
	p, sub := jsonscan.Compile("target[]"), jsonscan.Compile("id", "type")
	var r, e jsonscan.Result
	if err := p.Scan([]byte(signIn), &r); err != nil {
		t.Fatal(err)
	}
	var got [][2]string
	for v := range r.Each(0) {
		sub.ScanValue(v, &e)
		got = append(got, [2]string{e.Str(0), e.Str(1)})
	}
	want := [][2]string{{"r-17", "Robot"}, {"r-18", ""}, {`u "x"`, "User"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sub.ScanValue(jsonscan.Value{}, &e)
	if e.Exists(0) {
		t.Error("a missing value left an earlier element in the result")
	}
}

func TestIndexAndWildcardShareAnElement(t *testing.T) {
	p := jsonscan.Compile("t[1].a", "t[].a", "t[].b.c", "t[1].b", "t[][0]")
	var r jsonscan.Result
	if err := p.Scan([]byte(`{"t":[{"a":1,"b":{"c":2}},{"a":3,"b":{"c":4}},[5,6]]}`), &r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range p.Len() {
		s := p.Path(i) + "="
		for v := range r.Each(i) {
			s += string(v.Raw()) + " "
		}
		got = append(got, s)
	}
	want := []string{"t[1].a=3 ", "t[].a=1 3 ", "t[].b.c=2 4 ", `t[1].b={"c":4} `, "t[][0]=5 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeysWithDotsAndRootArraysAreReachable(t *testing.T) {
	var r jsonscan.Result
	p := jsonscan.Compile(`event\.sequence`, jsonscan.Escape("a[0].b"), "@timestamp")
	if err := p.Scan([]byte(`{"event.sequence":1001,"a[0].b":"x","\u0040timestamp":"t"}`), &r); err != nil {
		t.Fatal(err)
	}
	if n, _ := r.Int64(0); n != 1001 || r.Str(1) != "x" || r.Str(2) != "t" {
		t.Errorf("got %d, %q, %q", n, r.Str(1), r.Str(2))
	}
	if err := jsonscan.Compile("[].id").Scan([]byte(`[{"id":"a"},{"id":"b"}]`), &r); err != nil {
		t.Fatal(err)
	}
	if r.Str(0) != "a" {
		t.Errorf("[].id = %q", r.Str(0))
	}
}

func TestMalformedPathsAreNamed(t *testing.T) {
	for _, path := range []string{"", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a[99999999]", "a[]b", "a]", `a\`} {
		if _, err := jsonscan.NewPlan([]string{path}); err == nil {
			t.Errorf("path %q was accepted", path)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
			t.Errorf("path %q: error %q does not name it", path, err)
		}
	}
}

func TestKeysAreCaseSensitive(t *testing.T) {
	var r jsonscan.Result
	if err := jsonscan.Compile("user").Scan([]byte(`{"USER":"mallory","user":"alice","User":"x"}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.Str(0) != "alice" {
		t.Errorf("user = %q", r.Str(0))
	}
}

// manyKeys is an object body with n distinct keys that begin and end alike.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"prefix-%06d-suffix":%d,`, i, i)
	}
	return b.String()
}

func TestScanRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat(`]}`, n/2) }
	cases := []struct {
		name, doc string
		code      jsonscan.Code
		offset    int
	}{
		{"nothing", "", jsonscan.ErrSyntax, 0},
		{"only space", " \n", jsonscan.ErrSyntax, 2},
		{"a byte order mark", "\ufeff{}", jsonscan.ErrSyntax, 0},
		{"text after the document", `{"a":1} x`, jsonscan.ErrTrailing, 8},
		{"two documents", `{}{}`, jsonscan.ErrTrailing, 2},
		{"an open object", `{"a":1`, jsonscan.ErrSyntax, 6},
		{"an open array", `[1,`, jsonscan.ErrSyntax, 3},
		{"the wrong bracket", `{"a":[1}`, jsonscan.ErrSyntax, 7},
		{"a trailing comma", `{"a":1,}`, jsonscan.ErrSyntax, 7},
		{"a trailing comma in an array", `[1,]`, jsonscan.ErrSyntax, 3},
		{"a bare key", `{a:1}`, jsonscan.ErrSyntax, 1},
		{"a missing colon", `{"a" 1}`, jsonscan.ErrSyntax, 5},
		{"a missing value", `{"a":}`, jsonscan.ErrSyntax, 5},
		{"a cut literal", `{"a":tru`, jsonscan.ErrSyntax, 5},
		{"a wrong literal", `{"a":True}`, jsonscan.ErrSyntax, 5},
		{"a glued literal", `{"a":nullx}`, jsonscan.ErrSyntax, 9},
		{"NaN", `{"a":NaN}`, jsonscan.ErrSyntax, 5},
		{"a leading zero", `{"a":012}`, jsonscan.ErrSyntax, 5},
		{"a plus sign", `{"a":+1}`, jsonscan.ErrSyntax, 5},
		{"a lone minus", `{"a":-}`, jsonscan.ErrSyntax, 6},
		{"a bare point", `{"a":1.}`, jsonscan.ErrSyntax, 7},
		{"a bare exponent", `{"a":1e+}`, jsonscan.ErrSyntax, 8},
		{"two points", `{"a":1.2.3}`, jsonscan.ErrSyntax, 8},
		{"hexadecimal", `{"a":0x1}`, jsonscan.ErrSyntax, 6},
		{"an unknown escape", `{"a":"\x41"}`, jsonscan.ErrSyntax, 6},
		{"a short escape", `{"a":"\u12g4"}`, jsonscan.ErrSyntax, 6},
		{"an escape at the end", `{"a":"\`, jsonscan.ErrSyntax, 7},
		{"an open string", `{"a":"xyz`, jsonscan.ErrSyntax, 9},
		{"a raw newline in a string", "{\"a\":\"x\ny\"}", jsonscan.ErrSyntax, 7},
		{"a raw NUL in a skipped string", "{\"skipped\":\"0123456789\x00\"}", jsonscan.ErrSyntax, 22},
		{"a vertical tab as space", "{\v}", jsonscan.ErrSyntax, 1},
		{"a comment", `{/*x*/}`, jsonscan.ErrSyntax, 1},
		{"a lone high surrogate", `{"a":"\ud83d"}`, jsonscan.ErrUTF8, 6},
		{"a lone low surrogate", `{"a":"\ude00"}`, jsonscan.ErrUTF8, 6},
		{"two high surrogates", `{"a":"\ud83d\ud83d"}`, jsonscan.ErrUTF8, 6},
		{"a surrogate in a key", `{"\ud83d":1}`, jsonscan.ErrUTF8, 2},
		{"invalid UTF-8 in a skipped value", "{\"b\":\"\xff\"}", jsonscan.ErrUTF8, 6},
		{"an overlong encoding", "{\"b\":\"\xc0\xaf\"}", jsonscan.ErrUTF8, 6},
		{"an encoded surrogate", "{\"b\":\"\xed\xa0\x80\"}", jsonscan.ErrUTF8, 6},
		{"a repeated wanted key", `{"a":1,"a":2}`, jsonscan.ErrDuplicateKey, 7},
		{"a repeated skipped key", `{"b":1,"b":2}`, jsonscan.ErrDuplicateKey, 7},
		{"a repeated key in a skipped object", `{"b":[{"c":1,"c":1}]}`, jsonscan.ErrDuplicateKey, 13},
		{"a repeated key spelt with an escape", `{"user":1,"us\u0065r":2}`, jsonscan.ErrDuplicateKey, 10},
		{"two escaped spellings", `{"\u0075ser":1,"us\u0065r":2}`, jsonscan.ErrDuplicateKey, 15},
		{"a repeated empty key", `{"":1,"":2}`, jsonscan.ErrDuplicateKey, 6},
		{"a key repeated among very many", `{` + manyKeys(5000) + `"prefix-004321-suffix":0}`, jsonscan.ErrDuplicateKey, 1 + len(manyKeys(5000))},
		{"a late key repeated after very many", `{` + manyKeys(5000) + `"z":0,"z":0}`, jsonscan.ErrDuplicateKey, 7 + len(manyKeys(5000))},
		{"depth beyond the limit", deep(66), jsonscan.ErrDepth, 32*6 + 0},
		{"size beyond the limit", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, jsonscan.ErrSize, 1 << 20},
	}
	p := jsonscan.Compile("a", "user")
	var r jsonscan.Result
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := p.Scan([]byte(`{"a":1,"user":"left over"}`), &r); err != nil {
				t.Fatal(err)
			}
			err := p.Scan([]byte(c.doc), &r)
			if !errors.Is(err, c.code) {
				t.Fatalf("error %v, want %s", err, c.code)
			}
			e, ok := errors.AsType[*jsonscan.Error](err)
			if !ok || e.Offset != c.offset || e.Reason == "" {
				t.Errorf("error %v, want offset %d and a reason", err, c.offset)
			}
			if r.Exists(0) || r.Exists(1) {
				t.Error("slots are filled after an error")
			}
			if _, perr := jsonscan.Parse([]byte(c.doc)); !errors.Is(perr, c.code) {
				t.Errorf("Parse says %v, want %s", perr, c.code)
			}
		})
	}
}

func TestScanAcceptsWhatIsUnusualButRight(t *testing.T) {
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	nested := `{` + manyKeys(100) + `"o":{` + manyKeys(100) + `"o":{` + manyKeys(40) + `"x":1}},"p":{` + manyKeys(50) + `"x":1}}`
	for _, doc := range []string{
		`1`, ` "x" `, `null`, `[]`, `{}`, `[[],{}]`, `-0`, `-0.0e-0`, `1E+400`, `123456789012345678901234567890`,
		`{"":0}`, `"\u0000\/\b\f"`, `"\ud83d\ude00"`, "\"\u2028\x7f\"", deep, nested,
		`{"a":1,"A":1," a":1,"a ":1}`, `[{"a":1},{"a":1}]`, "\t\r\n {}\n",
	} {
		var r jsonscan.Result
		if err := jsonscan.Compile("a").Scan([]byte(doc), &r); err != nil {
			t.Errorf("%.60s: %v", doc, err)
		}
	}
}

func TestLimitsCanBeChanged(t *testing.T) {
	p := jsonscan.Compile("a").WithLimits(jsonscan.Limits{MaxBytes: 10, MaxDepth: 1})
	var r jsonscan.Result
	if err := p.Scan([]byte(`{"a":1234}`), &r); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	if err := p.Scan([]byte(`{"a":12345}`), &r); !errors.Is(err, jsonscan.ErrSize) {
		t.Errorf("over the size: %v", err)
	}
	if err := p.Scan([]byte(`{"a":[]}`), &r); !errors.Is(err, jsonscan.ErrDepth) {
		t.Errorf("over the depth: %v", err)
	}
}

func TestNumbersKeepTheirExactness(t *testing.T) {
	p := jsonscan.Compile("n")
	var r jsonscan.Result
	cases := []struct {
		text string
		want int64
		ok   bool
	}{
		{"9223372036854775807", math.MaxInt64, true},
		{"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775808", 0, false},
		{"1234567890123456789", 1234567890123456789, true},
		{"-0", 0, true},
		{"5.0", 5, true},
		{"1e3", 1000, true},
		{"5.5", 0, false},
		{"1e300", 0, false},
		{"9007199254740993.0", 0, false},
		{`"12"`, 0, false},
		{"true", 0, false},
	}
	for _, c := range cases {
		if err := p.Scan([]byte(`{"n":`+c.text+`}`), &r); err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Int64(0); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %d, %v; want %d, %v", c.text, got, ok, c.want, c.ok)
		}
	}
	loose := []struct {
		text string
		want int64
		ok   bool
	}{
		{`"1747213319"`, 1747213319, true},
		{`1747213319`, 1747213319, true},
		{`"-3"`, -3, true},
		{`""`, 0, false},
		{`"+1"`, 0, false},
		{`"1_000"`, 0, false},
		{`"0x10"`, 0, false},
		{`"Inf"`, 0, false},
	}
	for _, c := range loose {
		if err := p.Scan([]byte(`{"n":`+c.text+`}`), &r); err != nil {
			t.Fatal(err)
		}
		if got, ok := r.LooseInt64(0); got != c.want || ok != c.ok {
			t.Errorf("loose %s: %d, %v; want %d, %v", c.text, got, ok, c.want, c.ok)
		}
	}
	if err := p.Scan([]byte(`{"n":18446744073709551615}`), &r); err != nil {
		t.Fatal(err)
	}
	if n, ok := r.Uint64(0); n != math.MaxUint64 || !ok {
		t.Errorf("Uint64 = %d, %v", n, ok)
	}
	if _, ok := r.Int64(0); ok {
		t.Error("Int64 accepted a value beyond its range")
	}
	for text, want := range map[string]bool{`"1687509721.669"`: true, `1.5`: true, `"NaN"`: false, `"1e999"`: false, `"01"`: false, `""`: false} {
		if err := p.Scan([]byte(`{"n":`+text+`}`), &r); err != nil {
			t.Fatal(err)
		}
		if _, ok := r.LooseFloat(0); ok != want {
			t.Errorf("LooseFloat(%s) ok = %v", text, ok)
		}
	}
}

func TestBooleansAreThreeValued(t *testing.T) {
	p := jsonscan.Compile("b")
	for text, want := range map[string][4]bool{
		`true`: {true, true, true, true}, `false`: {false, true, false, true}, `"True"`: {false, false, true, true},
		`"false"`: {false, false, false, true}, `"Unknown"`: {}, `null`: {}, `1`: {},
	} {
		var r jsonscan.Result
		if err := p.Scan([]byte(`{"b":`+text+`}`), &r); err != nil {
			t.Fatal(err)
		}
		var got [4]bool
		got[0], got[1] = r.Bool(0)
		got[2], got[3] = r.LooseBool(0)
		if got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestTextReadsIdentifiersOfAnyScalarKind(t *testing.T) {
	var r jsonscan.Result
	p := jsonscan.Compile("a", "b", "c", "d", "e")
	if err := p.Scan([]byte(`{"a":"x\ty","b":17.50,"c":false,"d":null,"e":[1]}`), &r); err != nil {
		t.Fatal(err)
	}
	got := []string{r.Text(0), r.Text(1), r.Text(2), r.Text(3), r.Text(4)}
	if diff := cmp.Diff([]string{"x\ty", "17.50", "false", "", ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestJSONInsideAJSONStringIsReadInPlace(t *testing.T) {
	var r, in jsonscan.Result
	if err := jsonscan.Compile("d").Scan([]byte(`{"d":"{\"ip\": \"192.0.2.1\"}"}`), &r); err != nil {
		t.Fatal(err)
	}
	if err := jsonscan.Compile("ip").ScanString(r.Str(0), &in); err != nil {
		t.Fatal(err)
	}
	if got := in.Str(0); got != "192.0.2.1" {
		t.Errorf("ip = %q", got)
	}
	if err := jsonscan.Compile("ip").ScanString("", &in); !errors.Is(err, jsonscan.ErrSyntax) {
		t.Errorf("empty string: %v", err)
	}
}
