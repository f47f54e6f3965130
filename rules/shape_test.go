package rules_test

import (
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/rules"
)

func TestEveryPlaceOfAKeyIsReachedFromTheTopOfADocument(t *testing.T) {
	reached := []rules.Place{rules.InRule, rules.InExceptions}
	for i := 0; i < len(reached); i++ {
		for _, k := range rules.KeysAt(reached[i]) {
			below, _ := rules.Below(k.Name, reached[i])
			for _, p := range below {
				if !slices.Contains(reached, p) {
					reached = append(reached, p)
				}
			}
		}
	}
	for _, k := range rules.Keys() {
		for _, p := range k.Places {
			if !slices.Contains(reached, p) {
				t.Errorf("key %s stands at %q, to which no key leads", k.Name, p)
			}
		}
	}
}
