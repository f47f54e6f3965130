package app_test

import (
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// unlike are the rules whose findings do not come again from a copied test: they compare somebody with what only enrichment knows, join by names that
// only enrichment brings together, remember what a finding does not keep, or listen to other rules.
var unlike = []string{"rb-0006", "rb-0011", "rb-0063", "rb-0101", "rb-0102", "rb-0111", "rb-0114", "rb-0115"}

func TestFindingsOfTheScenariosCopiedAsTestsReproduceThemOrSayWhyNot(t *testing.T) {
	good := 0
	for _, sc := range scenarios.All() {
		cfg := app.DefaultConfig()
		dir := tempDir(t)
		must(t, app.ScenarioTables(&cfg.Enrich, sc.Tables, dir))
		core, err := app.NewCore(cfg)
		must(t, err)
		inputs, err := app.ScenarioInputs(sc, dir)
		must(t, err)
		result, err := core.Replay(t.Context(), app.ReplaySettings{Inputs: inputs, Drain: true})
		must(t, err)
		again, err := app.NewCore(cfg)
		must(t, err)
		events, err := again.EventsOf(t.Context(), cfg, inputs)
		must(t, err)
		for i := range result.Findings {
			f := &result.Findings[i]
			var evidence []*event.Event
			for _, ev := range f.Evidence {
				if e := events[ev.Event.Event]; e != nil {
					evidence = append(evidence, e)
				}
			}
			if len(evidence) == 0 {
				continue // Of findings of other rules.
			}
			text, why := core.CopiedTest(f, evidence)
			if why == "" {
				good++
			}
			if (why == "") == slices.Contains(unlike, f.Rule.ID) {
				t.Errorf("%s: %q\n%s", f.Rule.ID, why, text)
			}
		}
	}
	if good == 0 {
		t.Error("no finding comes again")
	}
}
