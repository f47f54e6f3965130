package rules

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/tocsin-siem/tocsin/event"
)

// Draft says what a new rule is to look like.
type Draft struct {
	ID      string
	Title   string
	Kind    string   // One of DraftKinds.
	Classes []string // As rules write them; the steps take them in turn.
	Per     string   // Entity kind that joins the steps: robot, user, device or ip.
}

// DraftKinds lists what a new rule can begin as, each with what it is for.
func DraftKinds() [][2]string {
	return [][2]string{
		{"event", "one event is enough"},
		{"sequence", "one thing, then another, about the same entity"},
		{"all", "several things in any order, about the same entity"},
		{"any", "one of several things is enough"},
		{"count", "the same thing many times within a while"},
		{"measure", "a number whose median (sum, mean, percentile) within a while is too high"},
		{"consecutive", "each time worse than the time before"},
		{"absence", "one thing that is not followed by another"},
		{"changed", "a value that is not what it was before"},
		{"new", "a value that was not seen before"},
		{"spike", "far more than is usual at this hour"},
		{"beacon", "something that comes as regularly as a clock"},
		{"drop", "something regular that stays away"},
	}
}

// draftEntities are the entity kinds that a draft can join by: how a test's event names one, as a field and with two values.
var draftEntities = map[string]struct{ field, one, two string }{
	"robot":  {"robot: {uid: %s}", "r1", "r2"},
	"user":   {"user: {name: %s}", "ana.silva", "jonas.weber"},
	"device": {"device: {hostname: %s}", "lap-7", "lap-8"},
	"ip":     {"src_endpoint: {ip: %s}", "198.51.100.7", "198.51.100.8"},
}

// Scaffold writes a rule that loads, with a test that fires and one that stays silent, for its author to go on from. The error names what is
// wrong with the draft, and the fix.
func Scaffold(d Draft) ([]byte, error) {
	if !ruleID.MatchString(d.ID) {
		return nil, fmt.Errorf("%q is no rule id: lower-case letters, digits and dashes, as in my-0001", d.ID)
	}
	if !slices.ContainsFunc(DraftKinds(), func(k [2]string) bool { return k[0] == d.Kind }) {
		return nil, fmt.Errorf("a rule cannot begin as %q: there are %s", d.Kind, strings.Join(draftNames(), ", "))
	}
	entity, ok := draftEntities[d.Per]
	if !ok {
		return nil, fmt.Errorf("a new rule joins by robot, user, device or ip, not by %q", d.Per)
	}
	if len(d.Classes) == 0 {
		return nil, fmt.Errorf("name the class of events it is about, as in authentication.logon")
	}
	for _, name := range d.Classes {
		if _, err := event.ParseClass(name); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err := scaffold.ExecuteTemplate(&out, d.Kind, scaffolding{
		Draft: d, First: d.Classes[0], Second: d.Classes[len(d.Classes)-1],
		One: fmt.Sprintf(entity.field, entity.one), Two: fmt.Sprintf(entity.field, entity.two), Name: entity.one,
	})
	if err != nil {
		return nil, err
	}
	text, problems := Format(d.ID+".yaml", out.Bytes())
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s", problems[0])
	}
	return text, nil
}

func draftNames() (names []string) {
	for _, k := range DraftKinds() {
		names = append(names, k[0])
	}
	return names
}

// scaffolding is what the templates read.
type scaffolding struct {
	Draft
	First, Second string // Classes.
	One, Two      string // Fields of events about two entities.
	Name          string // Of the first entity.
}

