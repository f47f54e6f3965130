package rules_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

const untidy = `# What the file is for.
title: X
id: x-1
version:   1
status: shadow
tags: [ics.t0858, 'free']   # behind a value
match:
    sequence:
        # The first half.
        - class: robot_state
          id: mode
          bind: {robot: robot}
        - {id: back, bind: {robot: robot}, class: robot_state.mode_change}
    within: 10m
description: >
    A sentence that is long enough to be broken somewhere, because nobody likes to scroll to the right in order to read what a rule is all about, do they?

    And a second paragraph.
---
id: x-2
version: 1
title: Y
status: shadow
score: >
    clamp(40
      + (opened.status == "Failure" ? 5 : 0))
match: {event: {class: robot_state, id: opened}}
`

const tidy = `# What the file is for.
id: x-1
version: 1
title: X
description: >
  A sentence that is long enough to be broken somewhere, because nobody likes to scroll to the right in order to read what a rule is all about, do
  they?

  And a second paragraph.
status: shadow
tags: [ics.t0858, 'free'] # behind a value
match:
  sequence:
    # The first half.
    - id: mode
      class: robot_state
      bind: {robot: robot}
    - {id: back, class: robot_state.mode_change, bind: {robot: robot}}
  within: 10m
---
id: x-2
version: 1
title: Y
status: shadow
match: {event: {id: opened, class: robot_state}}
score: |
  clamp(40
    + (opened.status == "Failure" ? 5 : 0))
`

func TestAFileIsLaidOutInTheOrderOfTheReferenceAndMeansTheSame(t *testing.T) {
	got, problems := rules.Format("r.yaml", []byte(untidy))
	if diff := cmp.Diff(tidy, string(got)); diff != "" {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
	before, _ := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(untidy)}}, "r.yaml")
	after, found := rules.Load(fstest.MapFS{"r.yaml": {Data: got}}, "r.yaml")
	if before == nil || after == nil || before.Hash != after.Hash {
		t.Errorf("the set has changed: %v", found)
	}
	if again, _ := rules.Format("r.yaml", got); string(again) != string(got) {
		t.Errorf("laid out twice it changes again:\n%s", cmp.Diff(string(got), string(again)))
	}
}

func TestShippedRulesAreLaidOut(t *testing.T) {
	checkLayout(t, pack.Files)
	checkLayout(t, os.DirFS("../testdata/rules/good"))
}

func checkLayout(t *testing.T, files fs.FS) {
	t.Helper()
	n := 0
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		n++
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		got, problems := rules.Format(name, text)
		if diff := cmp.Diff(string(text), string(got)); diff != "" {
			t.Errorf("%s is not laid out: run tocsin rules fmt: %v\n%s", name, problems, diff)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%d files, %v", n, err)
	}
}

func TestATextThatIsNotYAMLIsLeftAlone(t *testing.T) {
	for _, text := range []string{"id: [", "id: x\n\tversion: 1\n", "id: &a x\ntitle: *a\n"} {
		if got, problems := rules.Format("r.yaml", []byte(text)); got != nil || len(problems) == 0 || problems[0].Line < 1 {
			t.Errorf("%q became %q with %v", text, got, problems)
		}
	}
}

func FuzzALaidOutFileMeansTheSameAndStaysAsItIs(f *testing.F) {
	f.Add([]byte(untidy))
	f.Add([]byte(tidy))
	f.Add([]byte("a: >+\n x\n\n\nb: |-\n  y\n# c\n"))
	f.Add([]byte("- >\n a b\n\n   c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, problems := rules.Format("r.yaml", text)
		if got == nil && len(problems) == 0 {
			t.Fatal("refused without a reason")
		}
		if got == nil {
			return
		}
		if again, problems := rules.Format("r.yaml", got); again == nil {
			t.Fatalf("%q became %q, which is refused: %v", text, got, problems)
		}
	})
}
