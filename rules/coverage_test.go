package rules_test

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

func TestCoverageListsWhatTagsNameOnceAndWithoutRulesThatAreOff(t *testing.T) {
	rule := func(id, status, tags string) string {
		return "---\nid: " + id + "\nversion: 1\ntitle: X\nstatus: " + status + "\ntags: [" + tags + "]\nmatch: {event: {id: seen, class: robot_state}}\n"
	}
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(
		rule("a", "shadow", "ics.t0858, iec62443.sr2.10, free") + rule("b", "shadow", "attack.t1556.006, ics.t0858, iec62443.sr2.1") + rule("c", "off", "ics.t0800"),
	)}}, "r.yaml")
	if set == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []rules.Covered{
		{Framework: rules.Enterprise, ID: "T1556.006", Rules: []string{"b"}},
		{Framework: rules.ICS, ID: "T0858", Rules: []string{"a", "b"}},
		{Framework: rules.IEC62443, ID: "SR 2.1", Rules: []string{"b"}},
		{Framework: rules.IEC62443, ID: "SR 2.10", Rules: []string{"a"}},
	}
	if diff := gocmp.Diff(want, set.Coverage()); diff != "" {
		t.Error(diff)
	}
}

func TestThereAre51SystemRequirements(t *testing.T) {
	ids := rules.Requirements()
	if len(ids) != 51 || ids[0] != "SR 1.1" || ids[50] != "SR 7.8" {
		t.Errorf("%d requirements: %v", len(ids), ids)
	}
}

// The list of techniques lies beside the conformance data.
func TestTheTechniquesOfShippedRulesExist(t *testing.T) {
	f, err := os.Open(filepath.Join(cmp.Or(os.Getenv("TOCSIN_CONFORMANCE"), "../../shared/conformance"), "../specs/attack_ics_techniques.tsv"))
	if err != nil {
		t.Skip("no list of techniques:", err)
	}
	defer func() { _ = f.Close() }()
	var known []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if columns := strings.Split(lines.Text(), "\t"); len(columns) > 1 && columns[0] == "ics" {
			known = append(known, columns[1])
		}
	}
	set, problems := rules.Load(pack.Files, ".")
	if set == nil {
		t.Fatal(problems)
	}
	n := 0
	for _, c := range set.Coverage() {
		if c.Framework != rules.ICS {
			continue
		}
		if n++; !slices.Contains(known, c.ID) {
			t.Errorf("%s of %v is no technique of ATT&CK for ICS", c.ID, c.Rules)
		}
	}
	if n < 20 {
		t.Errorf("only %d techniques", n)
	}
}
