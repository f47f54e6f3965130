package rules_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
)

const rawRule = `id: x-1
version: 1
title: X
status: shadow
match:
  event:
    id: start
    class: process_activity.launch
    where: iends(raw("Image"), "\\cmd.exe") and raw("EventID") == "1" and not rawKnown("User")
    bind: {what: raw.Image}
tests:
  - name: fires
    start: "2026-01-05T10:00:00Z"
    events:
      - {at: 0s, class: process_activity.launch, raw: RAW}
    fires:
      - {at: 0s, vars: {what: 'C:\CMD.EXE'}}
`

func TestEventsOfTestsHaveRawFields(t *testing.T) {
	r := load(t, strings.Replace(rawRule, "RAW", `{Image: 'C:\CMD.EXE', EventID: 1}`, 1))
	if got, ok := r.Tests[0].Events[0].Event.RawValue("EventID"); got != "1" || !ok {
		t.Errorf("EventID is %q, %v", got, ok)
	}
	for raw, want := range map[string]string{
		"x":            "events have no field raw",
		"{Image: [a]}": "raw.Image is a string",
	} {
		_, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(strings.Replace(rawRule, "RAW", raw, 1))}}, "r.yaml")
		if len(problems) == 0 || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%s: %v", raw, problems)
		}
	}
}
