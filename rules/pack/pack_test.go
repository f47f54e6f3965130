package pack_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

func TestThePackHasNoProblems(t *testing.T) {
	set, problems := rules.Load(pack.Files, ".")
	for _, p := range problems {
		t.Error(p)
	}
	if set != nil {
		t.Log(len(set.Rules), "rules")
	}
}
