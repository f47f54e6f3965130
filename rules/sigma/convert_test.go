package sigma_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// eventRule is a rule with a detection over a log source without constraints worth reading.
func eventRule(detection string) string {
	return "title: T\nid: 11111111-2222-3333-4444-555555555555\nlogsource: {category: proxy}\nlevel: high\ndetection:\n" + indent(detection)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}

// convert converts one file.
func convert(t *testing.T, text string) *sigma.Result {
	t.Helper()
	return sigma.Convert([]sigma.File{{Name: "a.yml", Text: []byte(text)}}, sigma.Options{Status: rules.Shadow})
}

// load compiles what files became, from their text.
func load(t *testing.T, list []sigma.Rule) *rules.Set {
	t.Helper()
	text, err := sigma.Text(list)
	if err != nil {
		t.Fatal(err)
	}
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: text}}, "r.yaml")
	for _, p := range problems {
		t.Errorf("%v\n%s", p, text)
	}
	return set
}

// where is the condition that a detection became, without the log source's own.
func where(t *testing.T, detection string) string {
	t.Helper()
	result := convert(t, eventRule(detection))
	for _, p := range result.Refused {
		t.Fatal(p)
	}
	set := load(t, result.Rules)
	if set == nil {
		t.FailNow()
	}
	text := strings.ReplaceAll(set.Rules[0].Plan.Branches[0].Steps[0].Where.String(), "\n", " ")
	return strings.TrimPrefix(text, `metadata.event_code == "proxy" and `)
}

// same reports whether an expression is the one wanted; an or stands in parentheses behind the log source's own condition.
func same(got, want string) bool { return got == want || got == "("+want+")" }

func TestValuesKeepTheMeaningSigmaGivesThem(t *testing.T) {
	for item, want := range map[string]string{
		`f: abc`:                          `iequals(raw("f"), "abc")`,
		`f: 'C:\Windows\x'`:               "iequals(raw(\"f\"), `C:\\Windows\\x`)",
		`f: 'a\\b\c'`:                     "iequals(raw(\"f\"), `a\\b\\c`)",
		`f: '\\\\srv\share'`:              "iequals(raw(\"f\"), `\\\\srv\\share`)",
		`f: 'a\*b'`:                       `iequals(raw("f"), "a*b")`,
		`f: 'a\\*'`:                       "istarts(raw(\"f\"), `a\\`)",
		`f: 'a*'`:                         `istarts(raw("f"), "a")`,
		`f: '*a'`:                         `iends(raw("f"), "a")`,
		`f: '*a*'`:                        `icontains(raw("f"), "a")`,
		`f: 'a*b?\*'`:                     "ilike(raw(\"f\"), `a*b?\\*`)",
		`f: '*'`:                          `rawKnown("f")`,
		`f: ''`:                           `rawKnown("f") and raw("f") == ""`,
		`f: null`:                         `not rawKnown("f")`,
		`f: [a, null, '', b]`:             `iequals(raw("f"), "a", "b") or not rawKnown("f") or rawKnown("f") and raw("f") == ""`,
		`f: 4624`:                         `iequals(raw("f"), "4624")`,
		`f: 00000409`:                     `iequals(raw("f"), "00000409")`,
		`f: 0x10`:                         `iequals(raw("f"), "16")`,
		`f: true`:                         `iequals(raw("f"), "true")`,
		`f: [1, 2, '1']`:                  `iequals(raw("f"), "1", "2")`,
		`f|contains: [a, b]`:              `icontains(raw("f"), "a", "b")`,
		`f|contains|all: [a, b]`:          `icontains(raw("f"), "a") and icontains(raw("f"), "b")`,
		`f|startswith: 'a*b'`:             `ilike(raw("f"), "a*b*")`,
		`f|endswith: ['\a.exe', 'b']`:     "iends(raw(\"f\"), `\\a.exe`, \"b\")",
		`f|re: ['a.c', '^d']`:             `imatches(raw("f"), "a.c", "^d")`,
		`f|re|i|s: 'a.c'`:                 `imatches(raw("f"), "(?is)a.c")`,
		`f|re: '.*'`:                      `rawKnown("f") and imatches(raw("f"), ".*")`,
		`f|cidr: [10.1.2.3/8, '::1']`:     `cidr(raw("f"), "10.1.2.3/8", "::1/128")`,
		`f|exists: true`:                  `rawKnown("f")`,
		`f|exists: false`:                 `not rawKnown("f")`,
		`f|fieldref: g`:                   `rawKnown("f") and rawKnown("g") and lower(raw("f")) == lower(raw("g"))`,
		`f|fieldref|endswith: g`:          `rawKnown("f") and rawKnown("g") and lower(raw("f")) endsWith lower(raw("g"))`,
		`f|cased: aB`:                     `raw("f") == "aB"`,
		`f|cased|contains: [a, B]`:        `raw("f") contains "a" or raw("f") contains "B"`,
		`f|cased: 'a*.B'`:                 "imatches(raw(\"f\"), `(?s)\\Aa.*\\.B\\z`)",
		`f|base64: abcd`:                  `iequals(raw("f"), "YWJjZA==")`,
		`f|base64offset|contains: foobar`: `icontains(raw("f"), "Zm9vYmFy", "Zvb2Jhc", "mb29iYX")`,
		`f|wide|base64: ab`:               `iequals(raw("f"), "YQBiAA==")`,
		`f|utf16be|base64: ab`:            `iequals(raw("f"), "AGEAYg==")`,
		`f|utf16|base64: ab`:              `iequals(raw("f"), "//5hAGIA")`,
		`f|contains|windash: ' -a'`:       `icontains(raw("f"), " -a", " /a", " –a", " —a", " ―a")`,
		`f|windash: 'a-b'`:                `iequals(raw("f"), "a-b")`,
		`a.b c: x`:                        `iequals(raw("a.b c"), "x")`,
		"f: \"a`\\\\\\\\b\"":              "iequals(raw(\"f\"), \"a`\\\\b\")",
	} {
		if got := where(t, "s:\n  "+item+"\ncondition: s"); !same(got, want) {
			t.Errorf("%s\n got %s\nwant %s", item, got, want)
		}
	}
	number := `imatches(raw("f"), "^[-+]?[0-9]{1,300}([.][0-9]{1,300})?$") and float(raw("f")) `
	for modifier, operator := range map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<="} {
		if got, want := where(t, "s: {f|"+modifier+": 5.5}\ncondition: s"), number+operator+" 5.5"; got != want {
			t.Errorf("%s: got %s, want %s", modifier, got, want)
		}
	}
}

