package app_test

import (
	"bytes"
	"encoding/json"
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
