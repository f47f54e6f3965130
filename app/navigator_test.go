package app_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestALayerOfTheNavigatorHasEachTechniqueOnceWithTheLiveRulesAsItsScore(t *testing.T) {
	covered := []rules.Covered{
		{Framework: rules.Enterprise, ID: "T1110.001", Rules: []string{"a"}, Live: 1},
		{Framework: rules.Enterprise, ID: "T1110.003", Rules: []string{"b", "c"}, Live: 2},
		{Framework: rules.Enterprise, ID: "T1110", Rules: []string{"d"}, Live: 1},
		{Framework: rules.ICS, ID: "T0858", Rules: []string{"a"}, Live: 1},
	}
	type technique struct {
		ID      string `json:"techniqueID"`
		Score   int
		Comment string
		Shown   bool `json:"showSubtechniques"`
	}
	var got struct {
		Domain     string
		Versions   struct{ Layer string }
		Techniques []technique
	}
	var out bytes.Buffer
	must(t, app.WriteLayer(&out, rules.Enterprise, covered))
	must(t, json.Unmarshal(out.Bytes(), &got))
	want := []technique{{"T1110.001", 1, "a", false}, {"T1110", 1, "d", true}, {"T1110.003", 2, "b, c", false}}
	if diff := cmp.Diff(want, got.Techniques); diff != "" || got.Domain != "enterprise-attack" || got.Versions.Layer != "4.5" {
		t.Errorf("%s %s\n%s", got.Domain, got.Versions.Layer, diff)
	}
}

// TestALayerHasWhatTheFormatRequires holds what format 4.5 asks of a layer, and MITRE's own library when it loads one: both versions, identifiers of
// their form, and a gradient that rises, also where no rule is live.
func TestALayerHasWhatTheFormatRequires(t *testing.T) {
	for _, covered := range [][]rules.Covered{nil, {{Framework: rules.ICS, ID: "T0858", Rules: []string{"a"}}, {Framework: rules.ICS, ID: "T0803", Rules: []string{"a", "b"}, Live: 2}}} {
		var got struct {
			Name, Domain string
			Versions     struct{ Layer, Navigator string }
			Techniques   []struct{ TechniqueID string }
			Gradient     struct {
				Colors             []string
				MinValue, MaxValue int
			}
		}
		var out bytes.Buffer
		must(t, app.WriteLayer(&out, rules.ICS, covered))
		must(t, json.Unmarshal(out.Bytes(), &got))
		if got.Name == "" || got.Domain != "ics-attack" || got.Versions.Layer != "4.5" || !strings.HasPrefix(got.Versions.Navigator, "5.") || got.Techniques == nil || len(got.Techniques) != len(covered) {
			t.Errorf("a required member is missing:\n%s", out.Bytes())
		}
		for _, x := range got.Techniques {
			if !techniqueID.MatchString(x.TechniqueID) {
				t.Errorf("%q is no technique", x.TechniqueID)
			}
		}
		if len(got.Gradient.Colors) < 2 || got.Gradient.MinValue >= got.Gradient.MaxValue {
			t.Errorf("the gradient does not rise: %+v", got.Gradient)
		}
	}
}

var techniqueID = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
