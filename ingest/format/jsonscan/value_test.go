package jsonscan_test

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func TestParseKeepsOrderAndExactNumbers(t *testing.T) {
	v, err := jsonscan.Parse([]byte(` {"z": 9007199254740993, "a" : [1 , "x,]}", {"k\n":null}, [] , {} ], "m":{"n":{"o":true}} } `))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for k := range v.Members() {
		keys = append(keys, k)
	}
	if diff := cmp.Diff([]string{"z", "a", "m"}, keys); diff != "" {
		t.Error(diff)
	}
	if got := string(v.Get("z").Raw()); got != "9007199254740993" {
		t.Errorf("z = %s", got)
	}
	var elements []string
	for e := range v.Get("a").Elements() {
		elements = append(elements, e.Kind().String()+" "+string(e.Raw()))
	}
	want := []string{"number 1", `string "x,]}"`, `object {"k\n":null}`, "array []", "object {}"}
	if diff := cmp.Diff(want, elements); diff != "" {
		t.Error(diff)
	}
	if b, ok := v.Get("m", "n", "o").Bool(); !b || !ok {
		t.Error("m.n.o is not true")
	}
	if got := v.Get("m", "nowhere", "o"); got.Exists() || got.Str() != "" || got.Raw() != nil {
		t.Errorf("a path that is not there gave %v", got.Kind())
	}
	for range v.Get("z").Members() {
		t.Error("a number has members")
	}
}

func TestUnmappedListsLeavesThePlanLeavesAside(t *testing.T) {
	p := jsonscan.Compile("actor.id", "target[].id", "raw", "list[0]")
	doc := `{"actor":{"id":1,"name":"x","tags":[]},"target":[{"id":1,"t":2},{"t":3,"u.v":4}],"raw":{"any":{"thing":1}},"list":[1,2],"n":null}`
	got, err := jsonscan.Unmapped([]byte(doc), p)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"actor.name", "actor.tags", "target[].t", `target[].u\.v`, "list[]", "n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := jsonscan.Unmapped([]byte(`{`), p); err == nil {
		t.Error("a broken document was accepted")
	}
}

func TestAppendStringWritesWhatReadersAgreeOn(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{`a"b\c/`, `"a\"b\\c/"`},
		{"\x00\x1f\n\r\t\x7f", "\"\\u0000\\u001f\\n\\r\\t\x7f\""},
		{"é\u2028😀", "\"é\u2028😀\""},
		{"a\xffb\xc3", "\"a\uFFFDb\uFFFD\""},
		{"\uFFFD", "\"\uFFFD\""},
	} {
		if got := string(jsonscan.AppendString(nil, c.in)); got != c.want {
			t.Errorf("AppendString(%q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestAppendFloatIsShortAndFinite(t *testing.T) {
	for _, c := range []struct {
		in   float64
		want string
	}{
		{0, "0"},
		{1.5, "1.5"},
		{-2, "-2"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"},
		{1e-7, "1e-07"},
		{math.NaN(), "null"},
		{math.Inf(-1), "null"},
	} {
		if got := string(jsonscan.AppendFloat(nil, c.in)); got != c.want {
			t.Errorf("AppendFloat(%v) = %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzAppendStringRoundTrips(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\"\\\xff\xed\xa0\x80😀")
	f.Fuzz(func(t *testing.T, s string) {
		doc := jsonscan.AppendString(nil, s)
		v, err := jsonscan.Parse(doc)
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		var std string
		if err := json.Unmarshal(doc, &std); err != nil {
			t.Fatal(err)
		}
		if v.Str() != std || utf8.ValidString(s) && v.Str() != s {
			t.Errorf("%q was written as %s and read as %q", s, doc, v.Str())
		}
	})
}

func TestMembersOfAnObjectAreGivenInTheirOrder(t *testing.T) {
	p := jsonscan.Compile("a.b{}", "a.b.x", "{}", "n{}")
	var r jsonscan.Result
	for range 2 { // Also with what the scan before left.
		if err := p.Scan([]byte(`{"a":{"b":{"x":1,"\u0079\"":"e\"f","o":{"x":[2]},"z":null,"t":true}},"n":7}`), &r); err != nil {
			t.Fatal(err)
		}
		got := ""
		for name, v := range r.Members(0) {
			got += name + "=" + v.Kind().String() + ":" + v.Text() + ";"
		}
		if want := `x=number:1;y"=string:e"f;o=object:;z=null:;t=bool:true;`; got != want {
			t.Errorf("members %s, want %s", got, want)
		}
		got = ""
		for name, v := range r.Members(2) {
			got += name + "=" + v.Kind().String() + ";"
		}
		if want := "a=object;n=number;"; got != want {
			t.Errorf("members of the document %s, want %s", got, want)
		}
		for name := range r.Members(3) {
			t.Errorf("a number has the member %s", name)
		}
		if n, _ := r.Int64(1); n != 1 {
			t.Errorf("the path below reads %d", n)
		}
	}
	if _, err := jsonscan.NewPlan([]string{"a[].b{}"}); err == nil {
		t.Error("{} behind [] was accepted")
	}
}
