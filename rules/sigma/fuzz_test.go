package sigma_test

import (
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// FuzzWhatIsNotRefusedLoads feeds any text: nothing panics, and what is converted is a rule that loads, or is refused for its size or an id of
// the file's own making.
func FuzzWhatIsNotRefusedLoads(f *testing.F) {
	f.Add(eventRule(searches + "condition: 1 of sel_* and not list or words"))
	f.Add(eventRule("s:\n  a|contains|all: ['x*', y]\n  b|windash|startswith: ' -z'\n  c|re|i: '^a.*$'\n  d|base64offset|contains: foo\ncondition: s"))
	f.Add(referred + "title: C\nname: c\ncorrelation: {type: temporal_ordered, rules: [failed, opened], group-by: [User Name], timespan: 1m, condition: failed and not opened}\n")
	f.Add(referred + "title: C\nname: c\ncorrelation: {type: value_percentile, rules: [failed], timespan: 1m, condition: {field: a, percentile: 9, gt: 1}}\n")
	f.Add("action: global\ntitle: a\n---\nfilter: {rules: any, s: {a: 1}, condition: s}\n")
	f.Fuzz(func(t *testing.T, text string) {
		result := sigma.Convert([]sigma.File{{Name: "a.yml", Text: []byte(text)}}, sigma.Options{Status: rules.Shadow})
		if _, err := sigma.Text(result.Rules); err != nil {
			t.Errorf("%v", err)
		}
		_, problems := rules.LoadPaths(fstest.MapFS{}, rules.Paths{Documents: documents(result)})
		for _, p := range problems {
			if p.Severity == rules.Error && p.Code != "R009" && p.Code != "R026" && p.Code != "R027" {
				t.Errorf("%v", p)
			}
		}
	})
}
