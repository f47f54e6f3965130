package triage

import (
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// TestTablesNameClassesThatExist holds the tables of signs, deeds and actions against the OCSF tables: a misspelt class would never match.
func TestTablesNameClassesThatExist(t *testing.T) {
	var names []string
	for _, s := range signs {
		names = append(names, s.classes...)
		if !slices.Contains(readings, s.reading) || s.weight < 1 || s.text == "" {
			t.Errorf("the sign %q has no reading, weight or text", s.text)
		}
		if s.found == nil && len(s.tags)+len(s.words)+len(s.classes)+len(s.domains) == 0 {
			t.Errorf("the sign %q matches everything", s.text)
		}
		for _, d := range s.domains {
			if laneOf[d] == "" {
				t.Errorf("the sign %q names the domain %q, which does not exist", s.text, d)
			}
		}
	}
	for key := range deeds {
		names = append(names, key)
	}
	for _, p := range library {
		names = append(names, p.classes...)
	}
	for _, n := range names {
		if _, err := event.ParseClass(n); err != nil {
			if _, ok := ocsf.ClassByName(n); !ok {
				t.Errorf("%q: %v", n, err)
			}
		}
	}
}