const searches = `
sel_a: {a: 1}
sel_b: {b: 2, c: 3}
list:
  - d: 4
  - e: 5
    f: 6
words: [one, 't?o']
_hidden: {h: 1}
`

func TestConditionsKeepTheirMeaning(t *testing.T) {
	a, b, h := `iequals(raw("a"), "1")`, `iequals(raw("b"), "2") and iequals(raw("c"), "3")`, `iequals(raw("h"), "1")`
	list := `iequals(raw("d"), "4") or iequals(raw("e"), "5") and iequals(raw("f"), "6")`
	words := `icontains(raws(), "one") or icontains(message, "one") or ilike(raws(), "*t?o*") or ilike(message, "*t?o*")`
	for condition, want := range map[string]string{
		`sel_a`:                          a,
		`sel_a and not sel_b`:            a + " and not (" + b + ")",
		`not sel_a or sel_b`:             "not " + a + " or " + b,
		`(sel_a or sel_b) and _hidden`:   "(" + a + " or " + b + ") and " + h,
		`1 of sel_*`:                     a + " or " + b,
		`all of sel_*`:                   a + " and " + b,
		`any of sel_a`:                   a,
		`not 1 of sel_*`:                 "not (" + a + " or " + b + ")",
		`list`:                           list,
		`sel_a and list`:                 a + " and (" + list + ")",
		`words`:                          words,
		`1 of them`:                      a + " or " + b + " or " + list + " or " + words,
		`not not sel_a`:                  "not (not " + a + ")",
		`sel_a AND (NOT (_hidden))`:      a + " and not " + h,
		`[sel_a, _hidden]`:               a + " or " + h,
		`sel_a and sel_a or sel_a`:       a + " and " + a + " or " + a,
		`sel_a or _hidden and not sel_b`: a + " or " + h + " and not (" + b + ")",
	} {
		if got := where(t, searches+"condition: "+condition); !same(got, want) {
			t.Errorf("%s\n got %s\nwant %s", condition, got, want)
		}
	}
	if got, want := where(t, "k:\n  '|all': [x, y]\ncondition: k"), `(icontains(raws(), "x") or icontains(message, "x")) and (icontains(raws(), "y") or icontains(message, "y"))`; got != want {
		t.Errorf("all keywords\n got %s\nwant %s", got, want)
	}
}

