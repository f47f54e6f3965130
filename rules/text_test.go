package rules_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

func TestASetIsReadAgainFromItsText(t *testing.T) {
	const own, other = `id: zz-own
version: 3
title: A rule beside the pack # and a comment
status: shadow
match: {event: {id: a, class: api_activity, bind: {robot: robot}}}
---
id: zz-chained
version: 1
title: It listens to it
status: shadow
match: {event: {id: a, class: "rule:zz-own", bind: {robot: vars.robot}}}
`, `id: aa-imported
version: 1
title: Of another language
status: shadow
match: {event: {id: a, class: api_activity, where: 'api.operation == "x"', bind: {robot: robot}}}
`
	const aside = `exceptions:
  - {rule: zz-own, id: known, when: 'robot.uid == "r9"', applies_to: "step:a", owner: soc, reason: a test bench, expires: 2099-01-01}
`
	var imported yaml.Node
	if err := yaml.Unmarshal([]byte(other), &imported); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"own/z.yaml": {Data: []byte(own)}, "aside.yaml": {Data: []byte(aside)}}
	set, problems := rules.LoadPaths(files, rules.Paths{Rules: []string{"own"}, Exceptions: []string{"aside.yaml"}, Documents: []rules.Document{{File: "x.yml", Node: imported.Content[0]}}})
	if set == nil {
		t.Fatal(problems)
	}
	shipped, problems := rules.Load(pack.Files, ".")
	if shipped == nil {
		t.Fatal(problems)
	}
	for name, set := range map[string]*rules.Set{"own": set, "the pack": shipped} {
		text := set.Text()
		again, err := rules.OfText(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again.Hash != set.Hash || len(again.Rules) != len(set.Rules) {
			t.Fatalf("%s: %d rules with hash %s come back, want %d with %s", name, len(again.Rules), again.Hash, len(set.Rules), set.Hash)
		}
		for i, r := range set.Rules {
			x := again.Rules[i]
			if diff := cmp.Diff([]any{r.ID, r.Version, r.Hash, r.Title, r.Status, len(r.Exceptions)}, []any{x.ID, x.Version, x.Hash, x.Title, x.Status, len(x.Exceptions)}); diff != "" {
				t.Errorf("%s: rule %s comes back as another (-was +is):\n%s", name, r.ID, diff)
			}
		}
		if !bytes.Equal(text, again.Text()) || !bytes.Equal(text, set.Text()) {
			t.Errorf("%s: the text of what came back is another", name)
		}
		for _, cut := range [][]byte{nil, text[:len(text)/2], []byte("no archive")} {
			if set, err := rules.OfText(cut); err == nil {
				t.Errorf("%s: %d bytes of the text give %d rules and no error", name, len(cut), len(set.Rules))
			}
		}
	}
	if got := (&rules.Set{}).Text(); got != nil {
		t.Errorf("a set that was not loaded has a text of %d bytes", len(got))
	}
}
