package event_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

func TestRawFieldsAreSortedAndTheFirstOfANameStays(t *testing.T) {
	var e event.Event
	e.SetRaw([]event.RawField{{Name: "User", Value: "b"}, {Name: "Image", Value: "x"}, {Name: "User", Value: "a"}, {Name: "Empty", Value: ""}})
	if d := cmp.Diff([]event.RawField{{Name: "Empty", Value: ""}, {Name: "Image", Value: "x"}, {Name: "User", Value: "b"}}, e.Raw); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]string{"User": "b", "Image": "x", "Empty": ""} {
		if got, ok := e.RawValue(name); got != want || !ok {
			t.Errorf("%s is %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "image", "A", "Zebra"} {
		if got, ok := e.RawValue(name); got != "" || ok {
			t.Errorf("%s is %q, %v although there is none", name, got, ok)
		}
	}
	if e.Envelope.Quality != 0 {
		t.Errorf("quality is %v", e.Envelope.Quality.Names())
	}
}

func TestRawFieldsBeyondTheBoundsAreCutAndTheEventSaysSo(t *testing.T) {
	var many, long event.Event
	var fields []event.RawField
	for i := range event.MaxRawFields + 1 {
		fields = append(fields, event.RawField{Name: "f" + strconv.Itoa(i), Value: "v"})
	}
	many.SetRaw(fields)
	if len(many.Raw) != event.MaxRawFields || many.Envelope.Quality&event.Truncated == 0 {
		t.Errorf("%d fields, quality %v", len(many.Raw), many.Envelope.Quality.Names())
	}
	long.SetRaw([]event.RawField{{Name: "x", Value: strings.Repeat("a", event.MaxRawValue-1) + "ä"}})
	if v := long.Raw[0].Value; v != strings.Repeat("a", event.MaxRawValue-1) || long.Envelope.Quality&event.Truncated == 0 {
		t.Errorf("value of %d bytes, quality %v", len(v), long.Envelope.Quality.Names())
	}
}

func TestEveryRawFieldIsFound(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		var e event.Event
		var fields []event.RawField
		for range r.IntN(40) {
			fields = append(fields, event.RawField{Name: strconv.Itoa(r.IntN(60)), Value: strconv.Itoa(r.Int())})
		}
		given := slices.Clone(fields)
		e.SetRaw(fields)
		for i := range 60 {
			name := strconv.Itoa(i)
			at := slices.IndexFunc(given, func(f event.RawField) bool { return f.Name == name })
			got, ok := e.RawValue(name)
			if ok != (at >= 0) || ok && got != given[at].Value {
				t.Fatalf("seed %d: field %s is %q, %v", seed, name, got, ok)
			}
		}
	}
}

func TestRawFieldsStandUnderUnmappedInOCSF(t *testing.T) {
	e := event.Event{ClassUID: event.ClassProcess, ActivityID: 1, Time: 1}
	e.SetRaw([]event.RawField{{Name: "Image", Value: `C:\x.exe`}, {Name: "Count", Value: "3"}})
	e.Unmapped = []event.Attribute{{Key: "other", Value: "y"}}
	doc := string(event.AppendOCSF(nil, &e, false))
	if want := `"unmapped":{"other":"y","raw":{"Count":"3","Image":"C:\\x.exe"}`; !strings.Contains(doc, want) {
		t.Errorf("no %s in %s", want, doc)
	}
}

func TestACloneSharesNoRawField(t *testing.T) {
	var e event.Event
	e.SetRaw([]event.RawField{{Name: "Image", Value: "x"}})
	c := e.Clone()
	e.Raw[0].Value = "y"
	if c.Raw[0].Value != "x" {
		t.Error("the clone changed with its original")
	}
}