var scaffold = template.Must(template.New("").Parse(`
{{define "head"}}# A draft. Narrow every step with where (tocsin rules fields and docs/fields.md tell what events have), then run tocsin rules test.
id: {{.ID}}
version: 1
title: {{printf "%q" .Title}}
description: Why it matters, and how it works.
severity: medium
status: shadow
tags: []
owner: soc
response: What to do first, and who may do it.
false_positives: [A harmless cause.]
{{end}}
{{define "event"}}{{template "head" .}}match:
  event:
    id: seen
    class: {{.First}}
    # where: status == "Failure"
    where: severity_id < 5
    bind: {who: {{.Per}}}
throttle: {per: [who], for: 1h}
tests:
  - name: it happens
    events:
      - {at: 0m, class: {{.First}}, severity: Medium, {{.One}}}
    fires: [{at: 0m, vars: {who: {{.Name}}}}]
  - name: something else happens
    events:
      - {at: 0m, class: {{.First}}, severity: Critical, {{.One}}}
    fires: []
{{end}}
{{define "steps"}}    - id: opening
      class: {{.First}}
      # where: status == "Success"
      bind: {who: {{.Per}}}
    - id: closing
      class: {{.Second}}
      where: severity_id >= 4
      bind: {who: {{.Per}}}
  within: 10m
throttle: {per: [who], for: 1h}
tests:
  - name: both happen
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 5m, class: {{.Second}}, severity: High, {{.One}}}
    fires: [{at: 5m, vars: {who: {{.Name}}}}]
  - name: they are about different ones
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 5m, class: {{.Second}}, severity: High, {{.Two}}}
    fires: []
  - name: the second comes too late
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 20m, class: {{.Second}}, severity: High, {{.One}}}
    fires: []
{{end}}
{{define "sequence"}}{{template "head" .}}match:
  sequence:
{{template "steps" .}}{{end}}
{{define "all"}}{{template "head" .}}match:
  all:
{{template "steps" .}}{{end}}
{{define "any"}}{{template "head" .}}match:
  any:
    - event:
        id: this
        class: {{.First}}
        where: severity_id == 4
        bind: {who: {{.Per}}}
    - event:
        id: that
        class: {{.Second}}
        where: severity_id >= 5
        bind: {who: {{.Per}}}
throttle: {per: [who], for: 1h}
tests:
  - name: the first of them
    events:
      - {at: 0m, class: {{.First}}, severity: High, {{.One}}}
    fires: [{at: 0m, vars: {who: {{.Name}}}}]
  - name: the second of them
    events:
      - {at: 0m, class: {{.Second}}, severity: Critical, {{.One}}}
    fires: [{at: 0m, vars: {who: {{.Name}}}}]
  - name: neither
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 1m, class: {{.Second}}, severity: Low, {{.One}}}
    fires: []
{{end}}
{{define "measure"}}{{template "head" .}}match:
  count:
    id: level
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    median: risk_score
    above: 70
    at_least: 3
    within: 10m
throttle: {per: [who], for: 1h}
tests:
  - name: two of three are high
    events:
      - {at: 0m, class: {{.First}}, risk_score: 90, {{.One}}}
      - {at: 1m, class: {{.First}}, risk_score: 10, {{.One}}}
      - {at: 2m, class: {{.First}}, risk_score: 80, {{.One}}}
    fires: [{at: 2m, vars: {who: {{.Name}}}}]
  - name: one of three is high
    events:
      - {at: 0m, class: {{.First}}, risk_score: 90, {{.One}}}
      - {at: 1m, class: {{.First}}, risk_score: 10, {{.One}}}
      - {at: 2m, class: {{.First}}, risk_score: 20, {{.One}}}
    fires: []
{{end}}
{{define "consecutive"}}{{template "head" .}}match:
  consecutive:
    id: worse
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    when: severity_id > prev.severity_id
    at_least: 2
    within: 10m
throttle: {per: [who], for: 1h}
tests:
  - name: worse, and worse again
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 1m, class: {{.First}}, severity: Medium, {{.One}}}
      - {at: 2m, class: {{.First}}, severity: High, {{.One}}}
    fires: [{at: 2m, vars: {who: {{.Name}}}}]
  - name: worse once, then better
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 1m, class: {{.First}}, severity: High, {{.One}}}
      - {at: 2m, class: {{.First}}, severity: Low, {{.One}}}
    fires: []
{{end}}
{{define "count"}}{{template "head" .}}match:
  count:
    id: tries
    class: {{.First}}
    # where: status == "Failure"
    bind: {who: {{.Per}}}
    at_least: 3
    within: 5m
throttle: {per: [who], for: 1h}
tests:
  - name: three within five minutes
    events:
      - {at: 0m, class: {{.First}}, {{.One}}}
      - {at: 1m, class: {{.First}}, {{.One}}}
      - {at: 2m, class: {{.First}}, {{.One}}}
    fires: [{at: 2m, vars: {who: {{.Name}}}}]
  - name: two, and one by another
    events:
      - {at: 0m, class: {{.First}}, {{.One}}}
      - {at: 1m, class: {{.First}}, {{.One}}}
      - {at: 2m, class: {{.First}}, {{.Two}}}
    fires: []
{{end}}
{{define "absence"}}{{template "head" .}}match:
  event:
    id: begun
    class: {{.First}}
    where: severity_id < 4
    bind: {who: {{.Per}}}
  unless:
    - class: {{.Second}}
      after: 10m
      where: severity_id >= 4
      bind: {who: {{.Per}}}
throttle: {per: [who], for: 1h}
tests:
  - name: nothing follows
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
    fires: [{at: 0m, vars: {who: {{.Name}}}}]
  - name: it is followed in time
    events:
      - {at: 0m, class: {{.First}}, severity: Low, {{.One}}}
      - {at: 9m, class: {{.Second}}, severity: High, {{.One}}}
    fires: []
{{end}}
{{define "changed"}}{{template "head" .}}match:
  event:
    id: change
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    changed: {value: message, per: [who]}
throttle: {per: [who], for: 1h}
tests:
  - name: it is not what it was
    events:
      - {at: 0m, class: {{.First}}, message: before, {{.One}}}
      - {at: 5m, class: {{.First}}, message: after, {{.One}}}
    fires: [{at: 5m, vars: {who: {{.Name}}}}]
  - name: it is what it was, and another's is another matter
    events:
      - {at: 0m, class: {{.First}}, message: before, {{.One}}}
      - {at: 1m, class: {{.First}}, message: after, {{.Two}}}
      - {at: 5m, class: {{.First}}, message: before, {{.One}}}
    fires: []
{{end}}
{{define "new"}}{{template "head" .}}match:
  event:
    id: seen
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    new: {value: message, per: [who], history: 30d, learn: 7d}
throttle: {per: [who], for: 1h}
tests:
  - name: a value that was never there
    given: {new: {seen: {{"{"}}{{.Name}}: [usual]}}}
    events:
      - {at: 0m, class: {{.First}}, message: unusual, {{.One}}}
    fires: [{at: 0m, vars: {who: {{.Name}}}}]
  - name: a value that is known
    given: {new: {seen: {{"{"}}{{.Name}}: [usual]}}}
    events:
      - {at: 0m, class: {{.First}}, message: usual, {{.One}}}
    fires: []
{{end}}
{{define "spike"}}{{template "head" .}}match:
  event:
    id: burst
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    spike: {per: [who], over: 10m, baseline: 14d, ratio: 4, floor: 5}
throttle: {per: [who], for: 1h}
tests:
  - name: five where one is usual
    given: {baseline: {burst: {{"{"}}{{.Name}}: 1}}}
    events:
{{template "five" .}}    fires: [{at: 4m, vars: {who: {{.Name}}}}]
  - name: five where five are usual
    given: {baseline: {burst: {{"{"}}{{.Name}}: 5}}}
    events:
{{template "five" .}}    fires: []
{{end}}
{{define "five"}}      - {at: 0m, class: {{.First}}, {{.One}}}
      - {at: 1m, class: {{.First}}, {{.One}}}
      - {at: 2m, class: {{.First}}, {{.One}}}
      - {at: 3m, class: {{.First}}, {{.One}}}
      - {at: 4m, class: {{.First}}, {{.One}}}
{{end}}
{{define "beacon"}}{{template "head" .}}match:
  event:
    id: call
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    beacon: {per: [who], over: 2h, at_least: 4, jitter_max: 0.2, min_gap: 10s}
throttle: {per: [who], for: 1h}
tests:
  - name: every minute
    events:
{{template "five" .}}    fires: [{at: 4m, vars: {who: {{.Name}}}}]
  - name: when it comes it comes
    events:
      - {at: 0m, class: {{.First}}, {{.One}}}
      - {at: 1m, class: {{.First}}, {{.One}}}
      - {at: 9m, class: {{.First}}, {{.One}}}
      - {at: 10m, class: {{.First}}, {{.One}}}
      - {at: 31m, class: {{.First}}, {{.One}}}
    fires: []
{{end}}
{{define "drop"}}{{template "head" .}}match:
  event:
    id: sign
    class: {{.First}}
    # where: status == "Success"
    bind: {who: {{.Per}}}
    drop: {per: [who], over: 2h, at_least: 4, for: 10m}
throttle: {per: [who], for: 1h}
tests:
  - name: then only signs of another one
    events:
{{template "five" .}}      - {at: 30m, class: {{.First}}, {{.Two}}}
    fires: [{at: 4m, vars: {who: {{.Name}}}}]
  - name: the end of what is known is no silence
    events:
{{template "five" .}}    fires: []
{{end}}
`))