func TestWhatCannotBeCarriedIsRefusedAtItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":                                 "a.yml:1:1: S001 ",
		"a: 1":                                 "a.yml:1:1: S001 warning: the document has neither",
		"- a":                                  "a.yml:1:1: S002 ",
		"detection: {s: {a: 1}, condition: s}": "a.yml:1:1: S003 warning: a rule needs a title",
		"title: T\ndetection: {s: {a: 1}, condition: s}":                                                 "a.yml:1:1: S003 warning: a rule needs a logsource",
		"title: T\nlogsource: {product: windows, service: nosuch}\ndetection: {s: {a: 1}, condition: s}": "a.yml:2:12: S020 ",
		"title: T\nlogsource: {definition: x}\ndetection: {s: {a: 1}, condition: s}":                     "a.yml:2:12: S020 ",
		"title: T\nlevel: urgent\ndetection: {s: {a: 1}, condition: s}":                                  "a.yml:2:8: S013 ",
		"x: &a 1\ntitle: T":                                 "a.yml:1:4: S002 warning: anchors",
		eventRule("s: {a: 1}"):                              "a.yml:6:3: S003 warning: the detection needs a condition",
		eventRule("s: {a: 1}\ncondition: s and"):            "a.yml:7:14: S010 ",
		eventRule("s: {a: 1}\ncondition: s or (s"):          "a.yml:7:14: S010 ",
		eventRule("s: {a: 1}\ncondition: 2 of s"):           "a.yml:7:14: S010 ",
		eventRule("s: {a: 1}\ncondition: t"):                "a.yml:7:14: S011 ",
		eventRule("s: {a: 1}\ncondition: 1 of t*"):          "a.yml:7:14: S011 ",
		eventRule("s: {a|near: 1}\ncondition: s"):           "a.yml:6:7: S012 ",
		eventRule("s: {a|contains|re: 1}\ncondition: s"):    "a.yml:6:7: S012 ",
		eventRule("s: {a|wide: 1}\ncondition: s"):           "a.yml:6:7: S012 ",
		eventRule("s: {a|cidr: x}\ncondition: s"):           "a.yml:6:15: S013 ",
		eventRule("s: {a|base64: 'x*'}\ncondition: s"):      "a.yml:6:17: S013 ",
		eventRule("s: {a|gt: x}\ncondition: s"):             "a.yml:6:13: S013 ",
		eventRule("s: {a|re: '(?=x)'}\ncondition: s"):       "a.yml:6:13: S014 ",
		eventRule("s: {a|re: '(a)\\1'}\ncondition: s"):      "a.yml:6:13: S014 ",
		eventRule("s: {a|expand: '%x%'}\ncondition: s"):     "a.yml:6:7: S015 ",
		eventRule("s: {a: 1}\ncondition: s | count() > 5"):  "a.yml:7:14: S016 ",
		eventRule("s: {a: 1}\ntimeframe: 5m\ncondition: s"): "a.yml:7:3: S016 ",
		eventRule("s: []\ncondition: s"):                    "a.yml:6:6: S002 ",
		eventRule("s: {a: {b: 1}}\ncondition: s"):           "a.yml:6:10: S002 ",
	} {
		result := convert(t, text)
		if len(result.Refused) != 1 || !strings.HasPrefix(result.Refused[0].String(), want) || len(result.Rules) != 0 {
			t.Errorf("%s\n got %v and %d rules\nwant %s", text, result.Refused, len(result.Rules), want)
		}
	}
}

