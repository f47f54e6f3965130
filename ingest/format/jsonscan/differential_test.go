package jsonscan_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// leaf is one scalar or empty container, with its path and exact text.
type leaf struct{ path, kind, text string }

// strictLeaves reads a document with the strict reader of the JSON experiment.
func strictLeaves(doc []byte) (leaves []leaf, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(doc))
	if err := strictWalk(d, "$", &leaves); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the document")
	}
	return leaves, nil
}

func strictWalk(d *jsontext.Decoder, path string, out *[]leaf) error {
	tok, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch k := tok.Kind(); k {
	case '{', '[':
		n := 0
		for ; d.PeekKind() != '}' && d.PeekKind() != ']'; n++ {
			at := path + "/" + strconv.Itoa(n)
			if k == '{' {
				key, err := d.ReadToken()
				if err != nil {
					return err
				}
				at = path + "/" + strconv.Quote(key.String())
			}
			if err := strictWalk(d, at, out); err != nil {
				return err
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		if n == 0 {
			*out = append(*out, leaf{path, string(k), ""})
		}
	default:
		*out = append(*out, leaf{path, string(k), tok.String()})
	}
	return nil
}

func ourLeaves(v jsonscan.Value, path string, out *[]leaf) {
	n := 0
	for key, m := range v.Members() {
		ourLeaves(m, path+"/"+strconv.Quote(key), out)
		n++
	}
	for e := range v.Elements() {
		ourLeaves(e, path+"/"+strconv.Itoa(n), out)
		n++
	}
	if n > 0 {
		return
	}
	l := leaf{path, string(v.Raw()[0]), v.Text()}
	switch v.Kind() {
	case jsonscan.Number:
		l.kind = "0"
	case jsonscan.Null:
		l.text = "null"
	}
	*out = append(*out, l)
}

func FuzzScanAgreesWithTheStrictReader(f *testing.F) {
	for _, seed := range []string{
		signIn, `{"a":[{"b":"x"},{"b":1}],"c":{"d":{"e":null}}}`, `[1,2.5e-3,"\ud83d\ude00",true]`,
		`{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, `"\ud800"`, "{\"a\":\"\xff\"}", `01`, `-`, `{"a":1,}`, "[1]\v",
		`{` + manyKeys(40) + `"a":[[[1]]]}`,
	} {
		f.Add([]byte(seed))
	}
	plan := jsonscan.Compile("a", "a.b", "a[].b", "a[0]", "c.d.e", "[].b", "[1]")
	var r jsonscan.Result
	f.Fuzz(func(t *testing.T, doc []byte) {
		scanErr := plan.Scan(doc, &r)
		if errors.Is(scanErr, jsonscan.ErrDepth) || errors.Is(scanErr, jsonscan.ErrSize) {
			return
		}
		want, err := strictLeaves(doc)
		if (err == nil) != (scanErr == nil) {
			t.Fatalf("the strict reader says %v, Scan says %v", err, scanErr)
		}
		v, parseErr := jsonscan.Parse(doc)
		if (parseErr == nil) != (scanErr == nil) {
			t.Fatalf("Parse says %v, Scan says %v", parseErr, scanErr)
		}
		if scanErr != nil {
			return
		}
		var got []leaf
		ourLeaves(v, "$", &got)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(leaf{})); diff != "" {
			t.Fatal(diff)
		}
		checkSlots(t, v, plan, &r)
	})
}

// checkSlots compares every slot of a scan with a free walk of the same document.
func checkSlots(t *testing.T, root jsonscan.Value, plan *jsonscan.Plan, r *jsonscan.Result) {
	for i := range plan.Len() {
		at := []jsonscan.Value{root}
		for step := range strings.FieldsFuncSeq(strings.ReplaceAll(plan.Path(i), "[", ".["), func(c rune) bool { return c == '.' }) {
			at = follow(at, step)
		}
		var want, got []string
		for _, v := range at {
			want = append(want, string(v.Raw()))
		}
		if strings.Contains(plan.Path(i), "[]") {
			want = slices.DeleteFunc(want, func(s string) bool { return s == "null" })
			for v := range r.Each(i) {
				got = append(got, string(v.Raw()))
			}
		} else if r.Exists(i) {
			got = append(got, string(r.Raw(i)))
			if r.Text(i) != at[0].Text() {
				t.Errorf("%s: %q in the slot, %q in the walk", plan.Path(i), r.Text(i), at[0].Text())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", plan.Path(i), diff)
		}
	}
}

func follow(at []jsonscan.Value, step string) (next []jsonscan.Value) {
	for _, v := range at {
		if !strings.HasPrefix(step, "[") {
			if m := v.Get(step); m.Exists() {
				next = append(next, m)
			}
			continue
		}
		n := 0
		for e := range v.Elements() {
			if step == "[]" || step == "["+strconv.Itoa(n)+"]" {
				next = append(next, e)
			}
			n++
		}
	}
	return next
}
