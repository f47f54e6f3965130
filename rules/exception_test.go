package rules_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/rules"
)

const signIn = `id: x-1
version: 1
title: Sign-in
status: shadow
match:
  event: {id: login, class: authentication.logon, bind: {user: user}}
`

const besides = `exceptions:
  - {rule: x-1, id: ana, when: 'vars.user == "user:ana"', owner: soc, reason: Known., expires: 2026-03-01}
  - {rule: x-1, id: lab, applies_to: "step:login", when: 'src_endpoint.ip == "10.0.0.1"', owner: soc, reason: Known., expires: 2027-03-01T12:00:00Z}
`

func TestExceptionsOfAFileOfTheirOwnJoinTheirRuleWhoseHashStays(t *testing.T) {
	files := fstest.MapFS{"r.yaml": {Data: []byte(signIn)}, "x/exceptions.yaml": {Data: []byte(besides)}}
	plain, _ := rules.Load(files, "r.yaml")
	set, problems := rules.LoadPaths(files, rules.Paths{Rules: []string{"r.yaml"}, Exceptions: []string{"x"}})
	if set == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	r := set.Rules[0]
	if len(r.Exceptions) != 2 || !r.Exceptions[0].Beside || r.Exceptions[1].Step != "login" || r.Exceptions[1].File != "x/exceptions.yaml" {
		t.Errorf("%+v", r.Exceptions)
	}
	if d := cmp.Diff([]int{0}, r.Plan.Excepted); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{1}, r.Plan.Branches[0].Steps[0].Excepted); d != "" {
		t.Error(d)
	}
	if plain.Rules[0].Hash != r.Hash || plain.Hash == set.Hash {
		t.Error("an exception must change the set's hash and leave the rule's")
	}
}

func TestAnExceptionOverWhatHitsDoNotCarryYetChangesTheHash(t *testing.T) {
	plain := load(t, signIn)
	more := load(t, signIn+"exceptions: [{id: x, when: 'login.status == \"Success\"', owner: soc, reason: Known., expires: 2027-03-01}]\n")
	if plain.Hash == more.Hash {
		t.Error("hits of the two rules carry different fields, and their hashes are equal")
	}
}

func TestExpiredExceptionsAreWarnedAboutFromTheirEndOn(t *testing.T) {
	files := fstest.MapFS{"r.yaml": {Data: []byte(signIn)}, "e.yaml": {Data: []byte(besides)}}
	set, _ := rules.LoadPaths(files, rules.Paths{Rules: []string{"r.yaml"}, Exceptions: []string{"e.yaml"}})
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	if got := set.CheckExceptions(at - 1); len(got) != 0 {
		t.Error(got)
	}
	got := set.CheckExceptions(at)
	want := "e.yaml:2:1: R062 warning: x-1: exception ana of soc expired on 2026-03-01 (take it out, or look at it again and give it a new date)"
	if len(got) != 1 || got[0].String() != want {
		t.Error(got)
	}
}

func TestAFileOfExceptionsHoldsNothingElse(t *testing.T) {
	files := fstest.MapFS{"r.yaml": {Data: []byte(signIn)}}
	set, problems := rules.LoadPaths(files, rules.Paths{Exceptions: []string{"r.yaml"}})
	if set != nil || len(problems) != 1 || problems[0].Code != "R002" {
		t.Error(problems)
	}
}
