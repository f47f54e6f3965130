package format_test

import (
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

var domains = []string{"identity", "network_access", "endpoint", "device_management", "network", "ot", "robot", "change", "any"}

func TestFormatsAreDescribedAndStandInOrderOfDomain(t *testing.T) {
	last := 0
	seen := map[string]bool{}
	for _, f := range format.All() {
		if f.Name == "" || f.Title == "" || f.Doc == "" || f.Append == nil || len(f.Classes) == 0 {
			t.Errorf("format %q lacks name, title, documentation, classes or Append", f.Name)
		}
		if seen[f.Name] {
			t.Errorf("two formats are called %s", f.Name)
		}
		seen[f.Name] = true
		at := slices.Index(domains, f.Domain)
		if at < last {
			t.Errorf("%s has the domain %q: it is unknown, or belongs further up", f.Name, f.Domain)
		}
		last = max(at, last)
		if !slices.IsSorted(f.Classes) {
			t.Errorf("%s: classes are not sorted: %v", f.Name, f.Classes)
		}
		for _, c := range f.Classes {
			if _, err := event.ParseClass(c); err != nil {
				t.Errorf("%s lists a class that does not exist: %v", f.Name, err)
			}
		}
		if p, ok := format.ByName(f.Name); !ok || p.Name != f.Name {
			t.Errorf("ByName does not find %s", f.Name)
		}
	}
	if _, ok := format.ByName("no_such_format"); ok {
		t.Error("ByName finds a format that does not exist")
	}
}

func TestLeafTableNamesFieldsThatExist(t *testing.T) {
	for leaf, rule := range leafRules {
		for _, path := range slices.Concat(rule.paths, rule.auth) {
			if event.FieldByPath(path) == nil {
				t.Errorf("%s maps to %s, which is no field", leaf, path)
			}
		}
	}
}