func TestARuleSaysWhereItComesFromAndLoads(t *testing.T) {
	result := convert(t, `
title: A  service is
  installed
id: AAAAAAAA-2222-3333-4444-555555555555
status: test
description: |
  Words.
references: [https://example.org/1]
author: Ana
license: DRL-1.1
date: 2024-01-05
modified: 2025-12-31
tags: [attack.persistence, attack.t1543.003, attack.t0858, attack.ics.t0807]
logsource: {product: windows, service: system, definition: 'Needs: x'}
detection:
  selection:
    Provider_Name: 'Service Control Manager'
    EventID: 7045
  condition: selection
falsepositives: [Administrators]
level: critical
`)
	set := load(t, result.Rules)
	if set == nil {
		t.Fatal(result.Refused)
	}
	r := set.Rules[0]
	got := fmt.Sprintln(r.ID, r.Version, r.Title, r.Severity, r.Status, r.Tags, r.References, r.FalsePositives) + r.Description
	want := "sigma-aaaaaaaa-2222-3333-4444-555555555555 251231 A service is installed critical shadow " +
		"[attack.persistence attack.t1543.003 ics.t0858 ics.t0807] [https://example.org/1] [Administrators]\nWords.\nLog source: Needs: x"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	from := &rules.Imported{
		Format: "sigma", ID: "AAAAAAAA-2222-3333-4444-555555555555", File: "a.yml", Author: "Ana", License: "DRL-1.1", Status: "test", Date: "2024-01-05", Modified: "2025-12-31",
	}
	if diff := cmp.Diff(from, r.Imported); diff != "" {
		t.Error(diff)
	}
}

func TestActionsOfOldFilesAreCarriedOut(t *testing.T) {
	result := convert(t, `
action: global
title: Both
level: low
logsource: {category: proxy}
detection: {condition: s}
---
id: one
detection: {s: {a: 1}}
---
action: repeat
id: two
detection: {s: {a: 2}}
---
action: reset
title: Alone
id: three
logsource: {category: proxy}
detection: {s: {a: 3}, condition: s}
`)
	var got []string
	for _, r := range load(t, result.Rules).Rules {
		got = append(got, r.ID+" "+r.Title+" "+r.Plan.Branches[0].Steps[0].Where.String())
	}
	want := []string{
		`sigma-one Both metadata.event_code == "proxy" and iequals(raw("a"), "1")`,
		`sigma-three Alone metadata.event_code == "proxy" and iequals(raw("a"), "3")`,
		`sigma-two Both metadata.event_code == "proxy" and iequals(raw("a"), "2")`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%v", diff, result.Refused)
	}
}

func TestFiltersNarrowTheRulesTheyName(t *testing.T) {
	rule := "title: T\nid: one\nname: first\nlogsource: {category: proxy, product: x}\ndetection: {s: {a: 1}, condition: s}\n"
	filter := "---\ntitle: F\nlogsource: {category: proxy}\nfilter:\n  rules: RULES\n  own: {b: 2}\n  condition: not own\n"
	for names, want := range map[string]string{
		"[one]": "", "[first]": "", "any": "",
		"[two]": "a.yml:10:10: S031 ",
	} {
		result := convert(t, rule+strings.Replace(filter, "RULES", names, 1))
		if want != "" {
			if len(result.Refused) != 1 || !strings.HasPrefix(result.Refused[0].String(), want) {
				t.Errorf("%s: %v, want %s", names, result.Refused, want)
			}
			continue
		}
		got := strings.ReplaceAll(load(t, result.Rules).Rules[0].Plan.Branches[0].Steps[0].Where.String(), "\n", " ")
		if !strings.HasSuffix(got, `and iequals(raw("a"), "1") and not iequals(raw("b"), "2")`) || result.Filters != 1 {
			t.Errorf("%s: %s, %v", names, got, result.Refused)
		}
	}
	other := strings.Replace(rule, "category: proxy", "category: dns", 1)
	if result := convert(t, other+strings.Replace(filter, "RULES", "[one]", 1)); len(result.Refused) != 1 || result.Refused[0].Code != "S034" {
		t.Errorf("a filter of another log source: %v", result.Refused)
	}
}

func ruleText(t *testing.T, r *sigma.Result) string {
	t.Helper()
	text, err := sigma.Text(r.Rules)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
