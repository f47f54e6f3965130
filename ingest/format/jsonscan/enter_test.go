package jsonscan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func TestToEnterAValueIsToScanItAlone(t *testing.T) {
	paths := []string{"payload", "id", "at.x", "list", "list[].n", "list[0].n", "payload.id"}
	wrapped := append([]string(nil), paths...)
	for _, p := range paths {
		wrapped = append(wrapped, "payload."+p)
	}
	inner, whole := jsonscan.Compile(paths...), jsonscan.Compile(wrapped...)
	var got, want jsonscan.Result
	for _, doc := range []string{
		`{"id":1,"payload":{"id":"in\tside","at":{"x":-1.5},"list":[{"n":1},{"n":[2,3]},{"m":4}]},"list":[{"n":5},{"n":6}]}`,
		`{"payload":{"payload":{"id":7},"id":8},"at":{"x":9}}`,
		` {"payload": {} , "id": 1}`,
		`{"id":10,"list":[{"n":11}]}`,
	} {
		if err := whole.Scan([]byte(doc), &got); err != nil {
			t.Fatal(err)
		}
		if got.Kind(0) != jsonscan.Object {
			got.Enter(0, len(paths))
			if n, _ := got.Int64(1); n != 10 {
				t.Errorf("%s: a missing value was entered", doc)
			}
			continue
		}
		inner.ScanValue(got.Value(0), &want)
		got.Enter(0, len(paths))
		for i, path := range paths {
			if diff := cmp.Diff(valuesOf(&want, i), valuesOf(&got, i)); diff != "" || string(got.Raw(i)) != string(want.Raw(i)) || got.Text(i) != want.Text(i) {
				t.Errorf("%s: %s: %s, want %s: %s", doc, path, got.Raw(i), want.Raw(i), diff)
			}
		}
	}
}

func valuesOf(r *jsonscan.Result, slot int) (out []string) {
	for v := range r.Each(slot) {
		out = append(out, string(v.Raw()))
	}
	return out
}

func TestToEnterAValueTakesNoMemory(t *testing.T) {
	plan := jsonscan.Compile("payload", "payload.id")
	doc := []byte(`{"payload":{"id":1}}`)
	var r jsonscan.Result
	if n := testing.AllocsPerRun(10, func() {
		if err := plan.Scan(doc, &r); err != nil {
			t.Fatal(err)
		}
		r.Enter(0, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
